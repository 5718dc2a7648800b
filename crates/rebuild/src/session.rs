//! A rebuild from the first plan to the result: the image is analysed once, and plans are derived cheaply.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::choices::Choices;
use super::needs::{self, Needs, NeedsError, NeedsOptions};
use super::package_image::{self, Granularity, PackageComposeError, PackageImage, PackageSelection};
use super::plan::Plan;
use super::start::{self, StartError};
use super::store_image::{self, ComposeError, SelectError, StoreImage};
use super::whole::{NotWhole, whole};
use super::{Composition, ReadContent};
use nixdive_base::cancel::Cancel;
use nixdive_base::glob::Glob;
use nixdive_image::{Image, Resolution};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::{Inventory, PackageIndex};
use nixdive_source::open::Contents;

/// Reasons why an image cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// A part of the image is absent.
    #[error(transparent)]
    NotWhole(#[from] NotWhole),
    /// The image does not start a program.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The needs of its programs cannot be determined.
    #[error(transparent)]
    Needs(#[from] NeedsError),
    /// A choice of the user cannot be applied.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// An image with a Nix store cannot be composed.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// An image without a Nix store cannot be composed.
    #[error(transparent)]
    ComposePackages(#[from] PackageComposeError),
    /// The selection is for another image.
    #[error("the plan belongs to a different image")]
    OtherImage,
}

impl RebuildError {
    /// Returns `true` if the operation was cancelled rather than failed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Needs(NeedsError::Cancelled)
                | Self::Compose(ComposeError::Cancelled)
                | Self::ComposePackages(PackageComposeError::Cancelled)
        )
    }
}

/// Analysis of an image before any decision.
#[derive(Debug)]
pub enum Survey {
    /// Analysis of an image with a Nix store.
    Store(Arc<StoreStudy>),
    /// Analysis of an image without a Nix store.
    Packages(PackageSurvey),
}

/// Needs of the programs of an image, and the owners of those files.
#[derive(Debug)]
pub struct PackageSurvey {
    packages: Arc<Inventory>,
    needs: Needs,
    /// Files that the user chose to keep and whose needs are followed.
    wanted: Wanted,
}

/// Choices of the user that extend the search.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    packages: BTreeSet<PackageIndex>,
    globs: Vec<Glob>,
}

impl Wanted {
    fn new(packages: &Inventory, choices: &Choices) -> Self {
        Self { packages: package_image::kept_packages(packages, choices), globs: choices.keep.clone() }
    }

    /// Returns the real paths of choices that lead through links, such as `/bin/sh`, and those links.
    fn behind_links(&self, image: &Image) -> Vec<Vec<u8>> {
        let tree = &image.tree;
        let paths = self.globs.iter().map(Glob::as_str).filter(|text| text.starts_with('/'));
        let mut found = Vec::new();
        for (path, top) in paths.zip(std::iter::repeat(tree.top_layer())) {
            if let Some(Resolution::Found { node, links }) = top.map(|top| tree.resolve(path.as_bytes(), top, true)) {
                found.extend(links.into_iter().chain([node]).map(|node| tree.path(node)));
            }
        }
        found
    }
}

impl Survey {
    /// Analyses an image with a Nix store.
    ///
    /// # Errors
    /// [`RebuildError::NotWhole`], [`RebuildError::Start`] if the configuration names an absent program.
    pub fn of_store(image: &Image, study: Arc<StoreStudy>) -> Result<Self, RebuildError> {
        whole(image)?;
        if !(image.config.entrypoint.is_empty() && image.config.cmd.is_empty()) {
            start::program(image)?;
        }
        Ok(Self::Store(study))
    }

