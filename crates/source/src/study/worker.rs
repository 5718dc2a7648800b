use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use super::plan::{PackedLayer, Unit, is_absent};
use crate::open::{ContentError, Contents, Spool};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, OccurrenceId};
use nixdive_nix::contents::TreeEntryKind;
use nixdive_nix::graph::PathId;
use nixdive_nix::nar::{NarDigest, NarWriter, Sha256Sink};
use nixdive_nix::references::{Candidates, Mention, MentionScanner, Reference, ReferenceScanner};
use nixdive_nix::study::StoreOutline;
use nixdive_scan::Section;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 256 << 10;
/// Maximum number of different mentions kept per file.
const MOST_IN_FILE: usize = 4096;
/// Maximum number of references kept in total, 16 bytes each.
const MOST_REFERENCES: usize = 8 << 20;
/// Maximum number of mentions of absent store paths kept in total, up to 300 bytes each.
const MOST_MENTIONS: usize = 1 << 18;

/// State shared by all threads.
pub(super) struct Scene<'a> {
    pub tree: &'a FileTree,
    pub contents: &'a Contents,
    pub outline: &'a StoreOutline,
    pub candidates: Arc<Candidates>,
    pub cancel: &'a Cancel,
    /// Number of references and mentions kept by all threads.
    pub kept: (AtomicUsize, AtomicUsize),
}

/// Findings of one thread.
#[derive(Default)]
pub(super) struct Found {
    pub references: Vec<(OccurrenceId, Vec<Reference>)>,
    pub mentions: Vec<(OccurrenceId, Vec<(Mention, u64)>)>,
    pub digests: Vec<(PathId, NarDigest)>,
    /// Contents of packed layers that NARs need.
    pub aside: HashMap<OccurrenceId, Section>,
    pub unread: Vec<String>,
    pub is_truncated: bool,
}

/// One thread's share of the reading.
pub(super) struct Worker<'a> {
    scene: &'a Scene<'a>,
    scanner: ReferenceScanner,
    mentions: MentionScanner,
    buffer: Vec<u8>,
    pub found: Found,
}

/// Destination of content in addition to the scanners.
enum Sink<'s> {
    Nothing,
    Nar(&'s mut NarWriter<Sha256Sink>),
    Aside(&'s mut Spool),
}

impl Sink<'_> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Nar(writer) => writer.content(bytes).map_err(io::Error::other),
            Self::Aside(spool) => match spool.append(bytes) {
                true => Ok(()),
                false => Err(io::Error::other("no space to store it temporarily")),
            },
        }
    }
}

impl<'a> Worker<'a> {
    pub fn new(scene: &'a Scene<'a>) -> Self {
        Self {
            scene,
            scanner: ReferenceScanner::new(Arc::clone(&scene.candidates)),
            mentions: MentionScanner::new(MOST_IN_FILE),
            buffer: vec![0; BUFFER_BYTES],
            found: Found::default(),
        }
    }

    /// Unpacks a layer once, scanning and storing the requested contents.
    pub fn packed(&mut self, layer: &PackedLayer) -> io::Result<()> {
        let scene = self.scene;
        let mut spool = if layer.kept.is_empty() { None } else { Some(Spool::new()?) };
        let ids: Vec<OccurrenceId> = layer.scanned.union(&layer.kept).copied().collect();
        let result = scene.contents.for_each(scene.tree, &ids, &mut |id, reader| {
            let kept = spool.as_mut().filter(|_| layer.kept.contains(&id));
            let start = kept.as_ref().map(|spool| spool.length());
            let sink = kept.map_or(Sink::Nothing, Sink::Aside);
            self.read(id, reader, layer.scanned.contains(&id), sink)?;
            let section = start.zip(spool.as_ref());
            let section = section.and_then(|(start, spool)| spool.section(start, spool.length().saturating_sub(start)));
            self.found.aside.extend(section.map(|section| (id, section)));
            Ok::<(), ContentError>(())
        });
        scene.cancel.check()?;
        if let Err(error) = result {
            self.found.unread.push(format!("layer {}: {error}; its references are incomplete", layer.layer.0));
        }
        Ok(())
    }

