use crate::{Composition, Stability};
use nixdive_nix::StorePath;

/// Reference graph of the store paths, as layering uses it.
pub(super) struct Graph<'a> {
    pub nodes: Vec<Node<'a>>,
    /// Referrers of each node.
    pub referrers: Vec<Vec<u32>>,
    /// All nodes, each after its references. Cycles, which Nix does not create, are cut at any edge.
    pub order: Vec<u32>,
}

/// Store path.
pub(super) struct Node<'a> {
    pub path: &'a StorePath,
    pub nar_bytes: u64,
    pub stability: Stability,
    /// References without itself, sorted, without duplicates.
    pub references: Vec<u32>,
}

impl<'a> Graph<'a> {
    pub fn of(composition: &'a Composition) -> Self {
        let count = composition.store_paths.len();
        let mut nodes = Vec::with_capacity(count);
        for (place, known) in (0u32..).zip(&composition.store_paths) {
            let is_other = |reference: &u32| *reference != place && (*reference as usize) < count;
            let mut references: Vec<u32> = known.references.iter().copied().filter(is_other).collect();
            references.sort_unstable();
            references.dedup();
            let (path, nar_bytes, stability) = (&known.path, known.nar_bytes, known.stability);
            nodes.push(Node { path, nar_bytes, stability, references });
        }
        let mut referrers = vec![Vec::new(); count];
        for (place, node) in (0u32..).zip(&nodes) {
            for &reference in &node.references {
                if let Some(row) = referrers.get_mut(reference as usize) {
                    row.push(place);
                }
            }
        }
        let order = order(&nodes);
        Self { nodes, referrers, order }
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn places(&self) -> impl DoubleEndedIterator<Item = u32> + use<> {
        0..self.nodes.len() as u32
    }
}

/// Orders the nodes depth first, references before their referrers.
fn order(nodes: &[Node<'_>]) -> Vec<u32> {
    let mut seen = vec![false; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    let mut stack: Vec<(u32, usize)> = Vec::new();
    for start in 0..nodes.len() as u32 {
        if std::mem::replace(&mut seen[start as usize], true) {
            continue;
        }
        stack.push((start, 0));
        while let Some((place, cursor)) = stack.last_mut() {
            match nodes[*place as usize].references.get(*cursor) {
                Some(&next) => {
                    *cursor += 1;
                    if !std::mem::replace(&mut seen[next as usize], true) {
                        stack.push((next, 0));
                    }
                }
                None => {
                    order.push(*place);
                    stack.pop();
                }
            }
        }
    }
    order
}
