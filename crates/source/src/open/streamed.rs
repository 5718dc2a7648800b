//! Archives that are read once, in order: compressed as a whole, or from a pipe. Layers are read from the stream before
//! it is known which of them belong to the image.

use std::io;
use std::time::Instant;

use hashbrown::HashMap;
use tracing::debug;

use super::assemble::{NOT_A_TAR_STREAM, ReadLayer, Stored, finish};
use super::contents::LayerStore;
use super::seekable::{add, format_of_unread};
use super::spool::Spool;
use super::stream_start::{Beginning, Input, Sniffed, Started, not_an_archive, sniff, start};
use super::streamed_digests::StreamedDigests;
use super::{Keep, OpenError, Opened, Opening, Verify};
use crate::formats::{
    Container, Layout, MAX_DOCUMENT_BYTES, MemberLimit, SourceError, StreamedMember, StreamedMembers, read_layout,
};
use nixdive_image::{Compression, DefectKind, Digest, EntryBatch, Kind, LayerContents, TreeBuilder, TreeLimit};
use nixdive_scan::gzip_index::GzipIndex;
use nixdive_scan::tar::{TarError, TarInput, TarWalker, normalize};
use nixdive_scan::{
    BlockReader, LayerOptions, LayerProgress, LayerScan, Part, Section, StatedDigests, Verifier, beside_sha256,
    compression, needs_tee, scan_part, scan_section, trailing_oddity,
};

/// Maximum bytes of all JSON documents kept of one archive.
const MAX_ALL_DOCUMENTS: usize = 64 << 20;

/// The stream after it was read.
struct Source {
    found: Compression,
    again: Option<Section>,
    index: Option<GzipIndex>,
    source_bytes: Option<u64>,
    /// The first unpacked bytes.
    beginning: Beginning,
}

struct StreamedLayer {
    scan: LayerScan,
    batches: Vec<EntryBatch>,
    /// Offset of its content in the unpacked stream.
    start: u64,
    /// Compressed bytes that were read along with it.
    share: u64,
}

struct Reading<'a> {
    opening: &'a Opening<'a>,
    options: LayerOptions,
    members: StreamedMembers,
    layers: Vec<StreamedLayer>,
    /// Number of the layer without bytes.
    empty_layer: Option<usize>,
    /// Number of entries in all layers.
    entries: u64,
    document_bytes: usize,
    /// Spooled bytes: compressed layers, and everything if any content may be requested.
    aside: Option<Spool>,
    keep_layers: bool,
    /// Algorithms for the diffIDs of streamed layers; `None` if layers can be read again.
    digests: Option<StreamedDigests>,
    /// Error that ended the reading within a member.
    broken: Option<TarError>,
}

/// Opens the image in a stream.
pub(super) fn open_stream(opening: &Opening<'_>, input: Input) -> Result<Opened, OpenError> {
    let system = |what| move |error| OpenError::System { what, error };
    let keep = opening.options.keep;
    let source_bytes = match &input {
        Input::Compressed(section, _) => Some(section.length()),
        Input::Pipe(_) => None,
    };
    opening.progress.set_stream_bytes(source_bytes.unwrap_or(0));
    let Started { reader, found, again, index, beginning } =
        start(opening, input).map_err(|error| opening.io_error(error))?;
    let keep_layers = match &again {
        Some(_) => needs_tee(found, opening.access()),
        None => keep != Keep::Trees,
    };
    let is_read_once = again.is_none() && !keep_layers && opening.options.verify == Verify::All;
    let mut reading = Reading {
        opening,
        options: LayerOptions {
            whole: true,
            limit: opening.options.unpack_limit,
            decoder_threads: opening.options.threads,
            access: opening.access(),
            wanted: opening.options.wanted,
            watch: opening.options.watch.clone(),
            stated: StatedDigests::default(),
            names: opening.names(),
            cancel: opening.cancel().clone(),
        },
        members: StreamedMembers::default(),
        layers: Vec::new(),
        empty_layer: None,
        entries: 0,
        document_bytes: 0,
        aside: None,
        keep_layers,
        digests: is_read_once.then(StreamedDigests::default),
        broken: None,
    };
    if keep_layers {
        reading.aside = Some(Spool::new().map_err(system("making a temporary file"))?);
    }
    let broken = reading.read_members(reader)?;
    let index = index.map(|index| index.snapshot());
    reading.assemble(Source { found, again, index, source_bytes, beginning }, broken)
}

