//! Rebuilds an image smaller with the same behaviour: decides what is kept and why, and in which store paths and
//! layers.
//!
//! A plan ([`plan`]) is derived from an opened image. With the user's decisions it becomes a [`Composition`]: store
//! paths, files outside the store, and a configuration. Layers are then assigned and written.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod check;
pub mod choices;
mod classes;
pub mod emit;
mod entry;
pub mod from_store;
#[doc(hidden)]
pub mod fuzzing;
pub mod needs;
pub mod package_image;
pub mod plan;
pub mod session;
pub mod start;
pub mod store_image;
pub mod whole;

pub use nixdive_write::{
    self as write, BaseBlob, BaseLayer, Body, ComposedStorePath, Composition, Content, Entry, FileContent,
    ImageContent, Metadata, ReadContent, Rewriting, Stability,
};
