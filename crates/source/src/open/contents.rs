use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::remote::Listed;
use nixdive_image::{Compression, FileTree, Kind, LayerIndex, OccurrenceId, Segment};
use nixdive_scan::gzip_index::GzipIndex;
use nixdive_scan::{Section, compression};

/// Access to a layer's unpacked tar stream after opening.
#[derive(Debug)]
pub(super) enum LayerStore {
    /// The stream itself: a plain layer, or one that was spooled.
    Plain(Section),
    /// A part of a compressed section's content: the run of `length` bytes from `start`.
    Packed { section: Section, compression: Compression, start: u64, length: u64, index: Option<GzipIndex> },
    /// Two consecutive streams; the second begins at offset `first_bytes`.
    Joined { first: Box<LayerStore>, first_bytes: u64, second: Section },
    /// A layer in a registry, of which parts are fetched on demand.
    Listed(Listed),
    /// The files of an extracted root directory.
    Directory(PathBuf),
    /// It was read from a pipe and not kept.
    Gone,
}

/// Provides the contents of files of an opened image.
#[derive(Debug)]
pub struct Contents {
    pub(super) layers: Vec<LayerStore>,
    /// The stored blobs, if they can be read again.
    pub(super) blobs: Vec<Option<Section>>,
    watched: Vec<Option<usize>>,
}

/// Callback for a file with its stored bytes, or the reason why they cannot be read.
pub type StoredVisit<'a, E> = dyn FnMut(OccurrenceId, Result<&mut dyn Read, ContentError>) -> Result<(), E> + 'a;

/// Reason why a file's content cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A directory, a device, or a dangling link.
    #[error("has no content")]
    NoContent,
    /// It was read from a pipe and is gone.
    #[error("came through a pipe and was not kept; open the image from a file")]
    Gone,
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] io::Error),
}

impl Contents {
    pub(super) fn new(layers: Vec<LayerStore>, blobs: Vec<Option<Section>>, watched: Vec<Option<usize>>) -> Self {
        Self { layers, blobs, watched }
    }

    /// Returns the number under which the watch given to [`super::OpenOptions::watch`] stored its notes about a layer,
    /// or `None` if it did not see the layer's content.
    #[must_use]
    pub fn watched(&self, layer: LayerIndex) -> Option<usize> {
        self.watched.get(layer.index()).copied().flatten()
    }

    /// Returns `true` if files of a layer can be read in any order at the same cost, without unpacking it.
    #[must_use]
    pub fn is_at_hand(&self, layer: LayerIndex) -> bool {
        matches!(
            self.layers.get(layer.index()),
            Some(LayerStore::Plain(_) | LayerStore::Listed(_) | LayerStore::Directory(_))
        )
    }

    /// Opens the content of a file, or of a hard link's target, at its beginning. Gaps of a sparse file read as zeros.
    /// Reading a truncated file ends with an error.
    ///
    /// # Errors
    /// [`ContentError`] if the content is missing or cannot be opened.
    pub fn reader(&self, tree: &FileTree, id: OccurrenceId) -> Result<Box<dyn Read + Send>, ContentError> {
        let id = tree.content_of(id).ok_or(ContentError::NoContent)?;
        let stored = self.stored(tree, id)?;
        let bytes = tree.occurrence(id).bytes;
        Ok(match tree.sparse(id) {
            Some(segments) => Box::new(SparseReader::new(stored, segments.to_vec(), bytes)),
            None => Box::new(ExactReader { inner: stored, left: bytes }),
        })
    }

    /// Opens the stored bytes of a file; of a sparse file, only its runs.
    ///
    /// # Errors
    /// [`ContentError`] if the content is missing or cannot be opened.
    pub fn stored(&self, tree: &FileTree, id: OccurrenceId) -> Result<Box<dyn Read + Send>, ContentError> {
        let occurrence = tree.occurrence(id);
        if occurrence.kind != Kind::File {
            return Err(ContentError::NoContent);
        }
        let (offset, length) = (occurrence.offset, stored_bytes(tree, id));
        let number = occurrence.layer.index();
        if let Some(section) = self.second_part(number, offset, length) {
            return Ok(Box::new(section.reader()));
        }
        match self.first_store(number) {
            Some(LayerStore::Plain(section)) => Ok(Box::new(section.part(offset, length).reader())),
            Some(LayerStore::Packed { section, start, index: Some(index), .. }) => {
                Ok(Box::new(index.read_range(section.clone(), start.saturating_add(offset), length)?))
            }
            Some(packed @ LayerStore::Packed { .. }) => {
                let mut stream = self.unpack(packed)?;
                skip(&mut stream, offset)?;
                Ok(Box::new(stream.take(length)))
            }
            Some(LayerStore::Listed(listed)) if length > 0 => listed.read(offset)?.ok_or(ContentError::Gone),
            Some(LayerStore::Listed(_)) => Ok(Box::new(io::empty())),
            Some(LayerStore::Directory(root)) => Ok(Box::new(open_in(root, &tree.path(occurrence.node()))?)),
            Some(LayerStore::Gone | LayerStore::Joined { .. }) | None => Err(ContentError::Gone),
        }
    }

