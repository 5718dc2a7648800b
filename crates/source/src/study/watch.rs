use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::nar_stream::NarStream;
use super::notes::{FileNotes, LayerNotes};
use nixdive_image::{EntryFields, Kind};
use nixdive_nix::StorePath;
use nixdive_nix::references::{HashCollector, MentionScanner};
use nixdive_scan::{ContentWatch, LayerWatch};

/// Maximum number of different runs of 32 digits kept per file; a file with more is read again once the store paths are
/// known.
const MOST_IN_FILE: usize = 4096;
/// Maximum number of runs kept for all files of an image.
const MOST_HASHES: usize = 1 << 20;
/// Maximum number of mentions kept for all files of an image.
const MOST_MENTIONS: usize = 1 << 18;

/// Scans the contents of layers while an image is opened: pass a clone to [`crate::open::OpenOptions::watch`], and the
/// watch itself to [`super::study`] afterwards.
///
/// Before the first store path it examines only names, so that images without a store incur no cost.
#[derive(Debug, Clone, Default)]
pub struct StoreWatch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    layers: Mutex<Vec<LayerNotes>>,
    store_seen: AtomicBool,
    hashes: AtomicUsize,
    mentions: AtomicUsize,
}

impl Shared {
    fn layers(&self) -> MutexGuard<'_, Vec<LayerNotes>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreWatch {
    /// Creates a watch for one opening.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes the notes to a function, indexed by the numbers that the watch gave the layers.
    pub(super) fn with_notes<T>(&self, use_notes: impl FnOnce(&[LayerNotes]) -> T) -> T {
        use_notes(&self.0.layers())
    }
}

impl ContentWatch for StoreWatch {
    fn begin_layer(&self) -> Box<dyn LayerWatch> {
        Box::new(Layer {
            shared: Arc::clone(&self.0),
            notes: LayerNotes::default(),
            nars: NarStream::default(),
            collector: HashCollector::new(MOST_IN_FILE),
            mentions: MentionScanner::new(MOST_IN_FILE),
            file: None,
        })
    }
}

/// Splits a path in the store into the base name of its store path and the rest; `None` for other paths.
fn split_store(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = path.strip_prefix(b"nix/store/")?;
    let end = memchr::memchr(b'/', inner).unwrap_or(inner.len());
    let (base_name, rest) = inner.split_at(end);
    StorePath::parse_base_name(base_name).ok()?;
    Some((base_name, rest.strip_prefix(b"/").unwrap_or(rest)))
}

struct Layer {
    shared: Arc<Shared>,
    notes: LayerNotes,
    nars: NarStream,
    collector: HashCollector,
    mentions: MentionScanner,
    file: Option<File>,
}

/// The file whose content is being read.
struct File {
    start: u64,
    in_nar: bool,
}

impl Layer {
    fn end_file(&mut self, complete: bool) {
        let Some(File { start, .. }) = self.file.take() else { return };
        let collected = self.collector.finish();
        let mentioned = self.mentions.finish();
        let kept = self.shared.hashes.fetch_add(collected.hashes.len(), Ordering::Relaxed);
        if collected.overflowed || !complete || kept >= MOST_HASHES {
            self.notes.missed.push(start);
            return;
        }
        let mut mentions = mentioned.found;
        self.notes.is_truncated |= mentioned.overflowed;
        if self.shared.mentions.fetch_add(mentions.len(), Ordering::Relaxed) >= MOST_MENTIONS {
            self.notes.is_truncated |= !mentions.is_empty();
            mentions.clear();
        }
        if !collected.hashes.is_empty() || !mentions.is_empty() {
            self.notes.files.push(FileNotes { start, hashes: collected.hashes, mentions });
        }
    }
}

impl LayerWatch for Layer {
    fn entry(&mut self, path: &[u8], link: &[u8], fields: &EntryFields) -> bool {
        self.end_file(true);
        let in_store = split_store(path);
        let in_nar = match in_store {
            Some((base_name, below)) => {
                self.shared.store_seen.store(true, Ordering::Relaxed);
                self.nars.entry(base_name, below, link, fields)
            }
            None if self.shared.store_seen.load(Ordering::Relaxed) => false,
            None => return false,
        };
        if fields.kind != Kind::File || fields.bytes == 0 {
            return false;
        }
        self.notes.first.get_or_insert(fields.offset);
        self.notes.last = self.notes.last.max(Some(fields.offset));
        if fields.sparse.is_some() {
            self.notes.missed.push(fields.offset);
            return false;
        }
        self.file = Some(File { start: fields.offset, in_nar });
        true
    }

    fn content(&mut self, piece: &[u8]) {
        self.collector.feed(piece);
        self.mentions.feed(piece);
        if self.file.as_ref().is_some_and(|file| file.in_nar) {
            self.nars.content(piece);
        }
    }

    fn finish(mut self: Box<Self>, complete: bool) -> usize {
        self.end_file(complete);
        self.notes.nars = mem::take(&mut self.nars).finish();
        let mut layers = self.shared.layers();
        layers.push(mem::take(&mut self.notes));
        layers.len() - 1
    }
}
