use std::io::{self, Read};

use super::GzipProblem;

const BUFFER_BYTES: usize = 128 << 10;

/// Buffered compressed bytes, with their offset in the stream.
pub(super) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R> Input<R> {
    /// `offset`: where in the compressed stream `source` stands.
    pub fn new(source: R, offset: u64) -> Self {
        Self { source, buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), start: 0, end: 0, offset }
    }

    /// Offset of the next byte in the compressed stream.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn available(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset = self.offset.saturating_add(count as u64);
    }
}

impl<R: Read> Input<R> {
    /// Reads from the source if the buffer is empty. An empty buffer afterwards means the end.
    pub fn fill(&mut self) -> io::Result<()> {
        while self.start == self.end {
            match self.source.read(&mut self.buffer) {
                Ok(count) => {
                    self.start = 0;
                    self.end = count.min(self.buffer.len());
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next byte, left where it is; `None` at the end.
    pub fn peek(&mut self) -> io::Result<Option<u8>> {
        self.fill()?;
        Ok(self.available().first().copied())
    }

    /// The next byte, which has to be there.
    pub fn byte(&mut self) -> io::Result<u8> {
        let byte = self.peek()?.ok_or_else(|| GzipProblem::Truncated.at(self.offset))?;
        self.consume(1);
        Ok(byte)
    }

    /// The next four bytes as a little-endian number.
    pub fn number(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes([self.byte()?, self.byte()?, self.byte()?, self.byte()?]))
    }
}
