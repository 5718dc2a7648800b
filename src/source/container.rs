use super::SourceError;
use crate::scan::Section;

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
