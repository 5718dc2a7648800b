//! Plain data: an image, its layers, its configuration and its file tree.
//!
//! Nothing here knows where bytes came from, how they are shown, or imports any other room.
//! The tree is one arena for the whole image ([`FileTree`]): a node a path, with its occurrences by layer.
//! Every layer's own view, every stacked view, every change and every total is read off it.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod artifact;
mod builder;
mod config;
mod digest;
mod entry;
pub mod execution;
mod history;
mod integrity;
mod layer;
mod lookup;
mod mode;
mod moment;
mod occurrence;
mod order;
mod readings;
pub mod reference;
#[cfg(test)]
mod tests;
mod tree;
mod view;
mod walk;
mod xattrs;

pub use artifact::{Artifact, ArtifactBlob, ArtifactKind};
pub use builder::{LowerLinks, TreeBuilder, TreeLimit};
pub use config::{Config, Healthcheck, HistoryEntry, Platform};
pub use digest::Digest;
pub use entry::{ContentHash, EntryBatch, EntryFields, RawEntry, Segment};
pub use history::{ContentComparison, compute_history};
pub use integrity::{Defect, DefectKind};
pub use layer::{Compression, DigestCheck, Layer, LayerContents, Measured};
pub use lookup::Resolution;
pub use mode::display_mode;
pub use moment::{days_since_1970, seconds_of};
pub use occurrence::{Difference, Kind, Occurrence, OccurrenceId, Owner};
pub use order::{CompareOrder, SortKey};
pub use tree::{FileTree, HiddenLink, LayerIndex, LayerSummary, Node, NodeId, Totals};
pub use view::{Baseline, Change, Floors, Scope, Seen};
pub use xattrs::{Xattr, XattrPool, Xattrs};

/// The opened manifest and its source, in words and digests that a person can check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The image as the user named it.
    pub requested: String,
    /// Kind of source: `docker-archive`, `oci-layout`, `oci-archive`, `dir`, `rootfs`, …
    pub source_kind: String,
    /// Compression around the whole source, where it is one file.
    pub source_compression: Option<Compression>,
    /// References (`name:tag`) under which the source lists this image.
    pub references: Vec<String>,
    /// Digest of the OCI or Docker v2 manifest; `None` for a docker-archive, which has none.
    pub manifest_digest: Option<Digest>,
    /// Digest of the configuration, which Docker calls the image ID.
    pub config_digest: Option<Digest>,
    /// Store paths that were opened with their closures in place of an image; empty for an image.
    pub store_roots: Vec<String>,
}

/// Something about an image that a person should know and that did not stop it from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Index of the layer it concerns, if it concerns one.
    pub layer: Option<LayerIndex>,
    /// One sentence that names the file, the layer and the offset.
    pub message: String,
}

/// An image whose trees are complete.
#[derive(Debug, Clone)]
pub struct Image {
    /// Who it is.
    pub identity: Identity,
    /// The configuration, with every optional field optional.
    pub config: Config,
    /// Base layer first.
    pub layers: Vec<Layer>,
    /// All paths of all layers.
    pub tree: FileTree,
    /// Non-fatal problems, in the order of their discovery.
    pub warnings: Vec<Warning>,
    /// Missing or altered parts; each is among the warnings too.
    pub defects: Vec<Defect>,
    /// Bytes of the whole source file where all of it is this one image, compressed as it lies there.
    pub source_bytes: Option<u64>,
}

impl Image {
    /// Returns `true` if it is the closure of local store paths rather than an image: it has no
    /// configuration, and its layers only reflect how it is read.
    #[must_use]
    pub fn is_closure(&self) -> bool {
        !self.identity.store_roots.is_empty()
    }

    /// Sum of the layers' unpacked tar streams, bytes.
    #[must_use]
    pub fn unpacked_bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.unpacked_bytes).fold(0, u64::saturating_add)
    }

    /// Returns `true` if some files of a layer are absent.
    #[must_use]
    pub fn has_absent_layers(&self) -> bool {
        self.layers.iter().any(Layer::is_absent)
    }

    /// Sum of the layers' stored blobs, bytes; `None` when one of them is not known.
    #[must_use]
    pub fn compressed_bytes(&self) -> Option<u64> {
        self.layers.iter().try_fold(0u64, |sum, layer| Some(sum.saturating_add(layer.compressed_bytes?.bytes())))
    }

    /// Sum of the file sizes that the layers' tar headers give, bytes. dive calls this `sizeBytes`.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.file_bytes).fold(0, u64::saturating_add)
    }
}

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
