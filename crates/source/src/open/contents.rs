use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::remote::Listed;
use nixdive_image::{Compression, FileTree, Kind, LayerIndex, OccurrenceId, Segment};
use nixdive_scan::gzip_index::GzipIndex;
use nixdive_scan::{Section, compression};

/// Where a layer's unpacked tar stream can be had from after opening.
#[derive(Debug)]
pub(super) enum LayerStore {
    /// The stream itself: a plain layer, or one that was put aside as it came by.
    Plain(Section),
    /// Part of what a compressed section unpacks to: the run of `length` bytes from `start`.
    Packed { section: Section, compression: Compression, start: u64, length: u64, index: Option<GzipIndex> },
    /// Two streams one behind the other; the second begins at so many bytes.
    Joined { first: Box<LayerStore>, first_bytes: u64, second: Section },
    /// A layer in a registry of which parts are fetched as they are asked for.
    Listed(Listed),
    /// Files of an extracted root directory.
    Directory(PathBuf),
    /// It came by a pipe, and nobody asked to keep it.
    Gone,
}

/// Fetches the content of files of an opened image.
#[derive(Debug)]
pub struct Contents {
    pub(super) layers: Vec<LayerStore>,
    /// The stored blobs, where they can be read again.
    pub(super) blobs: Vec<Option<Section>>,
    watched: Vec<Option<usize>>,
}

/// Takes a file and its stored bytes, or why they cannot be had.
pub type StoredVisit<'a, E> = dyn FnMut(OccurrenceId, Result<&mut dyn Read, ContentError>) -> Result<(), E> + 'a;

/// Why a file's content cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A directory, a device, or a link that leads nowhere.
    #[error("has no content")]
    NoContent,
    /// It came by a pipe and is gone.
    #[error("came through a pipe and was not kept; open the image from a file")]
    Gone,
    /// The source failed.
    #[error(transparent)]
    Source(#[from] io::Error),
}

impl Contents {
    pub(super) fn new(layers: Vec<LayerStore>, blobs: Vec<Option<Section>>, watched: Vec<Option<usize>>) -> Self {
        Self { layers, blobs, watched }
    }

    /// The number under which the watch that the image was opened with keeps what it noted of a layer
    /// ([`super::OpenOptions::watch`]); `None` where the layer's content did not come by.
    #[must_use]
    pub fn watched(&self, layer: LayerIndex) -> Option<usize> {
        self.watched.get(layer.index()).copied().flatten()
    }

    /// Whether files of a layer can be read in any order at the same cost: it need not be unpacked.
    #[must_use]
    pub fn is_at_hand(&self, layer: LayerIndex) -> bool {
        matches!(
            self.layers.get(layer.index()),
            Some(LayerStore::Plain(_) | LayerStore::Listed(_) | LayerStore::Directory(_))
        )
    }

    /// Reads the content of a file, or of the file that a hard link names, from its beginning. Gaps of a sparse file
    /// are zeros. What is cut off is an error at its end.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn reader(&self, tree: &FileTree, id: OccurrenceId) -> Result<Box<dyn Read + Send>, ContentError> {
        let id = tree.content_of(id).ok_or(ContentError::NoContent)?;
        let stored = self.stored(tree, id)?;
        let bytes = tree.occurrence(id).bytes;
        Ok(match tree.sparse(id) {
            Some(segments) => Box::new(SparseReader::new(stored, segments.to_vec(), bytes)),
            None => Box::new(ExactReader { inner: stored, left: bytes }),
        })
    }

    /// The bytes that are stored of a file; of a sparse file only its runs.
    ///
    /// # Errors
    /// [`ContentError`].
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

    /// The unpacked tar stream of a layer, from an offset of it on.
    ///
    /// # Errors
    /// [`ContentError`]; an extracted root directory has no such stream.
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

    /// SHA-256 of a file by the table of contents of its layer, where that is how the layer is known.
    pub(super) fn listed_digest(&self, tree: &FileTree, id: OccurrenceId) -> Option<[u8; 32]> {
        let id = tree.content_of(id)?;
        let occurrence = tree.occurrence(id);
        match self.layers.get(occurrence.layer.index()) {
            Some(LayerStore::Listed(listed)) => listed.file(occurrence.offset)?.digest,
            _ => None,
        }
    }

    /// Where the first of a layer's streams can be had from.
    pub(super) fn first_store(&self, number: usize) -> Option<&LayerStore> {
        match self.layers.get(number) {
            Some(LayerStore::Joined { first, .. }) => Some(first),
            other => other,
        }
    }

    /// What lies in the second of a layer's streams.
    pub(super) fn second_part(&self, number: usize, offset: u64, length: u64) -> Option<Section> {
        let Some(LayerStore::Joined { first_bytes, second, .. }) = self.layers.get(number) else { return None };
        Some(second.part(offset.checked_sub(*first_bytes)?, length))
    }

    /// Shows the contents of many files to `visit`, in the order in which they lie, so that a compressed layer is unpacked
    /// once. `ids` are files; `visit` need not read to the end.
    ///
    /// # Errors
    /// [`ContentError`], and those of `visit`.
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

    /// Shows the stored bytes of many files to `visit`, of a sparse file only its runs, in the order in which they lie, so
    /// that a compressed layer is unpacked once. `ids` are files; `visit` need not read to the end.
    ///
    /// # Errors
    /// Those of `visit`, which gets what is wrong with a file in place of its bytes.
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

    /// Leads the stream of a packed layer to an offset; begins anew where it is another layer's, or too far.
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

    /// Reads the unpacked tar stream of a layer that lies at hand as such; `None` for others.
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
        // Of a layer that was never read only the media type is known.
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

/// The file at an absolute path below `root`, no symbolic link on the way followed.
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

/// The first `most` bytes of a file below `root`.
pub(super) fn read_in(root: &std::path::Path, path: &[u8], most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_in(root, path)?.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// Counts what was read.
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

/// The error of a file whose last bytes are not there.
pub fn cut_off(missing_bytes: u64) -> io::Error {
    let message = format!("the last {missing_bytes} bytes are missing: the layer was cut off");
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

/// Gives exactly so many bytes, or an error that says that they are not all there.
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

/// Puts the stored runs of a sparse file where they belong, with zeros between them.
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

    /// The run that the position lies in or before, runs behind it dropped.
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
