//! Files that appear atomically: written next to their destination under another name, then renamed.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Destination, WriteError};
use nixdive_base::beneath::{Directory, Temporary, TemporaryDirectory, remove_abandoned};

/// File that is being written.
pub struct NewFile {
    file: Temporary,
    directory: Directory,
    place: PathBuf,
}

impl NewFile {
    /// Creates a file that will be published at `place`, which must be absent or a regular file. Remains of a killed
    /// run are removed.
    pub fn beside(place: &Path) -> Result<Self, WriteError> {
        let place = resolved(place)?;
        let directory = Directory::open(directory_of(&place)).map_err(|error| WriteError::write(&place, error))?;
        remove_abandoned(&directory);
        Self::within(&directory, place)
    }

    /// Creates a file that will be published at `place` in an open directory; a link of that name is replaced.
    pub fn within(directory: &Directory, place: PathBuf) -> Result<Self, WriteError> {
        // The user's umask applies.
        let file = Temporary::new(directory, 0o666).map_err(|error| WriteError::write(&place, error))?;
        Ok(Self { file, directory: directory.clone(), place })
    }

    /// Returns the open file.
    pub fn file(&self) -> &File {
        self.file.file()
    }

    /// Returns the path at which the file will be published.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Reserves disk space, if the file system supports it, so that a full disk is reported immediately.
    pub fn reserve(&self, bytes: u64) -> Result<(), WriteError> {
        use rustix::io::Errno;
        match rustix::fs::fallocate(self.file(), rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Err(error @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT)) => {
                Err(WriteError::write(&self.place, error.into()))
            }
            _ => Ok(()),
        }
    }

    /// Publishes the file under another name in the directory in which it was created.
    pub fn publish_at(self, place: &Path) -> Result<(), WriteError> {
        let name = place.file_name().unwrap_or_default();
        self.file.publish(&self.directory, name).map_err(|error| WriteError::write(place, error))
    }

    /// Publishes the file.
    pub fn publish(self) -> Result<(), WriteError> {
        let place = self.place.clone();
        self.publish_at(&place)
    }
}

/// Creates a directory that is removed with its contents unless it is published. Remains of a killed run next to
/// `place` are removed.
pub fn new_directory(place: &Path) -> Result<TemporaryDirectory, WriteError> {
    let failed = |error| WriteError::write(place, error);
    let parent = Directory::open(directory_of(place)).map_err(failed)?;
    remove_abandoned(&parent);
    TemporaryDirectory::new(&parent, 0o777).map_err(failed)
}

/// Returns the parent directory of a path.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Resolves the file that a destination names: links are followed, as other programs do when they write a file.
fn resolved(place: &Path) -> Result<PathBuf, WriteError> {
    match metadata_at(place)? {
        None => Ok(place.to_owned()),
        Some(metadata) if metadata.is_file() => {
            fs::canonicalize(place).map_err(|error| WriteError::write(place, error))
        }
        Some(metadata) => {
            let reason = if metadata.is_dir() {
                "is a directory; name a file in it, or write oci:DIRECTORY"
            } else {
                "is neither a file nor a directory; use `-` for standard output"
            };
            Err(WriteError::Exists { path: place.to_owned(), reason })
        }
    }
}

/// Returns the metadata at a path, following links; `None` if nothing is there.
pub(super) fn metadata_at(path: &Path) -> Result<Option<Metadata>, WriteError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(WriteError::Exists { path: path.to_owned(), reason: "is a dangling link" }),
            Err(_) => Ok(None),
        },
        Err(error) => Err(WriteError::write(path, error)),
    }
}

/// Rejects duplicate destinations and destinations that are used as input.
pub(super) fn check_apart(destinations: &[Destination], protected: &[PathBuf]) -> Result<(), WriteError> {
    let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let read: Vec<(u64, u64)> =
        protected.iter().filter_map(|path| fs::metadata(path).ok()).map(|metadata| identity(&metadata)).collect();
    let mut existing = Vec::new();
    let mut named = Vec::new();
    let mut has_output = false;
    for destination in destinations {
        let Some(path) = destination.path() else {
            if std::mem::replace(&mut has_output, true) {
                return Err(WriteError::Twice(PathBuf::from("-")));
            }
            continue;
        };
        if let Some(metadata) = metadata_at(path)? {
            let identity = identity(&metadata);
            if read.contains(&identity) {
                return Err(WriteError::IsInput(path.to_owned()));
            }
            if existing.contains(&identity) {
                return Err(WriteError::Twice(path.to_owned()));
            }
            existing.push(identity);
        } else {
            let directory = directory_of(path);
            let directory = fs::canonicalize(directory).map_err(|error| WriteError::write(path, error))?;
            let full = path.file_name().map(|name| directory.join(name)).unwrap_or(directory);
            if named.contains(&full) {
                return Err(WriteError::Twice(path.to_owned()));
            }
            named.push(full);
        }
    }
    Ok(())
}
