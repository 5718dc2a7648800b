use std::io;

use crate::formats::{Choice, SourceError};
use nixdive_image::{Artifact, TreeLimit};
use nixdive_scan::tar::TarError;

/// Why an image cannot be opened: one sentence that names the file, the layer and the offset.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The source, or what describes the image in it.
    #[error("{}: {error}", shown(reference))]
    Source {
        /// As typed.
        reference: String,
        /// What is wrong.
        error: SourceError,
    },
    /// The stream that the whole archive is, where it was compressed or came by a pipe.
    #[error("{}: {error}", shown(reference))]
    Stream {
        /// As typed.
        reference: String,
        /// What is wrong, and where.
        error: TarError,
    },
    /// A layer.
    #[error("{}: layer {number} ({}): {reason}", shown(reference), shown(name))]
    Layer {
        /// As typed.
        reference: String,
        /// Index, from 0.
        number: usize,
        /// Its name in the source.
        name: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// More than a tree can hold.
    #[error("{}: {limit}", shown(reference))]
    Limit {
        /// As typed.
        reference: String,
        /// Which limit.
        limit: TreeLimit,
    },
    /// The system refused something that has nothing to do with the image.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl OpenError {
    /// The images to choose from, where that is what is wrong.
    #[must_use]
    pub fn choices(&self) -> Option<&[Choice]> {
        match self {
            Self::Source { error: SourceError::Several(choices), .. } => Some(choices),
            _ => None,
        }
    }

    /// The artifact, where what was to be opened is one and not a container image.
    #[must_use]
    pub fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Source { error: SourceError::Artifact(artifact), .. } => Some(artifact),
            _ => None,
        }
    }

    /// The script whose path was given, which may be run as `stream:SCRIPT` when the user says so.
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
