use std::io::{self, BufReader, Read};

use sha2::{Digest as _, Sha256};

use crate::image::Compression;
use crate::scan::{Section, compression};

/// Bytes of a layer that are asked for at a time.
const MOST_AT_ONCE: u64 = 4 << 20;

/// Where the content of a layer's files lies, by its table.
#[derive(Debug, Default)]
pub struct ListedContent {
    /// By where they begin.
    pub(super) files: Vec<ListedFile>,
    pub(super) chunks: Vec<Chunk>,
}

/// A file with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedFile {
    /// Where its content would begin in a plain tar stream of these entries, bytes.
    pub start: u64,
    /// Its length, bytes.
    pub bytes: u64,
    /// SHA-256 of its content, where the table gives one.
    pub digest: Option<[u8; 32]>,
    pub(super) first_chunk: usize,
    pub(super) chunk_count: usize,
}

impl ListedFile {
    /// Whether it is the table itself, which an eStargz layer has as its last file.
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
    /// Where it ends there at the latest, bytes.
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

    /// Reads a file out of a layer. Each chunk is held against its digest before its last bytes are given.
    #[must_use]
    pub fn read(&self, file: &ListedFile, layer: Section, compression: Compression) -> ListedReader {
        let end = file.first_chunk.saturating_add(file.chunk_count);
        let chunks = self.chunks.get(file.first_chunk..end).unwrap_or_default().to_vec();
        ListedReader { layer, compression, chunks: chunks.into_iter(), open: None }
    }
}

/// Gives the content of one file.
pub struct ListedReader {
    layer: Section,
    compression: Compression,
    chunks: std::vec::IntoIter<Chunk>,
    open: Option<OpenChunk>,
}

struct OpenChunk {
    stream: Box<dyn Read + Send>,
    left: u64,
    check: Option<(Sha256, [u8; 32])>,
}

impl ListedReader {
    fn open(&self, chunk: Chunk) -> io::Result<OpenChunk> {
        let Some(digest) = chunk.digest else {
            return Ok(OpenChunk { stream: Box::new(io::repeat(0)), left: chunk.bytes, check: None });
        };
        let stored = self.layer.part(chunk.offset, chunk.end.saturating_sub(chunk.offset));
        let at_once = usize::try_from(stored.length().clamp(1, MOST_AT_ONCE)).unwrap_or(1);
        let input = BufReader::with_capacity(at_once, stored.reader());
        let mut stream = compression::decoder(input, self.compression, 1)?;
        let passed = io::copy(&mut (&mut stream).take(chunk.inner), &mut io::sink())?;
        if passed < chunk.inner {
            return Err(cut_short());
        }
        Ok(OpenChunk { stream, left: chunk.bytes, check: Some((Sha256::new(), digest)) })
    }
}

impl OpenChunk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let piece = buffer.get_mut(..most).unwrap_or_default();
        let count = self.stream.read(piece)?;
        if count == 0 {
            return Err(cut_short());
        }
        self.left = self.left.saturating_sub(count as u64);
        if let Some((hash, _)) = &mut self.check {
            hash.update(piece.get(..count).unwrap_or_default());
        }
        if self.left == 0
            && let Some((hash, digest)) = self.check.take()
            && <[u8; 32]>::from(hash.finalize()) != digest
        {
            let reason = "a part of the layer has not the digest that its table of contents gives";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(count)
    }
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a part of the layer is shorter than its table of contents says")
}

impl Read for ListedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.open.as_ref().is_none_or(|open| open.left == 0) {
            let Some(chunk) = self.chunks.next() else { return Ok(0) };
            self.open = Some(self.open(chunk)?);
        }
        self.open.as_mut().map_or(Ok(0), |open| open.read(buffer))
    }
}
