//! What need not be fetched or unpacked a second time: blobs by their digests, layers' entries by their diffIDs, and which
//! manifest a name led to. Every file is written aside and then renamed, and held against its digest when it is read, so
//! that several processes can share the directory and nobody has to trust what lies there.

mod encode;
mod layers;
mod manifests;
mod packed;
mod room;
mod tally;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::image::Digest;

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
        Self { root: root.into(), most_bytes }
    }

    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path_of(&self, kind: ItemKind, digest: &Digest) -> PathBuf {
        // Both parts are of the grammar of digests: they lead nowhere else.
        self.root.join(kind.directory()).join(digest.algorithm()).join(digest.hex())
    }

    /// A blob of so many bytes. Whether its bytes have the digest is for whoever reads them to find out.
    #[must_use]
    pub fn blob(&self, digest: &Digest, length: u64) -> Option<File> {
        let file = File::open(self.path_of(ItemKind::Blob, digest)).ok()?;
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
        fs::metadata(self.path_of(ItemKind::Blob, digest)).is_ok_and(|file| file.is_file() && file.len() == length)
    }

    /// A small blob, whole, where its bytes have the digest. One that has not is taken away.
    #[must_use]
    pub fn document(&self, digest: &Digest, most_bytes: u64) -> Option<Vec<u8>> {
        let path = self.path_of(ItemKind::Blob, digest);
        let file = File::open(&path).ok()?;
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
        // Somebody else may have been faster.
        let _ = fs::remove_file(self.path_of(ItemKind::Blob, digest));
    }

    /// A file without a place yet.
    fn begin(&self) -> io::Result<NamedTempFile> {
        let aside = self.root.join("aside");
        if !aside.is_dir() {
            fs::create_dir_all(&aside)?;
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
    use sha2::Digest as _;
    match digest.algorithm() {
        "sha256" => Digest::from_sha256(&sha2::Sha256::digest(bytes).into()) == *digest,
        "sha512" => {
            let hex: String = sha2::Sha512::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            hex == digest.hex()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