    /// Does a unit of work; records contents that cannot be read.
    pub fn unit(&mut self, unit: &Unit, aside: &HashMap<OccurrenceId, Section>) -> io::Result<()> {
        match unit {
            Unit::Scan { contents, .. } => {
                for &id in contents {
                    let result = match self.scene.contents.reader(self.scene.tree, id) {
                        Ok(mut reader) => self.read(id, &mut *reader, true, Sink::Nothing),
                        Err(error) => Err(io::Error::other(error)),
                    };
                    self.scene.cancel.check()?;
                    if let Err(error) = result {
                        self.note_unread(id, &error);
                    }
                }
            }
            Unit::Nar { path, scanned, .. } => {
                let mut writer = Some(NarWriter::hashing());
                let entries = self.scene.outline.entries.get(path.index()).map_or(&[][..], |entries| &entries.entries);
                for entry in entries {
                    if let Some(nar) = &mut writer
                        && nar.entry(&entry.nar_entry(self.scene.tree)).is_err()
                    {
                        writer = None;
                    }
                    let TreeEntryKind::File { content, bytes, .. } = entry.kind else { continue };
                    let is_scanned = scanned.contains(&content);
                    if bytes == 0 || (writer.is_none() && !is_scanned) {
                        continue;
                    }
                    if !self.can_be_had(content, aside) {
                        // The reason was reported for its layer.
                        writer = None;
                        continue;
                    }
                    let sink = writer.as_mut().map_or(Sink::Nothing, Sink::Nar);
                    let result = self.content(content, is_scanned, sink, aside);
                    self.scene.cancel.check()?;
                    if let Err(error) = result {
                        writer = None;
                        self.note_unread(content, &error);
                    }
                }
                if let Some(digest) = writer.and_then(|writer| writer.digest().ok()) {
                    self.found.digests.push((*path, digest));
                }
            }
        }
        Ok(())
    }

    fn can_be_had(&self, id: OccurrenceId, aside: &HashMap<OccurrenceId, Section>) -> bool {
        aside.contains_key(&id) || self.scene.contents.is_at_hand(self.scene.tree.occurrence(id).layer)
    }

    fn content(
        &mut self,
        id: OccurrenceId,
        is_scanned: bool,
        sink: Sink<'_>,
        aside: &HashMap<OccurrenceId, Section>,
    ) -> io::Result<()> {
        if let Some(section) = aside.get(&id) {
            return self.read(id, &mut section.reader(), is_scanned, sink);
        }
        let mut reader = self.scene.contents.reader(self.scene.tree, id).map_err(io::Error::other)?;
        self.read(id, &mut *reader, is_scanned, sink)
    }

    /// Reads a content once, to its end.
    fn read(
        &mut self,
        id: OccurrenceId,
        reader: &mut dyn Read,
        is_scanned: bool,
        mut sink: Sink<'_>,
    ) -> io::Result<()> {
        let result = loop {
            match self.scene.cancel.check().and_then(|()| reader.read(&mut self.buffer)) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    if is_scanned {
                        self.scanner.feed(bytes);
                        self.mentions.feed(bytes);
                    }
                    if let Err(error) = sink.take(bytes) {
                        break Err(error);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if is_scanned {
            let references = self.scanner.finish();
            let mut mentions = self.mentions.finish();
            self.found.is_truncated |= mentions.overflowed;
            mentions.found.retain(|(mention, _)| is_absent(mention, &self.scene.candidates));
            self.keep(id, references, mentions.found);
        }
        result
    }

    /// Keeps findings as long as the total limit allows.
    fn keep(&mut self, id: OccurrenceId, references: Vec<Reference>, mentions: Vec<(Mention, u64)>) {
        let (kept_references, kept_mentions) = &self.scene.kept;
        if !references.is_empty() {
            match kept_references.fetch_add(references.len(), Ordering::Relaxed) < MOST_REFERENCES {
                true => self.found.references.push((id, references)),
                false => self.found.is_truncated = true,
            }
        }
        if !mentions.is_empty() {
            match kept_mentions.fetch_add(mentions.len(), Ordering::Relaxed) < MOST_MENTIONS {
                true => self.found.mentions.push((id, mentions)),
                false => self.found.is_truncated = true,
            }
        }
    }

    fn note_unread(&mut self, id: OccurrenceId, error: &io::Error) {
        let path = self.scene.tree.path(self.scene.tree.occurrence(id).node());
        self.found.unread.push(format!("{}: {error}", display_name(&path)));
    }
}
