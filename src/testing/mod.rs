//! Images for tests: described as short lines, written as archives, or real ones read in the plainest way.

pub(crate) mod archive;
mod corpus;
mod lines;

pub(crate) use corpus::{corpus_file, corpus_image, open_as_typed};
pub(crate) use lines::{Layers, image, orderless, path, tree};
