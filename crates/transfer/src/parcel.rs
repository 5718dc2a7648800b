use std::sync::Arc;

use super::BlobSource;
use nixdive_image::{Compression, Digest, Platform};
use nixdive_source::registry::Repository;

/// Manifest, index or configuration, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Media type of the document.
    pub media_type: String,
    /// Digest of `bytes`.
    pub digest: Digest,
    /// Contents of the document.
    pub bytes: Vec<u8>,
}

/// Layer to be transferred.
#[derive(Clone)]
pub struct ParcelLayer {
    /// Media type in the manifest; `None` for layers of archives.
    pub media_type: Option<String>,
    /// Compression of the bytes that `source` yields.
    pub compression: Compression,
    /// Digest of the bytes that `source` yields, if known without reading them.
    pub digest: Option<Digest>,
    /// Length of the bytes that `source` yields.
    pub stored_bytes: u64,
    /// Digest of the unpacked tar stream, from the configuration.
    pub diff_id: Option<Digest>,
    /// Alternative locations of the blob; such a layer may be left out.
    pub urls: Vec<String>,
    /// Access to the bytes of the layer.
    pub source: Arc<dyn BlobSource>,
}

/// Single image.
#[derive(Clone)]
pub struct Parcel {
    /// Manifest, if the image has one that is kept unchanged.
    pub manifest: Option<Document>,
    /// Configuration.
    pub config: Document,
    /// Layers, base first.
    pub layers: Vec<ParcelLayer>,
    /// Platform of the image.
    pub platform: Platform,
}

/// Everything that is to be transferred.
#[derive(Clone)]
pub struct Shipment {
    /// Images; more than one only if all of an index are wanted.
    pub images: Vec<Parcel>,
    /// Indexes, each before those that list it; empty for a single image.
    pub indexes: Vec<Document>,
    /// Names of the image at the source, as `NAME:TAG`.
    pub names: Vec<String>,
    /// Source repository, from which blobs may be mounted.
    pub repository: Option<Repository>,
    /// Defects of the documents that were allowed.
    pub warnings: Vec<String>,
}

impl ParcelLayer {
    /// Returns `true` for a layer that must not be redistributed and that clients fetch from its URLs: OCI image
    /// specification, "Non-Distributable Layers".
    #[must_use]
    pub fn stays_where_it_is(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or_default();
        !self.urls.is_empty() && (kind.contains("nondistributable") || kind.contains(".foreign."))
    }
}

/// Builds an index of the images of a shipment once their manifests are known. The index then represents all of them.
pub trait Assemble: std::fmt::Debug + Send + Sync {
    /// Returns the media type and the bytes of the index, from the manifests in the order of the images.
    fn index(&self, manifests: &[Document]) -> (String, Vec<u8>);
}
