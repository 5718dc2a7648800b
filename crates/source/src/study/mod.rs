//! Reads what the store of an opened image contains: references, mentions and NAR hashes, on all cores.
//!
//! Layers that are read completely while the image is opened, mostly compressed ones, are scanned in that pass by a
//! [`StoreWatch`]. Contents that were not seen, or whose order makes no NAR, are read afterwards: from uncompressed
//! layers by any thread at any offset, from compressed ones again from the beginning.

mod excerpts;
mod nar_stream;
mod notes;
mod plan;
mod reading;
mod recorded;
mod watch;
mod worker;

#[cfg(test)]
pub(crate) mod live_tests;
#[cfg(test)]
mod tests;

pub use excerpts::{Excerpts, excerpts};
pub use watch::StoreWatch;

use crate::open::{Contents, Opened};
use nixdive_base::cancel::Cancel;
use nixdive_image::Image;
use nixdive_nix::graph::GraphError;
use nixdive_nix::study::{RecordedStore, StoreOutline, StoreStudy};
use nixdive_nix::{Builder, recognise};

/// Reason why a study failed.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The user cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// More store paths or references than can be represented.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The system provided no thread or temporary file.
    #[error("{what}: {error}")]
    System {
        /// The attempted action.
        what: &'static str,
        /// The system's error.
        #[source]
        error: std::io::Error,
    },
}

/// Options of a study.
#[derive(Debug, Default)]
pub struct StudyOptions<'a> {
    /// The watch used while the image was opened.
    pub watch: Option<&'a StoreWatch>,
    /// Nix's record of the store, used instead of a database in the image. Its references take precedence over those
    /// found in files.
    pub recorded: Option<&'a RecordedStore>,
    /// Number of reading threads; 0 for one per core.
    pub threads: usize,
    /// Cancels the study.
    pub cancel: Cancel,
}

/// Studies the store of an image. Returns `None` if the image is unrelated to Nix. Contents that cannot be read are
/// listed in the result.
///
/// # Errors
/// [`StudyError`] if it is cancelled, a limit is exceeded or the system fails.
pub fn study(opened: &Opened, options: &StudyOptions<'_>) -> Result<Option<StoreStudy>, StudyError> {
    study_contents(&opened.image, &opened.contents, options)
}

/// Studies the store of an image with separate access to its contents; see [`study`].
///
/// # Errors
/// [`StudyError`] if it is cancelled, a limit is exceeded or the system fails.
pub fn study_contents(
    image: &Image,
    contents: &Contents,
    options: &StudyOptions<'_>,
) -> Result<Option<StoreStudy>, StudyError> {
    let outline = StoreOutline::new(&image.tree);
    if outline.store.paths.is_empty() {
        let builder = recognise(image, &outline.store);
        if builder.is_none_or(|found| found.builder == Builder::Other) {
            return Ok(None);
        }
    }
    let mut findings = reading::read(image, contents, &outline, options)?;
    if options.recorded.is_some() {
        return Ok(Some(StoreStudy::new(image, outline, findings, options.recorded)?));
    }
    let found = recorded::find(image, contents);
    findings.unread.extend(found.problems);
    Ok(Some(StoreStudy::new(image, outline, findings, found.store.as_ref())?))
}
