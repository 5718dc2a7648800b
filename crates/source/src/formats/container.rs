use std::cell::Cell;

use super::SourceError;
use nixdive_scan::Section;

/// Maximum bytes of a manifest, an index or a configuration. Engines accept 4 MiB for one image; `manifest.json` of an
/// archive may list many images.
pub const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

/// A source of named image parts: an archive or a directory.
pub trait Container {
    /// Returns the name under which the bytes of `name` are stored, after following links. Returns `None` if the part
    /// is missing.
    fn locate(&self, name: &str) -> Option<String>;

    /// Reads a small part completely. Returns `None` if the part is missing.
    ///
    /// # Errors
    /// [`SourceError::TooLong`] if it exceeds [`MAX_DOCUMENT_BYTES`]; otherwise if it cannot be read.
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError>;

    /// Returns the bytes of a part that [`Self::locate`] found, or `None` if they were streamed and are gone.
    ///
    /// # Errors
    /// If the part cannot be opened.
    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError>;

    /// Reads a document that another document refers to.
    ///
    /// # Errors
    /// [`SourceError::Missing`] if it is missing; otherwise as for [`Self::document`].
    fn required(&self, name: &str, named_by: &str) -> Result<Vec<u8>, SourceError> {
        self.document(name)?
            .ok_or_else(|| SourceError::Missing { name: name.to_owned(), named_by: named_by.to_owned() })
    }
}

/// Maximum bytes of all documents read to find one image. Lists may name the same document repeatedly.
const MAX_BYTES_TOGETHER: u64 = 128 << 20;

/// A container with a limit on the total size of the documents read.
pub(super) struct Rationed<'a> {
    inner: &'a dyn Container,
    left: Cell<u64>,
}

impl<'a> Rationed<'a> {
    pub fn new(inner: &'a dyn Container) -> Self {
        Self { inner, left: Cell::new(MAX_BYTES_TOGETHER) }
    }
}

impl Container for Rationed<'_> {
    fn locate(&self, name: &str) -> Option<String> {
        self.inner.locate(name)
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        if self.left.get() == 0 {
            let reason = format!("together with other documents it exceeds {MAX_BYTES_TOGETHER} bytes");
            return Err(SourceError::Document { name: name.to_owned(), reason });
        }
        let found = self.inner.document(name)?;
        let length = found.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.left.set(self.left.get().saturating_sub(length));
        Ok(found)
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        self.inner.blob(located)
    }
}
