//! Rebuilds an image that Nix built: what the roots do not reach goes, and files of chosen classes; store paths whose
//! content changes are named anew by it.

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

/// An image with a Nix store, laid out for a rebuild. Made once; selections from it are cheap.
pub struct StoreImage<'a> {
    image: &'a Image,
    study: &'a StoreStudy,
    /// By [`PathId`].
    paths: Vec<PathEntries>,
    /// By [`PathId`] and entry.
    classes: Vec<Vec<Option<DropClass>>>,
    /// What is not in a store path, directories before what is in them.
    outside: Vec<Outside>,
}

/// A path outside the store paths.
struct Outside {
    node: NodeId,
    /// `None` for a directory that only what is in it implies.
    occurrence: Option<OccurrenceId>,
    class: Option<DropClass>,
}

impl<'a> StoreImage<'a> {
    /// Lays an image out.
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

    /// The package name of a store path, or what there is of its name; safe to show.
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

/// All paths that are not in store paths and not above them only.
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
