use super::{FileTree, Kind, LayerIndex, NodeId, OccurrenceId};

/// The result of resolving a path inside an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// To this path, through these symbolic links.
    Found {
        /// Node that the path leads to.
        node: NodeId,
        /// The links followed, in order.
        links: Vec<NodeId>,
    },
    /// Nowhere: this absolute path is not in the image.
    Missing {
        /// The first path that is not there.
        path: Vec<u8>,
        /// The links followed until then.
        links: Vec<NodeId>,
    },
    /// Through more than [`FileTree::MAX_LINKS`] links.
    TooManyLinks,
}

impl FileTree {
    /// Links that a path may lead through, as on Linux.
    pub const MAX_LINKS: usize = 40;

    /// The child of a directory by its name, in whatever layer.
    #[must_use]
    pub fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let node = &self.nodes[parent.index()];
        let start = node.first_child as usize;
        let family = self.children.get(start..start + node.sibling_or_count as usize)?;
        let found = family.binary_search_by(|&child| self.name(NodeId(child)).cmp(name)).ok()?;
        Some(NodeId(family[found]))
    }

    /// The node of a path, in whatever layer, without following links. `.` and empty parts count for nothing, `..`
    /// goes up and stays at the root.
    #[must_use]
    pub fn lookup(&self, path: &[u8]) -> Option<NodeId> {
        let mut at = NodeId::ROOT;
        for part in path.split(|&byte| byte == b'/') {
            at = match part {
                b"" | b"." => at,
                b".." => self.parent(at).unwrap_or(NodeId::ROOT),
                name => self.child(at, name)?,
            };
        }
        Some(at)
    }

    /// Follows a path through the image as `layer` leaves it, links in directories included; the last link too where
    /// `follow_last`.
    #[must_use]
    pub fn resolve(&self, path: &[u8], layer: LayerIndex, follow_last: bool) -> Resolution {
        let mut at = NodeId::ROOT;
        let mut links = Vec::new();
        let mut parts: Vec<Vec<u8>> = split(path);
        while let Some(part) = parts.pop() {
            if part == b".." {
                at = self.parent(at).unwrap_or(NodeId::ROOT);
                continue;
            }
            let child = self.child(at, &part).filter(|&child| self.exists_at(child, layer));
            let Some(child) = child else {
                let mut missing = self.path(at);
                if missing != b"/" {
                    missing.push(b'/');
                }
                missing.extend_from_slice(&part);
                return Resolution::Missing { path: missing, links };
            };
            let target = self
                .visible_at(child, layer)
                .and_then(|id| self.linked(id))
                .filter(|&id| self.occurrence(id).kind == Kind::Symlink)
                .and_then(|id| self.link_target(id));
            match target {
                Some(target) if follow_last || !parts.is_empty() => {
                    if links.len() >= Self::MAX_LINKS {
                        return Resolution::TooManyLinks;
                    }
                    links.push(child);
                    if target.first() == Some(&b'/') {
                        at = NodeId::ROOT;
                    }
                    parts.extend(split(target));
                }
                _ => at = child,
            }
        }
        Resolution::Found { node: at, links }
    }

    /// The occurrence of a path that is to be seen when the layers up to `layer` are stacked; `None` when there is
    /// none, or only one implied by children.
    #[must_use]
    pub fn visible_at(&self, node: NodeId, layer: LayerIndex) -> Option<OccurrenceId> {
        self.newest(node, layer.0, self.floor_above(node, layer.0))
    }

    /// Returns `true` if a path exists when the layers up to `layer` are stacked, even if only
    /// because its children do.
    #[must_use]
    pub fn exists_at(&self, node: NodeId, layer: LayerIndex) -> bool {
        node == NodeId::ROOT || self.visible_at(node, layer).is_some() || self.totals_at(node, layer).entries > 0
    }

    /// The file whose content an occurrence shows: itself, or for a hard link the file that it names. `None` for what has
    /// no content or leads nowhere.
    #[must_use]
    pub fn content_of(&self, id: OccurrenceId) -> Option<OccurrenceId> {
        self.linked(id).filter(|&id| self.occurrence(id).kind == Kind::File)
    }

    /// Returns the occurrence that holds the content: itself, or for a hard link its target at the
    /// time the link was unpacked. `None` for a dangling hard link.
    #[must_use]
    pub fn linked(&self, id: OccurrenceId) -> Option<OccurrenceId> {
        if self.occurrence(id).kind != Kind::HardLink {
            return Some(id);
        }
        let content = self.extra(id)?.content;
        let carrier = OccurrenceId::from_raw(*self.linked_contents.get(content as usize)?)?;
        (self.occurrence(carrier).kind != Kind::HardLink).then_some(carrier)
    }
}

/// The parts of a path, last first; empty ones and `.` left out.
pub(super) fn split(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let mut parts: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    parts.reverse();
    parts
}
