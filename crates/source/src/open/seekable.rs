//! Layers that can be read at any offset: several threads read them, and their entries are added to the tree base
//! first.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use hashbrown::HashMap;
use tracing::debug;

use super::assemble::{ReadLayer, Stored, finish};
use super::contents::LayerStore;
use super::remote::{Listed, Listing};
use super::spool::Spool;
use super::{Keep, OpenError, Opened, Opening};
use crate::cache::{Cache, KnownLayer};
use crate::formats::{Container, DescribedLayer, Layout, SourceError, format_of_blob};
use nixdive_base::cancel::is_cancellation;
use nixdive_image::{Compression, Digest, EntryBatch, LayerContents, TreeBuilder, TreeLimit};
use nixdive_scan::table::TableError;
use nixdive_scan::tar::TarError;
use nixdive_scan::{
    EntrySink, LayerOptions, LayerProgress, LayerScan, Section, StatedDigests, needs_tee, scan_section,
};

/// Plain layers of at most this many bytes together are read completely for a report, which takes a few milliseconds.
/// If contents may be requested later, the tree is shown first and digests are checked in the meantime. Digests of
/// larger layers are verified afterwards, if requested: then all cores only hash layers.
const CHEAP_BYTES: u64 = 16 << 20;

enum Event {
    Batch(EntryBatch),
    Done(Box<std::io::Result<Read>>),
}

/// A layer that a worker has read, and its unpacked bytes if they were spooled.
#[derive(Clone)]
struct Read {
    scan: LayerScan,
    aside: Option<Section>,
    /// Set if it was not read, but represented by its table of contents.
    listed: Option<Listed>,
    /// Limit that kept entries out of the tree.
    limit: Option<TreeLimit>,
}

impl Read {
    fn of(scan: LayerScan, aside: Option<Section>, listed: Option<Listed>) -> Self {
        Self { scan, aside, listed, limit: None }
    }
}

/// Reads the layers of `layout` from `container`.
pub(super) fn open_layers(
    opening: &Opening<'_>,
    container: &dyn Container,
    layout: Layout,
    source_bytes: Option<u64>,
) -> Result<Opened, OpenError> {
    let mut sections = Vec::with_capacity(layout.layers.len());
    for layer in &layout.layers {
        if matches!(layer.contents, LayerContents::Unreadable(_)) {
            sections.push(Section::from_bytes(Vec::new()));
            continue;
        }
        let found = container.blob(&layer.located).map_err(|error| opening.source_error(error))?;
        if found.is_none() && matches!(layer.contents, LayerContents::Absent(_)) {
            sections.push(Section::from_bytes(Vec::new()));
            continue;
        }
        let missing = || {
            opening.source_error(SourceError::Missing { name: layer.name.clone(), named_by: "the manifest".to_owned() })
        };
        sections.push(found.ok_or_else(missing)?);
    }
    let known = layout.layers.iter().map(|_| Mutex::default()).collect();
    let order = (0..sections.len()).collect();
    // Local layers can be read again: nothing is cached below the home directory.
    let (listings, keeps) = (Vec::new(), vec![false; sections.len()]);
    let layer_cache = LayerCache { known, listings, order, keeps, cache: None, whole: false, is_verified: false };
    open_sections(opening, sections, layout, source_bytes, &layer_cache)
}

/// Cached layers, and the cache for layers that are read.
pub(super) struct LayerCache {
    /// For each layer, its cached entries.
    pub known: Vec<Mutex<Option<KnownLayer>>>,
    /// For each layer, its table of contents, if it can be used.
    pub listings: Vec<Option<Listing>>,
    /// The order in which layers are read and fetched.
    pub order: Vec<usize>,
    /// For each layer, true if its index is cached after reading.
    pub keeps: Vec<bool>,
    /// Cache for layers that are read.
    pub cache: Option<Cache>,
    /// True if plain layers are read completely, too.
    pub whole: bool,
    /// True if blobs are verified before their last bytes are available.
    pub is_verified: bool,
}

/// Opens an image with one section per layer, some of which need not be read.
pub(super) fn open_sections(
    opening: &Opening<'_>,
    sections: Vec<Section>,
    layout: Layout,
    source_bytes: Option<u64>,
    layer_cache: &LayerCache,
) -> Result<Opened, OpenError> {
    let mut tree = opening.tree();
    let scans = read_all(opening, &layout, &sections, &mut tree, layer_cache)?;
    let read = sections.into_iter().zip(scans).map(|(section, Read { scan, aside, listed, limit })| {
        let stored = Stored::Exactly(section.length());
        let blob = Some(section.clone());
        let (compression, length, index) = (scan.compression, scan.unpacked_bytes, scan.gzip_index.clone());
        let store = match (aside, listed) {
            (Some(aside), _) => LayerStore::Plain(aside),
            (None, Some(listed)) => LayerStore::Listed(listed),
            (None, None) if compression == Compression::None => LayerStore::Plain(section),
            (None, None) => LayerStore::Packed { section, compression, start: 0, length, index },
        };
        let format = format_of_unread(&scan, &store);
        ReadLayer { scan, stored, store, blob, is_verified: layer_cache.is_verified, limit, format }
    });
    finish(opening, layout, tree, read.collect(), source_bytes)
}

