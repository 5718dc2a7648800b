use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FileType;

use super::ExtractError;
use crate::open::cut_off;
use nixdive_base::beneath::{Directory, Links, Temporary, is_led_out, remove_abandoned};
use nixdive_image::Segment;

/// A file to write.
pub(super) struct FileContent<'a> {
    /// Its stored content.
    pub stored: &'a mut dyn Read,
    /// Position of the stored content in a sparse file.
    pub runs: Option<&'a [Segment]>,
    /// Length of the file in bytes.
    pub bytes: u64,
    pub mode: u16,
    pub mtime: i64,
    /// Called with the bytes of every piece; breaks to stop the copy.
    pub written: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

/// The side of a copy that failed.
#[derive(Debug)]
pub(super) enum WriteError {
    Destination(ExtractError),
    Content(io::Error),
    Stopped,
}

impl From<ExtractError> for WriteError {
    fn from(error: ExtractError) -> Self {
        Self::Destination(error)
    }
}

impl FileContent<'_> {
    /// Writes the content into a new file. Keeps the holes of a sparse file, which may be longer than any disk.
    fn copy_to(&mut self, file: &mut fs::File, full: &Path) -> Result<(), WriteError> {
        let failed = |error| ExtractError::Write { path: full.to_owned(), error };
        let whole = [Segment { file_offset: 0, length: self.bytes }];
        let mut buffer = vec![0; 64 << 10];
        for run in self.runs.unwrap_or(&whole) {
            if self.runs.is_some() {
                file.seek(SeekFrom::Start(run.file_offset)).map_err(failed)?;
            }
            let mut left = run.length;
            while left > 0 {
                let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let count = match self.stored.read(&mut buffer[..most]) {
                    Ok(0) => return Err(WriteError::Content(cut_off(left))),
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(WriteError::Content(error)),
                };
                file.write_all(&buffer[..count]).map_err(failed)?;
                left -= count as u64;
                if (self.written)(count as u64).is_break() {
                    return Err(WriteError::Stopped);
                }
            }
        }
        if self.runs.is_some() {
            file.set_len(self.bytes).map_err(failed)?;
        }
        Ok(())
    }
}

/// The chosen directory. Everything in it is addressed by relative paths of plain names and reached from the
/// directory's handle, so that nothing is written outside, however its path changes in the meantime.
pub(super) struct Destination {
    root: Directory,
    /// Relative paths of directories that were created or found to be real directories.
    real: HashSet<Vec<u8>>,
    /// The directory that was used last.
    last: Option<(Vec<u8>, Directory)>,
}

impl Destination {
    /// Opens the directory at `root`, and creates it if it is missing. It may be reached through links, since the user
    /// chose it. Removes what killed runs left behind.
    pub fn open(root: &Path) -> Result<Self, ExtractError> {
        let failed = |error| ExtractError::Write { path: root.to_owned(), error };
        fs::create_dir_all(root).map_err(failed)?;
        let root = Directory::open(root).map_err(failed)?;
        remove_abandoned(&root);
        Ok(Self { root, real: HashSet::new(), last: None })
    }

    fn full(&self, path: &[u8]) -> PathBuf {
        self.root.path().join(OsStr::from_bytes(path))
    }

    /// Turns a system error at a path into an error that says if a link is in the way.
    fn failed(&self, path: &[u8], error: io::Error) -> ExtractError {
        let path = self.full(path);
        if is_led_out(&error) { ExtractError::InTheWay(path) } else { ExtractError::Write { path, error } }
    }

    /// Creates a directory and its parents; each of them must be a real directory.
    pub fn make_directory(&mut self, path: &[u8]) -> Result<(), ExtractError> {
        if path.is_empty() || self.real.contains(path) {
            return Ok(());
        }
        // Parents mostly come first in the image.
        let parent = memchr::memrchr(b'/', path).map_or(&path[..0], |slash| &path[..slash]);
        let mut end = if self.real.contains(parent) { parent.len() + 1 } else { 0 };
        while end < path.len() {
            end = memchr::memchr(b'/', &path[end..]).map_or(path.len(), |slash| end + slash);
            let part = &path[..end];
            end += 1;
            if self.real.contains(part) {
                continue;
            }
            self.make_one(part)?;
            self.real.insert(part.to_vec());
        }
        Ok(())
    }

    fn make_one(&mut self, path: &[u8]) -> Result<(), ExtractError> {
        let (parent, name) = self.split(path)?;
        let directory = self.directory(parent)?;
        let is_new = directory.make_directory(name).map_err(|error| self.failed(path, error))?;
        let kind = if is_new { Ok(Some(FileType::Directory)) } else { directory.kind(name) };
        match kind {
            Ok(Some(FileType::Directory)) => Ok(()),
            _ => Err(ExtractError::InTheWay(self.full(path))),
        }
    }

