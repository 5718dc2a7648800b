use hashbrown::HashSet;

use super::{ClosureGraph, PathId};

/// References from which on a path's are left in the order of the list.
const MOST_SORTED: usize = 5_000;

/// A line of a tree of references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLine<'a> {
    /// The path.
    pub path: PathId,
    /// For each path above it but the root, whether that is the last below its own; last whether this one is. Empty for a
    /// root.
    pub lasts: &'a [bool],
    /// True if the path already occurs further up, so that its references are not repeated.
    pub is_repeated: bool,
}

impl ClosureGraph {
    /// Returns the references of a path, including to itself if any, each after those of the others
    /// that it refers to: the order of `nix-store --query --tree`.
    #[must_use]
    pub fn tree_references(&self, path: PathId) -> Vec<PathId> {
        let mut members = self.references(path).to_vec();
        if self.has_self_reference(path) {
            members.push(path);
            members.sort_unstable();
        }
        if members.len() > MOST_SORTED {
            return members;
        }
        let known: HashSet<PathId> = members.iter().copied().collect();
        let mut seen: HashSet<PathId> = HashSet::new();
        let mut order = Vec::with_capacity(members.len());
        let mut stack: Vec<(PathId, &[PathId])> = Vec::new();
        for &member in &members {
            if !seen.insert(member) {
                continue;
            }
            stack.push((member, self.references(member)));
            while let Some((id, rest)) = stack.last_mut() {
                match rest.split_first() {
                    Some((&next, after)) => {
                        *rest = after;
                        if known.contains(&next) && seen.insert(next) {
                            stack.push((next, self.references(next)));
                        }
                    }
                    None => {
                        order.push(*id);
                        stack.pop();
                    }
                }
            }
        }
        order
    }

    /// Passes the tree of references below some roots to `show`, line by line, as `nix-store
    /// --query --tree` prints it. The references of a path appear below it once.
    ///
    /// # Errors
    /// Stops at the first error of `show` and returns it.
    pub fn show_tree<E>(&self, roots: &[PathId], mut show: impl FnMut(TreeLine<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut done: HashSet<PathId> = HashSet::new();
        for &root in roots {
            let is_repeated = !done.insert(root);
            show(TreeLine { path: root, lasts: &[], is_repeated })?;
            if is_repeated {
                continue;
            }
            let mut stack = vec![self.tree_references(root).into_iter()];
            let mut lasts: Vec<bool> = Vec::new();
            while let Some(level) = stack.last_mut() {
                let Some(path) = level.next() else {
                    stack.pop();
                    lasts.pop();
                    continue;
                };
                lasts.push(level.as_slice().is_empty());
                let is_repeated = !done.insert(path);
                show(TreeLine { path, lasts: &lasts, is_repeated })?;
                if is_repeated {
                    lasts.pop();
                } else {
                    stack.push(self.tree_references(path).into_iter());
                }
            }
        }
        Ok(())
    }
}
