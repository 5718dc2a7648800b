use std::io::{self, Read};

use super::ReadAt;

const SKIP_BYTES: usize = 64 << 10;

/// Reads a part of what another reader gives.
pub(super) struct RangeReader<R> {
    reader: R,
    skip: u64,
    remaining: u64,
}

impl<R: Read> RangeReader<R> {
    /// Reads and drops `skip` bytes of `reader`, then gives out `length`.
    pub fn new(reader: R, skip: u64, length: u64) -> Self {
        Self { reader, skip, remaining: length }
    }

    fn skip(&mut self) -> io::Result<()> {
        let mut scratch = vec![0; SKIP_BYTES];
        while self.skip > 0 {
            let wanted = usize::try_from(self.skip).unwrap_or(usize::MAX).min(SKIP_BYTES);
            match self.reader.read(scratch.get_mut(..wanted).unwrap_or_default()) {
                Ok(0) => {
                    (self.skip, self.remaining) = (0, 0);
                }
                Ok(count) => self.skip = self.skip.saturating_sub(count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for RangeReader<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if self.remaining > 0 {
            self.skip()?;
        }
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(output.len());
        let Some(output) = output.get_mut(..wanted).filter(|output| !output.is_empty()) else {
            return Ok(0);
        };
        let count = self.reader.read(output)?;
        self.remaining = self.remaining.saturating_sub(count as u64);
        Ok(count)
    }
}

/// Reads a [`ReadAt`] from an offset on.
pub(super) struct Sequential<S> {
    source: S,
    offset: u64,
}

impl<S> Sequential<S> {
    pub fn new(source: S, offset: u64) -> Self {
        Self { source, offset }
    }
}

impl<S: ReadAt> Read for Sequential<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read_at(buffer, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}
