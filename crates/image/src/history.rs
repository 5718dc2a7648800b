//! Changes of each layer to the layers below it: differences, totals and counts, in one pass over
//! all entries.
//!
//! The layers are replayed from the base up, keeping the visible occurrence of every path. Hidden
//! paths are visited once for each time they had become visible, and a layer's totals are carried
//! up once for each directory it touches, so the cost follows the number of entries.

use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::occurrence::flags;
use super::tree::{NONE, Record};
use super::{Difference, FileTree, Kind, LayerIndex, LayerSummary, NodeId, OccurrenceId};

/// Tells whether two regular files of equal size have equal content.
pub trait ContentComparison {
    /// Both occurrences are files of `tree` with the same number of bytes, more than none.
    fn same_content(&mut self, tree: &FileTree, older: OccurrenceId, newer: OccurrenceId) -> bool;
}

impl<F: FnMut(&FileTree, OccurrenceId, OccurrenceId) -> bool> ContentComparison for F {
    fn same_content(&mut self, tree: &FileTree, older: OccurrenceId, newer: OccurrenceId) -> bool {
        self(tree, older, newer)
    }
}

/// Fills in every entry's difference from what it covers, the totals of every directory by layer, and the counts of
/// every layer. May be called again, with a better comparison.
pub fn compute_history(tree: &mut FileTree, comparison: &mut dyn ContentComparison) {
    let mut replay = Replay::new(tree);
    for layer in tree.layer_indices() {
        replay.layer(tree, layer, comparison);
    }
    let Replay { heads, differences, leaves, records, complete, summaries, .. } = replay;
    tree.records = records;
    tree.records_complete = complete;
    tree.summaries = summaries;
    for (node, head) in tree.nodes.iter_mut().zip(heads) {
        node.record = head;
    }
    for (index, occurrence) in tree.occurrences.iter_mut().enumerate() {
        occurrence.difference = differences[index];
        occurrence.flags &= !flags::LEAF;
        if leaves[index] {
            occurrence.flags |= flags::LEAF;
        }
    }
}

#[derive(Default, Clone, Copy)]
struct Delta {
    bytes: i64,
    entries: i64,
    own_bytes: u64,
    own_entries: u32,
    changes: i64,
    mentioned: bool,
}

impl Delta {
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.entries += other.entries;
        self.own_bytes = self.own_bytes.saturating_add(other.own_bytes);
        self.own_entries = self.own_entries.saturating_add(other.own_entries);
        self.changes += other.changes;
        self.mentioned |= other.mentioned;
    }
}

struct Replay {
    /// The occurrence that each path shows after the layers replayed so far.
    visible: Vec<u32>,
    below_entries: Vec<u32>,
    below_bytes: Vec<u64>,
    /// One more than the last layer that has an entry below the path.
    child_layer: Vec<u16>,
    /// One more than the last layer that hid all that was below the path.
    swept_layer: Vec<u16>,
    heads: Vec<u32>,
    differences: Vec<Difference>,
    leaves: Vec<bool>,
    records: Vec<Record>,
    record_limit: usize,
    complete: bool,
    summaries: Vec<LayerSummary>,
    /// Changes of the current layer that are not yet carried to the directories above.
    pending: HashMap<u32, Delta>,
    /// Occurrences that the current layer hid, and has not itself put back.
    hidden: HashMap<u32, u32>,
}

impl Replay {
    fn new(tree: &FileTree) -> Self {
        let nodes = tree.nodes.len();
        Self {
            visible: vec![NONE; nodes],
            below_entries: vec![0; nodes],
            below_bytes: vec![0; nodes],
            child_layer: vec![0; nodes],
            swept_layer: vec![0; nodes],
            heads: vec![NONE; nodes],
            differences: vec![Difference::empty(); tree.occurrences.len()],
            leaves: vec![false; tree.occurrences.len()],
            records: Vec::new(),
            record_limit: 2 * nodes + 65_536,
            complete: true,
            summaries: Vec::new(),
            pending: HashMap::new(),
            hidden: HashMap::new(),
        }
    }

