//! Adds images to an existing OCI layout while other processes may do the same.
//!
//! Blobs are added whole under their digests. The index is read again, changed and replaced under a lock on the
//! directory, so that the image of another writer is never lost. Blobs of an image that failed are removed only if no
//! other writer can rely on them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::WriteError;
use nixdive_base::beneath::{Directory, Links, Lock, Temporary, is_led_out, remove_abandoned};
use nixdive_image::Digest;

/// Maximum length of an index, bytes.
const MAX_INDEX_BYTES: u64 = 16 << 20;

/// OCI layout open for writing. Other writers can detect its presence while this value exists.
#[derive(Debug)]
pub struct SharedLayout {
    root: Directory,
    blobs: Directory,
    /// Lock shared by all writers.
    _presence: Option<File>,
    /// Index when the layout was opened.
    first_index: Vec<u8>,
    index: Map<String, Value>,
}

impl SharedLayout {
    /// Opens the layout at `place`, which may be reached through links. Remains of a killed writer are removed.
    pub fn open(place: &Path) -> Result<Self, WriteError> {
        let failed = |error| WriteError::write(place, error);
        let refused = |reason| WriteError::Exists { path: place.to_owned(), reason };
        let root = Directory::open(place).map_err(failed)?;
        if read(&root, "oci-layout").is_err() {
            return Err(refused("is a directory with other contents, not an OCI layout"));
        }
        let blobs = root.make_path(Path::new("blobs")).map_err(|error| through_link(&place.join("blobs"), error))?;
        for directory in [Some(&root), sha256_of(&blobs)?.as_ref()].into_iter().flatten() {
            remove_abandoned(directory);
        }
        let presence = blobs.lock(Lock::Shared).map_err(failed)?;
        let first_index = read_index(&root, place)?;
        let index = parsed(&first_index).ok_or_else(|| refused("is an OCI layout with an invalid index.json"))?;
        Ok(Self { root, blobs, _presence: Some(presence), first_index, index })
    }

    /// Returns the index as it was when the layout was opened.
    pub fn index(&self) -> &Map<String, Value> {
        &self.index
    }

    /// Returns the directory of the layout.
    pub fn root(&self) -> &Directory {
        &self.root
    }

    /// Moves in the blobs of a layout that was written elsewhere on the same file system.
    pub fn adopt(&self, from: &Path) -> Result<(), WriteError> {
        let failed = |error| WriteError::write(from, error);
        let from = Directory::open(&from.join("blobs")).map_err(failed)?;
        for algorithm in from.names(usize::MAX).map_err(failed)? {
            let source = from.subdirectory(Path::new(&algorithm)).map_err(failed)?;
            let place = self.blobs.path().join(&algorithm);
            let target = self.blobs.make_path(Path::new(&algorithm)).map_err(|error| through_link(&place, error))?;
            for name in source.names(usize::MAX).map_err(failed)? {
                // Equal digests mean equal bytes; a dangling link is replaced.
                if target.open_file(Path::new(&name), Links::Inside).is_err() {
                    source.rename(&name, &target, &name).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the current index by the result of `change`, under a lock.
    pub fn change_index(
        &self,
        change: &mut dyn FnMut(Map<String, Value>) -> Result<Map<String, Value>, WriteError>,
    ) -> Result<u64, WriteError> {
        let place = self.root.path();
        let failed = |error| WriteError::write(&place.join("index.json"), error);
        let _lock = self.root.lock(Lock::Exclusive).map_err(failed)?;
        let bytes = read_index(&self.root, place)?;
        let reason = "is an OCI layout with an invalid index.json";
        let index = parsed(&bytes).ok_or_else(|| WriteError::Exists { path: place.to_owned(), reason })?;
        let bytes = Value::Object(change(index)?).to_string();
        let mut new = Temporary::new(&self.root, 0o666).map_err(failed)?;
        new.file_mut().write_all(bytes.as_bytes()).map_err(failed)?;
        new.publish(&self.root, OsStr::new("index.json")).map_err(failed)?;
        Ok(bytes.len() as u64)
    }

    /// Removes blobs that were added for a failed image, unless another writer is or was present since the layout was
    /// opened. Otherwise they remain as blobs without an image.
    pub fn abandon(&mut self, added: &[PathBuf]) {
        drop(self._presence.take());
        let Some(_alone) = self.blobs.try_lock_alone() else { return };
        if read_index(&self.root, self.root.path()).ok().as_ref() != Some(&self.first_index) {
            return;
        }
        for blob in added {
            let below = blob.strip_prefix(self.root.path()).ok();
            let Some((parent, name)) = below.and_then(|below| Some((below.parent()?, below.file_name()?))) else {
                continue;
            };
            if let Ok(directory) = self.root.subdirectory(parent) {
                let _ = directory.remove_file(name);
            }
        }
    }
}

/// Opens the directory for blobs of one algorithm and creates it if it is missing. Links are not followed.
pub fn blobs_of(root: &Directory, algorithm: &str) -> Result<Directory, WriteError> {
    let path = Path::new("blobs").join(algorithm);
    root.make_path(&path).map_err(|error| through_link(&root.path().join(&path), error))
}

/// Returns `true` if a blob of this length is present. Links within the layout are followed.
pub fn has_blob(root: &Directory, digest: &Digest, bytes: u64) -> bool {
    let path = Path::new("blobs").join(digest.algorithm()).join(digest.hex());
    let found = root.open_file(&path, Links::Inside).and_then(|file| file.metadata());
    found.is_ok_and(|found| found.is_file() && found.len() == bytes)
}

fn sha256_of(blobs: &Directory) -> Result<Option<Directory>, WriteError> {
    match blobs.subdirectory(Path::new("sha256")) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(through_link(&blobs.path().join("sha256"), error)),
    }
}

fn through_link(path: &Path, error: io::Error) -> WriteError {
    if is_led_out(&error) {
        let reason = "is a link or a file instead of a directory; refusing to write through it";
        return WriteError::Exists { path: path.to_owned(), reason };
    }
    WriteError::write(path, error)
}

fn read(directory: &Directory, name: &str) -> io::Result<Vec<u8>> {
    let file = directory.open_file(Path::new(name), Links::Inside)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(MAX_INDEX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the index. A link is rejected without reading its target, as it would be replaced.
fn read_index(root: &Directory, place: &Path) -> Result<Vec<u8>, WriteError> {
    let path = place.join("index.json");
    match root.kind(OsStr::new("index.json")) {
        Ok(Some(rustix::fs::FileType::Symlink)) => {
            Err(WriteError::Exists { path, reason: "is a link; refusing to write through it" })
        }
        _ => read(root, "index.json").map_err(|_| WriteError::Exists {
            path: place.to_owned(),
            reason: "is an OCI layout with an invalid index.json",
        }),
    }
}

fn parsed(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(index)) if bytes.len() as u64 <= MAX_INDEX_BYTES => Some(index),
        _ => None,
    }
}
