//! Random access into zstd streams of many frames, as zstd:chunked and pzstd write them.
//!
//! A zstd decoder's state cannot be copied, so reading can only start at a frame. Most images have
//! one frame per layer: [`FrameIndex::longest_stretch`] shows whether an index is of use.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::ReadAt;
use super::range_reader::{RangeReader, Sequential};

const INPUT_BYTES: usize = 128 << 10;
/// Largest window accepted: 2^27 bytes, what `zstd -d` accepts without `--long`.
const WINDOW_LOG: u32 = 27;
/// Unpacked bytes from one recorded frame to the next, at least: frames may be as small as files.
const SPACING: u64 = 1 << 20;

/// Offsets of a frame's start, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FrameStart {
    compressed_offset: u64,
    unpacked_offset: u64,
}

/// Offsets of the frames of one zstd stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameIndex {
    frames: Vec<FrameStart>,
    unpacked_bytes: Option<u64>,
}

impl FrameIndex {
    /// Length of the whole unpacked stream, bytes; `None` while it has not been read to its end.
    #[must_use]
    pub fn unpacked_bytes(&self) -> Option<u64> {
        self.unpacked_bytes
    }

    /// Number of recorded frames: those that begin at least 1 MiB unpacked after the one before.
    #[must_use]
    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// Unpacked bytes from one recorded frame to the next, or to the end, at most: what reading may unpack in vain.
    /// `None` while the stream has not been read to its end.
    #[must_use]
    pub fn longest_stretch(&self) -> Option<u64> {
        let ends = self.frames.iter().skip(1).map(|frame| frame.unpacked_offset).chain([self.unpacked_bytes?]);
        let stretches = self.frames.iter().zip(ends).map(|(frame, end)| end.saturating_sub(frame.unpacked_offset));
        Some(stretches.max().unwrap_or_default())
    }

    /// Reads `length` unpacked bytes from `unpacked_offset` on, fewer where the stream ends before. `source` is the
    /// compressed stream that the index was recorded from, from its first byte on.
    ///
    /// # Errors
    /// When a decoder cannot be set up; and reading fails when `source` is not what it was.
    pub fn read_range<S: ReadAt>(
        &self,
        source: S,
        unpacked_offset: u64,
        length: u64,
    ) -> io::Result<impl Read + use<S>> {
        let is_past_end = self.unpacked_bytes.is_some_and(|end| unpacked_offset >= end);
        let length = if is_past_end { 0 } else { length };
        let after = self.frames.partition_point(|frame| frame.unpacked_offset <= unpacked_offset);
        let start = after.checked_sub(1).and_then(|index| self.frames.get(index)).copied();
        let start = start.unwrap_or(FrameStart { compressed_offset: 0, unpacked_offset: 0 });
        let reader = ZstdReader {
            compressed_offset: start.compressed_offset,
            ..ZstdReader::new(Sequential::new(source, start.compressed_offset))?
        };
        Ok(RangeReader::new(reader, unpacked_offset.saturating_sub(start.unpacked_offset), length))
    }
}

/// The index of a stream that is being read, to look at from another thread.
#[derive(Debug, Clone, Default)]
pub struct FramesInProgress(Arc<Mutex<FrameIndex>>);

impl FramesInProgress {
    /// The index as far as it is recorded. It serves the whole stream already: what lies after its last frame is
    /// unpacked from there.
    #[must_use]
    pub fn snapshot(&self) -> FrameIndex {
        self.with(|index| index.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut FrameIndex) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Recorder {
    index: FramesInProgress,
    spacing: u64,
    next: u64,
}

impl Recorder {
    fn begin_frame(&mut self, frame: FrameStart) {
        if frame.unpacked_offset >= self.next {
            self.index.with(|index| index.frames.push(frame));
            self.next = frame.unpacked_offset.saturating_add(self.spacing);
        }
    }
}

/// Unpacks a zstd stream (RFC 8878): all its frames, one after the other, skippable ones left out.
pub struct ZstdReader<R> {
    input: BufReader<R>,
    decoder: Decoder<'static>,
    compressed_offset: u64,
    unpacked_offset: u64,
    place: Place,
    recorder: Option<Recorder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    BetweenFrames,
    InFrame,
    Failed,
}

impl<R: Read> ZstdReader<R> {
    /// Unpacks `source`, without recording anything.
    ///
    /// # Errors
    /// When a decoder cannot be set up.
    pub fn new(source: R) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self {
            input: BufReader::with_capacity(INPUT_BYTES, source),
            decoder,
            compressed_offset: 0,
            unpacked_offset: 0,
            place: Place::BetweenFrames,
            recorder: None,
        })
    }

    /// Unpacks `source` and records where frames begin, which the second part gives out at any time, to any thread.
    ///
    /// # Errors
    /// When a decoder cannot be set up.
    pub fn recording(source: R) -> io::Result<(Self, FramesInProgress)> {
        Self::recording_every(source, SPACING)
    }

    fn recording_every(source: R, spacing: u64) -> io::Result<(Self, FramesInProgress)> {
        let index = FramesInProgress::default();
        let recorder = Some(Recorder { index: index.clone(), spacing, next: 0 });
        Ok((Self { recorder, ..Self::new(source)? }, index))
    }

    /// Compressed bytes used up so far.
    #[must_use]
    pub fn compressed_offset(&self) -> u64 {
        self.compressed_offset
    }

