//! Random access into gzip streams.
//!
//! [`GzipReader`] unpacks a stream of one or more members from start to end and, on the way, keeps checkpoints: copies
//! of the decoder's state every 8 MiB, 48 KiB each. [`GzipIndex::read_range`] later reads any part of the unpacked
//! stream from the checkpoint before it, which takes 10 to 25 ms where the whole stream would take seconds.

mod checkpoint;
mod error;
mod header;
mod inflate;
mod input;
mod reader;
#[cfg(test)]
mod tests;

pub use checkpoint::{CheckpointPlan, GzipIndex, IndexInProgress};
pub use error::{GzipError, GzipProblem};
pub use reader::{GzipReader, Trailing};

use std::io::{self, Read};

use super::ReadAt;
use super::range_reader::{RangeReader, Sequential};

impl GzipIndex {
    /// Reads `length` unpacked bytes from `unpacked_offset` on, fewer where the stream ends before. `source` is the
    /// compressed stream that the index was recorded from, from its first byte on.
    ///
    /// Takes about 250 KiB of memory, whatever the length. A member's checksum is checked when its end is read.
    ///
    /// # Errors
    /// [`GzipProblem::Memory`]; and reading yields a [`GzipError`] when `source` is not what it was.
    pub fn read_range<S: ReadAt>(
        &self,
        source: S,
        unpacked_offset: u64,
        length: u64,
    ) -> io::Result<impl Read + use<S>> {
        let is_past_end = self.unpacked_bytes().is_some_and(|end| unpacked_offset >= end);
        let length = if is_past_end { 0 } else { length };
        let (reader, begin) = match self.checkpoint_before(unpacked_offset) {
            Some(checkpoint) => {
                let source = Sequential::new(source, checkpoint.compressed_offset);
                (GzipReader::resuming(source, checkpoint)?, checkpoint.unpacked_offset)
            }
            None => (GzipReader::new(Sequential::new(source, 0)), 0),
        };
        Ok(RangeReader::new(reader, unpacked_offset.saturating_sub(begin), length))
    }
}
