//! Uncertainties of a plan for an image without a Nix store.

use super::PackageImage;
use super::select::{PackageSelection, names};
use crate::choices::Choices;
use nixdive_base::glob::Glob;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::Resolution;

/// Files that users may select when they start a container, although nothing in the image refers to them: their
/// location, and the remark if some of them are dropped.
const BY_REQUEST: [(&[u8], &str); 2] = [
    (
        b"/usr/share/zoneinfo/",
        "unused time zones are dropped; to select one with TZ at run time: --keep '/usr/share/zoneinfo/**'",
    ),
    (
        b"/usr/lib/locale/",
        "unused locales are dropped; to select one with LANG at run time: --keep '/usr/lib/locale/**'",
    ),
];
const SHELL: &[u8] = b"/bin/sh";

impl PackageImage<'_> {
    /// Returns sentences that are safe to show. `counted` marks the files whose bytes are counted.
    pub(super) fn doubts(&self, selection: &PackageSelection, choices: &Choices, counted: &[bool]) -> Vec<String> {
        let of_none = self.needs.doubts.iter().filter(|doubt| doubt.node.is_none());
        let mut doubts: Vec<String> = of_none.map(|doubt| doubt.message.clone()).collect();
        for missing in &self.needs.missing {
            let by = missing
                .from
                .map_or("the configuration".to_owned(), |node| display_name(&self.tree().path(node)).into_owned());
            doubts.push(format!("{by} needs {}, which is not in the image", missing.name));
        }
        doubts.extend(self.of_nothing(choices));
        doubts.extend(self.by_request(selection));
        if selection.dropped_links > 0 {
            doubts.push(format!("{} links that would dangle are dropped too", selection.dropped_links));
        }
        let counted = self.files.iter().zip(counted).filter(|(_, counted)| **counted).map(|(file, _)| file);
        let unowned = counted.filter(|file| self.is_unowned(file)).map(|file| file.bytes).fold(0, u64::saturating_add);
        if unowned > 0 && self.packages.packages.packages().is_empty() {
            let unowned = display_bytes(unowned);
            doubts.push(format!("no package database: {unowned} that no program is known to need are kept too"));
        }
        doubts
    }

    /// Returns choices that match nothing in the image.
    fn of_nothing(&self, choices: &Choices) -> Vec<String> {
        let tree = self.tree();
        let is_somewhere = |text: &str| {
            let end = tree.top_layer().map(|top| tree.resolve(text.as_bytes(), top, true));
            text.starts_with('/') && matches!(end, Some(Resolution::Found { .. }))
        };
        let concerns = |glob: &Glob| {
            is_somewhere(glob.as_str())
                || self.groups.iter().any(|group| names(group).iter().any(|name| glob.matches(name.as_bytes())))
                || self.files.iter().any(|file| glob.matches(&tree.path(file.node)))
                || self.directories.iter().any(|(node, _)| glob.matches(&tree.path(*node)))
        };
        let wishes = choices.keep.iter().map(|glob| ("keep", glob));
        let wishes = wishes.chain(choices.drop.iter().map(|glob| ("drop", glob)));
        let of_nothing = wishes.filter(|(_, glob)| !concerns(glob));
        of_nothing.map(|(wish, glob)| format!("--{wish} {}: nothing in the image matches", shown(glob))).collect()
    }

    /// Returns remarks about dropped files that users may select when they start a container.
    fn by_request(&self, selection: &PackageSelection) -> Vec<String> {
        let tree = self.tree();
        let mut doubts = Vec::new();
        let goes = |directory: &[u8]| {
            let dropped = self.files.iter().zip(&selection.kept).filter(|(file, kept)| !**kept && !file.is_link);
            dropped.map(|(file, _)| file.node).any(|node| tree.path(node).starts_with(directory))
        };
        let told = BY_REQUEST.iter().filter(|(directory, _)| tree.lookup(directory).is_some() && goes(directory));
        doubts.extend(told.map(|(_, sentence)| (*sentence).to_owned()));
        let shell = tree.top_layer().map(|top| tree.resolve(SHELL, top, true));
        if let Some(Resolution::Found { node, .. }) = shell
            && self.files.iter().zip(&selection.kept).any(|(file, kept)| file.node == node && !kept)
        {
            doubts.push("no shell is kept; to work in a container interactively: --keep /bin/sh".to_owned());
        }
        doubts
    }
}

fn shown(glob: &Glob) -> String {
    display_name(glob.as_str().as_bytes()).into_owned()
}
