use nixdive_analyse::examine;
use nixdive_source::identify::IdentifyError;
use nixdive_source::open::OpenError;
use nixdive_source::study::StudyError;

/// Why an image could not be opened or examined.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// The image could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The Nix store in the image could not be studied.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The contents of files could not be compared.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// The contents of files could not be searched for findings.
    #[error(transparent)]
    Findings(#[from] examine::ExamineError),
    /// Two images were to be read from standard input.
    #[error("only one image can be read from standard input")]
    StandardInputTwice,
    /// The system refused a thread, or one of them failed.
    #[error("starting a thread: {0}")]
    Thread(#[source] std::io::Error),
}

impl ExamineError {
    /// Returns `true` if the work ended only because it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Open(OpenError::Cancelled)
                | Self::Study(StudyError::Cancelled)
                | Self::Identify(IdentifyError::Cancelled)
                | Self::Findings(examine::ExamineError::Cancelled)
        )
    }
}
