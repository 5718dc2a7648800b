//! Contents of a composition that is based on an opened image.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{BaseBlob, Content, ReadContent, Rewriting};
use nixdive_image::{FileTree, LayerIndex, OccurrenceId};
use nixdive_nix::rewrite::{HashRewriter, StorePathRewriter};
use nixdive_source::open::{ContentError, Contents, cut_off};

/// Maximum number of open unpacked streams kept for the next files in the same layer.
const MOST_STREAMS: usize = 16;
/// Maximum number of unpacked bytes skipped to reach a file. For a larger distance, a new stream is opened at the
/// checkpoint before the file.
const MOST_PASSED_OVER: u64 = 8 << 20;
/// Replacement that nixpkgs' `removeReferencesTo` writes for a hash part.
const BLANK: [u8; 32] = [b'e'; 32];
/// Bytes rewritten at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Reads files of an opened image, of this machine, and from memory. Files of a compressed layer are cheap to read in
/// the order of the layer, because the unpacked stream is kept open.
pub struct ImageContent<'a> {
    tree: &'a FileTree,
    contents: &'a Contents,
    base: Vec<LayerIndex>,
    base_blobs: Vec<Option<Box<dyn BaseBlob>>>,
    streams: Mutex<Vec<Stream>>,
}

struct Stream {
    layer: LayerIndex,
    position: u64,
    reader: Box<dyn Read + Send>,
}

impl<'a> ImageContent<'a> {
    /// Creates the reader of the files of an image.
    #[must_use]
    pub fn new(tree: &'a FileTree, contents: &'a Contents) -> Self {
        Self { tree, contents, base: Vec::new(), base_blobs: Vec::new(), streams: Mutex::default() }
    }

    /// Adds the layers of the image that form the base of the composition, in order.
    #[must_use]
    pub fn with_base(self, base: Vec<LayerIndex>) -> Self {
        Self { base, ..self }
    }

    /// Adds the blobs of the base layers, in the same order, if they are known.
    #[must_use]
    pub fn with_base_blobs(self, base_blobs: Vec<Option<Box<dyn BaseBlob>>>) -> Self {
        Self { base_blobs, ..self }
    }

    fn streams(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: OccurrenceId) -> io::Result<Box<dyn Read + Send + '_>> {
        let id = self.tree.content_of(id).ok_or_else(|| of_content(ContentError::NoContent))?;
        let occurrence = self.tree.occurrence(id);
        if self.contents.is_at_hand(occurrence.layer) || self.tree.sparse(id).is_some() {
            let reader: Box<dyn Read + Send> = self.contents.reader(self.tree, id).map_err(of_content)?;
            return Ok(reader);
        }
        let stream = self.stream_at(occurrence.layer, occurrence.offset)?;
        Ok(Box::new(FileReader { owner: self, stream: Some(stream), left: occurrence.bytes }))
    }

    /// Returns a stream of a layer positioned at `offset`.
    fn stream_at(&self, layer: LayerIndex, offset: u64) -> io::Result<Stream> {
        let is_near = |stream: &Stream| {
            stream.layer == layer && offset.checked_sub(stream.position).is_some_and(|gap| gap <= MOST_PASSED_OVER)
        };
        let kept = {
            let mut streams = self.streams();
            let near = streams.iter().enumerate().filter(|(_, stream)| is_near(stream));
            let nearest = near.max_by_key(|(_, stream)| stream.position).map(|(place, _)| place);
            nearest.map(|place| streams.swap_remove(place))
        };
        let Some(mut stream) = kept else {
            let reader = self.contents.unpacked_layer(layer, offset).map_err(of_content)?;
            return Ok(Stream { layer, position: offset, reader });
        };
        let gap = offset - stream.position;
        let passed = io::copy(&mut (&mut stream.reader).take(gap), &mut io::sink())?;
        if passed < gap {
            return Err(cut_off(gap - passed));
        }
        stream.position = offset;
        Ok(stream)
    }
}

fn of_content(error: ContentError) -> io::Error {
    match error {
        ContentError::Source(error) => error,
        other => io::Error::other(other),
    }
}

impl ReadContent for ImageContent<'_> {
    fn read(&self, content: &Content) -> io::Result<Box<dyn Read + Send + '_>> {
        match content {
            Content::Image(id) => self.file(*id),
            Content::Rewritten(id, rewriting) => Ok(rewritten(self.file(*id)?, rewriting)),
            Content::Given(bytes) => Ok(Box::new(given(bytes))),
            Content::Disk(path) => Ok(Box::new(disk(path)?)),
        }
    }

    fn read_base_layer(&self, place: usize) -> io::Result<Box<dyn Read + Send + '_>> {
        let layer = self.base.get(place).ok_or(io::ErrorKind::NotFound)?;
        let reader: Box<dyn Read + Send> = self.contents.unpacked_layer(*layer, 0).map_err(of_content)?;
        Ok(reader)
    }

    fn base_blob(&self, place: usize) -> Option<&dyn BaseBlob> {
        self.base_blobs.get(place)?.as_deref()
    }
}

/// Returns a reader of bytes in memory.
pub(super) fn given(bytes: &Arc<[u8]>) -> impl Read + Send + use<> {
    io::Cursor::new(Arc::clone(bytes))
}

