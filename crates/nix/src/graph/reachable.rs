use super::{ClosureGraph, PathId};

const UNREACHED: u32 = u32::MAX;

/// Paths reachable from a set of paths, with their distance in steps.
#[derive(Debug, Clone)]
pub struct Reachability {
    depths: Vec<u32>,
    /// Reached paths, the nearest first.
    order: Vec<PathId>,
}

impl Reachability {
    /// Finds the paths reachable from `from`, including `from` itself.
    #[must_use]
    pub fn new(graph: &ClosureGraph, from: &[PathId]) -> Self {
        Self::without(graph, from, &[])
    }

    /// Finds the paths reachable from `from` without passing through `removed`.
    #[must_use]
    pub fn without(graph: &ClosureGraph, from: &[PathId], removed: &[PathId]) -> Self {
        let mut barred = vec![false; graph.len()];
        for path in removed {
            if let Some(place) = barred.get_mut(path.index()) {
                *place = true;
            }
        }
        Self::search(graph.len(), from, |path| graph.references(path), |path| !barred[path.index()])
    }

    /// Breadth first along `next`, over paths that are `allowed`.
    pub(crate) fn search<'g>(
        count: usize,
        from: &[PathId],
        next: impl Fn(PathId) -> &'g [PathId],
        allowed: impl Fn(PathId) -> bool,
    ) -> Self {
        let mut depths = vec![UNREACHED; count];
        let mut order = Vec::new();
        for &path in from {
            if path.index() < count && depths[path.index()] == UNREACHED && allowed(path) {
                depths[path.index()] = 0;
                order.push(path);
            }
        }
        let mut at = 0;
        while let Some(&path) = order.get(at) {
            at += 1;
            let depth = depths[path.index()] + 1;
            for &other in next(path) {
                if depths[other.index()] == UNREACHED && allowed(other) {
                    depths[other.index()] = depth;
                    order.push(other);
                }
            }
        }
        Self { depths, order }
    }

    /// Returns `true` if a path is reachable.
    #[must_use]
    pub fn contains(&self, path: PathId) -> bool {
        self.depth(path).is_some()
    }

    /// Steps of the shortest way to a path: 0 for where the search began.
    #[must_use]
    pub fn depth(&self, path: PathId) -> Option<u32> {
        self.depths.get(path.index()).copied().filter(|&depth| depth != UNREACHED)
    }

    /// The reached paths, the nearest first.
    #[must_use]
    pub fn paths(&self) -> &[PathId] {
        &self.order
    }

    /// Sum of the NAR sizes of what is reached, bytes: the closure size of where the search began.
    #[must_use]
    pub fn nar_bytes(&self, graph: &ClosureGraph) -> u64 {
        self.order.iter().map(|&path| graph.nar_bytes(path)).fold(0, u64::saturating_add)
    }
}
