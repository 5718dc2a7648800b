//! Images for tests: described as short lines, or real ones read in the plainest way.

mod corpus;
mod lines;

pub(crate) use corpus::{corpus_file, corpus_image};
pub(crate) use lines::{Layers, image, path, tree};
