//! Detection of a stream's compression by its first bytes, and the decoders for it.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::CountingReader;
use super::gzip_index::{CheckpointPlan, GzipReader, IndexInProgress};
use nixdive_image::Compression;

/// Bytes of the beginning of a stream that [`detect`] looks at.
pub const MAGIC_BYTES: usize = 512;

/// Largest zstd window accepted: 2^27 bytes, what `zstd -d` accepts without `--long`.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Memory that one xz decoder may take, bytes: preset -9 needs 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;

/// Compression of a stream by its first bytes; `None` for what has none of the magic numbers.
///
/// gzip: RFC 1952 section 2.3.1; zstd: RFC 8878 sections 3.1.1 and 3.1.2 (a stream may begin with a skippable frame);
/// xz: .xz file format 1.2.0 section 2.1.1.1; bzip2: `BZh`, block size, and the magic of a block or of the end.
#[must_use]
pub fn detect(start: &[u8]) -> Option<Compression> {
    const BZIP2_BLOCK: &[u8] = &[0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
    const BZIP2_END: &[u8] = &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
    if start.starts_with(&[0x1f, 0x8b, 8]) {
        return Some(Compression::Gzip);
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || (start.get(1..4) == Some(&[0x2a, 0x4d, 0x18]) && start[0] & 0xf0 == 0x50)
    {
        return Some(Compression::Zstd);
    }
    if start.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        return Some(Compression::Xz);
    }
    if start.starts_with(b"BZh")
        && start.get(3).is_some_and(|level| (b'1'..=b'9').contains(level))
        && start.get(4..10).is_some_and(|magic| magic == BZIP2_BLOCK || magic == BZIP2_END)
    {
        return Some(Compression::Bzip2);
    }
    None
}

/// A decoder of all of `input`, concatenated streams included.
///
/// # Errors
/// When a decoder cannot be set up.
pub fn decoder(
    input: impl BufRead + Send + 'static,
    compression: Compression,
    threads: usize,
) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(GzipReader::new(input)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(Told { decoder, compression })
        }
        Compression::Xz => Box::new(Told { decoder: XzStreams::new(input, threads)?, compression }),
        Compression::Bzip2 => Box::new(Told { decoder: bzip2::bufread::MultiBzDecoder::new(input), compression }),
    })
}

/// Says in every error which decoder failed, and in the same words that it was cut off.
struct Told<D> {
    decoder: D,
    compression: Compression,
}

impl<D: Read> Read for Told<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => {
                let name = self.compression.name();
                io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} stream: the stream is truncated"))
            }
            kind => io::Error::new(kind, format!("{} stream: {error}", self.compression.name())),
        })
    }
}

/// The positions from which a stream can be unpacked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// From its beginning only.
    #[default]
    Beginning,
    /// From many places, where the format allows it.
    Anywhere,
    /// From every place at once, by any thread: what it unpacks to is put aside.
    Aside,
}

/// A decoder of all of `input` that adds the compressed bytes it has used up to `count`. Of a gzip stream it records
/// where unpacking can begin, and what follows its last member.
///
/// # Errors
/// When a decoder cannot be set up.
pub fn counted_decoder(
    input: impl Read + Send + 'static,
    compression: Compression,
    threads: usize,
    count: Arc<AtomicU64>,
    access: Access,
) -> io::Result<(Box<dyn Read + Send>, Option<IndexInProgress>)> {
    if compression == Compression::Gzip {
        let spacing = match access {
            Access::Beginning | Access::Aside => u64::MAX,
            Access::Anywhere => CheckpointPlan::default().spacing,
        };
        let (reader, index) = GzipReader::recording(input, CheckpointPlan { spacing, ..CheckpointPlan::default() });
        return Ok((Box::new(CountedGzip { reader, count, counted: 0 }), Some(index)));
    }
    let buffered = BufReader::with_capacity(128 << 10, input);
    Ok((decoder(CountingReader::new(buffered, count), compression, threads)?, None))
}

/// Counts what the decoder has used up, not what it has buffered.
struct CountedGzip<R> {
    reader: GzipReader<R>,
    count: Arc<AtomicU64>,
    counted: u64,
}

impl<R: Read> Read for CountedGzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(buffer);
        let used = self.reader.compressed_offset();
        self.count.fetch_add(used.saturating_sub(self.counted), Ordering::Relaxed);
        self.counted = used;
        result
    }
}

/// Several .xz streams in a row, with the padding that the format allows between them (.xz 1.2.0 section 2.2).
struct XzStreams<R: BufRead> {
    decoder: Option<liblzma::bufread::XzDecoder<R>>,
    threads: usize,
}

impl<R: BufRead> XzStreams<R> {
    fn new(input: R, threads: usize) -> io::Result<Self> {
        Ok(Self { decoder: Some(liblzma::bufread::XzDecoder::new_stream(input, xz_stream(threads)?)), threads })
    }

    /// Begins the next stream; `false` at the end of the input.
    fn next_stream(&mut self) -> io::Result<bool> {
        let Some(decoder) = self.decoder.take() else { return Ok(false) };
        let mut input = decoder.into_inner();
        loop {
            let buffer = input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let padding = buffer.iter().take_while(|&&byte| byte == 0).count();
            let more = padding < buffer.len();
            input.consume(padding);
            if more {
                let stream = xz_stream(self.threads)?;
                self.decoder = Some(liblzma::bufread::XzDecoder::new_stream(input, stream));
                return Ok(true);
            }
        }
    }
}

impl<R: BufRead> Read for XzStreams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if !self.next_stream()? {
                break;
            }
        }
        Ok(0)
    }
}

fn xz_stream(threads: usize) -> io::Result<liblzma::stream::Stream> {
    let stream = if threads > 1 {
        liblzma::stream::MtStreamBuilder::new()
            .threads(threads as u32)
            .memlimit_threading(XZ_MEMORY)
            .memlimit_stop(XZ_MEMORY)
            .decoder()
    } else {
        liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)
    };
    stream.map_err(io::Error::other)
}
