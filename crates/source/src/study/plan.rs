use hashbrown::{HashMap, HashSet};

use super::StoreWatch;
use super::notes::{Fingerprint, LayerNotes};
use crate::open::Contents;
use nixdive_base::text::display_bytes;
use nixdive_image::{FileTree, Image, LayerIndex, OccurrenceId};
use nixdive_nix::contents::{PathEntries, TreeEntryKind, outside_contents};
use nixdive_nix::graph::PathId;
use nixdive_nix::nar::NarDigest;
use nixdive_nix::references::{Candidates, Mention, Reference};
use nixdive_nix::study::{ContentFindings, StoreOutline};

/// Bytes of contents that one thread reads at a time.
const BATCH_BYTES: u64 = 4 << 20;
/// Maximum number of contents in one batch.
const BATCH_FILES: usize = 256;
/// Bytes that may always be read; beyond that, a multiple of the image.
const ALWAYS_BYTES: u64 = 1 << 30;
/// Hard links and sparse files can inflate NARs arbitrarily. At most this multiple of the image's unpacked bytes is
/// read.
const MOST_TIMES: u64 = 4;

/// Everything to read after an image was opened.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Contents in layers that have to be unpacked, by layer.
    pub packed: Vec<PackedLayer>,
    /// Work that can be done in any order, the longest first.
    pub units: Vec<Unit>,
}

/// Contents of one layer that has to be unpacked.
#[derive(Debug)]
pub(super) struct PackedLayer {
    pub layer: LayerIndex,
    /// Contents to scan.
    pub scanned: HashSet<OccurrenceId>,
    /// Contents to keep for a NAR.
    pub kept: HashSet<OccurrenceId>,
}

/// A unit of work for one thread.
#[derive(Debug)]
pub(super) enum Unit {
    /// Hash the NAR of a store path, and scan the given contents of it.
    Nar { path: PathId, scanned: HashSet<OccurrenceId>, bytes: u64 },
    /// Scan contents.
    Scan { contents: Vec<OccurrenceId>, bytes: u64 },
}

impl Unit {
    fn bytes(&self) -> u64 {
        match self {
            Self::Nar { bytes, .. } | Self::Scan { bytes, .. } => *bytes,
        }
    }
}

/// Takes over the notes of a watch, and determines what remains to be read.
pub(super) struct Planner<'a> {
    tree: &'a FileTree,
    contents: &'a Contents,
    outline: &'a StoreOutline,
    candidates: &'a Candidates,
    notes: &'a [LayerNotes],
    known: HashSet<OccurrenceId>,
    pub findings: ContentFindings,
    scans: Vec<OccurrenceId>,
    nars: Vec<(PathId, u64, HashSet<OccurrenceId>)>,
    bytes_left: u64,
}

/// Plans the reading of an image's store.
pub(super) fn plan(
    image: &Image,
    contents: &Contents,
    outline: &StoreOutline,
    candidates: &Candidates,
    watch: Option<&StoreWatch>,
) -> (ContentFindings, Plan) {
    let run = |notes: &[LayerNotes]| {
        let bytes_left = image.unpacked_bytes().saturating_mul(MOST_TIMES).saturating_add(ALWAYS_BYTES);
        let mut planner = Planner {
            tree: &image.tree,
            contents,
            outline,
            candidates,
            notes,
            known: HashSet::new(),
            findings: ContentFindings::default(),
            scans: Vec::new(),
            nars: Vec::new(),
            bytes_left,
        };
        planner.findings.is_truncated = notes.iter().any(|notes| notes.is_truncated);
        for (id, entries) in outline.store.ids().zip(&outline.entries) {
            planner.store_path(id, entries);
        }
        if !outline.store.paths.is_empty() {
            planner.outside();
        }
        planner.finish()
    };
    match watch {
        Some(watch) => watch.with_notes(run),
        None => run(&[]),
    }
}

