//! Rebuilds an image that Nix built: unreachable store paths and chosen classes of files are dropped, and store paths
//! whose content changes get new names.

mod compose;
mod cuts;
mod hints;
mod links;
mod rename;
mod rows;
mod select;

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;

pub use compose::{ComposeError, compose};
pub use select::{SelectError, Selection, select};

use super::classes::{class_in_store, class_of};
use super::plan::DropClass;
use nixdive_image::{FileTree, Image, NodeId, OccurrenceId};
use nixdive_nix::contents::{PathEntries, TreeEntry, path_entries};
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;

/// Image with a Nix store, prepared for a rebuild. Preparation is done once; selections from it are cheap.
pub struct StoreImage<'a> {
    image: &'a Image,
    study: &'a StoreStudy,
    /// Entries of each store path, indexed by [`PathId`].
    paths: Vec<PathEntries>,
    /// Drop classes, indexed by [`PathId`] and entry.
    classes: Vec<Vec<Option<DropClass>>>,
    /// Entries outside store paths, directories before their contents.
    outside: Vec<Outside>,
}

/// Path outside the store paths.
struct Outside {
    node: NodeId,
    /// Occurrence; `None` for a directory that exists only because of its contents.
    occurrence: Option<OccurrenceId>,
    class: Option<DropClass>,
}

impl<'a> StoreImage<'a> {
    /// Prepares an image.
    #[must_use]
    pub fn new(image: &'a Image, study: &'a StoreStudy) -> Self {
        let tree = &image.tree;
        let paths: Vec<PathEntries> = study.store.paths.iter().map(|known| path_entries(tree, known.node)).collect();
        let classes = paths.iter().map(|entries| classes_of(tree, entries)).collect();
        Self { image, study, classes, outside: outside(tree, study, &paths), paths }
    }

    fn tree(&self) -> &'a FileTree {
        &self.image.tree
    }

    fn entries(&self, path: PathId) -> &[TreeEntry] {
        self.paths.get(path.index()).map_or(&[], |path| &path.entries)
    }

    fn class(&self, path: PathId, entry: usize) -> Option<DropClass> {
        self.classes.get(path.index())?.get(entry).copied().flatten()
    }

    /// Returns the package name of a store path, or as much of the name as exists; safe to show.
    fn name(&self, path: PathId) -> String {
        let name = self.study.get_path(path).map(|path| path.name().to_owned());
        name.unwrap_or_default()
    }
}

fn classes_of(tree: &FileTree, path: &PathEntries) -> Vec<Option<DropClass>> {
    let store = path.entries.first().map_or(0, |entry| tree.path(entry.node).len());
    let class = |entry: &TreeEntry| if entry.depth == 0 { None } else { class_in_store(&tree.path(entry.node), store) };
    path.entries.iter().map(class).collect()
}

/// Returns all paths outside store paths, except directories that only contain store paths.
fn outside(tree: &FileTree, study: &StoreStudy, paths: &[PathEntries]) -> Vec<Outside> {
    let Some(top) = tree.top_layer() else { return Vec::new() };
    let mut in_store = vec![false; tree.node_count()];
    let inside = paths.iter().flat_map(|path| path.entries.iter().map(|entry| entry.node).chain(path.left_out.clone()));
    let above = study.store.store.into_iter().flat_map(|store| [Some(store), tree.parent(store)]).flatten();
    for node in inside.chain(above) {
        if let Some(mark) = in_store.get_mut(node.index()) {
            *mark = true;
        }
    }
    let not_inside = |(node, _): &(NodeId, Option<OccurrenceId>)| in_store.get(node.index()) == Some(&false);
    let entry = |(node, occurrence)| Outside { node, occurrence, class: class_of(&tree.path(node)) };
    tree.stacked_paths(top).filter(not_inside).map(entry).collect()
}
