//! Sources of images: archives, layouts, registries, engines and the Nix store; opens a reference and reads its
//! contents.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod build;
pub mod cache;
pub mod engines;
pub mod extract;
pub mod formats;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod identify;
pub mod manifest;
pub mod open;
pub mod registry;
pub mod search;
pub mod store;
pub mod study;

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
