//! dockerTools' order: nixpkgs, `pkgs/build-support/references-by-popularity/closure-graph.py`.

use super::graph::Graph;

/// Gives the most popular paths a layer each and puts all others into the last one.
pub(super) fn group(graph: &Graph<'_>, most: usize) -> Vec<Vec<u32>> {
    alone_then_together(order(graph), most)
}

/// Puts the first `most` − 1 paths into groups of their own and the rest into one.
pub(super) fn alone_then_together(order: Vec<u32>, most: usize) -> Vec<Vec<u32>> {
    let alone = if order.len() <= most { order.len() } else { most.saturating_sub(1) };
    let (first, rest) = order.split_at(alone.min(order.len()));
    let mut layers: Vec<Vec<u32>> = first.iter().map(|&place| vec![place]).collect();
    if !rest.is_empty() {
        layers.push(rest.to_vec());
    }
    layers
}

/// Orders by descending popularity, then by name, then by hash.
pub(super) fn order(graph: &Graph<'_>) -> Vec<u32> {
    let scores = scores(graph);
    let mut order: Vec<u32> = graph.places().collect();
    let key = |place: u32| {
        let path = graph.nodes[place as usize].path;
        (std::cmp::Reverse(scores[place as usize]), path.name(), path.hash())
    };
    order.sort_by(|&one, &other| key(one).cmp(&key(other)));
    order
}

/// Computes the popularity of each path. For a path `s`, let `f(n)` sum over the references `c` of a path `n`: 1 if `c`
/// is `s`, and `f(c) + 1` if `s` is in the closure of `c`. The score of `s` is `f` of a virtual path that refers to all
/// roots, the paths without referrers. Scores that exceed 128 bits are equal.
pub(super) fn scores(graph: &Graph<'_>) -> Vec<u128> {
    let mut scores = vec![0u128; graph.len()];
    let mut counts = vec![0u128; graph.len()];
    let mut rank = vec![0usize; graph.len()];
    for (at, &place) in graph.order.iter().enumerate() {
        rank[place as usize] = at;
    }
    for wanted in graph.places() {
        let mut above = ancestors(graph, wanted);
        above.sort_unstable_by_key(|&place| rank[place as usize]);
        let is_root = |place: u32| graph.referrers[place as usize].is_empty();
        let mut score = u128::from(is_root(wanted));
        for &place in &above {
            let from = |child: u32| match child == wanted {
                true => 1,
                // A path that is not an ancestor has no count; an ancestor has at least 1.
                false => match counts[child as usize] {
                    0 => 0,
                    count => count.saturating_add(1),
                },
            };
            let references = graph.nodes[place as usize].references.iter();
            let count = references.map(|&child| from(child)).fold(0, u128::saturating_add);
            counts[place as usize] = count;
            if is_root(place) {
                score = score.saturating_add(count.saturating_add(1));
            }
        }
        scores[wanted as usize] = score;
        above.iter().for_each(|&place| counts[place as usize] = 0);
    }
    scores
}

/// Returns all direct and indirect referrers of a path, without itself.
fn ancestors(graph: &Graph<'_>, place: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut seen: hashbrown::HashSet<u32> = [place].into_iter().collect();
    let mut pending = vec![place];
    while let Some(next) = pending.pop() {
        for &referrer in &graph.referrers[next as usize] {
            if seen.insert(referrer) {
                found.push(referrer);
                pending.push(referrer);
            }
        }
    }
    found
}
