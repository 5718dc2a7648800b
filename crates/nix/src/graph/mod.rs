//! The graph of store paths: who refers to whom, what that costs, and why it is there.
//!
//! Store paths are known here by their place in a list ([`PathId`]). Cycles between paths, which Nix never makes, are
//! legal input; a path's reference to itself is kept apart and never an edge. Nothing recurses.

mod chains;
mod closures;
mod components;
mod dominators;
mod duplicates;
mod reachable;
mod rows;
mod tree;

pub use chains::{Chains, shortest_chain};
pub use dominators::Dominators;
pub use duplicates::{Duplicate, same_content, same_package};
pub use reachable::Reachability;
pub use tree::TreeLine;

use rows::Rows;

/// A store path by its place in the list that a graph was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(pub u32);

impl PathId {
    /// The place itself.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a graph cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A reference from or to something that is not in the list.
    #[error("a reference names store path {0} of a list of {1}")]
    UnknownPath(u32, usize),
    /// More paths or references than 32-bit numbers count.
    #[error("more than {} store paths or references", u32::MAX - 1)]
    TooMany,
}

/// Store paths with their NAR sizes and references.
#[derive(Debug, Clone)]
pub struct ClosureGraph {
    nar_bytes: Vec<u64>,
    references: Rows,
    referrers: Rows,
    self_references: Vec<bool>,
}

impl ClosureGraph {
    /// Creates the graph of as many paths as there are NAR sizes (bytes). `references` are pairs
    /// (from, to) in any order and may repeat.
    ///
    /// # Errors
    /// If there are too many paths or a reference names a path that does not exist
    /// ([`GraphError`]).
    pub fn new(nar_bytes: Vec<u64>, references: &[(PathId, PathId)]) -> Result<Self, GraphError> {
        let count = nar_bytes.len();
        if count >= u32::MAX as usize || references.len() >= u32::MAX as usize {
            return Err(GraphError::TooMany);
        }
        let mut self_references = vec![false; count];
        for &(from, to) in references {
            let highest = from.max(to);
            let place = self_references.get_mut(highest.index()).ok_or(GraphError::UnknownPath(highest.0, count))?;
            *place |= from == to;
        }
        let edges = || references.iter().copied().filter(|(from, to)| from != to);
        // Grouped by target first, each group in the order of targets: every row of references comes out sorted.
        let by_target = Rows::group(count, || edges().map(|(from, to)| (to, from)));
        let mut references = Rows::group(count, || by_target.transposed());
        references.remove_repeated();
        let referrers = Rows::group(count, || references.transposed());
        Ok(Self { nar_bytes, references, referrers, self_references })
    }

    /// Number of paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nar_bytes.len()
    }

    /// Returns `true` if the graph has no paths.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nar_bytes.is_empty()
    }

    /// All paths.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PathId> + ExactSizeIterator + use<> {
        (0..self.nar_bytes.len() as u32).map(PathId)
    }

    /// NAR size of a path, bytes; 0 for one that is not in the list.
    #[must_use]
    pub fn nar_bytes(&self, path: PathId) -> u64 {
        self.nar_bytes.get(path.index()).copied().unwrap_or_default()
    }

    /// Returns the paths that a path refers to, without itself, in the order of the list.
    #[must_use]
    pub fn references(&self, path: PathId) -> &[PathId] {
        self.references.row(path)
    }

    /// Returns the paths that refer to a path, without itself, in the order of the list.
    #[must_use]
    pub fn referrers(&self, path: PathId) -> &[PathId] {
        self.referrers.row(path)
    }

    /// Returns `true` if a path refers to itself.
    #[must_use]
    pub fn has_self_reference(&self, path: PathId) -> bool {
        self.self_references.get(path.index()).copied().unwrap_or_default()
    }

    /// Number of different references, those of paths to themselves left out.
    #[must_use]
    pub fn reference_count(&self) -> usize {
        self.references.item_count()
    }
}

#[cfg(test)]
mod tests;
