//! An image that is to be written, as plain data: its files by store path, where their bytes are, its configuration.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use nixdive_image::{Compression, Config, Digest, HistoryEntry, OccurrenceId, Xattrs};
use nixdive_nix::{StoreHash, StorePath};

/// What is to be written. Layers are chosen later, by store path.
#[derive(Debug, Clone, Default)]
pub struct Composition {
    /// Layers of another image that come first and stay as they are.
    pub base: Vec<BaseLayer>,
    /// In the order of their paths.
    pub store_paths: Vec<ComposedStorePath>,
    /// What stands outside the store, ordered by the parts of its paths; directories above an entry may be left out, they
    /// are made as mode 0755 of root.
    pub outside: Vec<Entry>,
    /// The configuration but for `diff_ids` and `history`, which follow from the layers.
    pub config: Config,
}

/// A layer that is taken over from another image, byte for byte.
#[derive(Debug, Clone)]
pub struct BaseLayer {
    /// Digest of its unpacked tar stream, which is checked, where the image gives one.
    pub diff_id: Option<Digest>,
    /// Length of its unpacked tar stream, bytes.
    pub unpacked_bytes: u64,
    /// The history entries that come before the layer's own and have no layer, then its own.
    pub history: Vec<HistoryEntry>,
}

/// A store path that is to be written.
#[derive(Debug, Clone)]
pub struct ComposedStorePath {
    /// Which.
    pub path: StorePath,
    /// Places in [`Composition::store_paths`] of those that it refers to, itself left out, in order.
    pub references: Vec<u32>,
    /// NAR size, bytes.
    pub nar_bytes: u64,
    /// How often it is likely to change.
    pub stability: Stability,
    /// Itself and all below it, ordered by the parts of their paths.
    pub entries: Vec<Entry>,
}

/// How often a store path is likely to change from one build of a service to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stability {
    /// A package of a distribution or of nixpkgs: with a new release of those.
    #[default]
    Package,
    /// The application itself and its configuration: with every build.
    Application,
}

/// One path that is to be written.
#[derive(Debug, Clone)]
pub struct Entry {
    /// From the root, without a slash at its beginning: `nix/store/…`, `etc/passwd`.
    pub path: Box<[u8]>,
    /// Who may do what with it.
    pub metadata: Metadata,
    /// What it is.
    pub body: Body,
}

/// Who may do what with a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, set-id and sticky bits.
    pub mode: u16,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Extended attributes, file capabilities among them.
    pub xattrs: Xattrs,
}

/// What is at a path.
#[derive(Debug, Clone)]
pub enum Body {
    /// A directory.
    Directory,
    /// A symbolic link and its target.
    Symlink(Box<[u8]>),
    /// A regular file.
    File(FileContent),
}

/// The bytes of a regular file.
#[derive(Debug, Clone)]
pub struct FileContent {
    /// Their number.
    pub bytes: u64,
    /// Where they are.
    pub content: Content,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone)]
pub enum Content {
    /// In the image that is rebuilt: an occurrence that has content of its own.
    Image(OccurrenceId),
    /// There too, with hash parts replaced.
    Rewritten(OccurrenceId, Arc<Rewriting>),
    /// Here.
    Given(Arc<[u8]>),
    /// In a file of this machine.
    Disk(Arc<Path>),
}

/// Hash parts that are replaced by others of the same length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewriting {
    /// Printed store paths whose hash part becomes another one.
    pub references: Vec<(StorePath, StoreHash)>,
    /// The own hash part wherever it stands, and what it becomes.
    pub own: Option<(StoreHash, StoreHash)>,
    /// Hash parts that are blanked wherever they stand, as nixpkgs' `removeReferencesTo` does: 32 times `e`.
    pub cut: Vec<StoreHash>,
}

/// Reads the bytes of files that are to be written. Any thread may ask for any file at any time.
pub trait ReadContent: Sync {
    /// The bytes from their beginning; as many as [`FileContent::bytes`] says, or an error at their end.
    ///
    /// # Errors
    /// Those of the source.
    fn read(&self, content: &Content) -> io::Result<Box<dyn Read + Send + '_>>;

    /// The unpacked tar stream of a layer of the base, by its place in [`Composition::base`].
    ///
    /// # Errors
    /// Those of the source; where there is no base, there is nothing to read.
    fn read_base_layer(&self, place: usize) -> io::Result<Box<dyn Read + Send + '_>> {
        let _ = place;
        Err(io::ErrorKind::NotFound.into())
    }

    /// A layer of the base as its image stores it, by its place, where that is known and a registry takes it so.
    fn base_blob(&self, place: usize) -> Option<&dyn BaseBlob> {
        let _ = place;
        None
    }
}

/// A layer as an image stores it: taken over as it is, it is shared with all that have that image.
pub trait BaseBlob: Send + Sync {
    /// How it is compressed: with gzip, zstd or not at all.
    fn compression(&self) -> Compression;

    /// Digest of the blob.
    fn digest(&self) -> &Digest;

    /// Length of the blob, bytes.
    fn stored_bytes(&self) -> u64;

    /// Its bytes.
    ///
    /// # Errors
    /// Those of the source.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}
