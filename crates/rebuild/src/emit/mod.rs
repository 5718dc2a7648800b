//! Writes a flake that builds the image with nixpkgs: its programs as attributes of nixpkgs, its own files next to the
//! flake, its configuration carried over. Anything uncertain is marked `REVIEW`.

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

/// Release of nixpkgs that provides the programs.
pub const NIXPKGS_BRANCH: &str = "nixos-25.11";

/// Input for a flake.
#[derive(Clone, Copy)]
pub struct EmitRequest<'a> {
    /// Image to convert.
    pub image: &'a Image,
    /// Packages of the image.
    pub packages: &'a Inventory,
    /// Needs of its programs; `None` if unknown, as for an image with a Nix store.
    pub needs: Option<&'a Needs>,
    /// Nix store of the image, if it has one.
    pub store: Option<&'a StoreStudy>,
    /// Files and links to keep, without those in a Nix store.
    pub kept: &'a [NodeId],
    /// Function that builds the new image.
    pub builder: Builder,
}

/// Function that builds an image from store paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builder {
    /// nixpkgs' `dockerTools.buildLayeredImage`.
    #[default]
    DockerTools,
    /// `nix2container.buildImage`.
    Nix2container,
}

/// Confidence that an attribute of nixpkgs provides what the image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Guessed from a name.
    Low,
    /// Names match, but no package of the image confirms it or the release differs.
    Medium,
    /// Program of exactly that name, from a package of the image.
    High,
}

impl Confidence {
    /// Returns `low`, `medium` or `high`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Package of nixpkgs for the new image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedPackage {
    /// Attribute in nixpkgs: `nginx`, `xorg.libX11`.
    pub attribute: String,
    /// Confidence in the attribute.
    pub confidence: Confidence,
    /// Part of the image that the package replaces; safe to show.
    pub evidence: String,
    /// Version in the image, if known; safe to show.
    pub version: Option<String>,
    /// Reason for the uncertainty, if any.
    pub doubt: Option<&'static str>,
}

/// File written next to the flake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedFile {
    /// Path relative to the flake's directory; its components are names from the image, never `.` or `..`.
    pub path: Box<[u8]>,
    /// Contents of the file.
    pub content: CarriedContent,
}

/// Type and contents of a carried file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarriedContent {
    /// Regular file of the image.
    File {
        /// Occurrence with contents of its own.
        occurrence: OccurrenceId,
        /// True if the file is executable.
        is_executable: bool,
    },
    /// Symbolic link with its target.
    Symlink(Box<[u8]>),
}

/// Flake to be written.
#[derive(Debug, Clone)]
pub struct Flake {
    /// Text of `flake.nix`.
    pub flake_nix: String,
    /// Text of `README.md`.
    pub readme: String,
    /// Own files of the application, below `files`, and store paths that nixpkgs lacks, below `store`.
    pub files: Vec<CarriedFile>,
    /// Packages from nixpkgs.
    pub packages: Vec<MappedPackage>,
    /// Remarks for review; safe to show.
    pub reviews: Vec<String>,
}

/// Builds a flake from an image. Nothing is read: equal requests give equal flakes.
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

/// Returns all files and links of an image outside its Nix store, for a request that leaves nothing out.
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
