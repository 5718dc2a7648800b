use std::cell::Cell;

use super::SourceError;
use nixdive_scan::Section;

/// Bytes that a manifest, an index or a configuration may have. Engines stop at 4 MiB for one image; `manifest.json`
/// of an archive may list many.
pub const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

/// Something that holds the parts of images under names: an archive, a directory.
pub trait Container {
    /// The name under which the bytes of `name` really lie, links followed; `None` where there is no such part.
    fn locate(&self, name: &str) -> Option<String>;

    /// A small part, whole; `None` where there is no such part.
    ///
    /// # Errors
    /// [`SourceError::TooLong`] beyond [`MAX_DOCUMENT_BYTES`], and what the system says.
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError>;

    /// The bytes of a part that [`Self::locate`] found; `None` where they came by and are gone.
    ///
    /// # Errors
    /// What the system says.
    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError>;

    /// A document that another one names.
    ///
    /// # Errors
    /// [`SourceError::Missing`] where it is not there, and those of [`Self::document`].
    fn required(&self, name: &str, named_by: &str) -> Result<Vec<u8>, SourceError> {
        self.document(name)?
            .ok_or_else(|| SourceError::Missing { name: name.to_owned(), named_by: named_by.to_owned() })
    }
}

/// Bytes of documents that are read to find one image. Lists may name the same document over and over.
const MAX_BYTES_TOGETHER: u64 = 128 << 20;

/// A container that gives documents out until there have been enough.
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
            let reason = format!("it and what was read before have more than {MAX_BYTES_TOGETHER} bytes");
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
