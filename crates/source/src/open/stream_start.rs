//! Detects the format and compression of a stream and of its members from their first bytes.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::Opening;
use crate::formats::{PROBE_BYTES, SourceError, describe_start, format_of};
use nixdive_image::Compression;
use nixdive_scan::gzip_index::IndexInProgress;
use nixdive_scan::tar::BLOCK;
use nixdive_scan::{BlockReader, Section, compression};

/// Source of a stream.
pub(super) enum Input {
    Compressed(Section, Compression),
    Pipe(Box<dyn Read + Send>),
}

/// A stream that is being unpacked.
pub(super) struct Started {
    pub reader: BlockReader,
    pub found: Compression,
    /// The section, if it can be unpacked a second time.
    pub again: Option<Section>,
    pub index: Option<IndexInProgress>,
    /// The first unpacked bytes.
    pub beginning: Beginning,
}

/// Starts to unpack a stream.
pub(super) fn start(opening: &Opening<'_>, input: Input) -> io::Result<Started> {
    let count = Arc::clone(&opening.progress.stream().read_bytes);
    let threads = opening.options.threads;
    let (found, again, whole): (_, _, Box<dyn Read + Send>) = match input {
        Input::Compressed(section, found) => (found, Some(section.clone()), Box::new(section.reader())),
        Input::Pipe(mut pipe) => {
            let mut magic = Vec::new();
            pipe.by_ref().take(compression::MAGIC_BYTES as u64).read_to_end(&mut magic)?;
            if magic.is_empty() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "is empty"));
            }
            let found = compression::detect(&magic).unwrap_or_default();
            (found, None, Box::new(io::Cursor::new(magic).chain(pipe)))
        }
    };
    let access = if again.is_some() { opening.access() } else { compression::Access::Beginning };
    let (stream, index) = compression::counted_decoder(whole, found, threads, Arc::clone(&count), access)?;
    let beginning = Beginning::default();
    let stream = Box::new(Keeping { inner: stream, beginning: beginning.clone(), left: PROBE_BYTES });
    let reader = BlockReader::spawn(stream, count, opening.options.unpack_limit, opening.cancel().clone())?;
    Ok(Started { reader, found, again, index, beginning })
}

/// Returns the error for a stream that does not begin like an archive.
pub(super) fn not_an_archive(found: Compression, beginning: &Beginning) -> SourceError {
    let what = describe_start(&beginning.bytes());
    match found {
        Compression::None => SourceError::not_a_container_image(&what),
        packed => SourceError::not_a_container_image(&format!("compressed with {}; unpacked: {what}", packed.name())),
    }
}

/// The first bytes of a stream, recorded while it is read.
#[derive(Clone, Default)]
pub(super) struct Beginning(Arc<Mutex<Vec<u8>>>);

impl Beginning {
    /// Returns the bytes recorded so far.
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns `true` if the first block contains only zeros, so that it is not a tar archive.
    pub fn is_zero(&self) -> bool {
        let bytes = self.bytes();
        !bytes.is_empty() && bytes.iter().take(BLOCK).all(|&byte| byte == 0)
    }
}

/// Passes a stream on and records its beginning.
struct Keeping<R> {
    inner: R,
    beginning: Beginning,
    left: usize,
}

impl<R: Read> Read for Keeping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if self.left > 0 {
            let kept = buffer.get(..count.min(self.left)).unwrap_or_default();
            self.beginning.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(kept);
            self.left -= kept.len();
        }
        Ok(count)
    }
}

/// Kind of a member of an archive.
pub(super) enum Sniffed {
    Document,
    Layer,
    Compressed,
    /// Another format, with its name if known.
    Other(Option<&'static str>),
}

/// Detects the kind of a member from its first bytes.
pub(super) fn sniff(start: &[u8]) -> Sniffed {
    if compression::detect(start).is_some() {
        return Sniffed::Compressed;
    }
    // An empty tar stream has no entries.
    if start.is_empty() {
        return Sniffed::Layer;
    }
    let header = start.first_chunk::<{ nixdive_scan::tar::BLOCK }>();
    let is_tar = header
        .is_some_and(|block| block.iter().all(|&byte| byte == 0) || nixdive_scan::tar::Header::parse(block).is_some());
    if is_tar {
        return Sniffed::Layer;
    }
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Sniffed::Document,
        _ => Sniffed::Other(format_of(start)),
    }
}
