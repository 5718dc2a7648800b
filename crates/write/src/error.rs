use std::io;
use std::path::{Path, PathBuf};

use nixdive_base::text::{display_in_sentence, display_name};

/// Why an image cannot be written. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// What was to be written is no image: two files at one place, a file in a file, an impossible name.
    #[error("{0}")]
    Composition(String),
    /// The bytes of a file cannot be had.
    #[error("/{} cannot be read: {error}", display_in_sentence(.path))]
    Content {
        /// Its path in the image.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A layer of the base cannot be had.
    #[error("layer {place} of the base cannot be read: {error}")]
    Base {
        /// Its place, from 0.
        place: usize,
        /// Why.
        error: io::Error,
    },
    /// The system refused a file of the destination.
    #[error("{} cannot be written: {error}", shown(.path))]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said: no space left, no permission.
        error: io::Error,
    },
    /// It would overwrite what is being read.
    #[error("{} is the image that is being read; write to another file", shown(.0))]
    IsInput(PathBuf),
    /// Two destinations are the same file.
    #[error("{} is named as a destination twice", shown(.0))]
    Twice(PathBuf),
    /// A destination that exists and is nothing that can be replaced.
    #[error("{} {reason}", shown(.path))]
    Exists {
        /// Which.
        path: PathBuf,
        /// What it is.
        reason: &'static str,
    },
    /// Standard output is a terminal.
    #[error("standard output is a terminal; send it to a file or a program, or give one with -o")]
    Terminal,
    /// It was cancelled.
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
