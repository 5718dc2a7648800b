use std::io;

use nixdive_base::text::display_in_sentence;

/// Reason why store paths cannot be made into a layer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the store cannot be read.
    #[error("`{}` cannot be read: {error}", display_in_sentence(.path))]
    Read {
        /// Path of the file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// Not a directory, regular file or symbolic link; Nix stores nothing else.
    #[error("`{}` is not a directory, regular file or symbolic link", display_in_sentence(.0))]
    Special(String),
    /// An invalid rule.
    #[error("{0}")]
    Rule(String),
    /// More entries than a layer may have.
    #[error("more files than an image may have")]
    TooMany,
    /// The user cancelled it.
    #[error("cancelled")]
    Cancelled,
}

impl StoreError {
    pub(super) fn read(path: &[u8], error: io::Error) -> Self {
        Self::Read { path: String::from_utf8_lossy(path).into_owned(), error }
    }
}
