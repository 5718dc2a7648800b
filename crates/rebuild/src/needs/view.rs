use std::collections::VecDeque;

use nixdive_image::{FileTree, Kind, NodeId, OccurrenceId};

/// Files visible in a container: entries by path, computed once so that paths resolve quickly.
pub(crate) struct View<'a> {
    /// Tree of all layers.
    pub tree: &'a FileTree,
    entries: Vec<Option<OccurrenceId>>,
    there: Vec<bool>,
}

/// Entry at a path; a hard link is represented by its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At<'a> {
    /// A directory.
    Directory,
    /// Regular file, with the occurrence that has its content.
    File(OccurrenceId),
    /// Symbolic link with its target.
    Link(&'a [u8]),
    /// Device, pipe or dangling hard link.
    Other,
}

/// Result of following a path through links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Final node, or as `Err` the deepest existing directory.
    pub end: Result<NodeId, NodeId>,
    /// Links followed, in order.
    pub links: Vec<NodeId>,
}

impl<'a> View<'a> {
    /// Creates the view; `None` for an image without layers.
    pub fn new(tree: &'a FileTree) -> Option<Self> {
        let top = tree.top_layer()?;
        let mut view = Self { tree, entries: vec![None; tree.node_count()], there: vec![false; tree.node_count()] };
        view.put(NodeId::ROOT, tree.visible_at(NodeId::ROOT, top));
        for (node, id) in tree.stacked_paths(top) {
            view.put(node, id.and_then(|id| tree.linked(id).or(Some(id))));
        }
        Some(view)
    }

    fn put(&mut self, node: NodeId, id: Option<OccurrenceId>) {
        if let (Some(entry), Some(there)) = (self.entries.get_mut(node.index()), self.there.get_mut(node.index())) {
            (*entry, *there) = (id, true);
        }
    }

    /// Returns `true` if a path is visible in a container.
    pub fn is_there(&self, node: NodeId) -> bool {
        self.there.get(node.index()).copied().unwrap_or_default()
    }

    /// Returns the entry at a visible path.
    pub fn at(&self, node: NodeId) -> At<'a> {
        let Some(id) = self.entry(node) else { return At::Directory };
        match self.tree.occurrence(id).kind {
            Kind::Directory | Kind::OpaqueMark => At::Directory,
            Kind::File => At::File(id),
            Kind::Symlink => self.tree.link_target(id).map_or(At::Other, At::Link),
            _ => At::Other,
        }
    }

    /// Returns the occurrence at a path, for a hard link that of its target; `None` for a directory without an entry.
    pub fn entry(&self, node: NodeId) -> Option<OccurrenceId> {
        self.entries.get(node.index()).copied().flatten()
    }

    /// Returns the permission bits; 0 without an entry.
    pub fn mode(&self, node: NodeId) -> u16 {
        self.entry(node).map_or(0, |id| self.tree.occurrence(id).mode())
    }

    /// Returns `true` if a path is an executable regular file.
    pub fn is_program(&self, node: NodeId) -> bool {
        matches!(self.at(node), At::File(_)) && self.mode(node) & 0o111 != 0
    }

    /// Returns `true` if a path is a directory.
    pub fn is_directory(&self, node: NodeId) -> bool {
        self.at(node) == At::Directory
    }

    /// Returns the size of a regular file in bytes; 0 for anything else.
    pub fn bytes(&self, node: NodeId) -> u64 {
        match self.at(node) {
            At::File(id) => self.tree.occurrence(id).bytes,
            _ => 0,
        }
    }

    /// Returns the visible entries of a directory, by name.
    pub fn children(&self, node: NodeId) -> impl DoubleEndedIterator<Item = NodeId> + use<'_, 'a> {
        self.tree.children(node).filter(|&child| self.is_there(child))
    }

    /// Returns the entry of this name in a directory.
    pub fn child(&self, node: NodeId, name: &[u8]) -> Option<NodeId> {
        self.tree.child(node, name).filter(|&child| self.is_there(child))
    }

    /// Returns a directory and everything below it, directories first.
    pub fn below(&self, node: NodeId) -> impl Iterator<Item = NodeId> + use<'_, 'a> {
        let mut stack = vec![node];
        std::iter::from_fn(move || {
            let node = stack.pop()?;
            stack.extend(self.children(node).rev());
            Some(node)
        })
    }

    /// Follows a path from a directory, including a link at its end.
    pub fn walk(&self, from: NodeId, path: &[u8]) -> Walk {
        let mut at = if path.first() == Some(&b'/') { NodeId::ROOT } else { from };
        let mut links = Vec::new();
        let mut parts: VecDeque<&[u8]> = parts(path).collect();
        while let Some(part) = parts.pop_front() {
            if part == b".." {
                at = self.tree.parent(at).unwrap_or(NodeId::ROOT);
                continue;
            }
            let Some(child) = self.child(at, part) else { return Walk { end: Err(at), links } };
            match self.at(child) {
                At::Link(target) => {
                    if links.len() >= FileTree::MAX_LINKS {
                        return Walk { end: Err(at), links };
                    }
                    links.push(child);
                    if target.first() == Some(&b'/') {
                        at = NodeId::ROOT;
                    }
                    for part in self::parts(target).rev() {
                        parts.push_front(part);
                    }
                }
                At::Directory => at = child,
                At::File(_) | At::Other if parts.is_empty() => at = child,
                At::File(_) | At::Other => return Walk { end: Err(at), links },
            }
        }
        Walk { end: Ok(at), links }
    }

    /// Resolves an absolute path.
    pub fn find(&self, path: &[u8]) -> Option<NodeId> {
        self.walk(NodeId::ROOT, path).end.ok()
    }
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nixdive_image::testing::{path, tree};

    #[test]
    fn paths_are_followed_as_the_topmost_layer_leaves_them() {
        let tree = tree(&[
            &["l bin -> usr/bin", "f usr/bin/busybox 9", "l usr/bin/sh -> busybox", "f etc/gone 3", "l loop -> loop"],
            &["w etc/gone", "f usr/bin/new 3", "h usr/bin/other -> usr/bin/new"],
        ]);
        let view = View::new(&tree).unwrap();
        let walk = view.walk(NodeId::ROOT, b"/bin/sh");
        assert_eq!(path(&tree, walk.end.unwrap()), "/usr/bin/busybox");
        assert_eq!(walk.links.iter().map(|&link| path(&tree, link)).collect::<Vec<_>>(), ["/bin", "/usr/bin/sh"]);
        assert!(view.walk(NodeId::ROOT, b"/etc/gone").end.is_err());
        assert!(view.walk(NodeId::ROOT, b"/loop").end.is_err());
        let other = view.find(b"/bin/../bin/other").unwrap();
        assert_eq!((view.bytes(other), view.at(other)), (3, view.at(view.find(b"/usr/bin/new").unwrap())));
        assert!(view.walk(NodeId::ROOT, b"/bin/busybox/x").end.is_err());
    }
}
