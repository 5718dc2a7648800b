use std::cmp::Reverse;
use std::collections::BinaryHeap;

use nixdive_image::{Image, Kind, LayerIndex, NodeId, OccurrenceId, Totals};

/// A file of the stacked image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargestFile {
    /// The path.
    pub node: NodeId,
    /// The entry that a container sees there.
    pub occurrence: OccurrenceId,
    /// The layer that brings it.
    pub layer: LayerIndex,
    /// File size, bytes.
    pub bytes: u64,
}

/// A directory of the stacked image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargestDirectory {
    /// The path.
    pub node: NodeId,
    /// Bytes and entries of all that is visible below it.
    pub totals: Totals,
}

/// The `limit` largest files and the `limit` largest directories of the stacked image, the largest first and equal
/// ones in the order of their paths. Directories hold those below them; the root and empty ones are left out.
/// One run over the tree and no more than `limit` of each kept.
#[must_use]
pub fn largest(image: &Image, limit: usize) -> (Vec<LargestFile>, Vec<LargestDirectory>) {
    let tree = &image.tree;
    let Some(top) = tree.top_layer() else {
        return (Vec::new(), Vec::new());
    };
    let mut files = Top::new(limit);
    let mut directories = Top::new(limit);
    for (node, id) in tree.stacked_paths(top) {
        match id.filter(|&id| tree.occurrence(id).kind != Kind::Directory) {
            Some(id) => files.offer(tree.occurrence(id).bytes, (node, id)),
            None => {
                let totals = tree.totals_at(node, top);
                directories.offer(totals.bytes, (node, totals));
            }
        }
    }
    let files = files.into_sorted().map(|(bytes, (node, occurrence))| {
        let layer = tree.occurrence(occurrence).layer;
        LargestFile { node, occurrence, layer, bytes }
    });
    let directories = directories.into_sorted().map(|(_, (node, totals))| LargestDirectory { node, totals });
    (files.collect(), directories.collect())
}

/// The largest of what is offered; of equals the earlier.
struct Top<T> {
    limit: usize,
    offered: u64,
    heap: BinaryHeap<Reverse<Ranked<T>>>,
}

struct Ranked<T> {
    rank: (u64, Reverse<u64>),
    item: T,
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl<T> Eq for Ranked<T> {}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl<T> Top<T> {
    fn new(limit: usize) -> Self {
        Self { limit, offered: 0, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, bytes: u64, item: T) {
        self.offered += 1;
        if bytes == 0 || self.limit == 0 {
            return;
        }
        let rank = (bytes, Reverse(self.offered));
        if self.heap.len() >= self.limit {
            if self.heap.peek().is_some_and(|Reverse(least)| least.rank >= rank) {
                return;
            }
            self.heap.pop();
        }
        self.heap.push(Reverse(Ranked { rank, item }));
    }

    fn into_sorted(self) -> impl Iterator<Item = (u64, T)> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(ranked)| (ranked.rank.0, ranked.item))
    }
}
