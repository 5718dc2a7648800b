//! Writes a composition as an image: layers as tar streams, and archives, OCI layouts and image.json files of them.
//!
//! The content is read once, several layers at a time, and goes to all destinations at once; only archives whose names must
//! be known before their content (standard output, compressed docker-archives) read it again. The same composition makes
//! the same bytes on every machine, whatever the number of threads. Nothing is published before all is written: files
//! are renamed to their places at the end, the index of a layout is replaced last.
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

/// How the entries of layers are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TarForm {
    /// `nix/store/…`, directories with a slash at their end, as most tools write layers.
    #[default]
    Relative,
    /// `/nix/store/…` below `/`, without slashes at the end: the very bytes that nix2container makes of store paths.
    Nix2container,
}

/// How an image is written.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Names in layers.
    pub form: TarForm,
    /// When the image and its files were made, seconds since 1970; `None` for the fixed 1 that Nix uses.
    pub created: Option<u64>,
    /// Layers in OCI layouts and archives. Those of a docker-archive are never compressed on their own.
    pub compression: LayerCompression,
    /// Threads that read, and that compress. They change no byte of what is written.
    pub threads: usize,
    /// Files and directories that are being read, and so never written to.
    pub protected: Vec<PathBuf>,
    /// Layers that whoever takes the image from an OCI layout has already: they are named there, and neither read nor
    /// put in. Nothing but new layouts may be written then.
    pub elsewhere: Vec<LayerElsewhere>,
}

/// A layer that lies where an image is going, by what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerElsewhere {
    /// What it was made of, as its annotation tells.
    pub made_of: Digest,
    /// Digest of the unpacked tar stream.
    pub diff_id: Digest,
    /// Digest of its blob.
    pub digest: Digest,
    /// Length of its blob, bytes.
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

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Base first.
    pub layers: Vec<WrittenLayer>,
    /// Digest of the configuration, which Docker calls the image ID.
    pub config_digest: Digest,
    /// In the order in which they were named.
    pub destinations: Vec<WrittenDestination>,
}

/// A layer that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLayer {
    /// The store paths in it, in the order of their names; none in the one for what is outside the store, and in those
    /// of a base.
    pub store_paths: Vec<StorePath>,
    /// Digest of the unpacked tar stream.
    pub diff_id: Digest,
    /// Length of the unpacked tar stream, bytes.
    pub unpacked_bytes: u64,
    /// Digest and length in bytes of the blob in OCI destinations, where there is one.
    pub blob: Option<(Digest, u64)>,
    /// Whether it was found, made of the same, in the layout that is written to, and not read.
    pub is_reused: bool,
}

/// A destination that was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenDestination {
    /// Which.
    pub destination: Destination,
    /// Bytes that were written to it; blobs that were in a layout already are not.
    pub bytes: u64,
    /// Digest of its manifest: OCI layouts and archives.
    pub manifest_digest: Option<Digest>,
}

/// Writes an image to all of `destinations`. `layers` holds places in [`Composition::store_paths`], each once.
///
/// # Errors
/// [`WriteError`]; nothing is left at any destination then, and what was there before still is.
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

/// What is written, and how.
struct Job<'a> {
    composition: &'a Composition,
    layers: &'a [layer::PlannedLayer<'a>],
    content: &'a dyn ReadContent,
    options: &'a WriteOptions,
    progress: &'a WriteProgress,
}

/// What follows from the layers' digests.
struct FinishedImage {
    diff_ids: Vec<Digest>,
    /// The configuration, as JSON.
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
