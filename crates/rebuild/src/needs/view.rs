use std::collections::VecDeque;

use nixdive_image::{FileTree, Kind, NodeId, OccurrenceId};

/// The files that a container sees: each path with its entry, found once so that paths are followed fast.
pub(crate) struct View<'a> {
    /// All layers.
    pub tree: &'a FileTree,
    entries: Vec<Option<OccurrenceId>>,
    there: Vec<bool>,
}

/// What is at a path; a hard link is what it is a name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At<'a> {
    /// A directory.
    Directory,
    /// A regular file, by the entry that holds its content.
    File(OccurrenceId),
    /// A symbolic link and its target.
    Link(&'a [u8]),
    /// A device, a pipe, a hard link that leads nowhere.
    Other,
}

/// A path followed through links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Where it ends; `Err` with the deepest directory that is there.
    pub end: Result<NodeId, NodeId>,
    /// The links followed, in order.
    pub links: Vec<NodeId>,
}

impl<'a> View<'a> {
    /// `None` for an image without layers.
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

    /// Whether a container sees a path.
    pub fn is_there(&self, node: NodeId) -> bool {
        self.there.get(node.index()).copied().unwrap_or_default()
    }

    /// What is at a path that is there.
    pub fn at(&self, node: NodeId) -> At<'a> {
        let Some(id) = self.entry(node) else { return At::Directory };
        match self.tree.occurrence(id).kind {
            Kind::Directory | Kind::OpaqueMark => At::Directory,
            Kind::File => At::File(id),
            Kind::Symlink => self.tree.link_target(id).map_or(At::Other, At::Link),
            _ => At::Other,
        }
    }

    /// The entry of a path, of a hard link the one that it names; `None` for a directory that only its children imply.
    pub fn entry(&self, node: NodeId) -> Option<OccurrenceId> {
        self.entries.get(node.index()).copied().flatten()
    }

    /// Permission bits; 0 where there is no entry.
    pub fn mode(&self, node: NodeId) -> u16 {
        self.entry(node).map_or(0, |id| self.tree.occurrence(id).mode())
    }

    /// Whether a path is a regular file that may be executed.
    pub fn is_program(&self, node: NodeId) -> bool {
        matches!(self.at(node), At::File(_)) && self.mode(node) & 0o111 != 0
    }

    /// Whether a path is a directory.
    pub fn is_directory(&self, node: NodeId) -> bool {
        self.at(node) == At::Directory
    }

    /// Bytes of a regular file, 0 for anything else.
    pub fn bytes(&self, node: NodeId) -> u64 {
        match self.at(node) {
            At::File(id) => self.tree.occurrence(id).bytes,
            _ => 0,
        }
    }

    /// What a container sees in a directory, by name.
    pub fn children(&self, node: NodeId) -> impl DoubleEndedIterator<Item = NodeId> + use<'_, 'a> {
        self.tree.children(node).filter(|&child| self.is_there(child))
    }

    /// The path with that name in a directory.
    pub fn child(&self, node: NodeId, name: &[u8]) -> Option<NodeId> {
        self.tree.child(node, name).filter(|&child| self.is_there(child))
    }

    /// A directory and all that is below it, directories first.
    pub fn below(&self, node: NodeId) -> impl Iterator<Item = NodeId> + use<'_, 'a> {
        let mut stack = vec![node];
        std::iter::from_fn(move || {
            let node = stack.pop()?;
            stack.extend(self.children(node).rev());
            Some(node)
        })
    }

    /// Follows a path from a directory, links included, the last one too.
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

    /// Where an absolute path leads, if anywhere.
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
