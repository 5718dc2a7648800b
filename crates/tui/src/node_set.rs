use super::bits::Bits;
use nixdive_image::NodeId;

/// A set of nodes.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeSet(Bits);

impl NodeSet {
    pub(super) fn contains(&self, node: NodeId) -> bool {
        self.0.contains(node.index())
    }

    /// Adds a node; returns `true` if it is new.
    pub(super) fn insert(&mut self, node: NodeId) -> bool {
        self.0.insert(node.index())
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        self.0.remove(node.index());
    }
}
