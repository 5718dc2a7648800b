use std::io;

use crate::formats::{Choice, SourceError};
use nixdive_image::{Artifact, TreeLimit};
use nixdive_scan::tar::TarError;

/// Reason why an image cannot be opened: one sentence with the file, the layer and the offset.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source, or the description of the image in it, is invalid.
    #[error("{}: {error}", shown(reference))]
    Source {
        /// The reference as typed.
        reference: String,
        /// The reason.
        error: SourceError,
    },
    /// The archive's stream is damaged, if the archive is compressed or was read from a pipe.
    #[error("{}: {error}", shown(reference))]
    Stream {
        /// The reference as typed.
        reference: String,
        /// The reason, with its offset.
        error: TarError,
    },
    /// A layer is damaged.
    #[error("{}: layer {number} ({}): {reason}", shown(reference), shown(name))]
    Layer {
        /// The reference as typed.
        reference: String,
        /// Index of the layer, from 0.
        number: usize,
        /// Name of the layer in the source.
        name: String,
        /// The reason, with its offset.
        reason: String,
    },
    /// The image exceeds the limits of a tree.
    #[error("{}: {limit}", shown(reference))]
    Limit {
        /// The reference as typed.
        reference: String,
        /// The limit.
        limit: TreeLimit,
    },
    /// A system error unrelated to the image.
    #[error("{what}: {error}")]
    System {
        /// The attempted action.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The user cancelled it.
    #[error("cancelled")]
    Cancelled,
}

impl OpenError {
    /// Returns the images to choose from, if a choice is required.
    #[must_use]
    pub fn choices(&self) -> Option<&[Choice]> {
        match self {
            Self::Source { error: SourceError::Several(choices), .. } => Some(choices),
            _ => None,
        }
    }

    /// Returns the artifact, if the reference leads to an artifact instead of a container image.
    #[must_use]
    pub fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Source { error: SourceError::Artifact(artifact), .. } => Some(artifact),
            _ => None,
        }
    }

    /// Returns the reference as typed, if nothing of that name exists: neither a file, nor an image in an engine or a
    /// registry.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Source { reference, error: SourceError::UnknownName(_) } => Some(reference),
            Self::Source { reference, error: SourceError::Io(error) } if error.kind() == io::ErrorKind::NotFound => {
                Some(reference)
            }
            _ => None,
        }
    }

    /// Returns the script whose path was given; the user can run it with `stream:SCRIPT`.
    #[must_use]
    pub fn script(&self) -> Option<&str> {
        match self {
            Self::Source { error: SourceError::Script(path), .. } => Some(path),
            _ => None,
        }
    }
}

fn shown(text: &str) -> String {
    nixdive_base::text::display_in_sentence(text)
}
