//! Reads what the store of an opened image contains: references, mentions and NAR hashes, on all cores.
//!
//! Two ways lead there. Layers that are read whole while the image is opened, compressed ones above all, are looked at
//! in that pass by a [`StoreWatch`]. What did not come by, or came in an order that makes no NAR, is read afterwards:
//! from uncompressed layers by any thread at any place, from compressed ones once more from their beginning.

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

/// Why a store could not be studied.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// It was cancelled.
    #[error("stopped")]
    Cancelled,
    /// More store paths or references than can be told.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The system refused a thread or a temporary file.
    #[error("{what}: {error}")]
    System {
        /// What was to be had.
        what: &'static str,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
}

/// How a store is studied.
#[derive(Debug, Default)]
pub struct StudyOptions<'a> {
    /// The watch that the image was opened with.
    pub watch: Option<&'a StoreWatch>,
    /// What Nix records of the store, in place of what a database in the image does. Its references are preferred to those
    /// that are found.
    pub recorded: Option<&'a RecordedStore>,
    /// Threads that read; 0 for as many as there are cores.
    pub threads: usize,
    /// Asks to stop.
    pub cancel: Cancel,
}

/// Studies the store of an image; `None` where it has nothing to do with Nix. What cannot be read is told in the result.
///
/// # Errors
/// [`StudyError`].
pub fn study(opened: &Opened, options: &StudyOptions<'_>) -> Result<Option<StoreStudy>, StudyError> {
    study_contents(&opened.image, &opened.contents, options)
}

/// The same of an image and the way to its contents.
///
/// # Errors
/// [`StudyError`].
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
