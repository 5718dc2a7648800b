use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    Assemble, CopyDestination, Shipment, TransferError, TransferProgress, Verification, archive, directory, engine,
    push,
};
use nixdive_image::Digest;
use nixdive_image::reference::ImageName;
use nixdive_scan::UnpackLimit;
use nixdive_source::open::Remote;
use nixdive_write::{Destination, LayerCompression, WriteError};

/// Options of a copy.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Access to remote destinations.
    pub remote: Remote,
    /// Compression of layers that are uncompressed at the source and not named by a manifest. `None` selects gzip,
    /// which every client can read.
    pub compression: Option<LayerCompression>,
    /// Images in the destination's registry that may share layers with this one.
    pub siblings: Vec<ImageName>,
    /// Additional names for the result: tags in a registry, references in an OCI layout.
    pub more_names: Vec<String>,
    /// Builds an index of the images; registries and OCI layouts only.
    pub assemble: Option<Arc<dyn Assemble>>,
    /// Handling of blobs that fail verification.
    pub verification: Verification,
    /// Limit above which an unpacked stream is considered implausible.
    pub unpack_limit: UnpackLimit,
    /// Number of compression threads.
    pub threads: usize,
    /// Files and directories in use as input, which must not be overwritten.
    pub protected: Vec<PathBuf>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            remote: Remote::default(),
            compression: None,
            siblings: Vec::new(),
            more_names: Vec::new(),
            assemble: None,
            verification: Verification::default(),
            unpack_limit: UnpackLimit::default(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            protected: Vec::new(),
        }
    }
}

/// How a layer got to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Sent or written.
    Sent,
    /// Already present.
    There,
    /// Mounted from another repository of the same registry.
    Mounted,
    /// Left out: the layer must not be redistributed and stays at the URLs in its manifest.
    Left,
}

/// Layer at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerArrival {
    /// Digest of the blob at the destination; digest of the plain stream in archives.
    pub digest: Digest,
    /// Digest of the unpacked tar stream, if known.
    pub diff_id: Option<Digest>,
    /// Length of the blob at the destination, bytes.
    pub stored_bytes: u64,
    /// How the layer got to the destination.
    pub way: Way,
    /// True if the layer had to be read.
    pub is_read: bool,
}

/// Result of copying an image to one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Digest of the manifest, or of the index of all images; `None` for docker-archives.
    pub manifest_digest: Option<Digest>,
    /// Layers of all images, without duplicates.
    pub layers: Vec<LayerArrival>,
    /// Bytes sent or written, including documents.
    pub sent_bytes: u64,
    /// Bytes of layers that were already present.
    pub skipped_bytes: u64,
    /// Defects of the image that were allowed.
    pub warnings: Vec<String>,
}

impl Arrival {
    pub(super) fn of(manifest_digest: Option<Digest>, layers: Vec<LayerArrival>, sent_bytes: u64) -> Self {
        let there = layers.iter().filter(|layer| matches!(layer.way, Way::There | Way::Mounted));
        let skipped_bytes = there.map(|layer| layer.stored_bytes).fold(0, u64::saturating_add);
        Self { manifest_digest, layers, sent_bytes, skipped_bytes, warnings: Vec::new() }
    }
}

/// A destination that accepts images.
pub trait Sink {
    /// Delivers a shipment, atomically if the destination supports it.
    ///
    /// # Errors
    /// If the shipment cannot be read, fails verification, or is refused by the destination.
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError>;
}

/// Refuses to overwrite input files.
fn check_apart(destination: &CopyDestination, protected: &[PathBuf]) -> Result<(), TransferError> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let Some((path, own)) = destination.path().and_then(|path| Some((path, identity(path)?))) else { return Ok(()) };
    match protected.iter().any(|read| identity(read) == Some(own)) {
        true => Err(WriteError::IsInput(path.to_owned()).into()),
        false => Ok(()),
    }
}

/// Copies gathered images to one destination.
///
/// # Errors
/// If the destination is one of the inputs, or if delivery fails.
pub fn copy(
    shipment: &Shipment,
    destination: &CopyDestination,
    options: &CopyOptions,
    progress: &TransferProgress,
) -> Result<Arrival, TransferError> {
    check_apart(destination, &options.protected)?;
    let sink: Box<dyn Sink + '_> = match destination {
        CopyDestination::Registry(name) => Box::new(push::RegistrySink { name }),
        CopyDestination::Engine(engine, name) => Box::new(engine::EngineSink { engine: *engine, name }),
        CopyDestination::Directory(path) => Box::new(directory::DirectorySink { path }),
        CopyDestination::File(Destination::OciLayout { directory, reference }) => {
            Box::new(directory::LayoutSink { directory, reference: reference.as_deref() })
        }
        CopyDestination::File(Destination::OciArchive { file, reference }) => {
            Box::new(directory::OciArchiveSink { file, reference: reference.as_deref() })
        }
        CopyDestination::File(file) => Box::new(archive::ArchiveSink { destination: file }),
    };
    let delivered = sink.deliver(shipment, options, progress);
    if progress.cancel().is_cancelled() {
        return Err(TransferError::Cancelled);
    }
    let mut arrival = delivered?;
    arrival.warnings = shipment.warnings.clone();
    arrival.warnings.extend(options.verification.warnings());
    Ok(arrival)
}
