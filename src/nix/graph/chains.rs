use super::{ClosureGraph, PathId, Reachability};

/// A shortest chain of references from one of `from` to `to`, both included; among equals the first in the order of the
/// list. `None` where there is none.
#[must_use]
pub fn shortest_chain(graph: &ClosureGraph, from: &[PathId], to: PathId) -> Option<Vec<PathId>> {
    Chains::new(graph, from, to, graph.len().saturating_add(1)).next()
}

/// All chains of references from some paths to one, none of them through a path twice.
///
/// They come depth first, nearest references first, so that the first chain is a shortest one; a chain ends where it
/// first meets its target. Their number can be exponential, so the search takes a bounded number of steps.
#[derive(Debug)]
pub struct Chains<'g> {
    graph: &'g ClosureGraph,
    target: PathId,
    /// Steps from a path to the target.
    distances: Reachability,
    /// What is still to be tried at each place of the chain, the next last.
    choices: Vec<Vec<PathId>>,
    chain: Vec<PathId>,
    on_chain: Vec<bool>,
    steps_left: usize,
    truncated: bool,
}

impl<'g> Chains<'g> {
    /// Chains from `from` to `to`, found in at most `steps` steps (a step is one path tried at one place).
    #[must_use]
    pub fn new(graph: &'g ClosureGraph, from: &[PathId], to: PathId, steps: usize) -> Self {
        let distances = Reachability::search(graph.len(), &[to], |path| graph.referrers(path), |_| true);
        let mut chains = Self {
            graph,
            target: to,
            distances,
            choices: Vec::new(),
            chain: Vec::new(),
            on_chain: vec![false; graph.len()],
            steps_left: steps,
            truncated: false,
        };
        let first = chains.ordered(from);
        chains.choices.push(first);
        chains
    }

    /// Whether there may be more chains than the steps allowed to find.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Those that lead to the target, the nearest to it last.
    fn ordered(&self, paths: &[PathId]) -> Vec<PathId> {
        let free = |path: &&PathId| self.on_chain.get(path.index()).is_some_and(|taken| !taken);
        let near = paths.iter().filter(free).filter_map(|&path| Some((self.distances.depth(path)?, path)));
        let mut near: Vec<(u32, PathId)> = near.collect();
        near.sort_unstable_by(|left, right| right.cmp(left));
        near.dedup();
        near.into_iter().map(|(_, path)| path).collect()
    }

    fn leave_last(&mut self) {
        if let Some(last) = self.chain.pop() {
            self.on_chain[last.index()] = false;
        }
    }
}

impl Iterator for Chains<'_> {
    type Item = Vec<PathId>;

    fn next(&mut self) -> Option<Vec<PathId>> {
        while let Some(choices) = self.choices.last_mut() {
            let Some(path) = choices.pop() else {
                self.choices.pop();
                self.leave_last();
                continue;
            };
            let Some(left) = self.steps_left.checked_sub(1) else {
                self.truncated = true;
                self.choices.clear();
                return None;
            };
            self.steps_left = left;
            if path == self.target {
                let mut chain = self.chain.clone();
                chain.push(path);
                return Some(chain);
            }
            self.chain.push(path);
            self.on_chain[path.index()] = true;
            let next = self.ordered(self.graph.references(path));
            self.choices.push(next);
        }
        None
    }
}
