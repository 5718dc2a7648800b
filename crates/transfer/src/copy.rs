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

/// How an image is copied.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// How destinations are reached.
    pub remote: Remote,
    /// How layers are compressed that are plain where they come from, and that no manifest names. Without it gzip, which
    /// everything that pulls images can read.
    pub compression: Option<LayerCompression>,
    /// Images at the destination's registry that may have some of the layers.
    pub siblings: Vec<ImageName>,
    /// Further names of the whole: tags in a registry, references in an OCI layout.
    pub more_names: Vec<String>,
    /// Makes the index of the images; registries and OCI layouts alone.
    pub assemble: Option<Arc<dyn Assemble>>,
    /// What is done about blobs that are not what they should be.
    pub verification: Verification,
    /// When an unpacked stream stops being plausible.
    pub unpack_limit: UnpackLimit,
    /// Threads that compress.
    pub threads: usize,
    /// Files and directories that are being read, and so never written to.
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

/// What became of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It was sent, or written.
    Sent,
    /// It was there.
    There,
    /// It was in another repository of the registry, and counts to this one now.
    Mounted,
    /// It may not be given on, and stays where its manifest says.
    Left,
}

/// A layer at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerArrival {
    /// Digest of its blob there; of the plain stream in archives.
    pub digest: Digest,
    /// Digest of its unpacked tar stream, where it is known.
    pub diff_id: Option<Digest>,
    /// Length of its blob there, bytes.
    pub stored_bytes: u64,
    /// How it came there.
    pub way: Way,
    /// Whether it had to be read.
    pub is_read: bool,
}

/// What became of an image at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Digest of its manifest, or of the index of all images; none in docker-archives.
    pub manifest_digest: Option<Digest>,
    /// The layers of all images, each once.
    pub layers: Vec<LayerArrival>,
    /// Bytes that went out or were written, documents included.
    pub sent_bytes: u64,
    /// Bytes of layers that were there.
    pub skipped_bytes: u64,
    /// What was found wrong with the image, where that was allowed.
    pub warnings: Vec<String>,
}

impl Arrival {
    pub(super) fn of(manifest_digest: Option<Digest>, layers: Vec<LayerArrival>, sent_bytes: u64) -> Self {
        let there = layers.iter().filter(|layer| matches!(layer.way, Way::There | Way::Mounted));
        let skipped_bytes = there.map(|layer| layer.stored_bytes).fold(0, u64::saturating_add);
        Self { manifest_digest, layers, sent_bytes, skipped_bytes, warnings: Vec::new() }
    }
}

/// What takes images.
pub trait Sink {
    /// Takes a shipment; whole, or not at all where that can be had.
    ///
    /// # Errors
    /// [`TransferError`].
    fn deliver(
        &self,
        shipment: &Shipment,
        options: &CopyOptions,
        progress: &TransferProgress,
    ) -> Result<Arrival, TransferError>;
}

/// Refuses to write over what is being read.
fn check_apart(destination: &CopyDestination, protected: &[PathBuf]) -> Result<(), TransferError> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let Some((path, own)) = destination.path().and_then(|path| Some((path, identity(path)?))) else { return Ok(()) };
    match protected.iter().any(|read| identity(read) == Some(own)) {
        true => Err(WriteError::IsInput(path.to_owned()).into()),
        false => Ok(()),
    }
}

/// Copies what was gathered to one destination.
///
/// # Errors
/// [`TransferError`].
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
