use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Container, MAX_DOCUMENT_BYTES, SourceError};
use nixdive_base::beneath::{Directory, Links, is_led_out};
use nixdive_scan::Section;
use nixdive_scan::tar::normalize;

/// `O_NONBLOCK` differs between Linux and the BSDs; opening a named pipe that replaces a file must not hang.
#[cfg(target_os = "linux")]
const NON_BLOCKING: i32 = 0o4000;
#[cfg(not(target_os = "linux"))]
const NON_BLOCKING: i32 = 4;

/// Maximum bytes of the target of a link.
const MAX_LINK_BYTES: u64 = 1024;

/// A directory with one file per part: an OCI layout or a skopeo directory.
#[derive(Debug)]
pub struct DirectoryContainer {
    root: PathBuf,
}

impl DirectoryContainer {
    /// Creates a container for the directory at `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Opens a part. Follows links within the directory, since blobs can be links to one another; a link out of the
    /// directory is an error.
    fn open(&self, name: &str) -> Result<Option<(File, u64)>, SourceError> {
        let failed = |error| SourceError::Part { name: name.to_owned(), error };
        match self.open_below(name) {
            Ok(found) => Ok(found),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) if is_led_out(&error) => {
                let reason = "a symbolic link on the way leads out of the directory, and is not followed";
                Err(failed(io::Error::other(reason)))
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn open_below(&self, name: &str) -> io::Result<Option<(File, u64)>> {
        let directory = Directory::open(&self.root)?;
        let mut path = Vec::new();
        normalize(name.as_bytes(), &mut path);
        let path = PathBuf::from(String::from_utf8_lossy(&path).as_ref());
        let Some((file, length)) = regular(directory.open_file(&path, Links::Inside)?)? else { return Ok(None) };
        if name.starts_with("blobs/") && length <= MAX_LINK_BYTES {
            return written_out_link(&directory, name, file, length);
        }
        Ok(Some((file, length)))
    }
}

/// Opens the file that a checked-out link refers to. Git writes a small file with the link's target if symbolic links
/// are not supported (`core.symlinks` in git-config(1)). The target must be a file of the directory; otherwise the blob
/// itself is used.
fn written_out_link(directory: &Directory, name: &str, mut file: File, length: u64) -> io::Result<Option<(File, u64)>> {
    let mut target = String::new();
    let is_text = file.by_ref().take(MAX_LINK_BYTES).read_to_string(&mut target).is_ok();
    file.rewind()?;
    let is_path = is_text && target.starts_with("../") && !target.chars().any(char::is_control);
    let Some((parent, _)) = name.rsplit_once('/').filter(|_| is_path) else { return Ok(Some((file, length))) };
    let mut inside = Vec::new();
    normalize(format!("{parent}/{target}").as_bytes(), &mut inside);
    let inside = PathBuf::from(String::from_utf8_lossy(&inside).as_ref());
    let found = directory.open_file(&inside, Links::Inside).and_then(regular);
    Ok(found.ok().flatten().or(Some((file, length))))
}

/// Returns the file and its length in bytes if it is a regular file.
fn regular(file: File) -> io::Result<Option<(File, u64)>> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata.len())))
}

/// Opens a regular file and returns its length in bytes. Returns `None` for anything else.
pub(super) fn open_file(path: &Path) -> io::Result<Option<(File, u64)>> {
    regular(File::options().read(true).custom_flags(NON_BLOCKING).open(path)?)
}

impl Container for DirectoryContainer {
    fn locate(&self, name: &str) -> Option<String> {
        // A part that cannot be opened exists; reading it reports the reason.
        self.open(name).map_or(true, |found| found.is_some()).then(|| name.to_owned())
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