/// Returns the format of a blob that has no tar header at the start of its layer.
pub(super) fn format_of_unread(scan: &LayerScan, store: &LayerStore) -> Option<&'static str> {
    let is_no_tar = scan.entries == 0 && matches!(scan.failure, Some(TarError::NotAHeader(0)));
    match store {
        LayerStore::Plain(section) if is_no_tar => format_of_blob(section, Compression::None),
        LayerStore::Packed { section, compression, .. } if is_no_tar => format_of_blob(section, *compression),
        _ => None,
    }
}

fn read_all(
    opening: &Opening<'_>,
    layout: &Layout,
    sections: &[Section],
    tree: &mut TreeBuilder,
    layer_cache: &LayerCache,
) -> Result<Vec<Read>, OpenError> {
    let progress = opening.progress.begin_layers(sections.len());
    let total: u64 = sections.iter().map(Section::length).fold(0, u64::saturating_add);
    let threads = opening.options.threads.clamp(1, sections.len().max(1));
    // A failure stops the other layers, but not the caller's other work.
    let stop = opening.cancel().child();
    let options = LayerOptions {
        whole: layer_cache.whole || (total <= CHEAP_BYTES && opening.options.keep != Keep::AnyContent),
        limit: opening.options.unpack_limit,
        decoder_threads: if sections.len() > 1 { 1 } else { opening.options.threads },
        access: opening.access(),
        wanted: opening.options.wanted,
        watch: opening.options.watch.clone(),
        stated: StatedDigests::default(),
        names: opening.names(),
        cancel: stop.clone(),
    };
    let places = Places::new(layout);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = bounded::<(usize, Event)>(16);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, options, next, progress) = (sender.clone(), options.clone(), &next, &progress);
            let places = &places;
            let keep = matches!(opening.options.keep, Keep::AnyContent | Keep::Aside);
            let work = move || work(sections, layout, places, &options, layer_cache, keep, next, progress, &sender);
            let spawned = std::thread::Builder::new().name("layers".into()).spawn_scoped(scope, work);
            spawned.map_err(|error| OpenError::System { what: "starting a thread", error })?;
        }
        drop(sender);
        let mut order = InOrder::new(&places);
        for (number, event) in &receiver {
            let result = order
                .take(number, event, tree)
                .map_err(|limit| OpenError::Limit { reference: opening.reference.text.clone(), limit });
            if let Err(error) = result {
                stop.cancel();
                // The workers notice it at their next batch; sending must not block until then.
                receiver.iter().for_each(drop);
                return Err(error);
            }
        }
        order.finish(opening, layout)
    })
}

/// Detects layers that occur more than once in an image. They are read once; otherwise a small archive could keep its
/// reader busy for hours.
struct Places {
    /// For each layer, the first one with the same content, usually itself.
    first: Vec<usize>,
    /// For each layer, true if it occurs again further up.
    again: Vec<bool>,
}

impl Places {
    fn new(layout: &Layout) -> Self {
        let mut known = HashMap::new();
        let mut again = vec![false; layout.layers.len()];
        let place = |(number, layer): (usize, &DescribedLayer)| {
            let first = *known.entry(layer.located.clone()).or_insert(number);
            again[first] |= first < number;
            first
        };
        let first = layout.layers.iter().enumerate().map(place).collect();
        Self { first, again }
    }

    /// Returns `true` if a layer repeats another one that was already read.
    fn is_repeat(&self, number: usize) -> bool {
        self.first.get(number).is_some_and(|&first| first < number)
    }
}

