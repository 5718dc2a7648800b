//! Selection of the parts to keep in an image with a Nix store.

use super::StoreImage;
use super::cuts::AppliedCut;
use crate::choices::Choices;
use crate::plan::{Decision, DropClass, RowSubject};
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, NodeId, OccurrenceId};
use nixdive_nix::contents::{RootSource, TreeEntryKind};
use nixdive_nix::graph::{ClosureGraph, GraphError, PathId};

/// Reasons why a choice cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// No store path matches.
    #[error("no store path in the image matches `{text}`{}", near_by(near))]
    Unknown {
        /// Text as the user gave it.
        text: String,
        /// Similar names.
        near: String,
    },
    /// More than one store path matches.
    #[error("`{0}` matches several hashes; use a longer prefix")]
    Ambiguous(String),
    /// The reference does not exist.
    #[error("nothing in {from} refers to {to}; no reference to cut")]
    NothingToCut {
        /// Source of the reference.
        from: String,
        /// Target of the reference.
        to: String,
    },
    /// A link or a file name cannot be overwritten.
    #[error("{path} refers to {to} by its name or as a link; only references in file contents can be cut")]
    NotInContent {
        /// Path of the link or file.
        path: String,
        /// Target of the reference.
        to: String,
    },
    /// There are too many store paths.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

fn near_by(near: &str) -> String {
    if near.is_empty() { String::new() } else { format!("; similar: {near}") }
}

/// Selection of the parts to keep.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Decisions, indexed by [`PathId`].
    pub(super) decisions: Vec<Decision>,
    /// Dropped entries, indexed by [`PathId`]; empty if all are kept.
    pub(super) dropped: Vec<Vec<bool>>,
    /// Dropped entries outside the store, by position; empty if all are kept.
    pub(super) dropped_outside: Vec<bool>,
    pub(super) cuts: Vec<AppliedCut>,
    /// Remaining references between store paths.
    pub(super) graph: ClosureGraph,
    /// Previous step on the shortest way from a root, indexed by [`PathId`].
    pub(super) ways: Vec<Option<Way>>,
    /// Number of links dropped because they would dangle.
    pub(super) dropped_links: u64,
    /// True if unreachable paths may still be needed, because some contents could not be read.
    pub(super) is_uncertain: bool,
}

/// Last step to a reachable store path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Root(RootSource),
    From(PathId),
    Asked,
}

impl Selection {
    /// Returns `true` if a store path is kept.
    #[must_use]
    pub fn keeps(&self, path: PathId) -> bool {
        self.decisions.get(path.index()).is_some_and(|decision| decision.is_kept())
    }

    pub(super) fn drops_entry(&self, path: PathId, entry: usize) -> bool {
        self.dropped.get(path.index()).and_then(|entries| entries.get(entry)).copied().unwrap_or_default()
    }

    pub(super) fn drops_outside(&self, place: usize) -> bool {
        self.dropped_outside.get(place).copied().unwrap_or_default()
    }
}

/// Selects the parts to keep: those that roots reach by the remaining references, and those the user chose.
///
/// # Errors
/// If a choice matches nothing, is ambiguous, or names a reference that cannot be cut.
pub fn select(image: &StoreImage<'_>, choices: &Choices) -> Result<Selection, SelectError> {
    let study = image.study;
    let cuts = image.find_cuts(&choices.cut)?;
    let (dropped, dropped_outside) = image.dropped_files(choices);
    let graph = image.graph_without(&dropped, &cuts)?;
    let is_uncertain = study.absent_paths() > 0 || study.is_truncated || !study.unread.is_empty();
    let asked: Vec<Option<bool>> = image.study.ids().map(|id| image.asked(id, choices)).collect();
    let ways = image.ways(&graph, &dropped_outside, &asked);
    let keeps_unreached = is_uncertain && !choices.classes.contains(&DropClass::Unreachable);
    let decision = |(way, asked): (&Option<Way>, &Option<bool>)| match (asked, way) {
        (Some(false), _) => Decision::DropAsked,
        (Some(true), _) | (_, Some(Way::Asked)) => Decision::KeepAsked,
        (None, Some(_)) => Decision::Keep,
        (None, None) if keeps_unreached => Decision::Keep,
        (None, None) => Decision::Drop,
    };
    let decisions = ways.iter().zip(&asked).map(decision).collect();
    let mut selection =
        Selection { decisions, dropped, dropped_outside, cuts, graph, ways, dropped_links: 0, is_uncertain };
    image.drop_links(&mut selection);
    Ok(selection)
}

