use super::{FileTree, LayerIndex, NodeId, OccurrenceId};

impl FileTree {
    /// Every path that is there when the layers up to `layer` are stacked, with its entry; `None` for a directory
    /// that only its children imply. Directories before what is in them, siblings in byte order, without the root.
    pub fn stacked_paths(&self, layer: LayerIndex) -> impl Iterator<Item = (NodeId, Option<OccurrenceId>)> + use<'_> {
        let mut stack: Vec<(NodeId, u16)> = Vec::new();
        let push = move |stack: &mut Vec<(NodeId, u16)>, node: NodeId, floor: u16| {
            let children = self.children(node);
            if children.len() > 0 {
                let floor = floor.max(self.erased_at(node, layer.0));
                stack.extend(children.rev().map(|child| (child, floor)));
            }
        };
        push(&mut stack, NodeId::ROOT, 0);
        std::iter::from_fn(move || {
            while let Some((node, floor)) = stack.pop() {
                let id = self.newest(node, layer.0, floor);
                if id.is_some() || self.totals_at(node, layer).entries > 0 {
                    push(&mut stack, node, floor);
                    return Some((node, id));
                }
            }
            None
        })
    }

    /// Every path of every layer, directories before what is in them, siblings in byte order, without the root.
    pub fn all_paths(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        let mut stack: Vec<NodeId> = self.children(NodeId::ROOT).rev().collect();
        std::iter::from_fn(move || {
            let node = stack.pop()?;
            stack.extend(self.children(node).rev());
            Some(node)
        })
    }

    /// The last child of a directory, over all layers, whose name is smaller than `name` in byte order.
    #[must_use]
    pub fn last_child_before(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let node = &self.nodes[parent.index()];
        let start = node.first_child as usize;
        let family = self.children.get(start..start + node.sibling_or_count as usize)?;
        let smaller = family.partition_point(|&child| self.name(NodeId(child)) < name);
        family.get(smaller.checked_sub(1)?).map(|&child| NodeId(child))
    }

    /// The highest layer up to `layer` that added or hid something below a path; `None` when none did.
    #[must_use]
    pub fn last_change_below(&self, node: NodeId, layer: LayerIndex) -> Option<LayerIndex> {
        if self.records_complete {
            return self.record_at(node, layer.0).map(|record| LayerIndex(record.layer));
        }
        let mut found = None;
        let mut stack: Vec<NodeId> = self.children(node).collect();
        while let Some(node) = stack.pop() {
            let layers = self.occurrences_of(node).map(|id| self.occurrence(id).layer);
            found = found.max(layers.filter(|&at| at <= layer).max());
            stack.extend(self.children(node));
        }
        found
    }
}
