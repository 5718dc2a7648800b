//! Selection of the files to keep in an image without a Nix store.

use std::collections::BTreeSet;

use hashbrown::HashSet;

use super::groups::{Group, of_package};
use super::{File, PackageImage};
use crate::choices::Choices;
use crate::plan::{Decision, RowSubject};
use nixdive_image::{NodeId, Resolution};
use nixdive_packages::{Inventory, PackageIndex};

/// Granularity at which packages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Granularity {
    /// Only the needed files of each package.
    #[default]
    File,
    /// All files of each package with at least one needed file.
    Package,
}

/// Selection of the files to keep.
#[derive(Debug, Clone)]
pub struct PackageSelection {
    /// Decision for each group.
    pub(super) decisions: Vec<Decision>,
    /// True for each file that is kept.
    pub(super) kept: Vec<bool>,
    /// Number of links dropped because they would dangle.
    pub(super) dropped_links: u64,
}

/// Selects the files to keep: needed ones, and those the user chose.
#[must_use]
pub fn select(image: &PackageImage<'_>, choices: &Choices, granularity: Granularity) -> PackageSelection {
    let mut needed = vec![false; image.groups.len()];
    for file in image.files.iter().filter(|file| image.is_needed(file.node)) {
        if let Some(mark) = needed.get_mut(file.group as usize) {
            *mark = true;
        }
    }
    let decision = |(group, needed): (&Group, &bool)| match asked(group, choices) {
        Some(true) => Decision::KeepAsked,
        Some(false) => Decision::DropAsked,
        None if *needed => Decision::Keep,
        None => Decision::Drop,
    };
    let decisions: Vec<Decision> = image.groups.iter().zip(&needed).map(decision).collect();
    let stays = |file: &File| {
        if let Some(asked) = choices.of_file(&image.tree().path(file.node), file.class) {
            return asked;
        }
        let subject = image.groups.get(file.group as usize).map(|group| group.subject);
        let whole = granularity == Granularity::Package && matches!(subject, Some(RowSubject::Package(_)));
        match decisions.get(file.group as usize) {
            Some(Decision::Keep) => whole || image.is_needed(file.node),
            Some(Decision::KeepAsked) => true,
            Some(Decision::Drop | Decision::DropAsked) | None => false,
        }
    };
    let kept = image.files.iter().map(stays).collect();
    let mut selection = PackageSelection { decisions, kept, dropped_links: 0 };
    image.drop_links(&mut selection);
    selection
}

/// Returns the user's choice for a group, by its row or its names.
fn asked(group: &Group, choices: &Choices) -> Option<bool> {
    let by_hand = choices.decided.get(&group.subject).copied();
    by_hand.or_else(|| choices.of_names(&names(group)))
}

/// Returns the names by which users refer to a group.
pub(super) fn names(group: &Group) -> [&str; 3] {
    [&group.shown, group.shown.split(' ').next().unwrap_or_default(), &group.name]
}

/// Returns the packages that the user chose to keep, by row or name: their needs are kept with them.
pub(crate) fn kept_packages(packages: &Inventory, choices: &Choices) -> BTreeSet<PackageIndex> {
    let by_hand = |(subject, kept): (&RowSubject, &bool)| *kept && matches!(subject, RowSubject::Package(_));
    if choices.keep.is_empty() && !choices.decided.iter().any(by_hand) {
        return BTreeSet::new();
    }
    let is_kept = |index: &PackageIndex| asked(&of_package(packages, *index), choices) == Some(true);
    packages.packages.indices().filter(is_kept).collect()
}

impl PackageImage<'_> {
    /// Returns the files and links that are kept, in tree order.
    pub fn kept<'s>(&'s self, selection: &'s PackageSelection) -> impl Iterator<Item = NodeId> + 's {
        self.files.iter().zip(&selection.kept).filter(|(_, kept)| **kept).map(|(file, _)| file.node)
    }

    /// Drops links whose targets exist in the image but are not kept.
    fn drop_links(&self, selection: &mut PackageSelection) {
        let tree = self.tree();
        let Some(top) = tree.top_layer() else { return };
        let gone: HashSet<NodeId> =
            self.files.iter().zip(&selection.kept).filter(|(_, kept)| !**kept).map(|(file, _)| file.node).collect();
        for (file, kept) in self.files.iter().zip(&mut selection.kept) {
            if !*kept || !file.is_link {
                continue;
            }
            let leads_to_gone = match tree.resolve(&tree.path(file.node), top, true) {
                Resolution::Found { node, links } => {
                    gone.contains(&node) || links.iter().any(|link| *link != file.node && gone.contains(link))
                }
                // The link was dangling before; programs that need it expect that.
                Resolution::Missing { .. } | Resolution::TooManyLinks => false,
            };
            if leads_to_gone {
                *kept = false;
                selection.dropped_links += 1;
            }
        }
    }
}
