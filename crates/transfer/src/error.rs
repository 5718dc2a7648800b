use std::io;

use nixdive_base::cancel::is_cancellation;
use nixdive_base::text::display_in_sentence as shown;
use nixdive_source::engines::EngineError;
use nixdive_source::formats::SourceError;
use nixdive_source::http::HttpError;
use nixdive_source::open::OpenError;
use nixdive_source::registry::{RegistryError, carried};
use nixdive_write::WriteError;

/// Why an image does not arrive.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// What it comes from.
    #[error("{}: {error}", shown(reference))]
    Source {
        /// As typed.
        reference: String,
        /// What is wrong.
        error: Box<SourceError>,
    },
    /// A program that it comes from.
    #[error(transparent)]
    Program(Box<OpenError>),
    /// A part of it cannot be read, or is not what it should be.
    #[error("{}: {}", shown(what), shown(reason))]
    Part {
        /// Which.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// A registry.
    #[error(transparent)]
    Registry(RegistryError),
    /// An engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file or directory that is written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What cannot be done, and what can.
    #[error("{0}")]
    Refused(String),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl TransferError {
    pub(super) fn part(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Part { what: what.into(), reason: reason.to_string() }
    }

    /// Why bytes of a part could not be read.
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
