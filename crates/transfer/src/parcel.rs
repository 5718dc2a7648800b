use std::sync::Arc;

use super::BlobSource;
use nixdive_image::{Compression, Digest, Platform};
use nixdive_source::registry::Repository;

/// A manifest, an index or a configuration, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub media_type: String,
    /// Its digest, which its bytes have.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A layer on its way.
#[derive(Clone)]
pub struct ParcelLayer {
    /// What the manifest calls it; of layers of archives nothing is said.
    pub media_type: Option<String>,
    /// How the bytes at hand are compressed.
    pub compression: Compression,
    /// Digest of the bytes at hand, where it is known without reading them.
    pub digest: Option<Digest>,
    /// Length of the bytes at hand.
    pub stored_bytes: u64,
    /// Digest of the unpacked tar stream, as the configuration gives it.
    pub diff_id: Option<Digest>,
    /// Where it lies besides; such a layer may be left where it is.
    pub urls: Vec<String>,
    /// The way to its bytes.
    pub source: Arc<dyn BlobSource>,
}

/// One image.
#[derive(Clone)]
pub struct Parcel {
    /// Its manifest, where it has one that stays as it is.
    pub manifest: Option<Document>,
    /// Its configuration.
    pub config: Document,
    /// Base first.
    pub layers: Vec<ParcelLayer>,
    /// What it runs on.
    pub platform: Platform,
}

/// All that is to be moved.
#[derive(Clone)]
pub struct Shipment {
    /// The images, one unless all of an index are wanted.
    pub images: Vec<Parcel>,
    /// Indexes, each before those that list it; none where one image is meant.
    pub indexes: Vec<Document>,
    /// `NAME:TAG` that the source has for it.
    pub names: Vec<String>,
    /// The repository that it comes from: blobs may be mounted out of it.
    pub repository: Option<Repository>,
    /// What is wrong with its documents, where that was allowed.
    pub warnings: Vec<String>,
}

impl ParcelLayer {
    /// Whether it is one that may not be given on, and that everybody fetches from where it lies: OCI image
    /// specification, "Non-Distributable Layers".
    #[must_use]
    pub fn stays_where_it_is(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or_default();
        !self.urls.is_empty() && (kind.contains("nondistributable") || kind.contains(".foreign."))
    }
}

/// Makes an index of the images of a shipment once their manifests are known; it then stands for all of them.
pub trait Assemble: std::fmt::Debug + Send + Sync {
    /// Media type and bytes, from the manifests in the order of the images.
    fn index(&self, manifests: &[Document]) -> (String, Vec<u8>);
}
