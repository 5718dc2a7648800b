//! What an image's tree says of a path, as an entry has it.

use super::Metadata;
use nixdive_image::{FileTree, NodeId, OccurrenceId};

/// The entry of a path as the topmost layer leaves it.
pub(super) fn top_of(tree: &FileTree, node: NodeId) -> Option<OccurrenceId> {
    tree.visible_at(node, tree.top_layer()?)
}

/// Who may do what with an entry; a directory without one of its own is everyone's to read.
pub(super) fn metadata_of(tree: &FileTree, id: Option<OccurrenceId>) -> Metadata {
    let Some(id) = id else { return Metadata { mode: 0o755, ..Metadata::default() } };
    let owner = tree.owner(id);
    let mode = tree.occurrence(id).mode();
    Metadata { mode, uid: owner.uid, gid: owner.gid, xattrs: tree.xattrs(id).clone() }
}
