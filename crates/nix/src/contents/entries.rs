use crate::nar::{NarEntry, NarNode, nar_bytes};
use nixdive_image::{FileTree, Kind, NodeId, OccurrenceId};

use super::paths::{visible, visible_children};

/// The kind of NAR node that a path in an image becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeEntryKind {
    /// A directory, with an entry of its own or only implied.
    Directory,
    /// A regular file, or another name of one.
    File {
        /// Occurrence that holds the content.
        content: OccurrenceId,
        /// True if the owner may execute it.
        executable: bool,
        /// Its length, bytes.
        bytes: u64,
    },
    /// A symbolic link.
    Symlink(OccurrenceId),
}

/// One path of a NAR that an image's tree makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its place in the tree.
    pub node: NodeId,
    /// 0 for the store path itself.
    pub depth: u32,
    /// Kind of the entry.
    pub kind: TreeEntryKind,
}

impl TreeEntry {
    /// As a NAR writer takes it.
    #[must_use]
    pub fn nar_entry<'t>(&self, tree: &'t FileTree) -> NarEntry<'t> {
        let node = match self.kind {
            TreeEntryKind::Directory => NarNode::Directory,
            TreeEntryKind::File { executable, bytes, .. } => NarNode::File { executable, bytes },
            TreeEntryKind::Symlink(id) => NarNode::Symlink { target: tree.link_target(id).unwrap_or_default() },
        };
        NarEntry { depth: self.depth as usize, name: tree.name(self.node), node }
    }
}

/// All that a NAR of a store path holds, in the order of the NAR.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathEntries {
    /// The store path itself first.
    pub entries: Vec<TreeEntry>,
    /// Devices, pipes, and hard links that lead nowhere: no NAR can hold them, so that a store path with one has no NAR
    /// hash.
    pub left_out: Vec<NodeId>,
}

impl PathEntries {
    /// NAR size, bytes, from the headers alone; `None` where something cannot be in a NAR.
    #[must_use]
    pub fn nar_bytes(&self, tree: &FileTree) -> Option<u64> {
        let whole = self.left_out.is_empty() && !self.entries.is_empty();
        whole.then(|| nar_bytes(self.entries.iter().map(|entry| entry.nar_entry(tree))))
    }
}

/// Returns the entries in a NAR of `node` as the topmost layer leaves it.
#[must_use]
pub fn path_entries(tree: &FileTree, node: NodeId) -> PathEntries {
    let mut result = PathEntries::default();
    let mut stack: Vec<_> = visible(tree, node).map(|seen| (node, seen, 0u32)).into_iter().collect();
    while let Some((node, seen, depth)) = stack.pop() {
        let kind = match seen.occurrence {
            _ if seen.is_directory => Some(TreeEntryKind::Directory),
            Some(id) => leaf(tree, id),
            None => None,
        };
        match kind {
            Some(kind) => result.entries.push(TreeEntry { node, depth, kind }),
            None => result.left_out.push(node),
        }
        if seen.is_directory {
            let children = visible_children(tree, node, seen.floors);
            stack.extend(children.rev().map(|(child, seen)| (child, seen, depth.saturating_add(1))));
        }
    }
    result
}

fn leaf(tree: &FileTree, id: OccurrenceId) -> Option<TreeEntryKind> {
    match tree.occurrence(id).kind {
        Kind::Symlink => Some(TreeEntryKind::Symlink(id)),
        Kind::File | Kind::HardLink => {
            let content = tree.content_of(id)?;
            let file = tree.occurrence(content);
            // A hard link is its target's inode, mode included.
            Some(TreeEntryKind::File { content, executable: file.mode() & 0o100 != 0, bytes: file.bytes })
        }
        _ => None,
    }
}
