use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use nixdive_base::beneath::{Directory, TemporaryDirectory, remove_abandoned};
use nixdive_scan::Section;

/// Maximum bytes that one image may spool to disk.
const MAX_SPOOL_BYTES: u64 = 16 << 30;

/// An unnamed file with spooled bytes. It vanishes with its last handle, even after a crash.
pub struct Spool {
    file: Arc<File>,
    length: u64,
    /// True once the limit or the end of the disk is reached: nothing more is kept.
    full: bool,
}

impl Spool {
    /// Creates an empty spool in an [`unnamed_file`].
    ///
    /// # Errors
    /// If no temporary directory can be written.
    pub fn new() -> io::Result<Self> {
        Ok(Self { file: Arc::new(unnamed_file()?), length: 0, full: false })
    }

    /// Returns the number of bytes in the spool.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends bytes; returns `false` if the spool is full.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.length.saturating_add(bytes.len() as u64) <= MAX_SPOOL_BYTES;
        if !self.full && fits && self.file.write_all_at(bytes, self.length).is_ok() {
            self.length += bytes.len() as u64;
        } else {
            self.full = true;
        }
        !self.full
    }

    /// Returns a part of the spool, or `None` if bytes are missing.
    pub fn section(&self, offset: u64, length: u64) -> Option<Section> {
        let end = offset.checked_add(length)?;
        (end <= self.length).then(|| Section::new(Arc::clone(&self.file) as Arc<_>, offset, length))
    }
}

/// Creates an unnamed file: in `$TMPDIR`, in `/var/tmp`, which is on disk even if `/tmp` is in memory, else in the
/// system's temporary directory. Never below the home directory.
///
/// # Errors
/// If none of them can be written.
pub fn unnamed_file() -> io::Result<File> {
    let file = places().find_map(|place| tempfile::tempfile_in(place).ok());
    file.map_or_else(tempfile::tempfile, Ok)
}

/// Creates a directory in the same places, removed with its content when it is dropped. Also removes directories that
/// killed runs left behind.
///
/// # Errors
/// If none of them can be written.
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
