//! The entry point of the library.

use std::ffi::OsStr;

use nixdive_image::reference::{Reference, ReferenceError};
use nixdive_source::open::{OpenError, OpenOptions, Opened, Progress};

/// Why an image could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The image is missing, unreadable or not an image.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Opens the image that a reference names, as the command line does: a file, a directory, `docker://NAME`,
/// `oci:DIR:TAG`, `podman:NAME` and so on, with default limits. `embedded:sample` is a small image within the library.
///
/// No program is started: `stream:SCRIPT` and installables fail. For other options parse the reference with
/// [`Reference::parse`] and call [`crate::open::open`].
///
/// ```
/// let opened = nixdive::open("embedded:sample")?;
/// assert_eq!(opened.image.layers.len(), 4);
/// assert!(opened.image.unpacked_bytes() > 0);
/// assert!(nixdive::open("./no-such-image.tar").is_err());
/// # Ok::<(), nixdive::Error>(())
/// ```
///
/// # Errors
/// If the reference is malformed, or the image cannot be found or read.
pub fn open(reference: impl AsRef<OsStr>) -> Result<Opened, Error> {
    let reference = Reference::parse(reference.as_ref())?;
    Ok(crate::cli::open_reference(&reference, &OpenOptions::default(), &Progress::new())?)
}
