//! What need not be fetched or unpacked a second time: blobs by their digests, layers' entries by their diffIDs, and which
//! manifest a name led to. Every file is written aside and then renamed, so that several processes can share the
//! directory.
//!
//! Blobs are verified when they are read. Entries of layers, and which layer a blob unpacks to, cannot be verified without
//! unpacking the blob again: the directory is the user's alone, is not used where others could have written to it, and
//! whoever certifies an image reads the blobs.

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

use nixdive_image::Digest;

pub use layers::{KnownLayer, LayerWriting};
pub use manifests::KnownManifest;
pub use tally::{Item, ItemKind};

/// Bytes that it may have where nobody says otherwise.
pub const DEFAULT_BYTES: u64 = 5 << 30;
/// A file that was used so recently need not be marked as used again.
const FRESH: Duration = Duration::from_secs(60);
/// What backup programs look for (bford.info/cachedir).
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# This directory can be removed at any time.\n";

/// The cache of a person.
#[derive(Debug, Clone)]
pub struct Cache {
    root: Arc<Path>,
    most_bytes: u64,
    /// Whether others cannot have written to the directory; found out when it is first used.
    is_private: Arc<OnceLock<bool>>,
    /// Whether this process has put anything in.
    is_written: Arc<AtomicBool>,
}

/// A blob that is being written.
pub struct BlobWriting {
    file: NamedTempFile,
    target: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/nixdive`, else below `~/.cache`.
    #[must_use]
    pub fn place() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(base.join("nixdive"))
    }

    /// The cache in a directory, which need not be there, held to so many bytes.
    #[must_use]
    pub fn new(root: &Path, most_bytes: u64) -> Self {
        Self { root: root.into(), most_bytes, is_private: Arc::default(), is_written: Arc::default() }
    }

    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the directory may be used: it is not there yet, or it is the user's and nobody else could write to it. One
    /// that others may read is closed to them.
    fn is_usable(&self) -> bool {
        *self.is_private.get_or_init(|| is_private(&self.root))
    }

    /// Opens a file for reading, where the directory may be used.
    fn open(&self, path: &Path) -> Option<File> {
        if self.is_usable() { File::open(path).ok() } else { None }
    }

    fn path_of(&self, kind: ItemKind, digest: &Digest) -> PathBuf {
        // Both parts are of the grammar of digests: they lead nowhere else.
        self.root.join(kind.directory()).join(digest.algorithm()).join(digest.hex())
    }

    /// A blob of so many bytes. Whether its bytes have the digest is for whoever reads them to find out.
    #[must_use]
    pub fn blob(&self, digest: &Digest, length: u64) -> Option<File> {
        let file = self.open(&self.path_of(ItemKind::Blob, digest))?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() != length {
            return None;
        }
        touch(&file);
        Some(file)
    }

    /// Whether a blob of so many bytes is there.
    #[must_use]
    pub fn has_blob(&self, digest: &Digest, length: u64) -> bool {
        let path = self.path_of(ItemKind::Blob, digest);
        self.is_usable() && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == length)
    }

    /// A small blob, whole, where its bytes have the digest. One that has not is taken away.
    #[must_use]
    pub fn document(&self, digest: &Digest, most_bytes: u64) -> Option<Vec<u8>> {
        let file = self.open(&self.path_of(ItemKind::Blob, digest))?;
        if file.metadata().ok()?.len() > most_bytes {
            return None;
        }
        touch(&file);
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, most_bytes), &mut bytes).ok()?;
        if has_digest(&bytes, digest) {
            return Some(bytes);
        }
        self.forget_blob(digest);
        None
    }

    /// Keeps a small blob whose digest was checked. A full disk is no obstacle to anybody.
    pub fn keep_document(&self, digest: &Digest, bytes: &[u8]) {
        let write = || {
            let mut writing = self.begin_blob(digest)?;
            writing.file.write_all(bytes)?;
            writing.commit()
        };
        // It is fetched again next time.
        let _: io::Result<()> = write();
    }

    /// Begins to write a blob.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn begin_blob(&self, digest: &Digest) -> io::Result<BlobWriting> {
        Ok(BlobWriting { file: self.begin()?, target: self.path_of(ItemKind::Blob, digest) })
    }

    /// Takes a blob away that is not what it should be.
    pub fn forget_blob(&self, digest: &Digest) {
        if !self.is_usable() {
            return;
        }
        // Somebody else may have been faster.
        let _ = fs::remove_file(self.path_of(ItemKind::Blob, digest));
    }

    /// A file without a place yet.
    fn begin(&self) -> io::Result<NamedTempFile> {
        if !self.is_usable() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write to the cache"));
        }
        let aside = self.root.join("aside");
        self.is_written.store(true, Ordering::Relaxed);
        if !aside.is_dir() {
            if let Some(parent) = self.root.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::DirBuilder::new().mode(0o700).recursive(true).create(&aside)?;
            // Only tells others what this is.
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
    /// The file, to be written from its beginning, and read meanwhile.
    ///
    /// # Errors
    /// When it cannot be opened a second time.
    pub fn file(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Gives it its name. All of it was written, and its digest is right.
    ///
    /// # Errors
    /// Those of the system.
    pub fn commit(self) -> io::Result<()> {
        Cache::commit(self.file, &self.target)
    }
}

/// Whether a directory is the user's alone, or not there. One that others may only read is closed to them.
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

/// Marks a file as used now: those that were not used longest go first.
fn touch(file: &File) {
    let now = SystemTime::now();
    let used = file.metadata().and_then(|metadata| metadata.modified());
    if used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > FRESH)) {
        // A cache that cannot be written still serves.
        let _ = file.set_modified(now);
    }
}

fn has_digest(bytes: &[u8], digest: &Digest) -> bool {
    nixdive_scan::Verifier::of(digest, bytes).as_ref() == Some(digest)
}

#[cfg(test)]
mod tests;
