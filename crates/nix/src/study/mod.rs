//! Everything known about an image's store from the image itself: each path's content, size and
//! roots, as plain data.

mod absent;
mod reason;
mod recorded;
mod why;

pub use absent::{Dangling, Scrubbed, Sighting, SightingSource};
pub use recorded::{Disagreement, RecordedPath, RecordedStore};
pub use why::{Chain, Match, Why};

use hashbrown::HashMap;

use super::builder::{Recognition, recognise};
use super::contents::{
    ContentReferences, Evidence, PathEntries, Root, RootSource, StoreContents, TreeEntryKind, config_roots,
    path_entries, references_between, tree_roots,
};
use super::graph::{ClosureGraph, Dominators, GraphError, PathId, Reachability};
use super::hash::Sha256Hash;
use super::nar::{NarDigest, nar_bytes};
use super::references::{Mention, ReferenceScanner};
use super::store_path::StorePath;
use absent::Absent;
use nixdive_image::{FileTree, Image, OccurrenceId};

/// Maximum number of proofs of references in all; beyond it, the results are incomplete.
const MOST_EVIDENCE: usize = 8 << 20;

/// The store of an image with what a NAR of each path holds: what is known before any content is read.
#[derive(Debug, Clone, Default)]
pub struct StoreOutline {
    /// The store paths.
    pub store: StoreContents,
    /// By [`PathId`], what its NAR holds.
    pub entries: Vec<PathEntries>,
}

impl StoreOutline {
    /// The store of an image. Empty where there is none.
    #[must_use]
    pub fn new(tree: &FileTree) -> Self {
        let store = StoreContents::new(tree);
        let entries = store.paths.iter().map(|known| path_entries(tree, known.node)).collect();
        Self { store, entries }
    }
}

/// Facts that need the bytes of files.
#[derive(Debug, Clone, Default)]
pub struct ContentFindings {
    /// References to store paths of the image, by the occurrence that has the content.
    pub references: ContentReferences,
    /// Store paths that are not in the image and scrubbed references, each with its offset in the content, bytes.
    pub mentions: HashMap<OccurrenceId, Vec<(Mention, u64)>>,
    /// By [`PathId`], NAR hash and NAR size, where all of it could be read.
    pub digests: Vec<Option<NarDigest>>,
    /// Parts that could not be read, as sentences.
    pub unread: Vec<String>,
    /// True if some references or mentions were dropped because of a limit.
    pub is_truncated: bool,
}

/// Facts about one store path besides its position in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StudiedPath {
    /// NAR size, bytes; `None` where something in it cannot be in a NAR.
    pub nar_bytes: Option<u64>,
    /// NAR hash; `None` without a NAR, or if content could not be read.
    pub nar_hash: Option<Sha256Hash>,
    /// Regular files, hard links included.
    pub files: u32,
    /// Closure size, bytes; `None` for a graph that is too large to tell it of all.
    pub closure_bytes: Option<u64>,
    /// Added size, bytes: what would leave with this path.
    pub added_bytes: u64,
    /// References between a root and this path; `None` where no root reaches it.
    pub depth: Option<u32>,
    /// True if the image only names it, so that its size and references are unknown.
    pub is_absent: bool,
}

/// The store of an image, studied.
#[derive(Debug, Clone)]
pub struct StoreStudy {
    /// The store paths and the layers they are in. A [`PathId`] is a place in its list.
    pub store: StoreContents,
    /// By [`PathId`].
    pub paths: Vec<StudiedPath>,
    /// Who refers to whom.
    pub graph: ClosureGraph,
    /// The dominator tree from the roots.
    pub dominators: Dominators,
    /// By [`PathId`], the proofs of what it refers to, in the order of its NAR.
    pub evidence: Vec<Vec<Evidence>>,
    /// Store paths that something outside the store refers to.
    pub roots: Vec<Root>,
    /// Who made the image, and how that is known.
    pub builder: Option<Recognition>,
    /// Store paths that are named and not there, byte-sorted.
    pub dangling: Vec<Dangling>,
    /// References whose hash was overwritten on purpose, byte-sorted by the name that is left.
    pub scrubbed: Vec<Scrubbed>,
    /// Differences between a database in the image and the files. The database takes precedence.
    pub disagreements: Vec<Disagreement>,
    /// Parts that could not be read, as sentences; their references are unknown.
    pub unread: Vec<String>,
    /// True if some references or mentions are missing because of a limit.
    pub is_truncated: bool,
}

