//! Rebuilds an image that Nix did not build: files that its programs need are grouped into store paths by package, with
//! links to them at their old paths.

mod beside;
mod compose;
mod groups;
mod rows;
mod select;
mod uncertainties;

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

/// Image without a Nix store, prepared for a rebuild. Preparation is done once; selections from it are cheap.
pub struct PackageImage<'a> {
    image: &'a Image,
    packages: &'a Inventory,
    needs: &'a Needs,
    groups: Vec<Group>,
    /// Files and links in tree order, sorted by name within a directory.
    files: Vec<File>,
    /// Directories, each before its contents; `None` for a directory that exists only because of its contents.
    directories: Vec<(NodeId, Option<OccurrenceId>)>,
}

/// File or link as in the topmost layer.
struct File {
    node: NodeId,
    /// Occurrence of the file; for a hard link, that of its target.
    occurrence: OccurrenceId,
    /// Position of its group.
    group: u32,
    class: Option<DropClass>,
    is_link: bool,
    bytes: u64,
}

impl<'a> PackageImage<'a> {
    /// Prepares an image, given the needs of its programs.
    #[must_use]
    pub fn new(image: &'a Image, packages: &'a Inventory, needs: &'a Needs) -> Self {
        let tree = &image.tree;
        let mut files = Vec::new();
        let mut directories = Vec::new();
        let top = tree.top_layer();
        for (node, occurrence) in top.into_iter().flat_map(|top| tree.stacked_paths(top)) {
            let linked = occurrence.and_then(|id| tree.linked(id));
            let Some(id) = linked.filter(|&id| !is_directory(tree, id)) else {
                // A dangling hard link is useless.
                if occurrence.is_none_or(|id| is_directory(tree, id)) {
                    directories.push((node, occurrence));
                }
                continue;
            };
            let occurrence = tree.occurrence(id);
            // Container runtimes create the devices and pipes that they need.
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
