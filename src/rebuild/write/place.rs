//! Files that appear whole or not at all: written beside their place under another name, then renamed.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::{Destination, WriteError};

/// How the names begin that unfinished files and directories have.
const PREFIX: &str = ".nixdive-";

/// A file in the making.
pub(crate) struct NewFile {
    file: NamedTempFile,
    place: PathBuf,
}

impl NewFile {
    /// One that will stand at `place`, where a regular file or nothing is.
    pub fn beside(place: &Path) -> Result<Self, WriteError> {
        let place = resolved(place)?;
        let mut builder = tempfile::Builder::new();
        // What the user's umask leaves of it.
        builder.prefix(PREFIX).permissions(Permissions::from_mode(0o666));
        let file = builder.tempfile_in(directory_of(&place)).map_err(|error| WriteError::write(&place, error))?;
        Ok(Self { file, place })
    }

    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Takes the space that it will need, where the file system can, so that a full disk is told at once.
    pub fn reserve(&self, bytes: u64) -> Result<(), WriteError> {
        use rustix::io::Errno;
        match rustix::fs::fallocate(self.file(), rustix::fs::FallocateFlags::empty(), 0, bytes) {
            Err(error @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT)) => {
                Err(WriteError::write(&self.place, error.into()))
            }
            _ => Ok(()),
        }
    }

    /// Puts it where it belongs, now that its name is known.
    pub fn publish_at(self, place: &Path) -> Result<(), WriteError> {
        self.file.persist(place).map(drop).map_err(|error| WriteError::write(place, error.error))
    }

    /// Puts it where it belongs.
    pub fn publish(self) -> Result<(), WriteError> {
        let place = self.place;
        self.file.persist(&place).map(drop).map_err(|error| WriteError::write(&place, error.error))
    }
}

/// A directory in the making, or for scratch, that is removed with all in it unless it is published.
pub(crate) fn new_directory(place: &Path) -> Result<TempDir, WriteError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).permissions(Permissions::from_mode(0o777));
    builder.tempdir_in(directory_of(place)).map_err(|error| WriteError::write(place, error))
}

/// The directory that a path lies in.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The file that a destination stands for: a link's target, as other programs that write a file have it.
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
                "is neither a file nor a directory; «-» writes to standard output"
            };
            Err(WriteError::Exists { path: place.to_owned(), reason })
        }
    }
}

/// What is at a path, links followed; `None` for nothing.
pub(super) fn metadata_at(path: &Path) -> Result<Option<Metadata>, WriteError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(WriteError::Exists { path: path.to_owned(), reason: "is a link that leads nowhere" }),
            Err(_) => Ok(None),
        },
        Err(error) => Err(WriteError::write(path, error)),
    }
}

/// Refuses destinations that are the same, or that are a file or directory that is read.
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
