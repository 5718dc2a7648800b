use hashbrown::HashMap;

use nixdive_image::{ContentHash, FileTree, OccurrenceId};

/// Contents whose identity has to be known before two images can be compared; files with content, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownContents {
    /// Occurrences in the left image.
    pub left: Vec<OccurrenceId>,
    /// Occurrences in the right image.
    pub right: Vec<OccurrenceId>,
}

/// Identities that were found by reading.
#[derive(Debug, Clone, Default)]
pub struct KnownContents {
    /// Hashes of the left image's contents.
    pub left: HashMap<OccurrenceId, ContentHash>,
    /// Hashes of the right image's contents.
    pub right: HashMap<OccurrenceId, ContentHash>,
}

impl KnownContents {
    pub(super) fn left(&self, tree: &FileTree, id: OccurrenceId) -> Option<ContentHash> {
        tree.content_hash(id).or_else(|| self.left.get(&id)).copied()
    }

    pub(super) fn right(&self, tree: &FileTree, id: OccurrenceId) -> Option<ContentHash> {
        tree.content_hash(id).or_else(|| self.right.get(&id)).copied()
    }
}
