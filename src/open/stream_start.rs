//! The beginning of a stream, and of the members that come by in it: what they are, and how they are unpacked.

use std::io::{self, Read};
use std::sync::Arc;

use super::Opening;
use crate::image::Compression;
use crate::scan::gzip_index::IndexInProgress;
use crate::scan::{BlockReader, Section, compression};

/// What the stream is read from.
pub(super) enum Input {
    Compressed(Section, Compression),
    Pipe(Box<dyn Read + Send>),
}

/// A stream that is being unpacked.
pub(super) struct Started {
    pub reader: BlockReader,
    pub found: Compression,
    /// The section, where it can be unpacked a second time.
    pub again: Option<Section>,
    pub index: Option<IndexInProgress>,
}

/// Starts unpacking.
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
    let reader = BlockReader::spawn(stream, count, opening.options.unpack_limit, opening.cancel().clone())?;
    Ok(Started { reader, found, again, index })
}

/// What is wrong with a stream that does not begin as an archive does.
pub(super) fn no_archive(found: Compression) -> String {
    match found {
        Compression::None => "is neither a tar archive nor compressed with gzip, zstd, xz or bzip2; give a docker-archive or an OCI archive".to_owned(),
        packed => format!("is compressed with {}, but holds no tar archive", packed.name()),
    }
}

/// What a member of an archive may be.
pub(super) enum Sniffed {
    Document,
    Layer,
    Compressed,
    Other,
}

/// What a member is, by its first bytes.
pub(super) fn sniff(start: &[u8]) -> Sniffed {
    if compression::detect(start).is_some() {
        return Sniffed::Compressed;
    }
    // A tar stream without a byte has no entries either.
    if start.is_empty() {
        return Sniffed::Layer;
    }
    let header = start.first_chunk::<{ crate::scan::tar::BLOCK }>();
    let is_tar = header
        .is_some_and(|block| block.iter().all(|&byte| byte == 0) || crate::scan::tar::Header::parse(block).is_some());
    if is_tar {
        return Sniffed::Layer;
    }
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Sniffed::Document,
        _ => Sniffed::Other,
    }
}
