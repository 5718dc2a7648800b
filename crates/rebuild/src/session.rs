//! A rebuild from its first plan to what is written: what it rests on is found once, plans of it are cheap.

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

/// Why an image cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Part of it is not here.
    #[error(transparent)]
    NotWhole(#[from] NotWhole),
    /// It starts nothing.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What its programs need cannot be found.
    #[error(transparent)]
    Needs(#[from] NeedsError),
    /// A wish cannot be fulfilled.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// An image with a Nix store cannot be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// One without cannot.
    #[error(transparent)]
    ComposePackages(#[from] PackageComposeError),
    /// A selection of another image.
    #[error("the plan is not one of this image")]
    OtherImage,
}

impl RebuildError {
    /// Whether it is one only in that somebody stopped it.
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

/// What is found out about an image before anything of it is decided.
#[derive(Debug)]
pub enum Survey {
    /// Of an image with a Nix store.
    Store(Arc<StoreStudy>),
    /// Of an image without one.
    Packages(PackageSurvey),
}

/// What the programs of an image need, and whose files those are.
#[derive(Debug)]
pub struct PackageSurvey {
    packages: Arc<Inventory>,
    needs: Needs,
    /// What the user wants kept, which has needs of its own.
    wanted: Wanted,
}

/// What is followed because the user wants it kept.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    packages: BTreeSet<PackageIndex>,
    globs: Vec<Glob>,
}

impl Wanted {
    fn new(packages: &Inventory, choices: &Choices) -> Self {
        Self { packages: package_image::kept_packages(packages, choices), globs: choices.keep.clone() }
    }

    /// The real paths of what is wanted by paths that lead through links, such as `/bin/sh`, and those links.
    fn by_way_of_links(&self, image: &Image) -> Vec<Vec<u8>> {
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
    /// Of an image with a Nix store.
    ///
    /// # Errors
    /// [`RebuildError::NotWhole`], [`RebuildError::Start`] where the configuration names a program that is not there.
    pub fn of_store(image: &Image, study: Arc<StoreStudy>) -> Result<Self, RebuildError> {
        whole(image)?;
        if !(image.config.entrypoint.is_empty() && image.config.cmd.is_empty()) {
            start::program(image)?;
        }
        Ok(Self::Store(study))
    }

    /// Of an image without one: finds what its programs need, and what that needs which the user wants kept.
    ///
    /// # Errors
    /// [`RebuildError::NotWhole`], [`RebuildError::Start`], [`RebuildError::Needs`].
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
        files.extend(wanted.by_way_of_links(image));
        let is_kept = |path: &[u8]| files.contains(path) || choices.of_file(path, None) == Some(true);
        let asks = !(files.is_empty() && choices.keep.is_empty());
        let options = NeedsOptions { is_kept: asks.then_some(&is_kept), ..NeedsOptions::default() };
        let needs = needs::find(image, contents, &packages, &options, cancel)?;
        start::can_start(image, program, &needs)?;
        Ok(Self::Packages(PackageSurvey { packages, needs, wanted }))
    }

    /// Whether it is what some choices rest on; else another one is to be made for them.
    #[must_use]
    pub fn holds_for(&self, choices: &Choices) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Packages(survey) => survey.wanted == Wanted::new(&survey.packages, choices),
        }
    }

    /// Lays the image out. Made once; plans of it are cheap.
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

/// An image laid out for a rebuild.
pub enum Basis<'a> {
    /// With a Nix store.
    Store(Box<StoreImage<'a>>),
    /// Without one.
    Packages(Box<PackageImage<'a>>, Granularity),
}

/// What stays of an image.
#[derive(Debug, Clone)]
pub enum Selected {
    /// Of one with a Nix store.
    Store(Box<store_image::Selection>),
    /// Of one without.
    Packages(Box<PackageSelection>),
}

impl Basis<'_> {
    /// Chooses what stays.
    ///
    /// # Errors
    /// [`RebuildError::Select`].
    pub fn select(&self, choices: &Choices) -> Result<Selected, RebuildError> {
        Ok(match self {
            Self::Store(image) => Selected::Store(Box::new(store_image::select(image, choices)?)),
            Self::Packages(image, granularity) => {
                Selected::Packages(Box::new(package_image::select(image, choices, *granularity)))
            }
        })
    }

    /// The plan that a selection is.
    ///
    /// # Errors
    /// [`RebuildError::OtherImage`].
    pub fn plan(&self, selected: &Selected, choices: &Choices) -> Result<Plan, RebuildError> {
        let mut plan = match (self, selected) {
            (Self::Store(image), Selected::Store(selection)) => image.plan(selection, choices),
            (Self::Packages(image, _), Selected::Packages(selection)) => image.plan(selection, choices),
            _ => return Err(RebuildError::OtherImage),
        };
        plan.tell_how_little_goes();
        plan.log();
        Ok(plan)
    }

    /// Puts together what is written. Reads the files whose store paths get a name by their content.
    ///
    /// # Errors
    /// [`RebuildError::Compose`], [`RebuildError::ComposePackages`], [`RebuildError::OtherImage`].
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
