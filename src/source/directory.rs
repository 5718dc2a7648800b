use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Container, MAX_DOCUMENT_BYTES, SourceError};
use crate::scan::Section;
use crate::scan::tar::normalize;

/// `O_NONBLOCK` of Linux and the BSDs differ; opening a named pipe that takes a file's place must not hang.
#[cfg(target_os = "linux")]
const NON_BLOCKING: i32 = 0o4000;
#[cfg(not(target_os = "linux"))]
const NON_BLOCKING: i32 = 4;

/// Bytes that the target of a link may have.
const MAX_LINK_BYTES: u64 = 1024;

/// A directory with one file a part: an OCI layout, a directory of skopeo's.
#[derive(Debug)]
pub struct DirectoryContainer {
    root: PathBuf,
}

impl DirectoryContainer {
    /// The directory at `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        let mut path = Vec::new();
        normalize(name.as_bytes(), &mut path);
        let path = self.root.join(String::from_utf8_lossy(&path).as_ref());
        match name.starts_with("blobs/").then(|| self.written_out_link(name, &path)).flatten() {
            Some(target) => target,
            None => path,
        }
    }

    /// Where a blob leads that was a symbolic link in Git and was checked out, or downloaded, where there are none: Git
    /// then writes a small file that holds the link's target (`core.symlinks` of git-config(1)). The target must be a
    /// file of this directory.
    fn written_out_link(&self, name: &str, path: &Path) -> Option<PathBuf> {
        let (file, length) = open_file(path).ok()??;
        if length > MAX_LINK_BYTES {
            return None;
        }
        let mut target = String::new();
        file.take(MAX_LINK_BYTES).read_to_string(&mut target).ok()?;
        let is_path = target.starts_with("../") && !target.chars().any(char::is_control);
        let (directory, _) = name.rsplit_once('/')?;
        let mut inside = Vec::new();
        normalize(format!("{directory}/{target}").as_bytes(), &mut inside);
        let found = self.root.join(std::str::from_utf8(&inside).ok()?);
        (is_path && found.metadata().ok()?.is_file()).then_some(found)
    }

    fn open(&self, name: &str) -> Result<Option<(File, u64)>, SourceError> {
        match open_file(&self.path(name)) {
            Ok(found) => Ok(found),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(SourceError::Part { name: name.to_owned(), error }),
        }
    }
}

/// Opens a regular file, and gives its length in bytes; `None` for anything else.
pub(super) fn open_file(path: &Path) -> io::Result<Option<(File, u64)>> {
    let file = File::options().read(true).custom_flags(NON_BLOCKING).open(path)?;
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

impl Container for DirectoryContainer {
    fn locate(&self, name: &str) -> Option<String> {
        self.path(name).metadata().ok()?.is_file().then(|| name.to_owned())
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let Some((file, length)) = self.open(name)? else { return Ok(None) };
        if length > MAX_DOCUMENT_BYTES {
            return Err(SourceError::TooLong { name: name.to_owned(), length, most: MAX_DOCUMENT_BYTES });
        }
        let mut bytes = Vec::new();
        file.take(MAX_DOCUMENT_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| SourceError::Part { name: name.to_owned(), error })?;
        Ok(Some(bytes))
    }

    fn blob(&self, located: &str) -> Result<Option<Section>, SourceError> {
        Ok(self.open(located)?.map(|(file, length)| Section::new(Arc::new(file), 0, length)))
    }
}
