use std::io::{self, BufReader, Read};

use sha2::{Digest as _, Sha256};

use crate::{Section, compression};
use nixdive_image::Compression;

/// Bytes of a layer that are asked for at a time.
const MOST_AT_ONCE: u64 = 4 << 20;
/// Maximum unpacked size of a chunk, which is kept in memory until its digest is known. Writers
/// create none above 4 MiB by default.
pub(super) const MAX_CHUNK: u64 = 64 << 20;

/// Locations of the contents of a layer's files, by its table.
#[derive(Debug, Default)]
pub struct ListedContent {
    /// By where they begin.
    pub(super) files: Vec<ListedFile>,
    pub(super) chunks: Vec<Chunk>,
}

/// A file with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedFile {
    /// Offset of its content in a plain tar stream of these entries, bytes.
    pub start: u64,
    /// Its length, bytes.
    pub bytes: u64,
    /// SHA-256 of its content, where the table gives one.
    pub digest: Option<[u8; 32]>,
    pub(super) first_chunk: usize,
    pub(super) chunk_count: usize,
}

impl ListedFile {
    /// Returns `true` for the table itself, which is the last file of an eStargz layer.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.chunk_count == 0
    }
}

/// A run of a file's content that is compressed on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// In the layer, bytes.
    pub offset: u64,
    /// Upper bound of its end there, bytes.
    pub end: u64,
    /// Unpacked bytes before it.
    pub inner: u64,
    /// Its length, bytes.
    pub bytes: u64,
    /// SHA-256; without one it is zeros that are stored nowhere.
    pub digest: Option<[u8; 32]>,
}

impl ListedContent {
    /// The file whose content begins there.
    #[must_use]
    pub fn file(&self, start: u64) -> Option<&ListedFile> {
        self.files.binary_search_by_key(&start, |file| file.start).ok().and_then(|place| self.files.get(place))
    }

    /// Reads a file from a layer. Returns no part of a chunk before the chunk's digest is verified,
    /// and the last bytes only once the digest of the whole file is.
    #[must_use]
    pub fn read(&self, file: &ListedFile, layer: Section, compression: Compression) -> ListedReader {
        let end = file.first_chunk.saturating_add(file.chunk_count);
        let chunks = self.chunks.get(file.first_chunk..end).unwrap_or_default().to_vec();
        let is_told_by_chunk = matches!(chunks.as_slice(), [one] if one.digest == file.digest);
        let check = file.digest.filter(|_| !is_told_by_chunk).map(|digest| (Sha256::new(), digest));
        ListedReader { layer, compression, chunks: chunks.into_iter(), open: OpenChunk::Zeros(0), check }
    }
}

/// Gives the content of one file.
pub struct ListedReader {
    layer: Section,
    compression: Compression,
    chunks: std::vec::IntoIter<Chunk>,
    open: OpenChunk,
    /// All of the content, where no chunk has the file's own digest.
    check: Option<(Sha256, [u8; 32])>,
}

/// The rest of a chunk.
enum OpenChunk {
    Zeros(u64),
    Checked(io::Cursor<Vec<u8>>),
}

impl ListedReader {
    /// Unpacks a chunk and verifies its digest.
    fn open(&self, chunk: Chunk) -> io::Result<OpenChunk> {
        let Some(digest) = chunk.digest else { return Ok(OpenChunk::Zeros(chunk.bytes)) };
        let stored = self.layer.part(chunk.offset, chunk.end.saturating_sub(chunk.offset));
        let at_once = usize::try_from(stored.length().clamp(1, MOST_AT_ONCE)).unwrap_or(1);
        let input = BufReader::with_capacity(at_once, stored.reader());
        let mut stream = compression::decoder(input, self.compression, 1)?;
        let passed = io::copy(&mut (&mut stream).take(chunk.inner), &mut io::sink())?;
        let mut bytes = Vec::new();
        stream.take(chunk.bytes).read_to_end(&mut bytes)?;
        if passed < chunk.inner || (bytes.len() as u64) < chunk.bytes {
            let reason = "a part of the layer is shorter than its table of contents says";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != digest {
            return Err(has_another_digest("a part of the layer"));
        }
        Ok(OpenChunk::Checked(io::Cursor::new(bytes)))
    }

    /// Returns `true` if everything has been returned.
    fn is_at_end(&self) -> bool {
        self.open.is_empty() && self.chunks.len() == 0
    }
}

impl OpenChunk {
    fn is_empty(&self) -> bool {
        match self {
            Self::Zeros(left) => *left == 0,
            Self::Checked(bytes) => bytes.position() >= bytes.get_ref().len() as u64,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Checked(bytes) => bytes.read(buffer),
            Self::Zeros(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                buffer.get_mut(..most).unwrap_or_default().fill(0);
                *left = left.saturating_sub(most as u64);
                Ok(most)
            }
        }
    }
}

fn has_another_digest(what: &str) -> io::Error {
    let reason = format!("{what} does not match the digest in its table of contents");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl Read for ListedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.open.is_empty() {
            let Some(chunk) = self.chunks.next() else { return Ok(0) };
            // What is given already need not stay until the next one is there.
            self.open = OpenChunk::Zeros(0);
            self.open = self.open(chunk)?;
        }
        let count = self.open.read(buffer)?;
        if let Some((hash, _)) = &mut self.check {
            hash.update(buffer.get(..count).unwrap_or_default());
        }
        if self.is_at_end()
            && let Some((hash, digest)) = self.check.take()
            && <[u8; 32]>::from(hash.finalize()) != digest
        {
            return Err(has_another_digest("a file"));
        }
        Ok(count)
    }
}
