//! Nix without Nix: store paths, references, NAR hashes, and the graph of closures.
//!
//! Everything here is plain data in, plain data out. Who reads the bytes is another room's business.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod base32;
mod builder;
mod claims;
pub mod contents;
pub mod database;
pub mod graph;
mod hash;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod live;
#[cfg(test)]
mod live_tests;
mod name;
pub mod nar;
pub mod references;
pub mod rewrite;
mod store_path;
pub mod study;

pub use builder::{Builder, Recognition, Signal, recognise};
pub use claims::LayerClaim;
pub use hash::Sha256Hash;
pub use name::{PackageName, split_version, without_platform};
pub use store_path::{STORE_DIRECTORY, StoreHash, StorePath, StorePathError, is_name_byte};
