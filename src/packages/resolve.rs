use hashbrown::HashMap;

use crate::image::{Baseline, Change, FileTree, Floors, Kind, LayerIndex, NodeId, Resolution, Scope};

/// A directory that is there: its node, and what hides entries in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub node: NodeId,
    pub floors: Floors,
}

/// Finds the directories that databases name in the image as `layer` leaves it, through links such as `/bin`.
///
/// Each link is followed once, however many directories lead through it.
pub(super) struct DirectoryResolver<'a> {
    tree: &'a FileTree,
    layer: LayerIndex,
    links: HashMap<NodeId, Option<NodeId>>,
}

impl<'a> DirectoryResolver<'a> {
    /// Distinct links that are followed, a bound on work: an image may chain long links to each other.
    const MAX_LINKS: usize = 1024;

    pub fn new(tree: &'a FileTree, layer: LayerIndex) -> Self {
        Self { tree, layer, links: HashMap::new() }
    }

    /// The directory of that path; `None` where there is none.
    pub fn resolve(&mut self, path: &[u8]) -> Option<Place> {
        let mut at = NodeId::ROOT;
        for part in path.split(|&byte| byte == b'/') {
            at = match part {
                b"" | b"." => at,
                b".." => self.tree.parent(at).unwrap_or(NodeId::ROOT),
                name => self.follow(self.tree.child(at, name)?)?,
            };
        }
        let seen = self.tree.see_alone(at, Scope::Stacked(self.layer), Baseline::Below)?;
        let exists = seen.is_directory && seen.change != Change::Removed;
        exists.then_some(Place { node: at, floors: seen.floors })
    }

    fn follow(&mut self, node: NodeId) -> Option<NodeId> {
        let tree = self.tree;
        let ever_linked = tree.occurrences_of(node).any(|id| tree.occurrence(id).kind == Kind::Symlink);
        if !ever_linked {
            return Some(node);
        }
        if let Some(&known) = self.links.get(&node) {
            return known;
        }
        if self.links.len() >= Self::MAX_LINKS {
            return None;
        }
        let target = match tree.resolve(&tree.path(node), self.layer, true) {
            Resolution::Found { node, .. } => Some(node),
            Resolution::Missing { .. } | Resolution::TooManyLinks => None,
        };
        self.links.insert(node, target);
        target
    }
}
