//! nix2container's order and grouping: its `closure/layered.go`, `closure/popularity.go` and `nix/layers.go`.

use super::graph::Graph;
use super::popularity::alone_then_together;

/// Gives the most popular paths a layer each and puts all others into the last one.
pub(super) fn group(graph: &Graph<'_>, most: usize) -> Vec<Vec<u32>> {
    alone_then_together(order(graph), most)
}

/// Returns the positions by descending score; for equal scores the higher node ID comes first.
pub(super) fn order(graph: &Graph<'_>) -> Vec<u32> {
    let (scores, ids) = (scores(graph), ids(graph));
    let mut order: Vec<u32> = graph.places().collect();
    order.sort_by_key(|&place| std::cmp::Reverse((scores[place as usize], ids[place as usize])));
    order
}

/// Returns node IDs by position, assigned at the first occurrence in the closure graph that Nix writes. The graph lists
/// the store paths in Nix's order, each followed by its references in the same order.
fn ids(graph: &Graph<'_>) -> Vec<u32> {
    let mut listed: Vec<u32> = graph.places().collect();
    listed.sort_by_key(|&place| graph.nodes[place as usize].path);
    let mut ids: Vec<Option<u32>> = vec![None; graph.len()];
    let mut next = 0;
    for place in listed {
        let mut references = graph.nodes[place as usize].references.clone();
        references.sort_by_key(|&reference| graph.nodes[reference as usize].path);
        for seen in std::iter::once(place).chain(references) {
            ids[seen as usize].get_or_insert_with(|| {
                next += 1;
                next - 1
            });
        }
    }
    ids.into_iter().flatten().collect()
}

/// Returns scores by position: 1 plus the scores of all referrers. Arithmetic wraps around like Go's `int64` if a
/// closure has too many ways to a path.
pub(super) fn scores(graph: &Graph<'_>) -> Vec<i64> {
    let mut scores = vec![1i64; graph.len()];
    for &place in graph.order.iter().rev() {
        let score = scores[place as usize];
        for &reference in &graph.nodes[place as usize].references {
            let other = &mut scores[reference as usize];
            *other = other.wrapping_add(score);
        }
    }
    scores
}
