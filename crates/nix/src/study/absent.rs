use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::RecordedStore;
use crate::contents::{PathEntries, Place, RootSource, StoreContents, TreeEntryKind, config_texts, walk_outside};
use crate::graph::PathId;
use crate::references::{Mention, MentionScanner};
use crate::store_path::{StoreHash, StorePath};
use nixdive_image::{FileTree, Image, Kind, NodeId, OccurrenceId};

/// Sightings that are kept in all.
const MOST_SIGHTINGS: usize = 1 << 20;
/// Different store paths that one text outside a file names at most.
const MOST_IN_TEXT: usize = 1000;

/// The kind of text that names a store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SightingSource {
    /// In the configuration, or in a file, link or name of the tree.
    Written(RootSource),
    /// In the database, as a reference.
    Recorded,
}

/// One place that names something that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The store path that names it; `None` outside the store.
    pub from: Option<PathId>,
    /// Source of the mention.
    pub source: SightingSource,
}

/// A store path that is named and not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// Which. Of several names with one hash the shortest, as text behind a name may be taken for a part of it.
    pub path: StorePath,
    /// Sources that name it; at least one.
    pub sightings: Vec<Sighting>,
}

/// References whose hash was overwritten on purpose, by the name that was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// The name behind the hash.
    pub name: Box<str>,
    /// Sources that contain it; at least one.
    pub sightings: Vec<Sighting>,
}

/// Store paths that are named but absent.
pub(super) struct Absent {
    pub dangling: Vec<Dangling>,
    pub scrubbed: Vec<Scrubbed>,
    pub is_truncated: bool,
}

impl Absent {
    pub fn find(
        image: &Image,
        store: &StoreContents,
        entries: &[PathEntries],
        mentions: &HashMap<OccurrenceId, Vec<(Mention, u64)>>,
        recorded: Option<&RecordedStore>,
    ) -> Self {
        let mut gathering = Gathering::new(&image.tree, store, mentions);
        for (text, source) in config_texts(&image.config) {
            gathering.text(text.as_bytes(), Sighting { from: None, source: SightingSource::Written(source) });
        }
        for (from, entries) in store.ids().zip(entries) {
            for entry in &entries.entries {
                match entry.kind {
                    TreeEntryKind::Directory => {}
                    TreeEntryKind::Symlink(id) => gathering.link(Some(from), entry.node, id),
                    TreeEntryKind::File { content, .. } => gathering.content(Some(from), entry.node, content),
                }
            }
        }
        let tree = &image.tree;
        walk_outside(tree, store, |node, seen, listed| {
            let Some(id) = seen.occurrence.filter(|_| !seen.is_directory && !listed) else { return };
            match tree.occurrence(id).kind {
                Kind::Symlink => gathering.link(None, node, id),
                _ => {
                    if let Some(content) = tree.content_of(id) {
                        gathering.content(None, node, content);
                    }
                }
            }
        });
        for path in recorded.iter().flat_map(|recorded| &recorded.paths) {
            let from = store.id_of(&path.path);
            for reference in path.references.iter().filter(|_| from.is_some()) {
                gathering
                    .add(&Mention::StorePath(reference.clone()), Sighting { from, source: SightingSource::Recorded });
            }
        }
        gathering.finish()
    }
}

struct Gathering<'a> {
    tree: &'a FileTree,
    known: HashMap<StoreHash, ()>,
    mentions: &'a HashMap<OccurrenceId, Vec<(Mention, u64)>>,
    scanner: MentionScanner,
    dangling: HashMap<StoreHash, Dangling>,
    scrubbed: BTreeMap<Box<str>, Vec<Sighting>>,
    sightings: usize,
}

impl<'a> Gathering<'a> {
    fn new(
        tree: &'a FileTree,
        store: &StoreContents,
        mentions: &'a HashMap<OccurrenceId, Vec<(Mention, u64)>>,
    ) -> Self {
        Self {
            tree,
            known: store.paths.iter().map(|known| (known.path.hash(), ())).collect(),
            mentions,
            scanner: MentionScanner::new(MOST_IN_TEXT),
            dangling: HashMap::new(),
            scrubbed: BTreeMap::new(),
            sightings: 0,
        }
    }

    fn link(&mut self, from: Option<PathId>, node: NodeId, id: OccurrenceId) {
        let target = self.tree.link_target(id).unwrap_or_default();
        let source = SightingSource::Written(RootSource::Tree(node, Place::LinkTarget));
        self.text(target, Sighting { from, source });
    }

    fn text(&mut self, text: &[u8], sighting: Sighting) {
        for (mention, _) in self.scanner.scan(text).found {
            self.add(&mention, sighting);
        }
    }

    fn content(&mut self, from: Option<PathId>, node: NodeId, content: OccurrenceId) {
        for (mention, offset) in self.mentions.get(&content).into_iter().flatten() {
            let source = SightingSource::Written(RootSource::Tree(node, Place::Content(*offset)));
            self.add(mention, Sighting { from, source });
        }
    }

    fn add(&mut self, mention: &Mention, sighting: Sighting) {
        if self.sightings >= MOST_SIGHTINGS {
            return;
        }
        match mention {
            Mention::StorePath(path) if self.known.contains_key(&path.hash()) => return,
            Mention::StorePath(path) => {
                let new = || Dangling { path: path.clone(), sightings: Vec::new() };
                let dangling = self.dangling.entry(path.hash()).or_insert_with(new);
                if path.name().len() < dangling.path.name().len() {
                    dangling.path = path.clone();
                }
                dangling.sightings.push(sighting);
            }
            Mention::Scrubbed(name) => self.scrubbed.entry(name.clone()).or_default().push(sighting),
        }
        self.sightings += 1;
    }

    fn finish(self) -> Absent {
        let mut dangling: Vec<Dangling> = self.dangling.into_values().collect();
        dangling.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        let scrubbed = self.scrubbed.into_iter().map(|(name, sightings)| Scrubbed { name, sightings });
        Absent { dangling, scrubbed: scrubbed.collect(), is_truncated: self.sightings >= MOST_SIGHTINGS }
    }
}
