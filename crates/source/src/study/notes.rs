use hashbrown::HashMap;

use nixdive_nix::nar::NarDigest;
use nixdive_nix::references::Mention;
use nixdive_nix::{StoreHash, StorePath};

/// What a watch noted of one layer. A file is known by where its content begins in the unpacked layer, bytes.
#[derive(Debug, Default)]
pub(super) struct LayerNotes {
    /// Files in which something was found, in their order.
    pub files: Vec<FileNotes>,
    /// Files that were not, or not wholly, looked at, in their order.
    pub missed: Vec<u64>,
    /// Where the content of the last file that came by begins. What lies behind it never came by: store paths of this
    /// machine that are mounted over the layer.
    pub last: Option<u64>,
    /// Files outside the store were looked at from here on; before, no store path had been seen.
    pub outside_from: Option<u64>,
    /// NARs of store paths whose entries came in order, and how many entries those were. A path that came twice is
    /// there with what came last.
    pub nars: HashMap<StorePath, (NarDigest, u64)>,
    /// Whether mentions had to be left out.
    pub is_truncated: bool,
}

/// What was found in one file.
#[derive(Debug)]
pub(super) struct FileNotes {
    /// Where its content begins, bytes.
    pub start: u64,
    /// Runs of 32 digits, each with where it begins in the file, bytes.
    pub hashes: Vec<(StoreHash, u64)>,
    /// What is named, each with where it begins in the file, bytes.
    pub mentions: Vec<(Mention, u64)>,
}

impl LayerNotes {
    /// Whether a file in the store was looked at to its end.
    pub fn has_seen(&self, start: u64) -> bool {
        self.last.is_some_and(|last| start <= last) && self.missed.binary_search(&start).is_err()
    }

    /// Whether a file outside the store was looked at to its end.
    pub fn has_seen_outside(&self, start: u64) -> bool {
        self.outside_from.is_some_and(|from| start >= from) && self.has_seen(start)
    }

    /// What was found in a file.
    pub fn file(&self, start: u64) -> Option<&FileNotes> {
        let place = self.files.binary_search_by_key(&start, |file| file.start).ok()?;
        self.files.get(place)
    }
}
