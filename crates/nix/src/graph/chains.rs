use super::{ClosureGraph, PathId, Reachability};

/// A shortest chain of references from one of `from` to `to`, both included; among equals the first in the order of the
/// list. `None` where there is none.
#[must_use]
pub fn shortest_chain(graph: &ClosureGraph, from: &[PathId], to: PathId) -> Option<Vec<PathId>> {
    Chains::new(graph, from, to, graph.len().saturating_add(1)).next()
}

/// All chains of references from some paths to one, none of them through a path twice; the shortest first, equally long
/// ones in the order of the list.
///
/// Found by depth-first search with a limit on the length that grows (R. Korf, "Depth-first iterative-deepening",
/// Artificial Intelligence 27, 1985), led by the distances to the target. Chains can be exponential in number, so the
/// search takes a bounded number of steps.
#[derive(Debug)]
pub struct Chains<'g> {
    graph: &'g ClosureGraph,
    from: Vec<PathId>,
    target: PathId,
    /// Steps from a path to the target.
    distances: Reachability,
    /// Remaining alternatives at each position of the chain, the next one last.
    choices: Vec<Vec<PathId>>,
    chain: Vec<PathId>,
    on_chain: Vec<bool>,
    /// References in the chains that are now looked for.
    length: u32,
    /// The least length above it that a chain may have.
    next_length: Option<u32>,
    steps_left: usize,
    truncated: bool,
}

impl<'g> Chains<'g> {
    /// Chains from `from` to `to`, found in at most `steps` steps (a step is one path tried at one place).
    #[must_use]
    pub fn new(graph: &'g ClosureGraph, from: &[PathId], to: PathId, steps: usize) -> Self {
        let distances = Reachability::search(graph.len(), &[to], |path| graph.referrers(path), |_| true);
        let next_length = from.iter().filter_map(|&path| distances.depth(path)).min();
        Self {
            graph,
            from: from.to_vec(),
            target: to,
            distances,
            choices: Vec::new(),
            chain: Vec::new(),
            on_chain: vec![false; graph.len()],
            length: 0,
            next_length,
            steps_left: steps,
            truncated: false,
        }
    }

    /// Returns `true` if there may be more chains than were found within the limit on steps.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Returns the `paths` that can come next in a chain of the present length, the first last.
    fn next_choices(&mut self, paths: &[PathId]) -> Vec<PathId> {
        let taken = self.chain.len() as u32;
        let mut choices = Vec::new();
        for &path in paths {
            let Some(distance) = self.distances.depth(path).filter(|_| !self.on_chain[path.index()]) else { continue };
            let length = taken.saturating_add(distance);
            // The target is met at the end only: a chain that meets it too early is one of another length.
            if length <= self.length && (distance > 0 || length == self.length) {
                choices.push(path);
            } else if length > self.length {
                self.next_length = Some(self.next_length.map_or(length, |known| known.min(length)));
            }
        }
        choices.sort_unstable_by(|left, right| right.cmp(left));
        choices.dedup();
        choices
    }

    fn leave_last(&mut self) {
        if let Some(last) = self.chain.pop() {
            self.on_chain[last.index()] = false;
        }
    }

    /// Begins the search for the next longer chains; false where there can be none.
    fn lengthen(&mut self) -> bool {
        let Some(length) = self.next_length.take() else { return false };
        self.length = length;
        let from = std::mem::take(&mut self.from);
        let first = self.next_choices(&from);
        self.from = from;
        self.choices.push(first);
        true
    }
}

impl Iterator for Chains<'_> {
    type Item = Vec<PathId>;

    fn next(&mut self) -> Option<Vec<PathId>> {
        while !self.truncated {
            let Some(choices) = self.choices.last_mut() else {
                if self.lengthen() {
                    continue;
                }
                return None;
            };
            let Some(path) = choices.pop() else {
                self.choices.pop();
                self.leave_last();
                continue;
            };
            let Some(left) = self.steps_left.checked_sub(1) else {
                self.truncated = true;
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
            let next = self.next_choices(self.graph.references(path));
            self.choices.push(next);
        }
        None
    }
}