impl StoreStudy {
    /// Puts together what the tree, the contents and, where there is one, a database say. References of a path that the
    /// database records are taken from it.
    ///
    /// # Errors
    /// [`GraphError::TooMany`].
    pub fn new(
        image: &Image,
        outline: StoreOutline,
        findings: ContentFindings,
        recorded: Option<&RecordedStore>,
    ) -> Result<Self, GraphError> {
        let tree = &image.tree;
        let StoreOutline { store, entries } = outline;
        let builder = recognise(image, &store);
        let mut scanner = ReferenceScanner::new(store.candidates());
        let mut is_truncated = findings.is_truncated;
        let evidence = all_evidence(tree, &entries, &findings.references, &mut scanner, &mut is_truncated);
        let found: Vec<(PathId, PathId)> =
            store.ids().zip(&evidence).flat_map(|(from, proofs)| proofs.iter().map(move |p| (from, p.to))).collect();
        let mut paths: Vec<StudiedPath> = entries.iter().map(|entries| studied(tree, entries)).collect();
        for (path, digest) in paths.iter_mut().zip(&findings.digests) {
            path.nar_hash = digest.map(|digest| digest.hash);
        }
        for id in store.absent(&image.layers) {
            if let Some(path) = paths.get_mut(id.index()) {
                *path = StudiedPath { is_absent: true, ..StudiedPath::default() };
            }
        }
        let (references, disagreements) = match recorded {
            Some(recorded) => recorded.reconcile(&store, &paths, found),
            None => (found, Vec::new()),
        };
        let weight = |(entries, path): (&PathEntries, &StudiedPath)| match path.is_absent {
            true => 0,
            false => nar_bytes(entries.entries.iter().map(|entry| entry.nar_entry(tree))),
        };
        let weights = entries.iter().zip(&paths).map(weight);
        let graph = ClosureGraph::new(weights.collect(), &references)?;
        let mut roots = given_roots(image, &store);
        roots.extend(config_roots(&image.config, &mut scanner));
        roots.extend(tree_roots(tree, &store, &findings.references, &mut scanner));
        let root_paths: Vec<PathId> = roots.iter().map(|root| root.path).collect();
        let reached = Reachability::new(&graph, &root_paths);
        let dominators = Dominators::new(&graph, &root_paths);
        let closures = graph.closure_bytes_of_all();
        let unknown = referring_to_absent(&graph, &paths);
        for (id, path) in store.ids().zip(&mut paths) {
            let closures = closures.as_ref().filter(|_| unknown.get(id.index()) == Some(&false));
            path.closure_bytes = closures.and_then(|closures| closures.get(id.index()).copied());
            path.added_bytes = dominators.added_bytes(id);
            path.depth = reached.depth(id);
        }
        let absent = Absent::find(image, &store, &entries, &findings.mentions, recorded);
        Ok(Self {
            store,
            paths,
            graph,
            dominators,
            evidence,
            roots,
            builder,
            dangling: absent.dangling,
            scrubbed: absent.scrubbed,
            disagreements,
            unread: findings.unread,
            is_truncated: is_truncated || absent.is_truncated,
        })
    }

