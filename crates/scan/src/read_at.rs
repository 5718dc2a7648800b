use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

/// Bytes that can be read at any offset, by several threads at once.
pub trait ReadAt: Send + Sync {
    /// Reads some bytes at `offset` into `buffer`; 0 at the end.
    ///
    /// # Errors
    /// If the underlying read fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

impl ReadAt for &'static [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }
}

/// A run of bytes within something larger: one layer in an archive.
#[derive(Clone)]
pub struct Section {
    source: Arc<dyn ReadAt>,
    start: u64,
    length: u64,
}

impl std::fmt::Debug for Section {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Section").field("start", &self.start).field("length", &self.length).finish()
    }
}

impl Section {
    /// The `length` bytes of `source` that begin at `start`.
    #[must_use]
    pub fn new(source: Arc<dyn ReadAt>, start: u64, length: u64) -> Self {
        Self { source, start, length: length.min(u64::MAX - start) }
    }

    /// All of some bytes in memory.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self::new(Arc::new(bytes), 0, length)
    }

    /// Length, bytes. The source itself may turn out to be shorter.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns a key that is equal for two sections of the same bytes of one open source.
    #[must_use]
    pub fn identity(&self) -> (usize, u64, u64) {
        (Arc::as_ptr(&self.source).cast::<()>().addr(), self.start, self.length)
    }

    /// Returns the offset in its source, bytes.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The `length` bytes that begin at `offset` of this section, cut off at its end.
    #[must_use]
    pub fn part(&self, offset: u64, length: u64) -> Self {
        let offset = offset.min(self.length);
        Self { source: Arc::clone(&self.source), start: self.start + offset, length: length.min(self.length - offset) }
    }

    /// Reads until `buffer` is full or the section ends.
    ///
    /// # Errors
    /// If the underlying read fails.
    pub fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Reads it from its beginning.
    #[must_use]
    pub fn reader(&self) -> SectionReader {
        SectionReader { section: self.clone(), position: 0 }
    }

    /// Reads it from its beginning, much at a time.
    #[must_use]
    pub fn buffered(&self) -> BufReader<SectionReader> {
        BufReader::with_capacity(128 << 10, self.reader())
    }
}

impl ReadAt for Section {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.length.saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if length == 0 {
            return Ok(0);
        }
        self.source.read_at(&mut buffer[..length], self.start + offset)
    }
}

/// Reads a [`Section`] in order.
#[derive(Debug, Clone)]
pub struct SectionReader {
    section: Section,
    position: u64,
}

impl SectionReader {
    /// Bytes read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.section.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