    /// Opens the unpacked tar stream of a layer at an offset.
    ///
    /// # Errors
    /// [`ContentError`] if it cannot be opened; an extracted root directory has no such stream.
    pub fn unpacked_layer(&self, layer: LayerIndex, offset: u64) -> Result<Box<dyn Read + Send>, ContentError> {
        let store = self.layers.get(layer.index()).ok_or(ContentError::NoContent)?;
        let LayerStore::Joined { first, first_bytes, second } = store else { return self.unpacked_from(store, offset) };
        let behind = second.part(offset.saturating_sub(*first_bytes), u64::MAX).reader();
        match first_bytes.checked_sub(offset) {
            Some(left) => Ok(Box::new(self.unpacked_from(first, offset)?.take(left).chain(behind))),
            None => Ok(Box::new(behind)),
        }
    }

    fn unpacked_from(&self, store: &LayerStore, offset: u64) -> Result<Box<dyn Read + Send>, ContentError> {
        match store {
            LayerStore::Plain(section) => Ok(Box::new(section.part(offset, u64::MAX).reader())),
            LayerStore::Packed { section, start, length, index: Some(index), .. } => {
                let from = start.saturating_add(offset);
                Ok(Box::new(index.read_range(section.clone(), from, length.saturating_sub(offset))?))
            }
            LayerStore::Packed { .. } => {
                let mut stream = self.unpack(store)?;
                skip(&mut stream, offset)?;
                Ok(stream)
            }
            LayerStore::Listed(listed) => {
                let (section, compression) = listed.whole();
                let mut stream = compression::decoder(section.buffered(), compression, 1)?;
                skip(&mut stream, offset)?;
                Ok(stream)
            }
            LayerStore::Directory(_) => Err(ContentError::NoContent),
            LayerStore::Gone | LayerStore::Joined { .. } => Err(ContentError::Gone),
        }
    }

    /// Returns the SHA-256 of a file from the table of contents of its layer, if the layer was read that way.
    pub(super) fn listed_digest(&self, tree: &FileTree, id: OccurrenceId) -> Option<[u8; 32]> {
        let id = tree.content_of(id)?;
        let occurrence = tree.occurrence(id);
        match self.layers.get(occurrence.layer.index()) {
            Some(LayerStore::Listed(listed)) => listed.file(occurrence.offset)?.digest,
            _ => None,
        }
    }

    /// Returns the store of a layer's first stream.
    pub(super) fn first_store(&self, number: usize) -> Option<&LayerStore> {
        match self.layers.get(number) {
            Some(LayerStore::Joined { first, .. }) => Some(first),
            other => other,
        }
    }

    /// Returns a part of a layer's second stream.
    pub(super) fn second_part(&self, number: usize, offset: u64, length: u64) -> Option<Section> {
        let Some(LayerStore::Joined { first_bytes, second, .. }) = self.layers.get(number) else { return None };
        Some(second.part(offset.checked_sub(*first_bytes)?, length))
    }