    /// Opens a directory that was created, starting from the root.
    fn directory(&mut self, path: &[u8]) -> Result<Directory, ExtractError> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        if let Some((_, directory)) = self.last.as_ref().filter(|(known, _)| known == path) {
            return Ok(directory.clone());
        }
        let opened = self.root.subdirectory(Path::new(OsStr::from_bytes(path)));
        let directory = opened.map_err(|error| self.failed(path, error))?;
        self.last = Some((path.to_vec(), directory.clone()));
        Ok(directory)
    }

    /// Splits a path into its directory and its name.
    fn split<'p>(&self, path: &'p [u8]) -> Result<(&'p [u8], &'p OsStr), ExtractError> {
        let (parent, name) = match memchr::memrchr(b'/', path) {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        if matches!(name, b"" | b"." | b"..") {
            return Err(ExtractError::InTheWay(self.full(path)));
        }
        Ok((parent, OsStr::from_bytes(name)))
    }

    /// Creates and opens the directory of a path, and returns it with the name in it.
    fn place<'p>(&mut self, path: &'p [u8]) -> Result<(Directory, &'p OsStr), ExtractError> {
        let (parent, name) = self.split(path)?;
        self.make_directory(parent)?;
        Ok((self.directory(parent)?, name))
    }

    /// Writes a file under a temporary name, then renames it.
    pub fn write_file(&mut self, path: &[u8], content: &mut FileContent<'_>) -> Result<(), WriteError> {
        let (directory, name) = self.place(path)?;
        let mut file = self.temporary(&directory).map_err(|error| self.failed(path, error))?;
        content.copy_to(file.file_mut(), &self.full(path))?;
        // Set-id bits are meaningless on a copy that belongs to another user, and could do harm.
        let mode = fs::Permissions::from_mode(u32::from(content.mode & 0o777));
        file.file().set_permissions(mode).map_err(|error| self.failed(path, error))?;
        set_time(file.file(), content.mtime);
        Ok(file.publish(&directory, name).map_err(|error| self.failed(path, error))?)
    }

    /// Creates a temporary file in the root, where the next run looks for leftovers, or in the directory itself if it
    /// is on another file system.
    fn temporary(&self, directory: &Directory) -> io::Result<Temporary> {
        let place = if self.root.is_on_one_file_system(directory)? { &self.root } else { directory };
        Temporary::new(place, 0o600)
    }

    /// Creates a hard link to a file that was written.
    pub fn hard_link(&mut self, first: &[u8], path: &[u8]) -> Result<(), ExtractError> {
        let (from_parent, from_name) = self.split(first)?;
        let from = self.directory(from_parent)?;
        let (directory, name) = self.place(path)?;
        let failed = |error| self.failed(path, error);
        directory.remove_file(name).map_err(failed)?;
        if from.hard_link(from_name, &directory, name).is_ok() {
            return Ok(());
        }
        let mut source = from.open_file(Path::new(from_name), Links::Refused).map_err(failed)?;
        let mut copy = self.temporary(&directory).map_err(failed)?;
        io::copy(&mut source, copy.file_mut()).map_err(failed)?;
        let metadata = source.metadata().map_err(failed)?;
        copy.file().set_permissions(metadata.permissions()).map_err(failed)?;
        copy.publish(&directory, name).map_err(failed)
    }

    /// Creates a symbolic link with the target of the image. Nothing is written through it.
    pub fn make_symlink(&mut self, path: &[u8], target: &[u8]) -> Result<(), ExtractError> {
        let (directory, name) = self.place(path)?;
        let failed = |error| self.failed(path, error);
        directory.remove_file(name).map_err(failed)?;
        directory.symlink(OsStr::from_bytes(target), name).map_err(failed)
    }

    /// Sets attributes that could prevent its owner from writing into it, once its content is complete.
    pub fn finish_directory(&mut self, path: &[u8], mode: u16, mtime: i64) -> Result<(), ExtractError> {
        if path.is_empty() {
            return Ok(());
        }
        let directory = self.directory(path)?;
        // Without the sticky bit, any user could remove other users' files from an open directory.
        let mode = u32::from(mode & 0o1777 | 0o700);
        directory.set_mode_and_time(mode, time_of(mtime)).map_err(|error| self.failed(path, error))
    }
}

/// Sets the time of modification. If the file system cannot store it, the current time remains.
fn set_time(file: &fs::File, mtime: i64) {
    if let Some(time) = time_of(mtime) {
        let _ = file.set_times(fs::FileTimes::new().set_modified(time));
    }
}

/// Converts seconds since 1970 to a time. Returns `None` if the system cannot represent it.
fn time_of(mtime: i64) -> Option<SystemTime> {
    if mtime >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(mtime.unsigned_abs()))
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(mtime.unsigned_abs()))
    }
}
