//! Images for tests: described as short lines, or written as archives; and files of the corpus.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

pub mod archive;
mod corpus;
mod lines;

pub use corpus::{corpus_file, workspace};
pub use lines::{Layers, image, orderless, path, tree};
