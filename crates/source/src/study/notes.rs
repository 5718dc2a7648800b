use std::hash::{DefaultHasher, Hash, Hasher};

use hashbrown::HashMap;

use nixdive_nix::nar::{NarDigest, NarEntry, NarNode};
use nixdive_nix::references::Mention;
use nixdive_nix::{StoreHash, StorePath};

/// Notes of a watch about one layer. Files are identified by the offset of their content in the unpacked layer.
#[derive(Debug, Default)]
pub(super) struct LayerNotes {
    /// Files with findings, in order.
    pub files: Vec<FileNotes>,
    /// Files that were not completely scanned, in order.
    pub missed: Vec<u64>,
    /// Offset of the content of the last file seen. Later contents were not seen: store paths of this machine that are
    /// mounted over the layer.
    pub last: Option<u64>,
    /// Offset of the content of the first file scanned; before it, no store path had been seen.
    pub first: Option<u64>,
    /// NARs of store paths whose entries were in order. For a path that occurred twice,
    /// the last one.
    pub nars: HashMap<StorePath, NotedNar>,
    /// True if mentions were dropped.
    pub is_truncated: bool,
}

/// A NAR built while the entries of a store path were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotedNar {
    pub digest: NarDigest,
    /// Fingerprint of its entries, to be compared with that of the finished tree: names that pass through a symbolic link
    /// can change a store path from outside.
    pub entries: u64,
}

/// Fingerprint of the entries of a store path: names, kinds, link targets, and where contents are.
#[derive(Debug, Default)]
pub(super) struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Adds an entry; `offset` is that of its content in the layer.
    pub fn add(&mut self, entry: &NarEntry<'_>, offset: u64) {
        let name = if entry.depth == 0 { &[][..] } else { entry.name };
        (entry.depth, name).hash(&mut self.0);
        match entry.node {
            NarNode::Directory => 0u8.hash(&mut self.0),
            NarNode::Symlink { target } => (1u8, target).hash(&mut self.0),
            NarNode::File { bytes: 0, executable } => (2u8, executable).hash(&mut self.0),
            NarNode::File { bytes, executable } => (3u8, executable, bytes, offset).hash(&mut self.0),
        }
    }

    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// Findings in one file.
#[derive(Debug)]
pub(super) struct FileNotes {
    /// Offset of its content.
    pub start: u64,
    /// Runs of 32 digits, each with its offset in the file.
    pub hashes: Vec<(StoreHash, u64)>,
    /// Mentioned names, each with its offset in the file.
    pub mentions: Vec<(Mention, u64)>,
}

impl LayerNotes {
    /// Returns `true` if a file was scanned completely.
    pub fn has_seen(&self, start: u64) -> bool {
        let is_within = self.first.zip(self.last).is_some_and(|(first, last)| (first..=last).contains(&start));
        is_within && self.missed.binary_search(&start).is_err()
    }

    /// Returns the findings in a file.
    pub fn file(&self, start: u64) -> Option<&FileNotes> {
        let place = self.files.binary_search_by_key(&start, |file| file.start).ok()?;
        self.files.get(place)
    }
}
