use std::io;

use crate::BlockReader;
use crate::read_at::Section;
use nixdive_base::cancel::Cancel;

/// The source of a tar stream: read in order, with gaps that can be skipped.
pub trait TarInput {
    /// Bytes taken or passed over so far.
    fn position(&self) -> u64;

    /// Reads bytes until `buffer` is full; fewer only at the end.
    ///
    /// # Errors
    /// If the source fails.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Skips `length` bytes and returns their number, which is less only at the end.
    ///
    /// # Errors
    /// If the source fails.
    fn skip(&mut self, length: u64) -> io::Result<u64>;

    /// Reads `length` bytes and passes them to `visit` piece by piece; fewer only at the end.
    ///
    /// # Errors
    /// If the source fails.
    fn visit(&mut self, length: u64, visit: &mut dyn FnMut(&[u8])) -> io::Result<u64>;

    /// Returns `true` if [`Self::visit`] costs no more than [`Self::skip`], because the bytes are
    /// read in any case.
    fn content_comes_by(&self) -> bool;
}

/// Reads a plain section, and of the gaps only what comes along with the bytes around them.
///
/// The window follows the gaps: where headers lie close together, one read brings many of them; where they lie far
/// apart, a read brings one and leaves the content alone.
pub struct SectionInput {
    section: Section,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
    window_length: usize,
    next_read: usize,
    cancel: Cancel,
}

const SMALLEST_READ: usize = 4 << 10;
const LARGEST_READ: usize = 128 << 10;

impl SectionInput {
    /// Reads `section` from its beginning.
    #[must_use]
    pub fn new(section: Section, cancel: Cancel) -> Self {
        Self {
            section,
            position: 0,
            window: Vec::new(),
            window_start: 0,
            window_length: 0,
            next_read: SMALLEST_READ,
            cancel,
        }
    }

    /// Returns the buffered bytes from the position on.
    fn at_hand(&self) -> &[u8] {
        let start = self.position.checked_sub(self.window_start).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.window.get(start..self.window_length)).unwrap_or_default()
    }

    fn refill(&mut self) -> io::Result<()> {
        self.cancel.check()?;
        let window_end = self.window_start + self.window_length as u64;
        let gap = self.position.saturating_sub(window_end);
        self.next_read =
            if gap <= self.next_read as u64 / 2 { (self.next_read * 2).min(LARGEST_READ) } else { SMALLEST_READ };
        self.window.resize(self.window.len().max(self.next_read), 0);
        self.window_start = self.position;
        self.window_length = 0;
        self.window_length = self.section.read_full_at(&mut self.window[..self.next_read], self.position)?;
        Ok(())
    }
}

impl TarInput for SectionInput {
    fn position(&self) -> u64 {
        self.position
    }

    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.at_hand().is_empty() {
                self.refill()?;
            }
            let at_hand = self.at_hand();
            let count = at_hand.len().min(buffer.len() - filled);
            if count == 0 {
                break;
            }
            buffer[filled..filled + count].copy_from_slice(&at_hand[..count]);
            filled += count;
            self.position += count as u64;
        }
        Ok(filled)
    }

    fn skip(&mut self, length: u64) -> io::Result<u64> {
        let passed = length.min(self.section.length().saturating_sub(self.position));
        self.position += passed;
        Ok(passed)
    }

    fn visit(&mut self, length: u64, visit: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            if self.at_hand().is_empty() {
                self.next_read = LARGEST_READ;
                self.refill()?;
            }
            let at_hand = self.at_hand();
            let count = at_hand.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            visit(&at_hand[..count]);
            self.position += count as u64;
            left -= count as u64;
        }
        Ok(length - left)
    }

    fn content_comes_by(&self) -> bool {
        false
    }
}

impl TarInput for BlockReader {
    fn position(&self) -> u64 {
        self.position()
    }

    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let chunk = self.chunk()?;
            let count = chunk.len().min(buffer.len() - filled);
            if count == 0 {
                break;
            }
            buffer[filled..filled + count].copy_from_slice(&chunk[..count]);
            filled += count;
            self.consume(count);
        }
        Ok(filled)
    }

    fn skip(&mut self, length: u64) -> io::Result<u64> {
        self.visit(length, &mut |_| {})
    }

    fn visit(&mut self, length: u64, visit: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let chunk = self.chunk()?;
            let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            visit(&chunk[..count]);
            self.consume(count);
            left -= count as u64;
        }
        Ok(length - left)
    }

    fn content_comes_by(&self) -> bool {
        true
    }
}
