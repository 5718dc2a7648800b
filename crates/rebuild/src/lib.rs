//! Writes a smaller image with the same behaviour: what is kept and why, in which store paths and layers, as which bytes.
//!
//! A plan ([`plan`]) is made of an opened image; with what the user decides about its rows it becomes a [`Composition`]:
//! store paths, what stands outside the store, and a configuration. Layers are chosen for that, and written.
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
