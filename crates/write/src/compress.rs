//! Parallel compression with a result that does not depend on the number of threads: a stream is cut into chunks of a
//! fixed length, each is compressed on its own, and the results are written in the order of the chunks.
//!
//! gzip: one member (RFC 1952); each chunk ends with an empty stored block (RFC 1951, "sync flush") and uses the 32 KiB
//! before it as a dictionary, as pigz does. zstd: one frame per chunk (RFC 8878, "Zstandard Frames"), so that unpacking
//! can start at any frame.

use std::collections::VecDeque;
use std::io::{self, Write};

use crossbeam_channel::{Receiver, Sender, bounded};
use flate2::{Compress, Crc, FlushCompress};

use nixdive_image::Compression;

const GZIP_CHUNK: usize = 512 << 10;
const ZSTD_CHUNK: usize = 2 << 20;
/// Maximum distance of deflate's back references (RFC 1951).
const DICTIONARY: usize = 32 << 10;
/// Header without time and name, with an unknown system, so that the bytes are the same on every machine.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Empty final block.
const DEFLATE_END: [u8; 2] = [3, 0];
/// Maximum number of threads. At this number, chunks and contexts use about 55 MB at the usual levels; more threads
/// cost more memory than the time is worth.
const MOST_WORKERS: usize = 6;

/// Compression of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerCompression {
    method: Compression,
    level: i32,
}

/// Reasons why a text is not a valid compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// Method that layers cannot use.
    #[error("unknown compression `{0}`: expected none, gzip[:LEVEL] or zstd[:LEVEL], such as zstd:19")]
    Method(String),
    /// Level that the method does not have.
    #[error("invalid {method} level `{level}`: expected 1 to {most}")]
    Level {
        /// Level as the user typed it.
        level: String,
        /// Method: `gzip` or `zstd`.
        method: &'static str,
        /// Highest level of the method.
        most: i32,
    },
}

impl LayerCompression {
    /// No compression.
    pub const NONE: Self = Self { method: Compression::None, level: 0 };
    /// gzip at its usual default level.
    pub const GZIP: Self = Self { method: Compression::Gzip, level: 6 };
    /// zstd at its usual default level.
    pub const ZSTD: Self = Self { method: Compression::Zstd, level: 3 };

    /// Parses `none`, `gzip`, `zstd`, `gzip:LEVEL` (1 to 9) or `zstd:LEVEL` (1 to 19).
    ///
    /// # Errors
    /// If the method is unknown or the level is out of range.
    pub fn parse(text: &str) -> Result<Self, CompressionError> {
        let (method, level) = text.split_once(':').map_or((text, None), |(method, level)| (method, Some(level)));
        let (known, most) = match method {
            "none" if level.is_none() => return Ok(Self::NONE),
            "gzip" => (Self::GZIP, 9),
            "zstd" => (Self::ZSTD, 19),
            _ => return Err(CompressionError::Method(text.to_owned())),
        };
        let Some(level) = level else { return Ok(known) };
        let wrong = || CompressionError::Level { level: level.to_owned(), method: known.method.name(), most };
        let number: i32 = level.parse().map_err(|_| wrong())?;
        if (1..=most).contains(&number) { Ok(Self { level: number, ..known }) } else { Err(wrong()) }
    }

    /// Returns the compression method.
    #[must_use]
    pub fn method(self) -> Compression {
        self.method
    }

    /// Returns the level; 0 for no compression.
    #[must_use]
    pub fn level(self) -> i32 {
        self.level
    }
}

/// Threads that compress several streams at once.
pub struct Workers {
    jobs: Sender<Job>,
    count: usize,
}

struct Job {
    chunk: Vec<u8>,
    dictionary: Vec<u8>,
    compression: LayerCompression,
    reply: Sender<io::Result<Packed>>,
}

struct Packed {
    bytes: Vec<u8>,
    crc: Crc,
}

