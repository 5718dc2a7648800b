use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use nixdive_base::beneath::{Directory, TemporaryDirectory, remove_abandoned};
use nixdive_scan::Section;

/// Bytes that one image may put aside on disk.
const MAX_SPOOL_BYTES: u64 = 16 << 30;

/// A file without a name that holds bytes which came by, until the program ends: it is gone with its last handle, also
/// after a crash.
pub struct Spool {
    file: Arc<File>,
    length: u64,
    /// Bytes beyond the bound, or a full disk: nothing more is kept.
    full: bool,
}

impl Spool {
    /// An empty one, in [`unnamed_file`].
    ///
    /// # Errors
    /// When none of the places can be written.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: Arc::new(unnamed_file()?), length: 0, full: false })
    }

    /// Bytes held.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Puts bytes behind those already there; `false` when there is no more room.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.length.saturating_add(bytes.len() as u64) <= MAX_SPOOL_BYTES;
        if !self.full && fits && self.file.write_all_at(bytes, self.length).is_ok() {
            self.length += bytes.len() as u64;
        } else {
            self.full = true;
        }
        !self.full
    }

    /// A part of what is held; `None` when bytes had to be left out.
    pub fn section(&self, offset: u64, length: u64) -> Option<Section> {
        let end = offset.checked_add(length)?;
        (end <= self.length).then(|| Section::new(Arc::clone(&self.file) as Arc<_>, offset, length))
    }
}

/// A file without a name: in `$TMPDIR`, in `/var/tmp`, which is on disk where `/tmp` may be in memory, else in the
/// system's temporary directory. Never below the home directory.
///
/// # Errors
/// When none of them can be written.
pub fn unnamed_file() -> io::Result<File> {
    let file = places().find_map(|place| tempfile::tempfile_in(place).ok());
    file.map_or_else(tempfile::tempfile, Ok)
}

/// A directory in the same places, removed with its content when it is dropped. Directories that killed runs left there
/// are removed.
///
/// # Errors
/// When none of them can be written.
pub fn scratch_directory() -> io::Result<TemporaryDirectory> {
    let new = |place: PathBuf| {
        let parent = Directory::open(&place)?;
        remove_abandoned(&parent);
        TemporaryDirectory::new(&parent, 0o700)
    };
    places().find_map(|place| new(place).ok()).map_or_else(|| new(std::env::temp_dir()), Ok)
}

fn places() -> impl Iterator<Item = PathBuf> {
    let environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let places = [environment("TMPDIR"), Some(PathBuf::from("/var/tmp"))];
    places.into_iter().flatten()
}
