//! The Nix store inside an image: which store paths are there, in which layers, as what a NAR would hold them, what
//! refers to them, and what holds them from outside.
//!
//! All of it is read off the image's tree and configuration as the topmost layer leaves them. What only bytes of files
//! tell comes in as [`ContentReferences`]. The tree's history should have been computed before
//! ([`nixdive_image::compute_history`]); without it the same is found more slowly.

mod entries;
mod paths;
mod references;
mod roots;

pub use entries::{PathEntries, TreeEntry, TreeEntryKind, path_entries};
pub use paths::{ImageStorePath, LayerShare, StoreContents};
pub use references::{ContentReferences, Evidence, Place, references_between};
pub use roots::{Root, RootSource, config_roots, outside_contents, tree_roots};
pub(crate) use roots::{config_texts, walk_outside};

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod fixture;
#[cfg(test)]
mod tests;
