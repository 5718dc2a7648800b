//! nixdive inspects, compares and rebuilds container images, and knows Nix.
//!
//! [`open()`] is the entry point: it reads the image that a reference names, and gives its layers, its configuration,
//! one file tree for all layers, and access to the content of files.
//!
//! ```
//! let opened = nixdive::open("embedded:sample")?;
//! let (files, _) = nixdive::analysis::largest(&opened.image, 1);
//! assert!(opened.image.tree.path(files[0].node).starts_with(b"/nix/store/"));
//! # Ok::<(), nixdive::Error>(())
//! ```
//!
//! The directory `examples` has whole programs.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod cli;
mod facade;

pub use facade::{Error, open};

pub use nixdive_analyse::analysis;
pub use nixdive_analyse::ci;
pub use nixdive_analyse::compare;
pub use nixdive_analyse::examine;
pub use nixdive_analyse::findings;
pub use nixdive_base::beneath;
pub use nixdive_base::cancel;
pub use nixdive_base::glob;
pub use nixdive_base::go_json;
pub use nixdive_base::sqlite;
pub use nixdive_base::text;
pub use nixdive_base::yaml;
pub use nixdive_image as image;
pub use nixdive_image::execution;
pub use nixdive_image::reference;
pub use nixdive_nix as nix;
pub use nixdive_packages as packages;
pub use nixdive_preview as preview;
pub use nixdive_rebuild as rebuild;
pub use nixdive_report as report;
pub use nixdive_scan as scan;
pub use nixdive_source::build;
pub use nixdive_source::cache;
pub use nixdive_source::engines;
pub use nixdive_source::extract;
pub use nixdive_source::formats as source;
#[doc(hidden)]
pub use nixdive_source::fuzzing as source_fuzzing;
pub use nixdive_source::http;
pub use nixdive_source::identify;
pub use nixdive_source::manifest;
pub use nixdive_source::open;
pub use nixdive_source::registry;
pub use nixdive_source::search;
pub use nixdive_source::store;
pub use nixdive_source::study;
pub use nixdive_transfer as transfer;
pub use nixdive_transfer::index;
pub use nixdive_tui as tui;
pub use nixdive_write as write;
pub use nixdive_write::layering;