impl Workers {
    /// Starts the threads. They end when the last handle is dropped.
    pub fn start<'scope>(scope: &'scope std::thread::Scope<'scope, '_>, threads: usize) -> Self {
        let count = threads.clamp(1, MOST_WORKERS);
        let (jobs, received) = bounded::<Job>(1);
        for _ in 0..count {
            let received = received.clone();
            scope.spawn(move || work(&received));
        }
        Self { jobs, count }
    }
}

fn work(jobs: &Receiver<Job>) {
    let mut zstd: Option<(i32, zstd::bulk::Compressor<'static>)> = None;
    for job in jobs {
        let packed = match job.compression.method {
            Compression::Zstd => with_zstd(&mut zstd, &job),
            _ => with_deflate(&job),
        };
        // A receiver that has gone away has failed for another reason.
        let _ = job.reply.send(packed);
    }
}

fn with_zstd(kept: &mut Option<(i32, zstd::bulk::Compressor<'static>)>, job: &Job) -> io::Result<Packed> {
    let level = job.compression.level;
    let (_, compressor) = match kept.take().filter(|(known, _)| *known == level) {
        Some(known) => kept.insert(known),
        None => {
            let mut compressor = zstd::bulk::Compressor::new(level)?;
            compressor.include_checksum(true)?;
            kept.insert((level, compressor))
        }
    };
    Ok(Packed { bytes: compressor.compress(&job.chunk)?, crc: Crc::new() })
}

/// Compresses a chunk with a new compressor: state that zlib keeps across a reset would change the result.
fn with_deflate(job: &Job) -> io::Result<Packed> {
    let level = flate2::Compression::new(job.compression.level.unsigned_abs());
    let mut compress = Compress::new(level, false);
    if !job.dictionary.is_empty() {
        compress.set_dictionary(&job.dictionary).map_err(io::Error::other)?;
    }
    let mut bytes = Vec::with_capacity(job.chunk.len() / 2 + 1024);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = job.chunk.get(read..).unwrap_or_default();
        compress.compress_vec(rest, &mut bytes, FlushCompress::Sync).map_err(io::Error::other)?;
        // A flush is complete when it leaves room in the buffer (zlib's manual, deflate()).
        if compress.total_in() >= job.chunk.len() as u64 && bytes.len() < bytes.capacity() {
            break;
        }
        bytes.reserve(64 << 10);
    }
    let mut crc = Crc::new();
    crc.update(&job.chunk);
    Ok(Packed { bytes, crc })
}

/// Stream that is compressed by [`Workers`] and written in order to `W`.
pub struct Compressor<'a, W> {
    out: W,
    workers: &'a Workers,
    compression: LayerCompression,
    chunk: Vec<u8>,
    dictionary: Vec<u8>,
    pending: VecDeque<Receiver<io::Result<Packed>>>,
    crc: Crc,
    is_empty: bool,
}

impl<'a, W: Write> Compressor<'a, W> {
    /// Starts a blob that is written to `out`.
    pub fn new(mut out: W, workers: &'a Workers, compression: LayerCompression) -> io::Result<Self> {
        if compression.method == Compression::Gzip {
            out.write_all(&GZIP_HEADER)?;
        }
        Ok(Self {
            out,
            workers,
            compression,
            chunk: Vec::new(),
            dictionary: Vec::new(),
            pending: VecDeque::new(),
            crc: Crc::new(),
            is_empty: true,
        })
    }

    fn chunk_bytes(&self) -> usize {
        if self.compression.method == Compression::Zstd { ZSTD_CHUNK } else { GZIP_CHUNK }
    }