    /// Passes the contents of many files to `visit`, in their order in the layers, so that each compressed layer is
    /// unpacked once. `ids` are files; `visit` may stop reading early.
    ///
    /// # Errors
    /// [`ContentError`], and errors of `visit`.
    pub fn for_each<E: From<ContentError>>(
        &self,
        tree: &FileTree,
        ids: &[OccurrenceId],
        visit: &mut dyn FnMut(OccurrenceId, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_stored(tree, ids, &mut |id, stored| {
            let (stored, bytes) = (stored?, tree.occurrence(id).bytes);
            match tree.sparse(id) {
                Some(segments) => visit(id, &mut SparseReader::new(stored, segments.to_vec(), bytes)),
                None => visit(id, &mut ExactReader { inner: stored, left: bytes }),
            }
        })
    }

    /// Passes the stored bytes of many files to `visit`, of sparse files only their runs, in their order in the layers,
    /// so that each compressed layer is unpacked once. `ids` are files; `visit` may stop reading early.
    ///
    /// # Errors
    /// Errors of `visit`, which receives the error of an unreadable file instead of its bytes.
    pub fn for_each_stored<E>(
        &self,
        tree: &FileTree,
        ids: &[OccurrenceId],
        visit: &mut StoredVisit<'_, E>,
    ) -> Result<(), E> {
        let mut order: Vec<OccurrenceId> = ids.to_vec();
        order.sort_by_key(|&id| {
            let occurrence = tree.occurrence(id);
            (occurrence.layer, occurrence.offset)
        });
        let mut unpacked: Option<(usize, Counted)> = None;
        for id in order {
            let number = tree.occurrence(id).layer.index();
            let Some(packed @ LayerStore::Packed { .. }) = self.layers.get(number) else {
                match self.stored(tree, id) {
                    Ok(mut stored) => visit(id, Ok(&mut *stored))?,
                    Err(error) => visit(id, Err(error))?,
                }
                continue;
            };
            match self.advance(packed, number, tree.occurrence(id).offset, &mut unpacked) {
                Ok(stream) => visit(id, Ok(&mut stream.take(stored_bytes(tree, id))))?,
                Err(error) => visit(id, Err(error.into()))?,
            }
        }
        Ok(())
    }

    /// Moves the stream of a packed layer to an offset; restarts it if it belongs to another layer or is already past
    /// the offset.
    fn advance<'a>(
        &self,
        packed: &LayerStore,
        number: usize,
        offset: u64,
        unpacked: &'a mut Option<(usize, Counted)>,
    ) -> io::Result<&'a mut Counted> {
        let at_hand = unpacked.as_ref().is_some_and(|(layer, stream)| *layer == number && stream.position <= offset);
        if !at_hand {
            *unpacked = None;
        }
        let (_, stream) = match unpacked {
            Some(at_hand) => at_hand,
            None => unpacked.insert((number, Counted { inner: self.unpack(packed)?, position: 0 })),
        };
        let gap = offset.saturating_sub(stream.position);
        skip(stream, gap)?;
        Ok(stream)
    }

    /// Returns the unpacked tar stream of a layer that is stored uncompressed, or `None`.
    pub(super) fn plain_layer(&self, number: usize) -> Option<Section> {
        match self.layers.get(number) {
            Some(LayerStore::Plain(section)) => Some(section.clone()),
            _ => None,
        }
    }

    pub(super) fn unpack(&self, store: &LayerStore) -> io::Result<Box<dyn Read + Send>> {
        let LayerStore::Packed { section, compression, start, length, .. } = store else {
            return Err(io::Error::other("not a packed layer"));
        };
        let mut magic = [0; compression::MAGIC_BYTES];
        let count = section.read_full_at(&mut magic, 0)?;
        // Only the media type of an unread layer is known.
        let found = compression::detect(magic.get(..count).unwrap_or_default()).unwrap_or(*compression);
        let mut stream = compression::decoder(section.buffered(), found, 1)?;
        skip(&mut stream, *start)?;
        Ok(Box::new(stream.take(*length)))
    }
}

pub(super) fn stored_bytes(tree: &FileTree, id: OccurrenceId) -> u64 {
    match tree.sparse(id) {
        Some(segments) => segments.iter().map(|segment| segment.length).fold(0, u64::saturating_add),
        None => tree.occurrence(id).bytes,
    }
}

pub(super) fn skip(stream: &mut dyn Read, length: u64) -> io::Result<()> {
    let passed = io::copy(&mut stream.take(length), &mut io::sink())?;
    if passed < length { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) } else { Ok(()) }
}

/// Opens the file at an absolute path below `root` without following symbolic links.
pub(super) fn open_in(root: &std::path::Path, path: &[u8]) -> io::Result<File> {
    use std::os::unix::ffi::OsStrExt;
    let mut full = root.to_owned();
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        full.push(std::ffi::OsStr::from_bytes(part));
        if full.symlink_metadata()?.file_type().is_symlink() {
            return Err(io::Error::other("the directory has changed since it was opened"));
        }
    }
    File::open(full)
}

/// Reads the first `most` bytes of a file below `root`.
pub(super) fn read_in(root: &std::path::Path, path: &[u8], most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_in(root, path)?.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Counts the bytes that were read.
struct Counted {
    inner: Box<dyn Read + Send>,
    position: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

/// Returns the error for a file whose last bytes are missing.
pub fn cut_off(missing_bytes: u64) -> io::Error {
    let message = format!("the last {missing_bytes} bytes are missing: the layer was cut off");
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

/// Returns exactly the expected number of bytes, or an error if some are missing.
struct ExactReader<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for ExactReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(cut_off(self.left));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Places the stored runs of a sparse file at their offsets, with zeros between them.
struct SparseReader<R> {
    stored: R,
    segments: std::vec::IntoIter<Segment>,
    run: Option<Segment>,
    position: u64,
    bytes: u64,
}

impl<R: Read> SparseReader<R> {
    fn new(stored: R, segments: Vec<Segment>, bytes: u64) -> Self {
        let mut segments = segments.into_iter();
        let run = segments.next();
        Self { stored, segments, run, position: 0, bytes }
    }

    /// Returns the run at or after the position, and drops the runs before it.
    fn current_run(&mut self) -> Option<Segment> {
        while let Some(run) = self.run
            && run.file_offset.saturating_add(run.length) <= self.position
        {
            self.run = self.segments.next();
        }
        self.run
    }
}

impl<R: Read> Read for SparseReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let run = self.current_run();
        let (until, stored) = match run {
            Some(run) if run.file_offset <= self.position => (run.file_offset.saturating_add(run.length), true),
            Some(run) => (run.file_offset, false),
            None => (self.bytes, false),
        };
        let left = until.min(self.bytes).saturating_sub(self.position);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let count = if stored {
            self.stored.read(&mut buffer[..most])?
        } else {
            buffer[..most].fill(0);
            most
        };
        if count == 0 {
            return Err(cut_off(until - self.position));
        }
        self.position += count as u64;
        Ok(count)
    }
}
