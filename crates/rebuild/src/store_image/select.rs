//! What stays of an image with a Nix store.

use super::StoreImage;
use super::cuts::AppliedCut;
use crate::choices::Choices;
use crate::plan::{Decision, DropClass, RowSubject};
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, NodeId, OccurrenceId};
use nixdive_nix::contents::{RootSource, TreeEntryKind};
use nixdive_nix::graph::{ClosureGraph, GraphError, PathId};

/// Why a wish cannot be fulfilled.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// No store path is meant.
    #[error("no store path in the image is called «{text}»{}", near_by(near))]
    Unknown {
        /// As it was given.
        text: String,
        /// Names that are much like it.
        near: String,
    },
    /// More than one may be meant.
    #[error("several hashes begin with «{0}»; give more of it")]
    Ambiguous(String),
    /// Nothing refers there.
    #[error("nothing in {from} refers to {to}: there is no reference to cut")]
    NothingToCut {
        /// What should refer.
        from: String,
        /// To what.
        to: String,
    },
    /// A link or a name cannot be overwritten.
    #[error("{path} refers to {to} by its name or as a link; only references in the content of files can be cut")]
    NotInContent {
        /// The link.
        path: String,
        /// What it refers to.
        to: String,
    },
    /// More paths than can be told apart.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

fn near_by(near: &str) -> String {
    if near.is_empty() { String::new() } else { format!("; there is {near}") }
}

/// What stays.
#[derive(Debug, Clone)]
pub struct Selection {
    /// By [`PathId`].
    pub(super) decisions: Vec<Decision>,
    /// By [`PathId`], the entries that go; empty where all stay.
    pub(super) dropped: Vec<Vec<bool>>,
    /// By place, entries outside the store that go; empty where all stay.
    pub(super) dropped_outside: Vec<bool>,
    pub(super) cuts: Vec<AppliedCut>,
    /// References between store paths by what stays of them.
    pub(super) graph: ClosureGraph,
    /// By [`PathId`], the step before it on the shortest way from a root.
    pub(super) ways: Vec<Option<Way>>,
    /// Links that go because they would lead nowhere.
    pub(super) dropped_links: u64,
    /// Whether what is not reached may be needed all the same: contents could not be read.
    pub(super) is_uncertain: bool,
}

/// How a store path is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Root(RootSource),
    From(PathId),
    Asked,
}

impl Selection {
    /// Whether a store path stays.
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

/// Chooses what stays: what roots reach by the references that are left, and what the user wants.
///
/// # Errors
/// [`SelectError`].
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
    /// What the user wants of a store path, by its row, its path or its names.
    fn asked(&self, id: PathId, choices: &Choices) -> Option<bool> {
        if let Some(&decided) = choices.decided.get(&RowSubject::StorePath(id)) {
            return Some(decided);
        }
        let path = self.study.get_path(id)?;
        choices.of_names(&[&path.to_string(), path.base_name(), path.name(), path.package().name])
    }

    /// The entries that the user wants gone, by store path, and those outside.
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

    /// Who refers to whom once files are dropped and references cut.
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
                // What only a database records has no proof, and stays.
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

    /// The shortest ways from what holds store paths from outside, and from what the user wants kept. What the user
    /// wants gone leads nowhere.
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

/// Drops the directories that are left with nothing in them because of what is dropped. Entries come as in a NAR:
/// directories before what is in them.
pub(super) fn drop_emptied(depths: &[u32], dropped: &mut [bool]) {
    // By depth, whether something below stays, and whether something goes.
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

/// A path, safe to show.
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