    /// Sends the current chunk to the workers.
    fn send(&mut self) -> io::Result<()> {
        self.is_empty = false;
        let chunk = std::mem::take(&mut self.chunk);
        let mut dictionary = Vec::new();
        if self.compression.method == Compression::Gzip {
            let from = chunk.len().saturating_sub(DICTIONARY);
            let next = chunk.get(from..).unwrap_or_default().to_vec();
            dictionary = std::mem::replace(&mut self.dictionary, next);
        }
        let (reply, answer) = bounded(1);
        let job = Job { chunk, dictionary, compression: self.compression, reply };
        self.workers.jobs.send(job).map_err(|_| gone())?;
        self.pending.push_back(answer);
        while self.pending.len() > self.workers.count {
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        let Some(answer) = self.pending.pop_front() else { return Ok(()) };
        let packed = answer.recv().map_err(|_| gone())??;
        self.crc.combine(&packed.crc);
        self.out.write_all(&packed.bytes)
    }

    /// Finishes the stream and returns the writer.
    pub fn finish(mut self) -> io::Result<W> {
        if self.compression.method == Compression::None {
            return Ok(self.out);
        }
        // An empty stream is written as one empty frame.
        if !self.chunk.is_empty() || self.is_empty {
            self.send()?;
        }
        while !self.pending.is_empty() {
            self.receive()?;
        }
        if self.compression.method == Compression::Gzip {
            self.out.write_all(&DEFLATE_END)?;
            self.out.write_all(&self.crc.sum().to_le_bytes())?;
            self.out.write_all(&self.crc.amount().to_le_bytes())?;
        }
        Ok(self.out)
    }
}

fn gone() -> io::Error {
    io::Error::other("a compressing thread has ended")
}

impl<W: Write> Write for Compressor<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.compression.method == Compression::None {
            return self.out.write(bytes);
        }
        let most = self.chunk_bytes();
        if self.chunk.capacity() == 0 {
            self.chunk.reserve_exact(most);
        }
        let count = bytes.len().min(most.saturating_sub(self.chunk.len()));
        self.chunk.extend_from_slice(bytes.get(..count).unwrap_or_default());
        if self.chunk.len() >= most {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proptest::prelude::*;

    fn packed(bytes: &[u8], compression: LayerCompression, threads: usize, piece: usize) -> Vec<u8> {
        std::thread::scope(|scope| {
            let workers = Workers::start(scope, threads);
            let mut compressor = Compressor::new(Vec::new(), &workers, compression).unwrap();
            for piece in bytes.chunks(piece) {
                compressor.write_all(piece).unwrap();
            }
            compressor.finish().unwrap()
        })
    }

    fn unpacked(bytes: &[u8], compression: LayerCompression) -> Vec<u8> {
        let mut out = Vec::new();
        match compression.method() {
            Compression::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).map(drop).unwrap(),
            Compression::Zstd => out = zstd::decode_all(bytes).unwrap(),
            _ => out.extend_from_slice(bytes),
        }
        out
    }

    #[test]
    fn any_number_of_threads_makes_the_same_bytes() {
        let mut state = 1u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 27) as u8
        })
        .take(5_000_001)
        .collect();
        for compression in [LayerCompression::GZIP, LayerCompression::ZSTD] {
            let one = packed(&bytes, compression, 1, 4096);
            assert!(one.len() < bytes.len());
            assert!(packed(&bytes, compression, 5, 77_777) == one, "{compression:?}");
            assert!(unpacked(&one, compression) == bytes, "{compression:?}");
        }
    }

    #[test]
    fn compressions_are_named_with_or_without_a_level() {
        assert_eq!(LayerCompression::parse("none"), Ok(LayerCompression::NONE));
        assert_eq!(LayerCompression::parse("gzip"), Ok(LayerCompression::GZIP));
        assert_eq!(LayerCompression::parse("zstd:19").map(LayerCompression::level), Ok(19));
        for bad in ["", "xz", "none:1", "gzip:10", "zstd:0", "zstd:", "zstd:-5", "gzip:x"] {
            assert!(LayerCompression::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks_to_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..3000), piece in 1usize..999) {
            for compression in [LayerCompression::NONE, LayerCompression::GZIP, LayerCompression::ZSTD] {
                prop_assert_eq!(&unpacked(&packed(&bytes, compression, 2, piece), compression), &bytes);
            }
        }
    }
}