impl StoreImage<'_> {
    /// Returns the user's choice for a store path, by its row, its path or its names.
    fn asked(&self, id: PathId, choices: &Choices) -> Option<bool> {
        if let Some(&decided) = choices.decided.get(&RowSubject::StorePath(id)) {
            return Some(decided);
        }
        let path = self.study.get_path(id)?;
        choices.of_names(&[&path.to_string(), path.base_name(), path.name(), path.package().name])
    }

    /// Returns the entries that the user dropped, by store path, and those outside the store.
    fn dropped_files(&self, choices: &Choices) -> (Vec<Vec<bool>>, Vec<bool>) {
        if choices.leaves_files_alone() {
            return (Vec::new(), Vec::new());
        }
        let tree = self.tree();
        let of_path = |id: PathId| {
            let entries = self.entries(id);
            let goes = |(place, entry): (usize, &nixdive_nix::contents::TreeEntry)| {
                let is_file = entry.depth > 0 && !matches!(entry.kind, TreeEntryKind::Directory);
                is_file && choices.of_file(&tree.path(entry.node), self.class(id, place)) == Some(false)
            };
            let mut dropped: Vec<bool> = entries.iter().enumerate().map(goes).collect();
            if !dropped.contains(&true) {
                return Vec::new();
            }
            let depths: Vec<u32> = entries.iter().map(|entry| entry.depth).collect();
            drop_emptied(&depths, &mut dropped);
            dropped
        };
        let dropped = self.study.ids().map(of_path).collect();
        let goes = |outside: &super::Outside| {
            let is_file = outside.occurrence.is_some_and(|id| !is_directory(tree, id));
            is_file && choices.of_file(&tree.path(outside.node), outside.class) == Some(false)
        };
        let mut outside: Vec<bool> = self.outside.iter().map(goes).collect();
        if outside.contains(&true) {
            let depths: Vec<u32> = self.outside.iter().map(|entry| depth(tree, entry.node)).collect();
            drop_emptied(&depths, &mut outside);
        }
        (dropped, outside)
    }

    /// Returns the reference graph after files are dropped and references cut.
    fn graph_without(&self, dropped: &[Vec<bool>], cuts: &[AppliedCut]) -> Result<ClosureGraph, GraphError> {
        let study = self.study;
        if dropped.iter().all(Vec::is_empty) && cuts.is_empty() {
            return Ok(study.graph.clone());
        }
        let mut references = Vec::new();
        for from in study.ids() {
            let gone = self.gone_nodes(from, dropped);
            let proofs = study.evidence.get(from.index()).map_or(&[][..], Vec::as_slice);
            let is_cut = |to: PathId, node: NodeId| {
                cuts.iter().any(|cut| cut.from == from && cut.to == to && cut.files.binary_search(&node).is_ok())
            };
            let itself = study.graph.has_self_reference(from).then_some(&from);
            for &to in study.graph.references(from).iter().chain(itself) {
                let mut of_target = proofs.iter().filter(|proof| proof.to == to).peekable();
                // A reference recorded only in a database cannot be verified and is kept.
                let stays = of_target.peek().is_none()
                    || of_target.any(|proof| gone.binary_search(&proof.node).is_err() && !is_cut(to, proof.node));
                if stays {
                    references.push((from, to));
                }
            }
        }
        ClosureGraph::new(study.ids().map(|id| study.graph.nar_bytes(id)).collect(), &references)
    }

    fn gone_nodes(&self, path: PathId, dropped: &[Vec<bool>]) -> Vec<NodeId> {
        let dropped = dropped.get(path.index()).map_or(&[][..], Vec::as_slice);
        let mut gone: Vec<NodeId> =
            self.entries(path).iter().zip(dropped).filter(|(_, gone)| **gone).map(|(entry, _)| entry.node).collect();
        gone.sort_unstable();
        gone
    }

    /// Returns the shortest ways from referrers outside the store and from paths the user kept. Paths that the user
    /// dropped are not followed.
    fn ways(&self, graph: &ClosureGraph, dropped_outside: &[bool], asked: &[Option<bool>]) -> Vec<Option<Way>> {
        let mut gone: Vec<NodeId> =
            self.outside.iter().zip(dropped_outside).filter(|(_, gone)| **gone).map(|(entry, _)| entry.node).collect();
        gone.sort_unstable();
        let mut roots = self.study.roots.clone();
        roots.sort_by_key(|root| root.source);
        let mut ways: Vec<Option<Way>> = vec![None; asked.len()];
        let mut queue = std::collections::VecDeque::new();
        let mut reach = |path: PathId, way: Way, queue: &mut std::collections::VecDeque<PathId>| {
            if let Some(known) = ways.get_mut(path.index()).filter(|known| known.is_none()) {
                *known = Some(way);
                queue.push_back(path);
            }
        };
        for root in &roots {
            let is_gone = matches!(root.source, RootSource::Tree(node, _) if gone.binary_search(&node).is_ok());
            if !is_gone {
                reach(root.path, Way::Root(root.source), &mut queue);
            }
        }
        let wanted = asked.iter().zip(graph.ids()).filter(|(asked, _)| **asked == Some(true));
        for (_, path) in wanted {
            reach(path, Way::Asked, &mut queue);
        }
        while let Some(path) = queue.pop_front() {
            if asked.get(path.index()) == Some(&Some(false)) {
                continue;
            }
            for &to in graph.references(path) {
                reach(to, Way::From(path), &mut queue);
            }
        }
        ways
    }
}

