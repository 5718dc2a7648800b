//! Real images for tests, opened with default options.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod packing;

use std::ffi::OsStr;

use crate::open::{OpenOptions, Opened, Progress, open};
use nixdive_image::Image;
use nixdive_image::reference::Reference;

pub use packing::{Packing, image};

/// Opens an image of the corpus; returns `None` and prints the reason if it is missing.
pub fn corpus_image(name: &str) -> Option<Image> {
    Some(open_as_typed(nixdive_image::testing::corpus_file(name)?.as_os_str(), &OpenOptions::default()).image)
}

/// Opens an image as a user names it.
pub fn open_as_typed(text: &OsStr, options: &OpenOptions) -> Opened {
    open(&Reference::parse(text).unwrap(), options, &Progress::new()).unwrap()
}
