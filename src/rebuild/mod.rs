//! Writes a smaller image with the same behaviour: what is kept and why, in which store paths and layers, as which bytes.
//!
//! A plan ([`plan`]) is made of an opened image; with what the user decides about its rows it becomes a [`Composition`]:
//! store paths, what stands outside the store, and a configuration. Layers are chosen for that, and written.

pub mod choices;
mod classes;
pub mod composition;
pub mod emit;
mod entry;
pub mod needs;
pub mod package_image;
pub mod plan;
pub mod store_image;

pub use composition::{
    Body, ComposedStorePath, Composition, Content, Entry, FileContent, Metadata, ReadContent, Rewriting, Stability,
};
