//! Cache of downloaded and unpacked data: blobs by digest, entries of layers by diffID, and the manifest that each name
//! resolved to. Every file is written to a temporary name and then renamed, so that several processes can share the
//! directory.
//!
//! Blobs are verified when they are read. Entries of layers, and the layer that a blob unpacks to, cannot be verified
//! without unpacking the blob again. Therefore the directory must belong to the user alone, is not used if others could
//! have written to it, and certifying an image reads the blobs themselves.

mod encode;
mod layers;
mod manifests;
mod packed;
mod room;
mod tally;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use tracing::{debug, info, warn};

use nixdive_image::Digest;

pub(crate) use layers::decode_body;
pub use layers::{KnownLayer, LayerWriting};
pub use manifests::KnownManifest;
pub use tally::{Item, ItemKind};

/// Default limit of the cache, in bytes.
pub const DEFAULT_BYTES: u64 = 5 << 30;
/// A file used this recently is not marked as used again.
const FRESH: Duration = Duration::from_secs(60);
/// Marker that backup programs look for (bford.info/cachedir).
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory can be removed at any time.\n";

/// The user's cache.
#[derive(Debug, Clone)]
pub struct Cache {
    root: Arc<Path>,
    most_bytes: u64,
    /// True if others cannot have written to the directory; determined on first use.
    is_private: Arc<OnceLock<bool>>,
    /// True if this process has added a file.
    is_written: Arc<AtomicBool>,
}

/// A blob that is being written.
pub struct BlobWriting {
    file: NamedTempFile,
    target: PathBuf,
}