    /// Analyses an image without a Nix store: finds the needs of its programs and of files that the user chose to keep.
    ///
    /// # Errors
    /// If part of the image is absent, its program cannot start, or the search fails.
    pub fn of_packages(
        image: &Image,
        contents: &Contents,
        packages: Arc<Inventory>,
        choices: &Choices,
        cancel: &Cancel,
    ) -> Result<Self, RebuildError> {
        whole(image)?;
        let program = start::program(image)?;
        let wanted = Wanted::new(&packages, choices);
        let files = wanted.packages.iter().flat_map(|&package| packages.ownership.files(package));
        let mut files: BTreeSet<Vec<u8>> = files.map(|&node| image.tree.path(node)).collect();
        files.extend(wanted.behind_links(image));
        let is_kept = |path: &[u8]| files.contains(path) || choices.of_file(path, None) == Some(true);
        let asks = !(files.is_empty() && choices.keep.is_empty());
        let options = NeedsOptions { is_kept: asks.then_some(&is_kept), ..NeedsOptions::default() };
        let needs = needs::find(image, contents, &packages, &options, cancel)?;
        start::can_start(image, program, &needs)?;
        Ok(Self::Packages(PackageSurvey { packages, needs, wanted }))
    }

    /// Returns `true` if the analysis is valid for these choices; otherwise it must be repeated.
    #[must_use]
    pub fn holds_for(&self, choices: &Choices) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Packages(survey) => survey.wanted == Wanted::new(&survey.packages, choices),
        }
    }

    /// Prepares the image. Done once; plans are cheap.
    #[must_use]
    pub fn basis<'a>(&'a self, image: &'a Image, granularity: Granularity) -> Basis<'a> {
        match self {
            Self::Store(study) => Basis::Store(Box::new(StoreImage::new(image, study))),
            Self::Packages(survey) => {
                Basis::Packages(Box::new(PackageImage::new(image, &survey.packages, &survey.needs)), granularity)
            }
        }
    }
}

/// Image prepared for a rebuild.
pub enum Basis<'a> {
    /// Image with a Nix store.
    Store(Box<StoreImage<'a>>),
    /// Image without a Nix store.
    Packages(Box<PackageImage<'a>>, Granularity),
}

/// Selection of the parts to keep.
#[derive(Debug, Clone)]
pub enum Selected {
    /// Selection from an image with a Nix store.
    Store(Box<store_image::Selection>),
    /// Selection from an image without a Nix store.
    Packages(Box<PackageSelection>),
}

impl Basis<'_> {
    /// Selects the parts to keep.
    ///
    /// # Errors
    /// [`RebuildError::Select`] if a choice cannot be applied.
    pub fn select(&self, choices: &Choices) -> Result<Selected, RebuildError> {
        Ok(match self {
            Self::Store(image) => Selected::Store(Box::new(store_image::select(image, choices)?)),
            Self::Packages(image, granularity) => {
                Selected::Packages(Box::new(package_image::select(image, choices, *granularity)))
            }
        })
    }

    /// Returns the plan for a selection.
    ///
    /// # Errors
    /// [`RebuildError::OtherImage`] if the selection is for another image.
    pub fn plan(&self, selected: &Selected, choices: &Choices) -> Result<Plan, RebuildError> {
        let mut plan = match (self, selected) {
            (Self::Store(image), Selected::Store(selection)) => image.plan(selection, choices),
            (Self::Packages(image, _), Selected::Packages(selection)) => image.plan(selection, choices),
            _ => return Err(RebuildError::OtherImage),
        };
        plan.remark_on_small_savings();
        plan.log();
        Ok(plan)
    }

    /// Composes the image to be written. Reads the files of store paths that are named by their content.
    ///
    /// # Errors
    /// If a file cannot be read or the selection is for another image.
    pub fn compose(
        &self,
        selected: &Selected,
        read: &dyn ReadContent,
        cancel: &Cancel,
    ) -> Result<Composition, RebuildError> {
        match (self, selected) {
            (Self::Store(image), Selected::Store(selection)) => {
                Ok(store_image::compose(image, selection, read, cancel)?)
            }
            (Self::Packages(image, _), Selected::Packages(selection)) => {
                Ok(package_image::compose(image, selection, read, cancel)?)
            }
            _ => Err(RebuildError::OtherImage),
        }
    }
}