impl<'a> Planner<'a> {
    fn notes_of(&self, layer: LayerIndex) -> Option<&'a LayerNotes> {
        self.notes.get(self.contents.watched(layer)?)
    }

    fn store_path(&mut self, id: PathId, entries: &PathEntries) {
        let mut scanned = HashSet::new();
        for entry in &entries.entries {
            if let TreeEntryKind::File { content, bytes, .. } = entry.kind
                && bytes > 0
                && self.known.insert(content)
                && !self.adopt(content)
            {
                scanned.insert(content);
            }
        }
        let nar_bytes = entries.nar_bytes(self.tree);
        let digest = self.noted_digest(id, entries, nar_bytes);
        self.findings.digests.push(digest);
        match nar_bytes {
            Some(bytes) if digest.is_none() => match self.bytes_left.checked_sub(bytes) {
                Some(left) => {
                    self.bytes_left = left;
                    self.nars.push((id, bytes, scanned));
                }
                None => {
                    self.leave_out(id, bytes);
                    self.scans.extend(scanned);
                }
            },
            _ => self.scans.extend(scanned),
        }
    }

    fn leave_out(&mut self, id: PathId, bytes: u64) {
        let Some(known) = self.outline.store.get(id) else { return };
        let bytes = display_bytes(bytes);
        self.findings
            .unread
            .push(format!("{}: its NAR of {bytes} is much longer than the image; not hashed", known.path));
    }

    /// Returns the NAR from the watch, if it consists of exactly the entries of the path.
    fn noted_digest(&self, id: PathId, entries: &PathEntries, nar_bytes: Option<u64>) -> Option<NarDigest> {
        let known = self.outline.store.get(id)?;
        let [share] = known.layers.as_slice() else { return None };
        let noted = self.notes_of(share.layer)?.nars.get(&known.path)?;
        let is_whole = Some(noted.digest.bytes) == nar_bytes && noted.entries == self.fingerprint(share.layer, entries);
        is_whole.then_some(noted.digest)
    }

    /// Returns the fingerprint of a store path whose contents all are in one layer; contents of other layers make it
    /// another one.
    fn fingerprint(&self, layer: LayerIndex, entries: &PathEntries) -> u64 {
        let mut fingerprint = Fingerprint::default();
        for entry in &entries.entries {
            let content = match entry.kind {
                TreeEntryKind::File { content, .. } => Some(self.tree.occurrence(content)),
                TreeEntryKind::Directory | TreeEntryKind::Symlink(_) => None,
            };
            let offset = content.filter(|content| content.layer == layer).map_or(u64::MAX, |content| content.offset);
            fingerprint.add(&entry.nar_entry(self.tree), offset);
        }
        fingerprint.finish()
    }

    fn outside(&mut self) {
        for content in outside_contents(self.tree, &self.outline.store) {
            if self.tree.occurrence(content).bytes > 0 && self.known.insert(content) && !self.adopt(content) {
                self.scans.push(content);
            }
        }
    }

    /// Takes over the notes about a content; returns `true` if it was scanned.
    fn adopt(&mut self, id: OccurrenceId) -> bool {
        let occurrence = self.tree.occurrence(id);
        let Some(notes) = self.notes_of(occurrence.layer).filter(|notes| notes.has_seen(occurrence.offset)) else {
            return false;
        };
        let Some(file) = notes.file(occurrence.offset) else { return true };
        let reference = |(hash, offset): &(_, u64)| {
            let candidate = self.candidates.get(hash)?;
            Some(Reference { candidate, offset: *offset })
        };
        let references: Vec<Reference> = file.hashes.iter().filter_map(reference).collect();
        let mentions: Vec<(Mention, u64)> =
            file.mentions.iter().filter(|(mention, _)| is_absent(mention, self.candidates)).cloned().collect();
        if !references.is_empty() {
            self.findings.references.insert(id, references);
        }
        if !mentions.is_empty() {
            self.findings.mentions.insert(id, mentions);
        }
        true
    }

    fn finish(mut self) -> (ContentFindings, Plan) {
        let mut packed: HashMap<LayerIndex, PackedLayer> = HashMap::new();
        let mut units = Vec::new();
        let layer = |layer| PackedLayer { layer, scanned: HashSet::new(), kept: HashSet::new() };
        for (path, bytes, scanned) in std::mem::take(&mut self.nars) {
            let entries = self.outline.entries.get(path.index()).map_or(&[][..], |entries| &entries.entries);
            let mut at_hand = HashSet::new();
            for entry in entries {
                let TreeEntryKind::File { content, .. } = entry.kind else { continue };
                let of = self.tree.occurrence(content).layer;
                if self.contents.is_at_hand(of) {
                    at_hand.extend(scanned.get(&content));
                    continue;
                }
                let packed = packed.entry(of).or_insert_with(|| layer(of));
                packed.kept.insert(content);
                packed.scanned.extend(scanned.get(&content));
            }
            units.push(Unit::Nar { path, scanned: at_hand, bytes });
        }
        let (mut batch, mut batch_bytes) = (Vec::new(), 0u64);
        for content in std::mem::take(&mut self.scans) {
            let occurrence = self.tree.occurrence(content);
            let Some(left) = self.bytes_left.checked_sub(occurrence.bytes) else {
                self.findings.unread.push(format!("a sparse file of {}: not read", display_bytes(occurrence.bytes)));
                continue;
            };
            self.bytes_left = left;
            if !self.contents.is_at_hand(occurrence.layer) {
                packed.entry(occurrence.layer).or_insert_with(|| layer(occurrence.layer)).scanned.insert(content);
                continue;
            }
            batch.push(content);
            batch_bytes = batch_bytes.saturating_add(occurrence.bytes);
            if batch_bytes >= BATCH_BYTES || batch.len() >= BATCH_FILES {
                units.push(Unit::Scan { contents: std::mem::take(&mut batch), bytes: batch_bytes });
                batch_bytes = 0;
            }
        }
        if !batch.is_empty() {
            units.push(Unit::Scan { contents: batch, bytes: batch_bytes });
        }
        units.sort_by_key(|unit| std::cmp::Reverse(unit.bytes()));
        let mut packed: Vec<PackedLayer> = packed.into_values().collect();
        packed.sort_by_key(|packed| packed.layer);
        (self.findings, Plan { packed, units })
    }
}

/// Returns `true` if a mention refers to nothing in the image.
pub(super) fn is_absent(mention: &Mention, candidates: &Candidates) -> bool {
    match mention {
        Mention::StorePath(path) => candidates.get(&path.hash()).is_none(),
        Mention::Scrubbed(_) => true,
    }
}
