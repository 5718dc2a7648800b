//! The paths of one layer's own tree in the order in which dive lists them.

use nixdive_image::{FileTree, Kind, LayerIndex, NodeId, OccurrenceId};

/// A row of a layer's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// A directory that only its children imply.
    Implied,
    /// An entry.
    Entry(OccurrenceId),
    /// The whiteout of a path.
    Whiteout(OccurrenceId),
}

/// Lists layers one after the other: children before their directory, siblings in the byte order of the names that
/// stand in the archive, where a whiteout begins with `.wh.`.
///
/// The order of all paths is found once; a layer then costs its own entries, their directories, and one sort.
pub(super) struct Lister<'a> {
    tree: &'a FileTree,
    /// By node: its place when all paths of all layers are visited children first.
    place: Vec<u32>,
    /// By node: the place of the first path below it.
    first_below: Vec<u32>,
    /// By node: one more than the last listed layer that has it or something below it.
    seen: Vec<u16>,
}

/// Sort position of a row: after or before a whole subtree, shallow before deep, then by index.
type Position = (u64, usize, u32);

impl<'a> Lister<'a> {
    pub fn new(tree: &'a FileTree) -> Self {
        let nodes = tree.node_count();
        let mut lister = Self { tree, place: vec![0; nodes], first_below: vec![0; nodes], seen: vec![0; nodes] };
        lister.number();
        lister
    }

    fn number(&mut self) {
        let mut next = 0;
        let mut stack = vec![(NodeId::ROOT, false)];
        while let Some((node, entered)) = stack.pop() {
            if entered {
                self.place[node.index()] = next;
                next += 1;
                continue;
            }
            self.first_below[node.index()] = next;
            stack.push((node, true));
            stack.extend(self.tree.children(node).rev().map(|child| (child, false)));
        }
    }

    /// Returns the rows of a layer, without opaque marks. Layers must be requested from the base
    /// up.
    pub fn layer(&mut self, layer: LayerIndex) -> Vec<Listed> {
        let mut rows: Vec<(Position, Listed)> = Vec::new();
        for id in self.tree.layer_occurrences(layer) {
            let occurrence = self.tree.occurrence(id);
            let node = occurrence.node();
            if node == NodeId::ROOT || occurrence.kind == Kind::OpaqueMark {
                continue;
            }
            if occurrence.kind == Kind::Whiteout || occurrence.is_whiteout_too() {
                rows.push((self.whiteout_position(node), Listed::Whiteout(id)));
            }
            // What the archive has no entry for is listed with what is in it.
            if occurrence.kind != Kind::Whiteout && !occurrence.is_implied() {
                self.seen[node.index()] = layer.0 + 1;
                rows.push((self.position(node), Listed::Entry(id)));
            }
        }
        for id in self.tree.layer_occurrences(layer) {
            let occurrence = self.tree.occurrence(id);
            if occurrence.kind != Kind::OpaqueMark && (!occurrence.is_implied() || occurrence.is_whiteout_too()) {
                self.imply(self.tree.occurrence(id).node(), layer, &mut rows);
            }
        }
        rows.sort_unstable_by_key(|&(position, _)| position);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn imply(&mut self, node: NodeId, layer: LayerIndex, rows: &mut Vec<(Position, Listed)>) {
        let mut above = self.tree.parent(node);
        while let Some(directory) = above.filter(|&above| above != NodeId::ROOT) {
            if self.seen[directory.index()] == layer.0 + 1 {
                // An entry of its own, whose directories are implied when its turn comes, or implied already.
                return;
            }
            self.seen[directory.index()] = layer.0 + 1;
            rows.push((self.position(directory), Listed::Implied));
            above = self.tree.parent(directory);
        }
    }

    fn position(&self, node: NodeId) -> Position {
        let place = self.place[node.index()];
        (2 * u64::from(place) + 2, 0, place)
    }

    /// After the subtree of the last sibling with a smaller name, or before all that is in the directory.
    fn whiteout_position(&self, node: NodeId) -> Position {
        let parent = self.tree.parent(node).unwrap_or(NodeId::ROOT);
        let depth = self.tree.depth(node);
        let place = self.place[node.index()];
        let name = [b".wh.", self.tree.name(node)].concat();
        let gap = match self.tree.last_child_before(parent, &name) {
            Some(sibling) => 2 * u64::from(self.place[sibling.index()]) + 3,
            None => 2 * u64::from(self.first_below[parent.index()]) + 1,
        };
        (gap, depth, place)
    }
}