/// Opens a regular file of this machine without following a link.
pub(super) fn disk(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("no longer a regular file")) }
}

/// Reader of a file in a compressed layer. The stream behind it is reused for the file that follows.
struct FileReader<'a> {
    owner: &'a ImageContent<'a>,
    stream: Option<Stream>,
    left: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(stream) = self.stream.as_mut().filter(|_| most > 0) else { return Ok(0) };
        match stream.reader.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => Err(cut_off(self.left)),
            Ok(count) => {
                self.left -= count as u64;
                stream.position += count as u64;
                Ok(count)
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.stream = None;
                }
                Err(error)
            }
        }
    }
}

impl Drop for FileReader<'_> {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        let mut streams = self.owner.streams();
        if streams.len() >= MOST_STREAMS {
            streams.remove(0);
        }
        streams.push(stream);
    }
}

/// Returns a reader of a file with hash parts replaced.
pub(super) fn rewritten<'a>(inner: Box<dyn Read + Send + 'a>, rewriting: &Rewriting) -> Box<dyn Read + Send + 'a> {
    let mut reader = inner;
    if !rewriting.references.is_empty() {
        reader = Box::new(RewritingReader::new(reader, |out| {
            Stage::References(StorePathRewriter::new(out, rewriting.references.iter().cloned()))
        }));
    }
    let own = rewriting.own.iter().map(|(hash, replacement)| (hash, *replacement.as_bytes()));
    for (hash, replacement) in own.chain(rewriting.cut.iter().map(|hash| (hash, BLANK))) {
        reader = Box::new(RewritingReader::new(reader, |out| Stage::Hash(HashRewriter::new(out, hash, replacement))));
    }
    reader
}

/// Step of the rewriting, which replaces hash parts and passes the rest on.
enum Stage {
    References(StorePathRewriter<Outlet>),
    Hash(HashRewriter<Outlet>),
}

/// Output of a step.
#[derive(Clone, Default)]
struct Outlet(Arc<Mutex<Vec<u8>>>);

impl Outlet {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct RewritingReader<'a> {
    inner: Box<dyn Read + Send + 'a>,
    stage: Option<Stage>,
    outlet: Outlet,
    /// Finished bytes, read up to `read`.
    done: Vec<u8>,
    read: usize,
    piece: Vec<u8>,
}

impl<'a> RewritingReader<'a> {
    fn new(inner: Box<dyn Read + Send + 'a>, stage: impl FnOnce(Outlet) -> Stage) -> Self {
        let outlet = Outlet::default();
        let stage = Some(stage(outlet.clone()));
        Self { inner, stage, outlet, done: Vec::new(), read: 0, piece: vec![0; PIECE_BYTES] }
    }

    /// Produces more finished bytes, unless the input has ended.
    fn advance(&mut self) -> io::Result<()> {
        self.done.clear();
        self.read = 0;
        while self.done.is_empty()
            && let Some(stage) = &mut self.stage
        {
            let count = self.inner.read(&mut self.piece)?;
            let piece = self.piece.get(..count).unwrap_or_default();
            match (stage, count) {
                (_, 0) => match self.stage.take() {
                    Some(Stage::References(rewriter)) => drop(rewriter.finish()?),
                    Some(Stage::Hash(rewriter)) => drop(rewriter.finish()?),
                    None => {}
                },
                (Stage::References(rewriter), _) => rewriter.write_all(piece)?,
                (Stage::Hash(rewriter), _) => rewriter.write_all(piece)?,
            }
            std::mem::swap(&mut self.done, &mut self.outlet.bytes());
        }
        Ok(())
    }
}

impl Read for RewritingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read >= self.done.len() {
            self.advance()?;
        }
        let rest = self.done.get(self.read..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        let (to, from) = (buffer.get_mut(..count).unwrap_or_default(), rest.get(..count).unwrap_or_default());
        to.copy_from_slice(from);
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nixdive_nix::{StoreHash, StorePath};

    fn hash(digit: u8) -> StoreHash {
        StoreHash::new(&[digit; 32]).unwrap()
    }

    #[test]
    fn references_own_hashes_and_cuts_are_replaced_across_pieces() {
        let referred = StorePath::from_parts(&hash(b'a'), "lib").unwrap();
        let rewriting = Rewriting {
            references: vec![(referred.clone(), hash(b'b'))],
            own: Some((hash(b'c'), hash(b'd'))),
            cut: vec![hash(b'f')],
        };
        let text = format!("{} {referred} {} {} ", "x".repeat(70_000), hash(b'c'), hash(b'f')).repeat(3);
        let mut out = String::new();
        let inner: Box<dyn Read + Send> = Box::new(io::Cursor::new(text.clone().into_bytes()));
        rewritten(inner, &rewriting).read_to_string(&mut out).unwrap();
        let expected = text
            .replace(&format!("/nix/store/{}", hash(b'a')), &format!("/nix/store/{}", hash(b'b')))
            .replace(hash(b'c').as_str(), hash(b'd').as_str())
            .replace(hash(b'f').as_str(), &"e".repeat(32));
        assert!(out == expected);
    }
}
