//! Writes a composition as an image: layers as tar streams, packed into archives, OCI layouts and image.json files.
//!
//! The content is read once, several layers at a time, for all destinations together; only archives that store names
//! before content (standard output, compressed docker-archives) need a second pass. Equal compositions give equal bytes
//! on every machine, with any number of threads. Nothing is published before everything is written: files are renamed
//! into place at the end, and the index of a layout is replaced last.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod composition;
mod compress;
mod destination;
mod docker_archive;
mod documents;
mod error;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod fixture;
mod image_content;
mod layer;
pub mod layering;
mod layout;
mod made_of;
mod nix_json;
mod oci;
mod pass;
mod place;
mod progress;
mod publish;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use composition::{
    BaseBlob, BaseLayer, Body, ComposedStorePath, Composition, Content, Entry, FileContent, Metadata, ReadContent,
    Rewriting, Stability,
};
pub use compress::{CompressionError, LayerCompression};
pub use compress::{Compressor, Workers};
pub use destination::{Destination, DestinationError};
pub use docker_archive::{add_member, member_header};
pub use documents::{
    ANNOTATION_DIFF_ID, ANNOTATION_MADE_OF, ANNOTATION_NAME, CONFIG_TYPE, MANIFEST_TYPE, docker_manifest,
};
pub use error::WriteError;
pub use image_content::ImageContent;
pub use layout::{SharedLayout, blobs_of};
pub use oci::publish_new;
pub use place::{NewFile, new_directory};
pub use progress::WriteProgress;

use layer::Headers;
use nixdive_image::Digest;
use nixdive_nix::StorePath;

/// Naming of the entries of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TarForm {
    /// `nix/store/…`, with a trailing slash for directories, as most tools write layers.
    #[default]
    Relative,
    /// `/nix/store/…` below `/`, without trailing slashes: exactly the bytes that nix2container generates from store
    /// paths.
    Nix2container,
}

/// Options for writing an image.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Naming of entries in layers.
    pub form: TarForm,
    /// Creation time of the image and its files, seconds since 1970; `None` for the fixed 1 that Nix uses.
    pub created: Option<u64>,
    /// Compression of layers in OCI layouts and archives. Layers of a docker-archive are not compressed individually.
    pub compression: LayerCompression,
    /// Number of threads that read and compress. It does not affect the bytes written.
    pub threads: usize,
    /// Files and directories in use as input, which must not be overwritten.
    pub protected: Vec<PathBuf>,
    /// Layers that the final destination already has. They are listed in the manifest, but neither read nor written.
    /// Valid only if all destinations are new layouts.
    pub elsewhere: Vec<LayerElsewhere>,
}

/// Layer present at the final destination, identified by its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerElsewhere {
    /// Digest of the inputs of the layer, from its annotation.
    pub made_of: Digest,
    /// Digest of the unpacked tar stream.
    pub diff_id: Digest,
    /// Digest of the blob.
    pub digest: Digest,
    /// Length of the blob, bytes.
    pub stored_bytes: u64,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            form: TarForm::default(),
            created: None,
            compression: LayerCompression::ZSTD,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            protected: Vec::new(),
            elsewhere: Vec::new(),
        }
    }
}

/// Result of writing an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Layers, base first.
    pub layers: Vec<WrittenLayer>,
    /// Digest of the configuration, which Docker calls the image ID.
    pub config_digest: Digest,
    /// Destinations in the order in which they were given.
    pub destinations: Vec<WrittenDestination>,
}

/// Layer that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLayer {
    /// Store paths in the layer, sorted by name; empty for the layer of files outside the store and for base layers.
    pub store_paths: Vec<StorePath>,
    /// Digest of the unpacked tar stream.
    pub diff_id: Digest,
    /// Length of the unpacked tar stream, bytes.
    pub unpacked_bytes: u64,
    /// Digest and length in bytes of the blob in OCI destinations, if there is one.
    pub blob: Option<(Digest, u64)>,
    /// True if a layer with the same inputs was found in the target layout, so that nothing was read.
    pub is_reused: bool,
}

/// Destination that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenDestination {
    /// The destination.
    pub destination: Destination,
    /// Bytes written to it, without blobs that were already in a layout.
    pub bytes: u64,
    /// Digest of the manifest; OCI layouts and archives only.
    pub manifest_digest: Option<Digest>,
}

/// Writes an image to all `destinations`. `layers` contains each position in [`Composition::store_paths`] once.
///
/// # Errors
/// If reading or writing fails; all destinations are then unchanged.
pub fn write(
    composition: &Composition,
    layers: &[Vec<u32>],
    destinations: &[Destination],
    content: &dyn ReadContent,
    options: &WriteOptions,
    progress: &WriteProgress,
) -> Result<Written, WriteError> {
    place::check_apart(destinations, &options.protected)?;
    let headers = Headers { form: options.form, mtime: options.created.unwrap_or(1) };
    let layers = layer::plan(composition, layers, headers)?;
    progress.begin(layers.iter().map(|layer| layer.unpacked_bytes));
    let job = Job { composition, layers: &layers, content, options, progress };
    publish::run(&job, destinations)
}

/// Input of a write operation.
struct Job<'a> {
    composition: &'a Composition,
    layers: &'a [layer::PlannedLayer<'a>],
    content: &'a dyn ReadContent,
    options: &'a WriteOptions,
    progress: &'a WriteProgress,
}

/// Parts of the image that depend on the digests of the layers.
struct FinishedImage {
    diff_ids: Vec<Digest>,
    /// Configuration as JSON.
    config: Vec<u8>,
    config_digest: Digest,
}

impl FinishedImage {
    fn new(job: &Job<'_>, diff_ids: Vec<Digest>) -> Self {
        let created = documents::created(job.options);
        let config = documents::config(&job.composition.config, job.layers, &diff_ids, &created);
        let config_digest = digest_of(&config);
        Self { diff_ids, config, config_digest }
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest::from_sha256(&sha2::Sha256::digest(bytes).into())
}