    fn layer(&mut self, tree: &FileTree, layer: LayerIndex, comparison: &mut dyn ContentComparison) {
        let mut summary = LayerSummary::default();
        self.hidden.clear();
        for id in tree.layer_occurrences(layer) {
            self.hide(tree, id);
        }
        for id in tree.layer_occurrences(layer) {
            self.show(tree, id, comparison, &mut summary);
        }
        for id in tree.layer_occurrences(layer) {
            let node = tree.occurrence(id).node;
            self.leaves[id.index()] = self.child_layer[node as usize] != layer.0 + 1;
        }
        summary.removed = self.hidden.len() as u32;
        summary.removed_bytes =
            self.hidden.values().map(|&id| tree.occurrences[id as usize].bytes).fold(0, u64::saturating_add);
        self.carry_up(tree, layer);
        self.summaries.push(summary);
    }

    /// First run over a layer: whiteouts, opaque directories and new non-directories hide what lies below.
    fn hide(&mut self, tree: &FileTree, id: OccurrenceId) {
        let occurrence = tree.occurrence(id);
        if !occurrence.erases_below() {
            return;
        }
        let node = occurrence.node;
        if occurrence.kind == Kind::Whiteout || occurrence.is_whiteout_too() {
            self.hide_one(tree, node);
        }
        let mut stack = Vec::new();
        self.sweep(tree, node, occurrence.layer, &mut stack);
        while let Some(node) = stack.pop() {
            self.hide_one(tree, node);
            self.sweep(tree, node, occurrence.layer, &mut stack);
        }
    }

    /// Puts what is below a path on the stack, once a layer, however many marks lie one below the other.
    fn sweep(&mut self, tree: &FileTree, node: u32, layer: LayerIndex, stack: &mut Vec<u32>) {
        let index = node as usize;
        if self.below_entries[index] > 0 && self.swept_layer[index] != layer.0 + 1 {
            self.swept_layer[index] = layer.0 + 1;
            stack.extend(tree.children(NodeId(node)).map(|child| child.0));
        }
    }

    fn hide_one(&mut self, tree: &FileTree, node: u32) {
        let shown = std::mem::replace(&mut self.visible[node as usize], NONE);
        if shown == NONE {
            return;
        }
        self.hidden.insert(node, shown);
        let parent = tree.nodes[node as usize].parent;
        if parent != NONE {
            let bytes = tree.occurrences[shown as usize].bytes as i64;
            let delta = Delta { bytes: bytes.wrapping_neg(), entries: -1, changes: 1, ..Delta::default() };
            self.pending.entry(parent).or_default().add(delta);
        }
    }

    /// Second run over a layer: entries cover what is there, or was there before this layer hid it.
    fn show(
        &mut self,
        tree: &FileTree,
        id: OccurrenceId,
        comparison: &mut dyn ContentComparison,
        summary: &mut LayerSummary,
    ) {
        let occurrence = tree.occurrence(id);
        if occurrence.kind != Kind::OpaqueMark {
            self.mark_parents(tree, occurrence.node, occurrence.layer);
        }
        let node = occurrence.node as usize;
        let parent = tree.nodes[node].parent;
        if matches!(occurrence.kind, Kind::Whiteout | Kind::OpaqueMark) {
            if parent != NONE {
                self.pending.entry(parent).or_default().mentioned = true;
            }
            return;
        }
        let shown = std::mem::replace(&mut self.visible[node], id.0);
        let hidden = if shown == NONE { self.hidden.remove(&occurrence.node) } else { None };
        let covered = if shown == NONE { hidden } else { Some(shown) };
        let difference = match covered {
            // It was there already for what is in it.
            None if occurrence.is_implied() && self.below_entries[node] > 0 => Difference::empty(),
            None => Difference::ADDED,
            Some(covered) => difference_between(tree, OccurrenceId(covered), id, comparison),
        };
        self.differences[id.index()] = difference;
        let mut delta = Delta { own_bytes: occurrence.bytes, own_entries: 1, mentioned: true, ..Delta::default() };
        if difference.contains(Difference::ADDED) {
            summary.added += 1;
        } else if difference.is_real() {
            summary.modified += 1;
        } else {
            summary.unmodified += 1;
        }
        delta.bytes = occurrence.bytes as i64;
        if shown == NONE {
            delta.entries = 1;
        } else {
            delta.bytes = delta.bytes.wrapping_sub(tree.occurrences[shown as usize].bytes as i64);
        }
        // What was hidden and is put back has been counted as one change already.
        delta.changes = i64::from(difference.is_real()) - i64::from(hidden.is_some());
        if parent != NONE {
            self.pending.entry(parent).or_default().add(delta);
        }
    }