impl Reading<'_> {
    /// Reads all members; returns the error that ended the reading early, if any.
    fn read_members(&mut self, reader: BlockReader) -> Result<Option<TarError>, OpenError> {
        let mut walker = TarWalker::new(reader);
        let mut path = Vec::new();
        let mut limit = MemberLimit::default();
        loop {
            match walker.advance() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.options.cancel.check().map_err(|_| OpenError::Cancelled)?;
                    return Ok(Some(error));
                }
            }
            let member = walker.member();
            let admitted = limit.admit(member.path.len() + member.link.len());
            admitted.map_err(|error| self.opening.source_error(error))?;
            normalize(&member.path, &mut path);
            let name = String::from_utf8_lossy(&path).into_owned();
            let link = || String::from_utf8_lossy(&member.link).into_owned();
            match member.fields.kind {
                Kind::Symlink => self.members.insert(name, StreamedMember::Symlink(link())),
                Kind::HardLink => self.members.insert(name, StreamedMember::HardLink(link())),
                Kind::File => self.file(&mut walker, name)?,
                _ => {}
            }
            if self.broken.is_some() {
                self.options.cancel.check().map_err(|_| OpenError::Cancelled)?;
                return Ok(self.broken.take());
            }
        }
    }

    fn file(&mut self, walker: &mut TarWalker<BlockReader>, name: String) -> Result<(), OpenError> {
        let stored_bytes = walker.member().stored_bytes;
        let start = walker.member().fields.offset;
        let share_before = walker.input_mut().compressed_position();
        let (reader, length) = walker.take_content();
        let part = Part::new(reader, length, true, self.options.cancel.clone());
        let layers_before = self.layers.len();
        let member = self.content(&name, part, stored_bytes, start).map_err(|error| self.stream_error(start, error))?;
        walker.resume_before(start.saturating_add(stored_bytes));
        if let Some(layer) = self.layers.get_mut(layers_before) {
            layer.share = walker.input_mut().compressed_position().saturating_sub(share_before);
        }
        self.members.insert(name, member);
        Ok(())
    }

    /// Returns a verifier for a plain layer whose name or earlier documents state a digest with an algorithm other than
    /// SHA-256.
    fn verifier(&self, name: &str) -> Option<Verifier> {
        let by_name = name.strip_prefix("blobs/").and_then(|rest| Digest::parse(&rest.replacen('/', ":", 1)));
        beside_sha256(by_name.as_ref()).or_else(|| self.digests.as_ref()?.verifier(name))
    }

    /// Reads a file's content according to its kind.
    fn content(&mut self, name: &str, mut part: Part<'_>, stored_bytes: u64, start: u64) -> io::Result<StreamedMember> {
        Ok(match sniff(part.peek(compression::MAGIC_BYTES)?) {
            Sniffed::Layer => StreamedMember::Layer(match self.empty_layer.filter(|_| stored_bytes == 0) {
                // Empty files are all the same layer, and an archive may contain many.
                Some(number) => number,
                None => {
                    let number = self.layers.len();
                    if let Some(verifier) = self.verifier(name) {
                        part.verify(verifier);
                    }
                    self.layer(part, start)?;
                    self.empty_layer = self.empty_layer.or(Some(number).filter(|_| stored_bytes == 0));
                    number
                }
            }),
            Sniffed::Document if stored_bytes > MAX_DOCUMENT_BYTES => StreamedMember::TooLong(stored_bytes),
            Sniffed::Document if self.document_bytes as u64 + stored_bytes <= MAX_ALL_DOCUMENTS as u64 => {
                let mut bytes = Vec::new();
                let result = part.visit(u64::MAX, &mut |piece| bytes.extend_from_slice(piece));
                self.note_broken(start, part.position(), result);
                self.document_bytes += bytes.len();
                if let Some(digests) = &mut self.digests {
                    digests.note(&bytes);
                }
                StreamedMember::Document(bytes)
            }
            Sniffed::Compressed | Sniffed::Document => StreamedMember::Aside(self.put_aside(part, start)?),
            Sniffed::Other(format) => StreamedMember::Unknown(format),
        })
    }

    fn stream_error(&self, offset: u64, error: io::Error) -> OpenError {
        if self.options.cancel.is_cancelled() {
            return OpenError::Cancelled;
        }
        let error = TarError::source(offset, error);
        OpenError::Stream { reference: self.opening.reference.text.clone(), error }
    }

    fn layer(&mut self, part: Part<'_>, start: u64) -> io::Result<()> {
        let mut aside = if self.keep_layers { self.aside.take() } else { None };
        let mut part = part;
        let aside_start = aside.as_ref().map(Spool::length);
        if let Some(spool) = &mut aside {
            part.watch(|bytes| {
                spool.append(bytes);
                Ok(())
            });
        }
        let mut batches = Vec::new();
        let progress = self.opening.progress.stream();
        let known = self.entries;
        let here = LayerProgress::default();
        let mut sink = |batch: EntryBatch| {
            batches.push(batch);
            let entries = here.entries.load(std::sync::atomic::Ordering::Relaxed);
            progress.entries.store(known + entries, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        let begun = Instant::now();
        let mut scan = scan_part(part, &here, &self.options, &mut sink)?;
        let (number, ms) = (self.layers.len(), begun.elapsed().as_millis());
        let (unpacked, entries) = (scan.unpacked_bytes, scan.entries);
        debug!(target: "layer", number, unpacked, entries, ms, "read from the stream");
        // An uncompressed layer is stored as it is.
        (scan.blob_digest, scan.others.blob) = (scan.diff_id, scan.others.diff_id.clone());
        self.entries = self.entries.saturating_add(scan.entries);
        // If content is spooled, the offset in the spool replaces the offset in the stream.
        let start = aside_start.unwrap_or(start);
        self.aside = aside.or(self.aside.take());
        self.layers.push(StreamedLayer { scan, batches, start, share: 0 });
        Ok(())
    }

    /// Records the error of a source that failed; everything before it is kept.
    fn note_broken(&mut self, member_start: u64, within: u64, result: io::Result<u64>) {
        if let Err(error) = result {
            self.broken.get_or_insert(TarError::source(member_start.saturating_add(within), error));
        }
    }

    fn put_aside(&mut self, mut part: Part<'_>, member_start: u64) -> io::Result<Section> {
        let mut spool = match self.aside.take() {
            Some(spool) => spool,
            None => Spool::new()?,
        };
        let start = spool.length();
        let result = part.visit(u64::MAX, &mut |piece| {
            spool.append(piece);
        });
        self.note_broken(member_start, part.position(), result);
        let section = spool.section(start, spool.length() - start);
        self.aside = Some(spool);
        section.ok_or_else(|| io::Error::other("no space for a compressed layer in the temporary directory"))
    }

    /// Finds the image among the members, and builds its tree.
    fn assemble(mut self, source: Source, broken: Option<TarError>) -> Result<Opened, OpenError> {
        let opening = self.opening;
        let found = source.found;
        let result = read_layout(&self.members, &opening.request(), true);
        let mut layout = match (broken, result) {
            (Some(TarError::NotAHeader(0)), Err(_)) if self.members.is_empty() => {
                return Err(opening.source_error(not_an_archive(found, &source.beginning)));
            }
            (Some(broken), Err(error)) => return Err(opening.source_error(error.of_broken(&broken))),
            (None, Err(SourceError::NotAnImage(_))) if source.beginning.is_zero() => {
                return Err(opening.source_error(not_an_archive(found, &source.beginning)));
            }
            (None, Err(SourceError::NotAnImage(_))) if self.members.is_empty() && found != Compression::None => {
                let reason = format!("is compressed with {}, but unpacks to an empty archive", found.name());
                return Err(opening.source_error(SourceError::NotAnImage(reason)));
            }
            (None, Err(error)) => return Err(opening.source_error(error)),
            (Some(error), Ok(mut layout)) => {
                layout.defect(DefectKind::Incomplete, None, format!("the archive is incomplete: {error}"));
                layout
            }
            (None, Ok(layout)) => layout,
        };
        if let Some(oddity) = source.index.as_ref().and_then(trailing_oddity) {
            layout.warn(oddity);
        }
        layout.identity.source_compression = Some(found);
        opening.progress.identified(&layout);
        let mut tree = opening.tree();
        let read = self.read_layers(&layout, &mut tree, &source)?;
        finish(opening, layout, tree, read, source.source_bytes)
    }

    fn read_layers(
        &mut self,
        layout: &Layout,
        tree: &mut TreeBuilder,
        source: &Source,
    ) -> Result<Vec<ReadLayer>, OpenError> {
        let opening = self.opening;
        let limit = |limit| OpenError::Limit { reference: opening.reference.text.clone(), limit };
        let mut read = Vec::new();
        let mut unpacked = HashMap::new();
        let mut full = None;
        for (number, layer) in layout.layers.iter().enumerate() {
            tree.begin_layer().map_err(limit)?;
            let format = self.members.format(&layer.located);
            if format.is_some() || matches!(layer.contents, LayerContents::Unreadable(_)) {
                read.push(ReadLayer::unread(format));
                continue;
            }
            match self.members.layer(&layer.located) {
                Some(index) => {
                    let Some(streamed) = self.layers.get_mut(index) else { continue };
                    let reached = streamed.batches.iter().find_map(|batch| add(tree, batch, &mut full));
                    let last_use = !layout.layers[number + 1..].iter().any(|other| other.located == layer.located);
                    if last_use {
                        streamed.batches = Vec::new();
                    }
                    let streamed = &self.layers[index];
                    read.push(ReadLayer { limit: reached, ..self.streamed_layer(streamed, source) });
                }
                None if matches!(layer.contents, LayerContents::Absent(_)) => read.push(ReadLayer::unread(None)),
                None => read.push(self.aside_layer(number, layout, (tree, &mut full), &mut unpacked)?),
            }
        }
        Ok(read)
    }

    fn streamed_layer(&self, streamed: &StreamedLayer, source: &Source) -> ReadLayer {
        let (start, length) = (streamed.start, streamed.scan.unpacked_bytes);
        let kept = self.aside.as_ref().filter(|_| self.keep_layers).and_then(|spool| spool.section(start, length));
        let store = match (kept, &source.again) {
            (Some(section), _) => LayerStore::Plain(section),
            (None, Some(section)) if !self.keep_layers => LayerStore::Packed {
                section: section.clone(),
                compression: source.found,
                start,
                length,
                index: source.index.clone(),
            },
            _ => LayerStore::Gone,
        };
        let plain = source.found == Compression::None;
        let stored = if plain { Stored::Exactly(length) } else { Stored::Share(streamed.share) };
        let blob = match &store {
            LayerStore::Plain(section) => Some(section.clone()),
            _ => None,
        };
        let scan = streamed.scan.clone();
        ReadLayer { scan, stored, store, blob, is_verified: false, limit: None, format: None }
    }

    /// Opens a compressed layer that was spooled from the stream. A layer that occurs several times is unpacked once.
    fn aside_layer(
        &self,
        number: usize,
        layout: &Layout,
        (tree, full): (&mut TreeBuilder, &mut Option<TreeLimit>),
        known: &mut HashMap<String, Unpacked>,
    ) -> Result<ReadLayer, OpenError> {
        let opening = self.opening;
        let layer = &layout.layers[number];
        let failed = |reason: String| OpenError::Layer {
            reference: opening.reference.text.clone(),
            number,
            name: layer.name.clone(),
            reason,
        };
        let section = self.members.blob(&layer.located).map_err(|error| opening.source_error(error))?;
        let Some(section) = section else {
            return Err(failed(NOT_A_TAR_STREAM.to_owned()));
        };
        let again = layout.layers[number + 1..].iter().any(|other| other.located == layer.located);
        let mut batches = Vec::new();
        let mut limit = None;
        let mut sink = |batch: EntryBatch| {
            limit = limit.or(add(tree, &batch, full));
            if again {
                batches.push(batch);
            }
            Ok(())
        };
        let scan = match known.remove(&layer.located) {
            Some(Unpacked { scan, batches }) => batches.into_iter().try_for_each(&mut sink).map(|()| scan),
            None => {
                let stated = StatedDigests { diff_id: layer.diff_id.clone(), blob: layer.digest.clone() };
                let options = LayerOptions { stated, ..self.options.clone() };
                scan_section(&section, &options, &LayerProgress::default(), &mut sink, None)
            }
        };
        let scan = scan.map_err(|error| failed(error.to_string()))?;
        if again {
            known.insert(layer.located.clone(), Unpacked { scan: scan.clone(), batches });
        }
        let length = scan.unpacked_bytes;
        let stored = Stored::Exactly(section.length());
        let (compression, index) = (scan.compression, scan.gzip_index.clone());
        let blob = Some(section.clone());
        let store = LayerStore::Packed { section, compression, start: 0, length, index };
        let format = format_of_unread(&scan, &store);
        Ok(ReadLayer { scan, stored, store, blob, is_verified: false, limit, format })
    }
}

/// A layer that occurs again further up.
struct Unpacked {
    scan: LayerScan,
    batches: Vec<EntryBatch>,
}