    /// The ids of all store paths.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PathId> + ExactSizeIterator + use<> {
        self.store.ids()
    }

    /// The store path of an id.
    #[must_use]
    pub fn get_path(&self, id: PathId) -> Option<&StorePath> {
        self.store.get(id).map(|known| &known.path)
    }

    /// Returns `true` if a path is reachable from a root.
    #[must_use]
    pub fn is_reachable(&self, id: PathId) -> bool {
        self.paths.get(id.index()).is_some_and(|path| path.depth.is_some())
    }

    /// Paths that no root reaches, in the order of the list. None where contents are absent that may refer to them.
    pub fn unreachable(&self) -> impl Iterator<Item = PathId> + '_ {
        let is_known = self.absent_paths() == 0;
        self.ids().filter(move |&id| is_known && !self.is_reachable(id))
    }

    /// How many of the paths the image only names.
    #[must_use]
    pub fn absent_paths(&self) -> usize {
        self.paths.iter().filter(|path| path.is_absent).count()
    }

    /// Sum of the NAR sizes of all paths, bytes.
    #[must_use]
    pub fn total_nar_bytes(&self) -> u64 {
        self.ids().map(|id| self.graph.nar_bytes(id)).fold(0, u64::saturating_add)
    }

    /// Sum of the NAR sizes of paths that no root reaches, bytes.
    #[must_use]
    pub fn unreachable_bytes(&self) -> u64 {
        self.unreachable().map(|id| self.graph.nar_bytes(id)).fold(0, u64::saturating_add)
    }

    /// Returns `true` if store paths were opened rather than an image.
    #[must_use]
    pub fn is_closure(&self) -> bool {
        self.roots.iter().any(|root| root.source == RootSource::Given)
    }

    /// The paths that roots name, in order, each once.
    #[must_use]
    pub fn root_paths(&self) -> Vec<PathId> {
        let mut paths: Vec<PathId> = self.roots.iter().map(|root| root.path).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Returns the reasons outside the store why a path is a root, strongest first; empty if it is
    /// not a root.
    #[must_use]
    pub fn reasons(&self, id: PathId) -> Vec<RootSource> {
        let mut reasons: Vec<RootSource> =
            self.roots.iter().filter(|root| root.path == id).map(|root| root.source).collect();
        reasons.sort_unstable();
        reasons
    }

    /// All paths, those that add most first; of equals in the order of the list.
    #[must_use]
    pub fn by_added_bytes(&self) -> Vec<PathId> {
        let mut ids: Vec<PathId> = self.ids().collect();
        let added = |id: &PathId| self.paths.get(id.index()).map_or(0, |path| path.added_bytes);
        ids.sort_by_key(|id| std::cmp::Reverse(added(id)));
        ids
    }
}

/// The store paths that were opened in place of an image, in the order in which they were given.
fn given_roots(image: &Image, store: &StoreContents) -> Vec<Root> {
    let given = image.identity.store_roots.iter().filter_map(|path| StorePath::parse(path.as_bytes()).ok());
    given.filter_map(|path| Some(Root { path: store.id_of(&path)?, source: RootSource::Given })).collect()
}

/// By [`PathId`], whether a path is absent or refers to one that is, directly or by others: its closure is not known.
fn referring_to_absent(graph: &ClosureGraph, paths: &[StudiedPath]) -> Vec<bool> {
    let mut marked: Vec<bool> = paths.iter().map(|path| path.is_absent).collect();
    let ids = (0..u32::try_from(paths.len()).unwrap_or(u32::MAX)).map(PathId);
    let mut pending: Vec<PathId> = ids.filter(|id| marked.get(id.index()) == Some(&true)).collect();
    while let Some(id) = pending.pop() {
        for &referrer in graph.referrers(id) {
            if let Some(mark) = marked.get_mut(referrer.index()).filter(|mark| !**mark) {
                *mark = true;
                pending.push(referrer);
            }
        }
    }
    marked
}

fn all_evidence(
    tree: &FileTree,
    entries: &[PathEntries],
    references: &ContentReferences,
    scanner: &mut ReferenceScanner,
    is_truncated: &mut bool,
) -> Vec<Vec<Evidence>> {
    let mut left = MOST_EVIDENCE;
    let of_path = |entries| {
        let proofs = references_between(tree, entries, references, scanner, left);
        left -= proofs.len().min(left);
        *is_truncated |= left == 0;
        proofs
    };
    entries.iter().map(of_path).collect()
}

fn studied(tree: &FileTree, entries: &PathEntries) -> StudiedPath {
    let files = entries.entries.iter().filter(|entry| matches!(entry.kind, TreeEntryKind::File { .. })).count();
    StudiedPath {
        nar_bytes: entries.nar_bytes(tree),
        files: u32::try_from(files).unwrap_or(u32::MAX),
        ..StudiedPath::default()
    }
}