impl Cache {
    /// Returns `$XDG_CACHE_HOME/nixdive`, else the directory below `~/.cache`.
    #[must_use]
    pub fn place() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(base.join("nixdive"))
    }

    /// Creates the cache in a directory, which need not exist, with a limit in bytes.
    #[must_use]
    pub fn new(root: &Path, most_bytes: u64) -> Self {
        Self { root: root.into(), most_bytes, is_private: Arc::default(), is_written: Arc::default() }
    }

    /// Returns the directory of the cache.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns `true` if the directory may be used: it does not exist yet, or it belongs to the user and only the user
    /// can write to it. Removes read permission for others.
    fn is_usable(&self) -> bool {
        *self.is_private.get_or_init(|| {
            let is_private = is_private(&self.root);
            let root = self.root.display();
            match is_private {
                true => debug!(target: "cache", %root, "used"),
                false => warn!(target: "cache", %root, "not used: others can write to it"),
            }
            is_private
        })
    }

    /// Opens a file for reading, if the directory may be used.
    fn open(&self, path: &Path) -> Option<File> {
        if self.is_usable() { File::open(path).ok() } else { None }
    }

    fn path_of(&self, kind: ItemKind, digest: &Digest) -> PathBuf {
        // Both parts match the grammar of digests, so the path stays inside the cache.
        self.root.join(kind.directory()).join(digest.algorithm()).join(digest.hex())
    }

    /// Opens a blob of `length` bytes. The reader has to verify its digest.
    #[must_use]
    pub fn blob(&self, digest: &Digest, length: u64) -> Option<File> {
        let Some(file) = self.open(&self.path_of(ItemKind::Blob, digest)) else {
            debug!(target: "cache", %digest, "blob: miss");
            return None;
        };
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() != length {
            debug!(target: "cache", %digest, length, found = metadata.len(), "blob: refused, another length");
            return None;
        }
        debug!(target: "cache", %digest, length, "blob: hit");
        touch(&file);
        Some(file)
    }

    /// Returns `true` if the cache contains a blob of `length` bytes.
    #[must_use]
    pub fn has_blob(&self, digest: &Digest, length: u64) -> bool {
        let path = self.path_of(ItemKind::Blob, digest);
        self.is_usable() && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == length)
    }

    /// Reads a small blob completely if its bytes have the digest. Removes it if they do not.
    #[must_use]
    pub fn document(&self, digest: &Digest, most_bytes: u64) -> Option<Vec<u8>> {
        let Some(file) = self.open(&self.path_of(ItemKind::Blob, digest)) else {
            debug!(target: "cache", %digest, "document: miss");
            return None;
        };
        if file.metadata().ok()?.len() > most_bytes {
            return None;
        }
        touch(&file);
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, most_bytes), &mut bytes).ok()?;
        if has_digest(&bytes, digest) {
            debug!(target: "cache", %digest, "document: hit");
            return Some(bytes);
        }
        info!(target: "cache", %digest, "document: refused, other bytes");
        self.forget_blob(digest);
        None
    }

    /// Stores a small blob whose digest was verified. A full disk is ignored.
    pub fn keep_document(&self, digest: &Digest, bytes: &[u8]) {
        let write = || {
            let mut writing = self.begin_blob(digest)?;
            writing.file.write_all(bytes)?;
            writing.commit()
        };
        // On failure it is fetched again next time.
        let _: io::Result<()> = write();
    }

    /// Starts to write a blob.
    ///
    /// # Errors
    /// If nothing can be written to the cache.
    pub fn begin_blob(&self, digest: &Digest) -> io::Result<BlobWriting> {
        Ok(BlobWriting { file: self.begin()?, target: self.path_of(ItemKind::Blob, digest) })
    }

    /// Removes a blob whose content is wrong.
    pub fn forget_blob(&self, digest: &Digest) {
        if !self.is_usable() {
            return;
        }
        // Another process may have removed it first.
        let _ = fs::remove_file(self.path_of(ItemKind::Blob, digest));
    }

    /// Creates a file without a final name.
    fn begin(&self) -> io::Result<NamedTempFile> {
        if !self.is_usable() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "other users can write to the cache"));
        }
        let aside = self.root.join("aside");
        self.is_written.store(true, Ordering::Relaxed);
        if !aside.is_dir() {
            if let Some(parent) = self.root.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::DirBuilder::new().mode(0o700).recursive(true).create(&aside)?;
            // Only informs other programs.
            let _ = fs::write(self.root.join("CACHEDIR.TAG"), TAG);
        }
        tempfile::Builder::new().prefix("").tempfile_in(aside)
    }

    fn commit(file: NamedTempFile, target: &Path) -> io::Result<()> {
        if let Some(directory) = target.parent() {
            fs::create_dir_all(directory)?;
        }
        file.persist(target).map(drop).map_err(|error| error.error)
    }
}

impl BlobWriting {
    /// Opens the file, to be written from its beginning and read at the same time.
    ///
    /// # Errors
    /// If it cannot be opened a second time.
    pub fn file(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Gives the file its final name. All of it must have been written and its digest verified.
    ///
    /// # Errors
    /// If the system cannot rename it.
    pub fn commit(self) -> io::Result<()> {
        Cache::commit(self.file, &self.target)
    }
}

/// Returns `true` if a directory belongs to the user alone or does not exist. Removes read permission for others.
fn is_private(root: &Path) -> bool {
    const OTHERS: u32 = 0o077;
    const OTHERS_WRITE: u32 = 0o022;
    let metadata = match fs::metadata(root) {
        Ok(metadata) => metadata,
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    let mode = metadata.mode();
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() || mode & OTHERS_WRITE != 0 {
        return false;
    }
    mode & OTHERS == 0 || fs::set_permissions(root, fs::Permissions::from_mode(mode & !OTHERS & 0o7777)).is_ok()
}

/// Marks a file as used now: the least recently used files are removed first.
fn touch(file: &File) {
    let now = SystemTime::now();
    let used = file.metadata().and_then(|metadata| metadata.modified());
    if used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > FRESH)) {
        // A read-only cache still works.
        let _ = file.set_modified(now);
    }
}

fn has_digest(bytes: &[u8], digest: &Digest) -> bool {
    nixdive_scan::Verifier::of(digest, bytes).as_ref() == Some(digest)
}

#[cfg(test)]
mod tests;
