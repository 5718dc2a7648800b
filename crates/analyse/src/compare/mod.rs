//! Two images or many: what differs, what is shared, and why one grew.
//!
//! Pure functions of opened images. What only bytes of files tell is asked for first ([`Outline::unknown`]) and handed
//! in afterwards ([`KnownContents`]), so that nothing that both sides share is read.

mod absent;
mod assignment;
mod bytes;
mod categories;
mod config;
mod contents;
mod equivalents;
mod files;
mod growth;
mod layers;
mod owners;
mod packages;
mod pair_tree;
mod share;
mod store;
pub mod versions;
mod walk;

#[cfg(test)]
mod live_tests;
#[cfg(test)]
pub(crate) mod tests;

pub use assignment::{LayerAssignment, PlannedLayer};
pub use bytes::{BothSides, ByteFigures};
pub use categories::{Category, CategoryBytes};
pub use config::ConfigChange;
pub use contents::{KnownContents, UnknownContents};
pub use equivalents::{Equivalent, Equivalents, Signal, Software, SoftwareId};
pub use files::{ComparedPath, FileChange, FileChangeKind, FileChanges, FileSums};
pub use growth::{Cause, Grown, Growth, GrowthItem};
pub use layers::{AlignedLayer, LayerAlignment, LayerChange};
pub use packages::{PackageChanges, PackagePair};
pub use pair_tree::{PairId, PairNode, PairTree};
pub use share::{Level, Matrix, Sharing, SharingOutline};
pub use store::{ComparedStorePath, StoreChanges, StorePathPair, diff_closures};

use nixdive_image::{Image, Platform};
use nixdive_nix::Builder;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;
use walk::FileWalk;

/// One of the images that are compared, with all that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its packages.
    pub packages: &'a Inventory,
    /// Its Nix store, where it has one.
    pub store: Option<&'a StoreStudy>,
}

impl Side<'_> {
    /// Returns `true` if Nix built the image, rather than only adding a store to it.
    #[must_use]
    pub fn is_nix_built(&self) -> bool {
        let builder = self.store.and_then(|study| study.builder);
        builder.is_some_and(|found| found.builder != Builder::Other)
    }
}

/// How two images are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompareOptions {
    /// Leaves out what has no meaning: timestamps, author and history, rebuilds with equal content.
    pub semantic: bool,
    /// Matches the same software across package systems also where both sides have the same one.
    pub equivalent: bool,
}

/// Two images are for different platforms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the images are for different platforms, {left} and {right}")]
pub struct PlatformMismatch {
    /// Platform of the left image.
    pub left: String,
    /// Platform of the right image.
    pub right: String,
}

/// Checks that two images declare the same platform, if both declare one.
///
/// # Errors
/// If the platforms differ ([`PlatformMismatch`]).
pub fn check_platforms(left: &Image, right: &Image) -> Result<(), PlatformMismatch> {
    let (left, right) = (&left.config.platform, &right.config.platform);
    let is_told = |platform: &Platform| !platform.os.is_empty() && !platform.architecture.is_empty();
    if is_told(left) && is_told(right) && !left.serves(right) && !right.serves(left) {
        return Err(PlatformMismatch { left: left.to_string(), right: right.to_string() });
    }
    Ok(())
}

/// Two images compared as far as their headers tell.
pub struct Outline<'a> {
    layers: LayerAlignment,
    walk: FileWalk<'a>,
}

impl<'a> Outline<'a> {
    /// Aligns the layers and walks both final trees.
    #[must_use]
    pub fn new(left: &'a Image, right: &'a Image) -> Self {
        let layers = LayerAlignment::new(left, right);
        let walk = FileWalk::new(left, right, &layers);
        Self { layers, walk }
    }

    /// The contents whose identity is still asked for; nothing of layers that both sides have.
    #[must_use]
    pub fn unknown(&self) -> UnknownContents {
        let (left, right) = self.walk.unknown();
        UnknownContents { left, right }
    }

    /// Compares the images. The sides must be those of the outline; contents that are not known count as different.
    #[must_use]
    pub fn finish(
        self,
        left: Side<'a>,
        right: Side<'a>,
        known: &KnownContents,
        options: CompareOptions,
    ) -> Comparison<'a> {
        let bytes = ByteFigures::new(left.image, right.image, &self.layers);
        let files = self.walk.finish(known, options.semantic);
        let mut store = StoreChanges::new(&left, &right);
        if options.semantic {
            let (same, rebuilt) = store.rebuilt.into_iter().partition(|pair| pair.same_content);
            store.rebuilt = rebuilt;
            store.shared.extend::<Vec<StorePathPair>>(same);
        }
        let packages = PackageChanges::new(&left, &right);
        let owners = BothSides { left: owners::Owners::new(&left), right: owners::Owners::new(&right) };
        let categories = categories::compare(&left, &right, &owners);
        let growth = Growth::new(&right, &store, &packages, &files, &owners.right);
        let wanted = options.equivalent || left.is_nix_built() != right.is_nix_built();
        let equivalents = wanted.then(|| Equivalents::new(&left, &right, &owners));
        let differences = Differences {
            bytes,
            layers: self.layers,
            files,
            store,
            packages,
            config: config::config_changes(left.image, right.image, options.semantic),
            categories,
            growth,
            equivalents,
        };
        Comparison { left, right, differences }
    }
}

/// Two images and their differences.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// Left image, taken as the older one.
    pub left: Side<'a>,
    /// Right image, taken as the newer one.
    pub right: Side<'a>,
    /// What differs between them.
    pub differences: Differences,
}

/// Everything that differs between two images.
#[derive(Debug)]
pub struct Differences {
    /// Total bytes of both images, by metric.
    pub bytes: ByteFigures,
    /// Layers of both images, aligned.
    pub layers: LayerAlignment,
    /// Changes of the stacked trees.
    pub files: FileChanges,
    /// Changes of the Nix stores.
    pub store: StoreChanges,
    /// Changes of the packages.
    pub packages: PackageChanges,
    /// Changes of the configurations, field by field.
    pub config: Vec<ConfigChange>,
    /// File bytes of both images by category.
    pub categories: Vec<CategoryBytes>,
    /// Causes of growth of the right image, the largest first.
    pub growth: Growth,
    /// The same software across package systems; `None` if it was not requested and both images are built alike.
    pub equivalents: Option<Equivalents>,
}

impl Comparison<'_> {
    /// Returns `true` if both sides are local store paths rather than images, so that layers and
    /// transfers have no meaning.
    #[must_use]
    pub fn is_of_closures(&self) -> bool {
        self.left.image.is_closure() && self.right.image.is_closure()
    }

    /// NAR bytes of all store paths, of the left side and of the right one.
    #[must_use]
    pub fn nar_bytes(&self) -> [u64; 2] {
        [&self.left, &self.right].map(|side| side.store.map_or(0, StoreStudy::total_nar_bytes))
    }

    /// By how many bytes the right side is larger: NAR bytes of closures, unpacked bytes of images.
    #[must_use]
    pub fn headline_delta(&self) -> i64 {
        let [left, right] = self.nar_bytes();
        if self.is_of_closures() { delta(left, right) } else { self.differences.bytes.unpacked.delta() }
    }
}

/// Returns `right - left`, saturated.
#[must_use]
pub fn delta(left: u64, right: u64) -> i64 {
    match right.checked_sub(left) {
        Some(more) => i64::try_from(more).unwrap_or(i64::MAX),
        None => i64::try_from(left - right).map_or(i64::MIN, |less| -less),
    }
}
