//! Symbolic links whose targets are dropped.

use hashbrown::HashSet;

use super::select::{Selection, drop_emptied};
use super::{Outside, StoreImage};
use nixdive_image::{FileTree, Kind, NodeId, Resolution};
use nixdive_nix::contents::TreeEntryKind;

impl StoreImage<'_> {
    /// Drops links whose targets exist in the image but are not kept. In store paths, this happens only if other files
    /// of the path are dropped anyway or the user chose to drop the target. Links to links are followed to their end.
    pub(super) fn drop_links(&self, selection: &mut Selection) {
        let mut gone = self.gone(selection);
        if gone.is_empty() {
            return;
        }
        let tree = self.tree();
        for path in self.study.ids().filter(|&path| selection.keeps(path)).collect::<Vec<_>>() {
            let leads_to_gone: Vec<usize> = self
                .entries(path)
                .iter()
                .enumerate()
                .filter(|(place, entry)| {
                    matches!(entry.kind, TreeEntryKind::Symlink(_))
                        && !selection.drops_entry(path, *place)
                        && leads_to(tree, entry.node, &gone)
                })
                .map(|(place, _)| place)
                .collect();
            if leads_to_gone.is_empty() {
                continue;
            }
            selection.dropped_links += leads_to_gone.len() as u64;
            if selection.dropped.is_empty() {
                selection.dropped = vec![Vec::new(); self.paths.len()];
            }
            let entries = self.entries(path);
            let Some(dropped) = selection.dropped.get_mut(path.index()) else { continue };
            dropped.resize(entries.len(), false);
            for place in leads_to_gone {
                if let Some(mark) = dropped.get_mut(place) {
                    *mark = true;
                }
                gone.extend(entries.get(place).map(|entry| entry.node));
            }
            let depths: Vec<u32> = entries.iter().map(|entry| entry.depth).collect();
            drop_emptied(&depths, dropped);
        }
        self.drop_outside_links(selection, &gone);
    }

    fn drop_outside_links(&self, selection: &mut Selection, gone: &HashSet<NodeId>) {
        let tree = self.tree();
        let is_link = |outside: &Outside| {
            outside.occurrence.is_some_and(|id| tree.occurrence(id).kind == Kind::Symlink)
                && leads_to(tree, outside.node, gone)
        };
        let links: Vec<bool> = self.outside.iter().map(is_link).collect();
        let count = links.iter().filter(|link| **link).count();
        if count == 0 {
            return;
        }
        selection.dropped_links += count as u64;
        selection.dropped_outside.resize(self.outside.len(), false);
        for (mark, link) in selection.dropped_outside.iter_mut().zip(links) {
            *mark |= link;
        }
        let depths: Vec<u32> =
            self.outside.iter().map(|entry| u32::try_from(tree.depth(entry.node)).unwrap_or(u32::MAX)).collect();
        drop_emptied(&depths, &mut selection.dropped_outside);
    }

    /// Returns dropped paths that kept files may lead to: files of kept store paths, and paths that the user dropped.
    /// Nothing leads to unreachable paths.
    fn gone(&self, selection: &Selection) -> HashSet<NodeId> {
        let mut gone = HashSet::new();
        for path in self.study.ids() {
            let entries = self.entries(path).iter();
            if !selection.keeps(path) {
                gone.extend(entries.map(|entry| entry.node));
            } else if selection.dropped.get(path.index()).is_some_and(|dropped| !dropped.is_empty()) {
                gone.extend(
                    entries.enumerate().filter(|(place, _)| selection.drops_entry(path, *place)).map(|(_, e)| e.node),
                );
            }
        }
        let outside = self.outside.iter().zip(&selection.dropped_outside);
        gone.extend(outside.filter(|(_, dropped)| **dropped).map(|(outside, _)| outside.node));
        gone
    }
}

/// Returns `true` if a link leads to or through a dropped path.
fn leads_to(tree: &FileTree, link: NodeId, gone: &HashSet<NodeId>) -> bool {
    let Some(top) = tree.top_layer() else { return false };
    match tree.resolve(&tree.path(link), top, true) {
        Resolution::Found { node, links } => {
            gone.contains(&node) || links.iter().any(|on_the_way| *on_the_way != link && gone.contains(on_the_way))
        }
        Resolution::Missing { .. } | Resolution::TooManyLinks => false,
    }
}
