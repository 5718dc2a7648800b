//! Links in store paths that represent the neighbours of a file, so that a program that looks for files relative to its
//! real path still finds them.

use hashbrown::HashSet;

use super::select::PackageSelection;
use super::{File, PackageImage};
use nixdive_image::{NodeId, OccurrenceId, Resolution};

/// Maximum number of links to neighbours in one image.
const MOST_LINKS: usize = 200_000;
/// Directories at the root that container runtimes fill, and the store itself.
const NO_NEIGHBOURS: [&[u8]; 4] = [b"dev", b"nix", b"proc", b"sys"];

/// Paths outside the store, and files that look for neighbours from within it.
pub(super) struct Beside {
    outside: HashSet<NodeId>,
    looks_around: HashSet<OccurrenceId>,
    links_left: usize,
}

impl Beside {
    pub fn new(image: &PackageImage<'_>, selection: &PackageSelection) -> Self {
        let tree = image.tree();
        let kept = || image.files.iter().zip(&selection.kept).filter(|(_, kept)| **kept).map(|(file, _)| file);
        let directories = image.directories.iter().map(|(node, _)| *node).filter(|&node| image.is_needed(node));
        let mut outside: HashSet<NodeId> = HashSet::new();
        for node in kept().map(|file| file.node).chain(directories) {
            let mut at = Some(node);
            while let Some(node) = at.filter(|node| outside.insert(*node)) {
                at = tree.parent(node);
            }
        }
        let looking: HashSet<NodeId> = image.needs.look_around.iter().copied().collect();
        let looks_around = kept().filter(|file| looking.contains(&file.node)).map(|file| file.occurrence).collect();
        Self { outside, looks_around, links_left: MOST_LINKS }
    }

    /// Returns `true` if a path outside the store exists in the new image: a file or a link to it, a link, or a
    /// directory.
    pub fn is_outside(&self, node: NodeId) -> bool {
        self.outside.contains(&node)
    }

    /// Returns the links for the store path of some files, with targets. `members` are all files and links of the
    /// group.
    pub fn links(&mut self, image: &PackageImage<'_>, files: &[&File], members: &[&File]) -> Vec<(NodeId, Box<[u8]>)> {
        let here: HashSet<NodeId> = files.iter().map(|file| file.node).collect();
        let own: Vec<&File> =
            members.iter().copied().filter(|file| file.is_link && leads_to(image, file, &here)).collect();
        let links_here: HashSet<NodeId> = own.iter().map(|file| file.node).collect();
        let is_here = |node: NodeId| here.contains(&node) || links_here.contains(&node);
        let mut links: Vec<(NodeId, Box<[u8]>)> =
            own.iter().map(|link| (link.node, target_within(image, link, &is_here))).collect();
        if files.iter().any(|file| self.looks_around.contains(&file.occurrence)) {
            let within: Vec<NodeId> = files.iter().chain(&own).map(|file| file.node).collect();
            self.fill(image, &within, &is_here, &mut links);
        }
        links
    }

    /// Adds links to all other neighbours outside the store of some files and links.
    fn fill(
        &mut self,
        image: &PackageImage<'_>,
        within: &[NodeId],
        is_here: &dyn Fn(NodeId) -> bool,
        links: &mut Vec<(NodeId, Box<[u8]>)>,
    ) {
        let tree = image.tree();
        let mut directories: HashSet<NodeId> = HashSet::new();
        let mut in_order: Vec<NodeId> = Vec::new();
        for &node in within {
            let mut at = tree.parent(node);
            while let Some(directory) = at.filter(|directory| directories.insert(*directory)) {
                in_order.push(directory);
                at = tree.parent(directory);
            }
        }
        for directory in in_order {
            for child in tree.children(directory) {
                let is_apart = directory == NodeId::ROOT && NO_NEIGHBOURS.contains(&tree.name(child));
                if is_here(child) || directories.contains(&child) || !self.is_outside(child) || is_apart {
                    continue;
                }
                let Some(left) = self.links_left.checked_sub(1) else { return };
                self.links_left = left;
                links.push((child, tree.path(child).into()));
            }
        }
    }
}

/// Returns `true` if a link leads to one of some files.
fn leads_to(image: &PackageImage<'_>, link: &File, files: &HashSet<NodeId>) -> bool {
    let tree = image.tree();
    let end = tree.top_layer().map(|top| tree.resolve(&tree.path(link.node), top, true));
    matches!(end, Some(Resolution::Found { node, .. }) if files.contains(&node))
}

/// Returns the target of a link in a store path: unchanged if the target is there too, else the link outside.
fn target_within(image: &PackageImage<'_>, link: &File, is_here: &dyn Fn(NodeId) -> bool) -> Box<[u8]> {
    let tree = image.tree();
    let target = tree.link_target(link.occurrence).unwrap_or_default();
    let mut at = tree.parent(link.node);
    let mut was_name = target.starts_with(b"/");
    for part in target.split(|&byte| byte == b'/') {
        at = match part {
            b"" | b"." => at,
            // The parent of a name depends on where the name leads.
            b".." if was_name => None,
            b".." => at.and_then(|at| tree.parent(at)),
            name => {
                was_name = true;
                at.and_then(|at| tree.child(at, name))
            }
        };
    }
    let stays = !target.starts_with(b"/") && at.is_some_and(is_here);
    if stays { target.into() } else { tree.path(link.node).into() }
}
