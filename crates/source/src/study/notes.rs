use hashbrown::HashMap;

use nixdive_nix::nar::NarDigest;
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
    /// Offset from which files outside the store were scanned; before it, no store path had been seen.
    pub outside_from: Option<u64>,
    /// NARs of store paths whose entries were in order, and their numbers of entries. For a path that occurred twice,
    /// the last one.
    pub nars: HashMap<StorePath, (NarDigest, u64)>,
    /// True if mentions were dropped.
    pub is_truncated: bool,
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
    /// Returns `true` if a file in the store was scanned completely.
    pub fn has_seen(&self, start: u64) -> bool {
        self.last.is_some_and(|last| start <= last) && self.missed.binary_search(&start).is_err()
    }

    /// Returns `true` if a file outside the store was scanned completely.
    pub fn has_seen_outside(&self, start: u64) -> bool {
        self.outside_from.is_some_and(|from| start >= from) && self.has_seen(start)
    }

    /// Returns the findings in a file.
    pub fn file(&self, start: u64) -> Option<&FileNotes> {
        let place = self.files.binary_search_by_key(&start, |file| file.start).ok()?;
        self.files.get(place)
    }
}
