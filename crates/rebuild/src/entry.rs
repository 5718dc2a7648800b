//! Entries of a composition from the tree of an image.

use super::Metadata;
use nixdive_image::{FileTree, NodeId, OccurrenceId};

/// Returns the entry of a path in the topmost layer.
pub(super) fn top_of(tree: &FileTree, node: NodeId) -> Option<OccurrenceId> {
    tree.visible_at(node, tree.top_layer()?)
}

/// Returns the metadata of an entry; a directory without an entry is readable by everyone.
pub(super) fn metadata_of(tree: &FileTree, id: Option<OccurrenceId>) -> Metadata {
    let Some(id) = id else { return Metadata { mode: 0o755, ..Metadata::default() } };
    let owner = tree.owner(id);
    let mode = tree.occurrence(id).mode();
    Metadata { mode, uid: owner.uid, gid: owner.gid, xattrs: tree.xattrs(id).clone() }
}
