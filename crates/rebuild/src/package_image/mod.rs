//! Rebuilds an image that no Nix built: what its programs need is grouped by the package that owns it into store paths,
//! and put back where it was as links into them.

mod beside;
mod compose;
mod doubts;
mod groups;
mod rows;
mod select;

#[cfg(test)]
mod tests;

pub use compose::{PackageComposeError, compose};
pub(super) use select::kept_packages;
pub use select::{Granularity, PackageSelection, select};

use groups::{Group, group_files};

use super::classes::class_of;
use super::needs::Needs;
use super::plan::DropClass;
use nixdive_image::{FileTree, Image, Kind, NodeId, OccurrenceId};
use nixdive_packages::Inventory;

/// An image without a Nix store, laid out for a rebuild. Made once; selections from it are cheap.
pub struct PackageImage<'a> {
    image: &'a Image,
    packages: &'a Inventory,
    needs: &'a Needs,
    groups: Vec<Group>,
    /// Files and links in the order of the tree: directories' contents by name.
    files: Vec<File>,
    /// Directories, each before what is in it; `None` for one that only what is in it implies.
    directories: Vec<(NodeId, Option<OccurrenceId>)>,
}

/// A file or link as the topmost layer leaves it.
struct File {
    node: NodeId,
    /// What it is; of a hard link what that leads to.
    occurrence: OccurrenceId,
    /// Its place among the groups.
    group: u32,
    class: Option<DropClass>,
    is_link: bool,
    bytes: u64,
}

impl<'a> PackageImage<'a> {
    /// Lays an image out by what its programs need.
    #[must_use]
    pub fn new(image: &'a Image, packages: &'a Inventory, needs: &'a Needs) -> Self {
        let tree = &image.tree;
        let mut files = Vec::new();
        let mut directories = Vec::new();
        let top = tree.top_layer();
        for (node, occurrence) in top.into_iter().flat_map(|top| tree.stacked_paths(top)) {
            let linked = occurrence.and_then(|id| tree.linked(id));
            let Some(id) = linked.filter(|&id| !is_directory(tree, id)) else {
                // A hard link that leads nowhere is nothing to anybody.
                if occurrence.is_none_or(|id| is_directory(tree, id)) {
                    directories.push((node, occurrence));
                }
                continue;
            };
            let occurrence = tree.occurrence(id);
            // Whoever runs an image makes the devices and pipes that it needs.
            if !matches!(occurrence.kind, Kind::File | Kind::Symlink) {
                continue;
            }
            let is_link = occurrence.kind == Kind::Symlink;
            let bytes = if is_link { 0 } else { occurrence.bytes };
            let class = class_of(&tree.path(node));
            files.push(File { node, occurrence: id, group: 0, class, is_link, bytes });
        }
        let groups = group_files(image, packages, &mut files);
        Self { image, packages, needs, groups, files, directories }
    }

    fn tree(&self) -> &'a FileTree {
        &self.image.tree
    }

    fn is_needed(&self, node: NodeId) -> bool {
        self.needs.reasons.get(node.index()).is_some_and(Option::is_some)
    }
}

fn is_directory(tree: &FileTree, id: OccurrenceId) -> bool {
    matches!(tree.occurrence(id).kind, Kind::Directory | Kind::OpaqueMark)
}
