use std::path::Path;

use super::{Container, DirectoryContainer, SourceError};
use nixdive_image::Digest;
use nixdive_scan::Section;

/// containerd's content store: the documents and blobs of registries, `manifests/DIGEST` and `blobs/DIGEST`, in a
/// directory with `blobs/ALGORITHM/HEX`.
#[derive(Debug)]
pub struct ContentStoreContainer(DirectoryContainer);

impl ContentStoreContainer {
    /// Creates a container for the store whose blobs are below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self(DirectoryContainer::new(root))
    }
}

/// Returns the path of a blob in the store.
fn place(name: &str) -> Option<String> {
    let digest = Digest::parse(name.split_once('/')?.1)?;
    Some(format!("blobs/{}/{}", digest.algorithm(), digest.hex()))
}

impl Container for ContentStoreContainer {
    fn locate(&self, name: &str) -> Option<String> {
        self.0.locate(&place(name)?).map(|_| name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        place(name).map_or(Ok(None), |place| self.0.document(&place))
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        place(located).map_or(Ok(None), |place| self.0.blob(&place))
    }
}