#[expect(clippy::too_many_arguments, reason = "what one thread takes from its scope")]
fn work(
    sections: &[Section],
    layout: &Layout,
    places: &Places,
    options: &LayerOptions,
    layer_cache: &LayerCache,
    keep: bool,
    next: &AtomicUsize,
    progress: &[Arc<LayerProgress>],
    sender: &Sender<(usize, Event)>,
) {
    loop {
        let Some(&number) = layer_cache.order.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
        let (Some(section), Some(progress)) = (sections.get(number), progress.get(number)) else { return };
        if places.is_repeat(number) {
            progress.read_bytes.store(section.length(), Ordering::Relaxed);
            continue;
        }
        let stated = layout
            .layers
            .get(number)
            .map(|layer| StatedDigests { diff_id: layer.diff_id.clone(), blob: layer.digest.clone() });
        let options = &LayerOptions { stated: stated.unwrap_or_default(), ..options.clone() };
        let gone = |_| std::io::Error::other("the receiver of the entries is gone");
        let mut sink = |batch| sender.send((number, Event::Batch(batch))).map_err(gone);
        let known =
            layer_cache.known.get(number).and_then(|known| known.lock().unwrap_or_else(PoisonError::into_inner).take());
        let kept_in = layer_cache.cache.as_ref().filter(|_| layer_cache.keeps.get(number).copied().unwrap_or_default());
        let listing = layer_cache.listings.get(number).and_then(Option::as_ref);
        let begun = Instant::now();
        let result = match (known, listing) {
            (Some(known), _) => give(known, section, progress, &mut sink),
            (None, Some(listing)) => match list(listing, section, options, progress, &mut sink) {
                Ok(listed) => Ok(listed),
                Err(TableError::Source(error)) if is_cancellation(&error) => Err(error),
                Err(why) => read_and_keep(section, options, kept_in, keep, progress, &mut sink).map(|mut read| {
                    read.scan.oddities.extend(worth_telling(&why));
                    read
                }),
            },
            (None, None) => read_and_keep(section, options, kept_in, keep, progress, &mut sink),
        };
        if let Ok(read) = &result {
            log_read(number, layout, section, read, begun.elapsed());
        }
        if sender.send((number, Event::Done(Box::new(result)))).is_err() {
            return;
        }
    }
}

fn log_read(number: usize, layout: &Layout, section: &Section, read: &Read, took: Duration) {
    let digest = layout.layers.get(number).and_then(|layer| layer.digest.as_ref()).map(Digest::to_string);
    let scan = &read.scan;
    let (compression, entries, unpacked) = (scan.compression.name(), scan.entries, scan.unpacked_bytes);
    let (by_table, failure) = (read.listed.is_some(), scan.failure.as_ref().map(ToString::to_string));
    let (stored, ms) = (section.length(), took.as_millis());
    debug!(target: "layer", number, digest, stored, compression, unpacked, entries, by_table, ms, failure, "read");
}

/// Sends the cached entries of a layer.
fn give(
    known: KnownLayer,
    section: &Section,
    progress: &LayerProgress,
    sink: &mut EntrySink<'_>,
) -> std::io::Result<Read> {
    known.batches.into_iter().try_for_each(sink)?;
    progress.read_bytes.store(section.length(), Ordering::Relaxed);
    progress.entries.store(known.scan.entries, Ordering::Relaxed);
    Ok(Read::of(known.scan, None, None))
}

/// Sends the entries in a layer's table of contents.
fn list(
    listing: &Listing,
    section: &Section,
    options: &LayerOptions,
    progress: &LayerProgress,
    sink: &mut EntrySink<'_>,
) -> Result<Read, TableError> {
    let (table, listed) = listing.read(options, progress).inspect_err(|_| {
        // The whole layer is read next.
        progress.read_bytes.store(0, Ordering::Relaxed);
    })?;
    table.batches.into_iter().try_for_each(sink)?;
    progress.read_bytes.store(section.length(), Ordering::Relaxed);
    progress.entries.store(table.scan.entries, Ordering::Relaxed);
    Ok(Read::of(table.scan, None, Some(listed)))
}

/// Returns a message if the table itself is invalid; a registry without support for ranges is not worth one.
fn worth_telling(why: &TableError) -> Option<String> {
    match why {
        TableError::Source(error) if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => None,
        wrong => Some(format!("{wrong}; the whole layer was read instead")),
    }
}

/// Reads one layer and caches its entries.
fn read_and_keep(
    section: &Section,
    options: &LayerOptions,
    cache: Option<&Cache>,
    keep: bool,
    progress: &LayerProgress,
    sink: &mut EntrySink<'_>,
) -> std::io::Result<Read> {
    // Without space in the cache, it is read again next time.
    let writing = cache.and_then(|cache| Some((cache, cache.begin_layer().ok()?)));
    let Some((cache, mut writing)) = writing else { return read_one(section, options, keep, progress, sink) };
    let mut both = |batch: EntryBatch| {
        writing.add(&batch);
        sink(batch)
    };
    let read = read_one(section, options, keep, progress, &mut both)?;
    let scan = &read.scan;
    if let (None, Some(diff_id), Some(blob)) = (&scan.failure, scan.diff_id, scan.blob_digest) {
        writing.commit(scan, options.wanted.map(|wanted| (wanted.identity)()).as_deref());
        cache.keep_unpacked(&Digest::from_sha256(&blob), &Digest::from_sha256(&diff_id), scan.compression);
    }
    Ok(read)
}

