//! nix2container's order and grouping: its `closure/closure.go` and `nix/layers.go`.

use super::graph::Graph;
use super::popularity::alone_then_together;

/// The most referred to alone, all others together in the last layer.
pub(super) fn group(graph: &Graph<'_>, most: usize) -> Vec<Vec<u32>> {
    alone_then_together(order(graph), most)
}

/// The most referred to first: a path counts 1, and what those that refer to it count. Of equals the later one goes
/// first.
pub(super) fn order(graph: &Graph<'_>) -> Vec<u32> {
    let scores = scores(graph);
    let mut order: Vec<u32> = graph.places().collect();
    order.sort_by_key(|&place| std::cmp::Reverse((scores[place as usize], place)));
    order
}

pub(super) fn scores(graph: &Graph<'_>) -> Vec<u128> {
    let mut scores = vec![1u128; graph.len()];
    for &place in graph.order.iter().rev() {
        let score = scores[place as usize];
        for &reference in &graph.nodes[place as usize].references {
            let other = &mut scores[reference as usize];
            *other = other.saturating_add(score);
        }
    }
    scores
}
