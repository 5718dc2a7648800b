use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::graph::PathId;
use crate::references::Candidates;
use crate::store_path::StorePath;
use nixdive_image::{Baseline, Change, FileTree, Floors, Kind, Layer, LayerContents, LayerIndex, NodeId, Scope, Seen};

/// The part of a store path in one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerShare {
    /// The layer.
    pub layer: LayerIndex,
    /// Its entries at or below the store path, whiteouts left out.
    pub entries: u32,
    /// Sum of the sizes of files among them, bytes.
    pub file_bytes: u64,
}

/// A store path that is in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageStorePath {
    /// Which.
    pub path: StorePath,
    /// Its place in the tree.
    pub node: NodeId,
    /// The layers that hold something of it, base first. More than one means bytes shipped twice or a path taken
    /// apart.
    pub layers: Vec<LayerShare>,
}

/// The store of an image as its topmost layer leaves it.
#[derive(Debug, Clone, Default)]
pub struct StoreContents {
    /// The store paths in Nix's order. A [`PathId`] is a place in this list.
    pub paths: Vec<ImageStorePath>,
    /// Entries of `/nix/store` that are not store paths: `.links`, lock files, malformed names.
    pub others: Vec<NodeId>,
    /// `/nix/store` itself.
    pub store: Option<NodeId>,
}

impl StoreContents {
    /// Reads the store of an image; empty without `/nix/store`.
    #[must_use]
    pub fn new(tree: &FileTree) -> Self {
        let mut contents = Self { store: tree.lookup(b"/nix/store"), ..Self::default() };
        let Some(store) = contents.store else { return contents };
        let Some(seen) = visible(tree, store) else { return contents };
        for (node, _) in visible_children(tree, store, seen.floors) {
            match StorePath::parse_base_name(tree.name(node)) {
                Ok(path) => contents.paths.push(ImageStorePath { path, node, layers: layer_shares(tree, node) }),
                Err(_) => contents.others.push(node),
            }
        }
        contents
    }

    /// Each store path with every layer that has an entry of that very path, in the order of the paths.
    #[must_use]
    pub fn shares(tree: &FileTree) -> Vec<(LayerIndex, StorePath)> {
        let mut shares = Vec::new();
        let Some(store) = tree.lookup(b"/nix/store") else { return shares };
        for node in tree.children(store) {
            let Ok(path) = StorePath::parse_base_name(tree.name(node)) else { continue };
            let occurrences = tree.occurrences_of(node).map(|id| tree.occurrence(id));
            let present =
                occurrences.filter(|occurrence| !matches!(occurrence.kind, Kind::Whiteout | Kind::OpaqueMark));
            let mut layers: Vec<LayerIndex> = present.map(|occurrence| occurrence.layer).collect();
            layers.dedup();
            shares.extend(layers.into_iter().map(|layer| (layer, path.clone())));
        }
        shares
    }

    /// The store path of that id.
    #[must_use]
    pub fn get(&self, id: PathId) -> Option<&ImageStorePath> {
        self.paths.get(id.index())
    }

    /// The id of a store path.
    #[must_use]
    pub fn id_of(&self, path: &StorePath) -> Option<PathId> {
        let place = self.paths.binary_search_by(|known| known.path.cmp(path)).ok()?;
        u32::try_from(place).ok().map(PathId)
    }

    /// The store paths whose contents are not here: each is an empty directory in the tree, whatever it is, and has
    /// neither NAR nor references to be found.
    #[must_use]
    pub fn absent(&self, layers: &[Layer]) -> BTreeSet<PathId> {
        let named = |layer: &Layer| match &layer.contents {
            LayerContents::Absent(paths) => paths.clone(),
            LayerContents::Present | LayerContents::Broken | LayerContents::Unreadable(_) => Vec::new(),
        };
        let paths = layers.iter().flat_map(named);
        paths.filter_map(|path| self.id_of(&StorePath::parse(path.as_bytes()).ok()?)).collect()
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = PathId> + ExactSizeIterator + use<> {
        (0..u32::try_from(self.paths.len()).unwrap_or(u32::MAX)).map(PathId)
    }

    /// Returns the hashes to search bytes for; the index of a candidate is its [`PathId`].
    #[must_use]
    pub fn candidates(&self) -> Arc<Candidates> {
        Arc::new(Candidates::new(self.paths.iter().map(|known| known.path.hash())))
    }
}

/// A path as the topmost layer leaves it; `None` where it is not there.
pub(super) fn visible(tree: &FileTree, node: NodeId) -> Option<Seen> {
    let scope = Scope::Stacked(tree.top_layer()?);
    tree.see_alone(node, scope, Baseline::Below).filter(|seen| seen.change != Change::Removed)
}

/// Returns the entries of a directory as the topmost layer leaves it, sorted by bytes. `floors` are
/// those of the directory.
pub(super) fn visible_children(
    tree: &FileTree,
    directory: NodeId,
    floors: Floors,
) -> impl DoubleEndedIterator<Item = (NodeId, Seen)> + use<'_> {
    let scope = tree.top_layer().map(Scope::Stacked);
    tree.children(directory).filter_map(move |child| {
        let seen = tree.see(child, scope?, Baseline::Below, floors)?;
        (seen.change != Change::Removed).then_some((child, seen))
    })
}

fn layer_shares(tree: &FileTree, node: NodeId) -> Vec<LayerShare> {
    let mut shares: BTreeMap<LayerIndex, LayerShare> = BTreeMap::new();
    let mut stack = vec![node];
    while let Some(node) = stack.pop() {
        for id in tree.occurrences_of(node) {
            let occurrence = tree.occurrence(id);
            if matches!(occurrence.kind, Kind::Whiteout | Kind::OpaqueMark) {
                continue;
            }
            let layer = occurrence.layer;
            let share = shares.entry(layer).or_insert(LayerShare { layer, entries: 0, file_bytes: 0 });
            share.entries = share.entries.saturating_add(1);
            if occurrence.kind == Kind::File {
                share.file_bytes = share.file_bytes.saturating_add(occurrence.bytes);
            }
        }
        stack.extend(tree.children(node));
    }
    shares.into_values().collect()
}
