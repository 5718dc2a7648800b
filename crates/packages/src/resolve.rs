use hashbrown::HashMap;

use nixdive_image::{Baseline, Change, FileTree, Floors, Kind, LayerIndex, NodeId, Resolution, Scope};

/// A directory that is there: its node, and what hides entries in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub node: NodeId,
    pub floors: Floors,
}

/// Finds the directories that databases name in the image as `layer` leaves it, through links such as `/bin`.
///
/// Each link is followed once and each directory looked at once, however many paths lead through them.
pub(super) struct DirectoryResolver<'a> {
    tree: &'a FileTree,
    layer: LayerIndex,
    links: HashMap<NodeId, Option<NodeId>>,
    /// Floors of the directories examined so far, which hide entries in them; `None` for an absent
    /// path or one that is not a directory.
    floors: HashMap<NodeId, Option<Floors>>,
}

impl<'a> DirectoryResolver<'a> {
    /// Distinct links that are followed, a bound on work: an image may chain long links to each other.
    const MAX_LINKS: usize = 1024;

    pub fn new(tree: &'a FileTree, layer: LayerIndex) -> Self {
        Self { tree, layer, links: HashMap::new(), floors: HashMap::new() }
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
        Some(Place { node: at, floors: self.floors(at)? })
    }

    /// Returns the floors that hide entries in a directory; examines its ancestors first, from the
    /// root down.
    fn floors(&mut self, node: NodeId) -> Option<Floors> {
        let mut below = Vec::new();
        let mut above = Some(node);
        let mut known = Some(Floors::default());
        while let Some(at) = above {
            if let Some(&floors) = self.floors.get(&at) {
                known = floors;
                break;
            }
            below.push(at);
            above = self.tree.parent(at);
        }
        for at in below.into_iter().rev() {
            let seen = known.and_then(|above| self.tree.see(at, Scope::Stacked(self.layer), Baseline::Below, above));
            known = seen.filter(|seen| seen.is_directory && seen.change != Change::Removed).map(|seen| seen.floors);
            self.floors.insert(at, known);
        }
        known
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