    fn mark_parents(&mut self, tree: &FileTree, node: u32, layer: LayerIndex) {
        let mut above = tree.nodes[node as usize].parent;
        while above != NONE && self.child_layer[above as usize] != layer.0 + 1 {
            self.child_layer[above as usize] = layer.0 + 1;
            above = tree.nodes[above as usize].parent;
        }
    }

    /// Carries the layer's changes to all directories above, children before parents: a child's index is the larger.
    fn carry_up(&mut self, tree: &FileTree, layer: LayerIndex) {
        let mut order: BinaryHeap<u32> = self.pending.keys().copied().collect();
        while let Some(node) = order.pop() {
            let Some(delta) = self.pending.remove(&node) else { continue };
            let index = node as usize;
            self.below_bytes[index] = self.below_bytes[index].wrapping_add_signed(delta.bytes);
            self.below_entries[index] = (i64::from(self.below_entries[index]) + delta.entries).max(0) as u32;
            self.record(node, layer, delta);
            let parent = tree.nodes[index].parent;
            if parent == NONE {
                continue;
            }
            match self.pending.entry(parent) {
                hashbrown::hash_map::Entry::Occupied(mut entry) => entry.get_mut().add(delta),
                hashbrown::hash_map::Entry::Vacant(entry) => {
                    entry.insert(delta);
                    order.push(parent);
                }
            }
        }
    }

    fn record(&mut self, node: u32, layer: LayerIndex, delta: Delta) {
        if self.records.len() >= self.record_limit {
            self.complete = false;
            return;
        }
        let older = std::mem::replace(&mut self.heads[node as usize], self.records.len() as u32);
        self.records.push(Record {
            bytes: self.below_bytes[node as usize],
            own_bytes: delta.own_bytes,
            entries: self.below_entries[node as usize],
            own_entries: delta.own_entries,
            older,
            changed: delta.changes > 0,
            mentioned: delta.mentioned,
            layer: layer.0,
        });
    }
}

/// In what an entry differs from another of the same path.
pub(super) fn difference_between(
    tree: &FileTree,
    older: OccurrenceId,
    newer: OccurrenceId,
    comparison: &mut dyn ContentComparison,
) -> Difference {
    let (below, above) = (tree.occurrence(older), tree.occurrence(newer));
    let mut found = Difference::empty();
    // A hard link is a regular file under a second name: the two kinds differ only in their links.
    let plain = |kind| if kind == Kind::HardLink { Kind::File } else { kind };
    found.set(Difference::TYPE, plain(below.kind) != plain(above.kind));
    found.set(Difference::MODE, below.mode_bits != above.mode_bits);
    found.set(Difference::OWNER, below.owner != above.owner);
    found.set(Difference::MTIME, below.mtime != above.mtime);
    found.set(Difference::XATTRS, tree.xattrs(older) != tree.xattrs(newer));
    let links = tree.link_target(older) != tree.link_target(newer) || tree.device(older) != tree.device(newer);
    if plain(below.kind) != Kind::File || plain(above.kind) != Kind::File {
        found.set(Difference::LINK, links);
        return found;
    }
    if below.kind == Kind::HardLink && above.kind == Kind::HardLink {
        found.set(Difference::LINK, links);
    }
    let (older, newer) = (tree.content_of(older), tree.content_of(newer));
    if let (Some(older), Some(newer)) = (older, newer) {
        let (below, above) = (tree.occurrence(older), tree.occurrence(newer));
        let differs = below.bytes != above.bytes
            || (older != newer
                && above.bytes > 0
                && match (tree.content_hash(older), tree.content_hash(newer)) {
                    (Some(below), Some(above)) => below != above,
                    _ => !comparison.same_content(tree, older, newer),
                });
        found.set(Difference::CONTENT, differs);
    } else {
        found.set(Difference::LINK, links);
    }
    found
}