    /// Goes on until something is unpacked.
    fn advance(&mut self, output: &mut [u8]) -> io::Result<usize> {
        loop {
            let offered = self.input.fill_buf()?;
            match self.place {
                Place::Failed => return Err(io::Error::other("reading stopped at an earlier error")),
                Place::BetweenFrames if offered.is_empty() => {
                    if let Some(recorder) = &self.recorder {
                        recorder.index.with(|index| index.unpacked_bytes = Some(self.unpacked_offset));
                    }
                    return Ok(0);
                }
                Place::BetweenFrames => {
                    if let Some(recorder) = &mut self.recorder {
                        recorder.begin_frame(FrameStart {
                            compressed_offset: self.compressed_offset,
                            unpacked_offset: self.unpacked_offset,
                        });
                    }
                }
                Place::InFrame => {}
            }
            let is_at_end = offered.is_empty();
            let mut from = InBuffer::around(offered);
            let mut to = OutBuffer::around(&mut *output);
            let hint = self.decoder.run(&mut from, &mut to)?;
            let (consumed, produced) = (from.pos(), to.pos());
            self.input.consume(consumed);
            self.compressed_offset = self.compressed_offset.saturating_add(consumed as u64);
            self.unpacked_offset = self.unpacked_offset.saturating_add(produced as u64);
            self.place = if hint == 0 { Place::BetweenFrames } else { Place::InFrame };
            if produced > 0 {
                return Ok(produced);
            }
            if is_at_end && hint != 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream is truncated"));
            }
        }
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        self.advance(output).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            self.place = Place::Failed;
            let kind = match error.kind() {
                // What the decoder itself reports: the data is at fault.
                io::ErrorKind::Other => io::ErrorKind::InvalidData,
                kind => kind,
            };
            io::Error::new(kind, format!("zstd stream: {error}, at compressed byte {}", self.compressed_offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SKIPPABLE: &[u8] = b"\x50\x2a\x4d\x18\x04\0\0\0skip";

    fn frame(unpacked: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(unpacked, 1).unwrap()
    }

    fn unpack(packed: &[u8], spacing: u64) -> io::Result<(Vec<u8>, FrameIndex)> {
        let (mut reader, index) = ZstdReader::recording_every(packed, spacing)?;
        let mut unpacked = Vec::new();
        reader.read_to_end(&mut unpacked)?;
        Ok((unpacked, index.snapshot()))
    }

    fn range(index: &FrameIndex, packed: &[u8], offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let source: Arc<[u8]> = packed.into();
        index.read_range(source, offset, length).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn reading_begins_at_the_frame_before() {
        let packed = [&frame(b"one"), SKIPPABLE, &frame(b"two"), &frame(b""), &frame(b"three")].concat();
        let (unpacked, index) = unpack(&packed, 1).unwrap();
        assert_eq!(unpacked, b"onetwothree");
        assert_eq!((index.frame_count(), index.unpacked_bytes(), index.longest_stretch()), (3, Some(11), Some(5)));
        assert_eq!(range(&index, &packed, 5, 3), b"oth");
        assert_eq!(range(&index, &packed, 9, 9), b"ee");
        assert_eq!(range(&index, &packed, 11, 9), b"");

        let mut damaged = packed.clone();
        damaged[..20].fill(0xff);
        assert_eq!(range(&index, &damaged, 7, 2), b"hr");
    }

    #[test]
    fn one_frame_is_one_stretch() {
        let packed = frame(&[7; 5_000_000]);
        let (_, index) = unpack(&packed, SPACING).unwrap();
        assert_eq!((index.frame_count(), index.longest_stretch()), (1, Some(5_000_000)));
        assert_eq!(range(&index, &packed, 4_999_999, 5), [7]);
        assert_eq!(unpack(b"", 1).unwrap().1.longest_stretch(), Some(0));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let whole = [frame(b"one"), frame(&[1; 1000])].concat();
        let first = frame(b"one").len();
        for end in first + 1..whole.len() {
            let error = unpack(&whole[..end], 1).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
        }
        let error = unpack(&[&frame(b"one")[..], b"garbage"].concat(), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().ends_with(&format!("at compressed byte {first}")), "{error}");

        let (mut reader, _) = ZstdReader::recording(&b"garbage"[..]).unwrap();
        for _ in 0..2 {
            assert!(reader.read(&mut [0; 4]).is_err());
        }
    }

    proptest! {
        #[test]
        fn ranges_equal_plain_decompression(
            parts in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..5000), 0..8),
            spacing in 1u64..9000,
            ranges in proptest::collection::vec((0u64..40_000, 0u64..9000), 1..5),
        ) {
            let packed: Vec<u8> = parts.iter().flat_map(|part| frame(part)).collect();
            let unpacked = parts.concat();
            let (found, index) = unpack(&packed, spacing).unwrap();
            prop_assert_eq!(&found, &unpacked);
            for (offset, length) in ranges {
                let start = (offset as usize).min(unpacked.len());
                let end = (start + length as usize).min(unpacked.len());
                prop_assert_eq!(range(&index, &packed, offset, length), &unpacked[start..end]);
            }
        }

        #[test]
        fn nothing_panics_on_arbitrary_bytes(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&tail, 1);
            let _ = unpack(&[&b"\x28\xb5\x2f\xfd"[..], &tail].concat(), 1);
        }
    }
}
