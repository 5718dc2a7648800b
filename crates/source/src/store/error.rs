use std::io;

use nixdive_base::text::display_in_sentence;

/// Why store paths cannot be made into a layer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused a file of the store.
    #[error("«{}» cannot be read: {error}", display_in_sentence(.path))]
    Read {
        /// Which.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// Neither a directory, nor a regular file, nor a symbolic link: Nix puts nothing else into its store.
    #[error("«{}» is no directory, regular file or symbolic link", display_in_sentence(.0))]
    Special(String),
    /// A rule that cannot be followed.
    #[error("{0}")]
    Rule(String),
    /// More than a layer can hold.
    #[error("more files than an image may have")]
    TooMany,
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl StoreError {
    pub(super) fn read(path: &[u8], error: io::Error) -> Self {
        Self::Read { path: String::from_utf8_lossy(path).into_owned(), error }
    }
}