/// Drops directories that become empty. Entries are in NAR order: directories before their contents.
pub(super) fn drop_emptied(depths: &[u32], dropped: &mut [bool]) {
    // For each depth: does something below remain, and is something dropped.
    let mut below: Vec<(bool, bool)> = Vec::new();
    for place in (0..depths.len().min(dropped.len())).rev() {
        let (Some(&depth), Some(gone)) = (depths.get(place), dropped.get_mut(place)) else { continue };
        let depth = depth as usize;
        let (stays, goes) = below.get(depth + 1).copied().unwrap_or_default();
        below.truncate(depth + 1);
        *gone |= goes && !stays && depth > 0;
        below.resize(depth + 1, (false, false));
        if let Some(record) = below.get_mut(depth) {
            record.0 |= !*gone;
            record.1 |= *gone;
        }
    }
}

pub(super) fn is_directory(tree: &FileTree, id: OccurrenceId) -> bool {
    matches!(tree.occurrence(id).kind, nixdive_image::Kind::Directory | nixdive_image::Kind::OpaqueMark)
}

fn depth(tree: &FileTree, node: NodeId) -> u32 {
    u32::try_from(tree.depth(node)).unwrap_or(u32::MAX)
}

/// Returns a path in a form that is safe to show.
pub(super) fn shown_path(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::drop_emptied;

    #[test]
    fn directories_go_with_the_last_that_is_in_them() {
        // a/ (b/ (c, d), e/ ())
        let depths = [0, 1, 2, 2, 1];
        let mut dropped = [false, false, true, true, false];
        drop_emptied(&depths, &mut dropped);
        assert_eq!(dropped, [false, true, true, true, false]);
        let mut dropped = [false, false, true, false, false];
        drop_emptied(&depths, &mut dropped);
        assert_eq!(dropped, [false, false, true, false, false]);
    }

    #[test]
    fn a_chain_of_emptied_directories_goes() {
        let depths = [0, 1, 2, 3];
        let mut dropped = [false, false, false, true];
        drop_emptied(&depths, &mut dropped);
        assert_eq!(dropped, [false, true, true, true]);
    }
}
