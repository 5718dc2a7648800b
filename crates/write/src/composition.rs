//! Image to be written, as plain data: its files by store path, the sources of their contents, and its configuration.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use nixdive_image::{Compression, Config, Digest, HistoryEntry, OccurrenceId, Xattrs};
use nixdive_nix::{StoreHash, StorePath};

/// Contents of the image to be written. Store paths are assigned to layers later.
#[derive(Debug, Clone, Default)]
pub struct Composition {
    /// Layers of another image that come first and are kept unchanged.
    pub base: Vec<BaseLayer>,
    /// Store paths, sorted by path.
    pub store_paths: Vec<ComposedStorePath>,
    /// Entries outside the store, sorted by path components. Parent directories may be omitted; they are created with
    /// mode 0755 and owned by root.
    pub outside: Vec<Entry>,
    /// Configuration without `diff_ids` and `history`, which follow from the layers.
    pub config: Config,
}

/// Layer that is copied from another image byte for byte.
#[derive(Debug, Clone)]
pub struct BaseLayer {
    /// Digest of the unpacked tar stream, which is verified, if the image states it.
    pub diff_id: Option<Digest>,
    /// Length of the unpacked tar stream, bytes.
    pub unpacked_bytes: u64,
    /// History entries without a layer that precede the entry of this layer, and then that entry.
    pub history: Vec<HistoryEntry>,
}

/// Store path to be written.
#[derive(Debug, Clone)]
pub struct ComposedStorePath {
    /// The store path.
    pub path: StorePath,
    /// Positions in [`Composition::store_paths`] of its references, without itself, in order.
    pub references: Vec<u32>,
    /// NAR size, bytes.
    pub nar_bytes: u64,
    /// How often the store path is expected to change.
    pub stability: Stability,
    /// Entries of the store path, its root included, sorted by path components.
    pub entries: Vec<Entry>,
}

/// Expected stability of a store path between two builds of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stability {
    /// Package of a distribution or of nixpkgs, which changes with their releases.
    #[default]
    Package,
    /// Application and its configuration, which change with every build.
    Application,
}

/// File, directory or link to be written.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path from the root, without a leading slash: `nix/store/…`, `etc/passwd`.
    pub path: Box<[u8]>,
    /// Permissions, owner and extended attributes.
    pub metadata: Metadata,
    /// Type and contents.
    pub body: Body,
}

/// Permissions, owner and extended attributes of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, set-id and sticky bits.
    pub mode: u16,
    /// User ID of the owner.
    pub uid: u32,
    /// Group ID of the owner.
    pub gid: u32,
    /// Extended attributes, including file capabilities.
    pub xattrs: Xattrs,
}

/// Type and contents of an entry.
#[derive(Debug, Clone)]
pub enum Body {
    /// Directory.
    Directory,
    /// Symbolic link with its target.
    Symlink(Box<[u8]>),
    /// Regular file.
    File(FileContent),
}

/// Contents of a regular file.
#[derive(Debug, Clone)]
pub struct FileContent {
    /// Length, bytes.
    pub bytes: u64,
    /// Source of the bytes.
    pub content: Content,
}

/// Source of the contents of a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// File in the source image: an occurrence with contents of its own.
    Image(OccurrenceId),
    /// File in the source image, with hash parts replaced.
    Rewritten(OccurrenceId, Arc<Rewriting>),
    /// Bytes in memory.
    Given(Arc<[u8]>),
    /// File on this machine.
    Disk(Arc<Path>),
}

/// Hash parts to replace by others of the same length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewriting {
    /// Store paths whose hash part is replaced wherever the full path occurs.
    pub references: Vec<(StorePath, StoreHash)>,
    /// Hash part of the file's own store path, replaced wherever it occurs, and its replacement.
    pub own: Option<(StoreHash, StoreHash)>,
    /// Hash parts blanked wherever they occur, as nixpkgs' `removeReferencesTo` does: 32 times `e`.
    pub cut: Vec<StoreHash>,
}

/// Source of the contents of the files to be written. Any thread may request any file at any time.
pub trait ReadContent: Sync {
    /// Opens the contents of a file: exactly [`FileContent::bytes`] bytes, or an error at the end.
    ///
    /// # Errors
    /// If the source cannot be opened.
    fn read(&self, content: &Content) -> io::Result<Box<dyn Read + Send + '_>>;

    /// Opens the unpacked tar stream of a base layer, by its position in [`Composition::base`].
    ///
    /// # Errors
    /// If the source cannot be opened or the composition has no base.
    fn read_base_layer(&self, place: usize) -> io::Result<Box<dyn Read + Send + '_>> {
        let _ = place;
        Err(io::ErrorKind::NotFound.into())
    }

    /// Returns a base layer as its image stores it, if that is known and registries accept it in that form.
    fn base_blob(&self, place: usize) -> Option<&dyn BaseBlob> {
        let _ = place;
        None
    }
}

/// Layer blob as an image stores it. Copied unchanged, it is shared with all images that have it.
pub trait BaseBlob: Send + Sync {
    /// Returns the compression: gzip, zstd or none.
    fn compression(&self) -> Compression;

    /// Returns the digest of the blob.
    fn digest(&self) -> &Digest;

    /// Returns the length of the blob, bytes.
    fn stored_bytes(&self) -> u64;

    /// Opens the blob.
    ///
    /// # Errors
    /// If the source cannot be opened.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}