/// Reads one layer. If its contents may be requested later, slowly unpacking data is spooled.
fn read_one(
    section: &Section,
    options: &LayerOptions,
    keep: bool,
    progress: &LayerProgress,
    sink: &mut EntrySink<'_>,
) -> std::io::Result<Read> {
    if !keep {
        return Ok(Read::of(scan_section(section, options, progress, sink, None)?, None, None));
    }
    let mut spool = Spool::new()?;
    let mut tee = |bytes: &[u8]| {
        spool.append(bytes);
        Ok(())
    };
    let scan = scan_section(section, options, progress, sink, Some(&mut tee))?;
    let aside = if !needs_tee(scan.compression, options.access) { None } else { spool.section(0, scan.unpacked_bytes) };
    Ok(Read::of(scan, aside, None))
}

/// Adds the entries of layers that are read concurrently to the tree, one layer after the other.
struct InOrder<'a> {
    places: &'a Places,
    current: usize,
    begun: bool,
    waiting: Vec<VecDeque<EntryBatch>>,
    /// Entries of layers that occur again.
    kept: HashMap<usize, Vec<EntryBatch>>,
    done: Vec<Option<std::io::Result<Read>>>,
    /// Reason why the tree accepts no more entries.
    full: Option<TreeLimit>,
    /// For each layer, the limit that kept entries out of the tree.
    limits: Vec<Option<TreeLimit>>,
}

impl<'a> InOrder<'a> {
    fn new(places: &'a Places) -> Self {
        Self {
            places,
            current: 0,
            begun: false,
            waiting: places.first.iter().map(|_| VecDeque::new()).collect(),
            kept: HashMap::new(),
            done: places.first.iter().map(|_| None).collect(),
            full: None,
            limits: vec![None; places.first.len()],
        }
    }

    fn take(&mut self, number: usize, event: Event, tree: &mut TreeBuilder) -> Result<(), TreeLimit> {
        match event {
            Event::Batch(batch) => {
                if let Some(waiting) = self.waiting.get_mut(number) {
                    waiting.push_back(batch);
                }
            }
            Event::Done(result) => {
                if let Some(place) = self.done.get_mut(number) {
                    *place = Some(*result);
                }
            }
        }
        while self.current < self.waiting.len() {
            if !self.begun {
                tree.begin_layer()?;
                self.begun = true;
            }
            if !self.add_current(tree) {
                break;
            }
            self.current += 1;
            self.begun = false;
        }
        Ok(())
    }

    /// Adds the available entries of the current layer; returns `true` if it is complete.
    fn add_current(&mut self, tree: &mut TreeBuilder) -> bool {
        let current = self.current;
        if self.places.is_repeat(current) {
            let first = self.places.first.get(current);
            let kept = first.and_then(|first| self.kept.get(first)).map(Vec::as_slice).unwrap_or_default();
            let limit = kept.iter().find_map(|batch| add(tree, batch, &mut self.full));
            self.note(current, limit);
            return true;
        }
        let again = self.places.again.get(current).copied().unwrap_or_default();
        while let Some(batch) = self.waiting.get_mut(current).and_then(VecDeque::pop_front) {
            let limit = add(tree, &batch, &mut self.full);
            self.note(current, limit);
            if again && limit.is_none() {
                self.kept.entry(current).or_default().push(batch);
            }
        }
        self.done.get(current).is_some_and(Option::is_some)
    }

    fn note(&mut self, number: usize, limit: Option<TreeLimit>) {
        if let (Some(noted), Some(limit)) = (self.limits.get_mut(number), limit) {
            *noted = Some(limit);
        }
    }

    fn finish(self, opening: &Opening<'_>, layout: &Layout) -> Result<Vec<Read>, OpenError> {
        opening.cancel().check().map_err(|_| OpenError::Cancelled)?;
        let mut read: Vec<Read> = Vec::with_capacity(self.done.len());
        for (number, done) in self.done.into_iter().enumerate() {
            let failed = |reason: String| OpenError::Layer {
                reference: opening.reference.text.clone(),
                number,
                name: layout.layers.get(number).map(|layer| layer.name.clone()).unwrap_or_default(),
                reason,
            };
            let first = self.places.first.get(number).and_then(|&first| read.get(first));
            let limit = self.limits.get(number).copied().flatten();
            read.push(match (done, first) {
                (Some(Ok(scan)), _) => Read { limit, ..scan },
                (None, Some(first)) => Read { limit: limit.or(first.limit), ..first.clone() },
                (Some(Err(error)), _) => return Err(failed(error.to_string())),
                (None, None) => return Err(failed("was not read to its end".to_owned())),
            });
        }
        Ok(read)
    }
}

/// Adds entries unless the tree has reached a limit; returns the limit.
pub(super) fn add(tree: &mut TreeBuilder, batch: &EntryBatch, full: &mut Option<TreeLimit>) -> Option<TreeLimit> {
    if full.is_none() {
        *full = tree.add(batch).err();
    }
    *full
}
