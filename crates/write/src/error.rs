use std::io;
use std::path::{Path, PathBuf};

use nixdive_base::text::{display_in_sentence, display_name};

/// Reasons why an image cannot be written. No part of the image is left behind.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The composition is not a valid image: duplicate paths, a file below a file, or an invalid name.
    #[error("{0}")]
    Composition(String),
    /// The contents of a file cannot be read.
    #[error("/{} cannot be read: {error}", display_in_sentence(.path))]
    Content {
        /// Path of the file in the image.
        path: String,
        /// Reason.
        error: io::Error,
    },
    /// A base layer cannot be read.
    #[error("layer {place} of the base cannot be read: {error}")]
    Base {
        /// Position of the layer, from 0.
        place: usize,
        /// Reason.
        error: io::Error,
    },
    /// A file of the destination cannot be written.
    #[error("{} cannot be written: {error}", shown(.path))]
    Write {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system: no space left, permission denied.
        error: io::Error,
    },
    /// The destination is the image that is being read.
    #[error("{} is the image that is being read; write to another file", shown(.0))]
    IsInput(PathBuf),
    /// Two destinations are the same file.
    #[error("{}: destination given twice", shown(.0))]
    Twice(PathBuf),
    /// The destination exists and cannot be replaced.
    #[error("{} {reason}", shown(.path))]
    Exists {
        /// Path of the destination.
        path: PathBuf,
        /// Reason.
        reason: &'static str,
    },
    /// Standard output is a terminal.
    #[error("standard output is a terminal; redirect it, or use -o FILE")]
    Terminal,
    /// Writing was cancelled.
    #[error("cancelled")]
    Cancelled,
}

fn shown(path: &Path) -> String {
    display_name(path.as_os_str().as_encoded_bytes()).into_owned()
}

impl WriteError {
    pub(super) fn write(path: &Path, error: io::Error) -> Self {
        Self::Write { path: path.to_owned(), error }
    }

    pub(super) fn content(path: &[u8], error: io::Error) -> Self {
        Self::Content { path: String::from_utf8_lossy(path).into_owned(), error }
    }
}
