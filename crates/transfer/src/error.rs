use std::io;

use nixdive_base::cancel::is_cancellation;
use nixdive_base::text::display_in_sentence as shown;
use nixdive_source::engines::EngineError;
use nixdive_source::formats::SourceError;
use nixdive_source::http::HttpError;
use nixdive_source::open::OpenError;
use nixdive_source::registry::{RegistryError, carried};
use nixdive_write::WriteError;

/// Reasons why an image cannot be transferred.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The source image cannot be opened.
    #[error("{}: {error}", shown(reference))]
    Source {
        /// Reference as the user typed it.
        reference: String,
        /// Underlying error.
        error: Box<SourceError>,
    },
    /// A program that generates the image failed.
    #[error(transparent)]
    Program(Box<OpenError>),
    /// A part of the image cannot be read or fails verification.
    #[error("{}: {}", shown(what), shown(reason))]
    Part {
        /// Name of the part.
        what: String,
        /// Reason.
        reason: String,
    },
    /// Error of a registry.
    #[error(transparent)]
    Registry(RegistryError),
    /// Error of an engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file or directory cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The request is not possible; the message includes alternatives.
    #[error("{0}")]
    Refused(String),
    /// The transfer was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl TransferError {
    pub(super) fn part(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Part { what: what.into(), reason: reason.to_string() }
    }

    /// Returns the error for a part whose bytes could not be read.
    pub(super) fn reading(what: impl Into<String>, error: &io::Error) -> Self {
        if is_cancellation(error) {
            return Self::Cancelled;
        }
        match carried(error) {
            Some(error) => error.into(),
            None => Self::part(what, error),
        }
    }
}

impl From<OpenError> for TransferError {
    fn from(error: OpenError) -> Self {
        if matches!(error, OpenError::Cancelled) { Self::Cancelled } else { Self::Program(error.into()) }
    }
}

impl From<RegistryError> for TransferError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Http(HttpError::Cancelled) => Self::Cancelled,
            other => Self::Registry(other),
        }
    }
}
