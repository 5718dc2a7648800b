//! Writes a flake for those who want nixpkgs to build the image: its programs by their attributes in nixpkgs, its own
//! files beside it, its configuration carried over. What is not certain is marked `REVIEW`.

mod configuration;
mod nix_text;
mod readme;
mod render;
mod software;
mod store_paths;
mod survey;
#[cfg(test)]
mod tests;
mod write;

pub use write::{EmitError, write};

use crate::needs::Needs;
use nixdive_image::{FileTree, Image, Kind, NodeId, OccurrenceId};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;
use survey::Survey;

/// The release of nixpkgs that programs come from.
pub const NIXPKGS_BRANCH: &str = "nixos-25.11";

/// What of an image is to become a flake.
#[derive(Clone, Copy)]
pub struct EmitRequest<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its packages.
    pub packages: &'a Inventory,
    /// What its programs need; `None` where that is not known, as for an image with a Nix store.
    pub needs: Option<&'a Needs>,
    /// Its Nix store, where it has one.
    pub store: Option<&'a StoreStudy>,
    /// Files and links that stay, those in a Nix store left out.
    pub kept: &'a [NodeId],
    /// What puts the new image together.
    pub builder: Builder,
}

/// What puts an image together from store paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builder {
    /// nixpkgs' `dockerTools.buildLayeredImage`.
    #[default]
    DockerTools,
    /// `nix2container.buildImage`.
    Nix2container,
}

/// How sure it is that an attribute of nixpkgs brings what the image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Guessed from a name.
    Low,
    /// Names say so, but no package vouches for it, or the release is another one.
    Medium,
    /// A program of exactly that name, from a package.
    High,
}

impl Confidence {
    /// `low`, `medium`, `high`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A package of nixpkgs that the image is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedPackage {
    /// Its attribute in nixpkgs: `nginx`, `xorg.libX11`.
    pub attribute: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// What of the image it stands for; safe to show.
    pub evidence: String,
    /// The version that the image has, where it is known; safe to show.
    pub version: Option<String>,
    /// Why it is not certain, where it is not.
    pub doubt: Option<&'static str>,
}

/// What is written beside the flake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedFile {
    /// Where, relative to the flake's directory; parts are names that the image has, none of them `.` or `..`.
    pub path: Box<[u8]>,
    /// What.
    pub content: CarriedContent,
}

/// What a carried path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarriedContent {
    /// The content of a file of the image.
    File {
        /// Which: one with content of its own.
        occurrence: OccurrenceId,
        /// Whether it may be executed.
        is_executable: bool,
    },
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
}

/// A flake that is to be written.
#[derive(Debug, Clone)]
pub struct Flake {
    /// `flake.nix`.
    pub flake_nix: String,
    /// `README.md`.
    pub readme: String,
    /// The application's own files, below `files`; store paths that nixpkgs does not have, below `store`.
    pub files: Vec<CarriedFile>,
    /// What nixpkgs brings.
    pub packages: Vec<MappedPackage>,
    /// What a person should look at; safe to show.
    pub reviews: Vec<String>,
}

/// Makes a flake of an image. Reads nothing: the same request gives the same flake.
#[must_use]
pub fn flake(request: &EmitRequest<'_>) -> Flake {
    let mut survey = Survey::new(request);
    let configuration = configuration::configuration(&mut survey);
    let flake_nix = render::flake_nix(&survey, &configuration);
    let readme = readme::readme(&survey);
    let mut files = survey.carried();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Flake { flake_nix, readme, files, packages: survey.mapped(), reviews: survey.reviews }
}

/// All files and links of an image outside its Nix store, for a request that leaves nothing out.
#[must_use]
pub fn all_files(image: &Image) -> Vec<NodeId> {
    let tree = &image.tree;
    let store = tree.lookup(b"/nix/store");
    let is_in_store = |node: NodeId| {
        store.is_some_and(|store| std::iter::successors(Some(node), |&at| tree.parent(at)).any(|at| at == store))
    };
    let paths = tree.top_layer().into_iter().flat_map(|top| tree.stacked_paths(top));
    let is_file = |tree: &FileTree, id: OccurrenceId| {
        tree.linked(id).is_some_and(|id| matches!(tree.occurrence(id).kind, Kind::File | Kind::Symlink))
    };
    paths
        .filter(|(node, id)| id.is_some_and(|id| is_file(tree, id)) && !is_in_store(*node))
        .map(|(node, _)| node)
        .collect()
}
