use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::ExtractError;
use crate::image::Segment;
use crate::open::cut_off;

/// A file that is to be written.
pub(super) struct FileContent<'a> {
    /// What is stored of it.
    pub stored: &'a mut dyn Read,
    /// Where that belongs in a sparse file.
    pub runs: Option<&'a [Segment]>,
    /// Its length, bytes.
    pub bytes: u64,
    pub mode: u16,
    pub mtime: i64,
    /// Is told of every piece, bytes, and says whether to go on.
    pub written: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

/// Which side of a copy failed.
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
    /// Writes it into a new file. Holes of a sparse file stay holes: they may be longer than any disk.
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

/// The chosen directory. Everything in it is addressed by relative paths whose parts are plain names.
pub(super) struct Destination {
    root: PathBuf,
    /// Directories known to be real ones, relative.
    real: HashSet<Vec<u8>>,
}

impl Destination {
    /// The directory at `root`, made where it is missing. It may itself be reached through links: the user chose it.
    pub fn open(root: &Path) -> Result<Self, ExtractError> {
        fs::create_dir_all(root).map_err(|error| ExtractError::Write { path: root.to_owned(), error })?;
        Ok(Self { root: root.to_owned(), real: HashSet::new() })
    }

    fn full(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }

    /// Makes a directory and all above it; each of them must be a real one.
    pub fn make_directory(&mut self, path: &[u8]) -> Result<(), ExtractError> {
        if path.is_empty() || self.real.contains(path) {
            return Ok(());
        }
        // Parents mostly come first.
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

    fn make_one(&self, path: &[u8]) -> Result<(), ExtractError> {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let full = self.full(path);
        if matches!(name, b"" | b"." | b"..") {
            return Err(ExtractError::InTheWay(full));
        }
        match fs::create_dir(&full) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let real = fs::symlink_metadata(&full).is_ok_and(|metadata| metadata.is_dir());
                if real { Ok(()) } else { Err(ExtractError::InTheWay(full)) }
            }
            Err(error) => Err(ExtractError::Write { path: full, error }),
        }
    }

    /// The directory of a path, made, and the full path itself.
    fn place(&mut self, path: &[u8]) -> Result<(PathBuf, PathBuf), ExtractError> {
        let (parent, name) = match memchr::memrchr(b'/', path) {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        self.make_directory(parent)?;
        if matches!(name, b"" | b"." | b"..") {
            return Err(ExtractError::InTheWay(self.full(path)));
        }
        Ok((self.full(parent), self.full(path)))
    }

    /// Writes a file beside its place and moves it there.
    pub fn write_file(&mut self, path: &[u8], content: &mut FileContent<'_>) -> Result<(), WriteError> {
        let (parent, full) = self.place(path)?;
        let failed = |error| ExtractError::Write { path: full.clone(), error };
        let mut file = tempfile::Builder::new().prefix(".nixdive-").tempfile_in(&parent).map_err(failed)?;
        content.copy_to(file.as_file_mut(), &full)?;
        // Set-id bits mean nothing for a copy that belongs to someone else, and could do harm.
        let mode = fs::Permissions::from_mode(u32::from(content.mode & 0o777));
        file.as_file().set_permissions(mode).map_err(failed)?;
        set_time(file.as_file(), content.mtime);
        file.persist(&full).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Gives a file that was written a second name.
    pub fn hard_link(&mut self, first: &[u8], path: &[u8]) -> Result<(), ExtractError> {
        let from = self.full(first);
        let (_, full) = self.place(path)?;
        let failed = |error| ExtractError::Write { path: full.clone(), error };
        remove_old(&full).map_err(failed)?;
        if fs::hard_link(&from, &full).is_err() {
            fs::copy(&from, &full).map_err(failed)?;
        }
        Ok(())
    }

    /// Makes a symbolic link with the target as the image has it. Nothing is written through it.
    pub fn make_symlink(&mut self, path: &[u8], target: &[u8]) -> Result<(), ExtractError> {
        let (_, full) = self.place(path)?;
        let failed = |error| ExtractError::Write { path: full.clone(), error };
        remove_old(&full).map_err(failed)?;
        symlink(OsStr::from_bytes(target), &full).map_err(failed)
    }

    /// Sets what may keep its owner from writing into it, once everything is in it.
    pub fn finish_directory(&self, path: &[u8], mode: u16, mtime: i64) -> Result<(), ExtractError> {
        if path.is_empty() {
            return Ok(());
        }
        let full = self.full(path);
        let failed = |error| ExtractError::Write { path: full.clone(), error };
        let directory = fs::File::open(&full).map_err(failed)?;
        set_time(&directory, mtime);
        // The sticky bit stays: without it anybody could take another's files out of an open directory.
        let mode = fs::Permissions::from_mode(u32::from(mode & 0o1777 | 0o700));
        fs::set_permissions(&full, mode).map_err(failed)
    }
}

/// Takes away a file or a link that stands in a name's place; a directory stays, and is then in the way.
fn remove_old(full: &Path) -> io::Result<()> {
    match fs::remove_file(full) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Sets the time of modification. A file system that cannot hold it keeps the current one.
fn set_time(file: &fs::File, mtime: i64) {
    let time = if mtime >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(mtime.unsigned_abs()))
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(mtime.unsigned_abs()))
    };
    if let Some(time) = time {
        let _ = file.set_times(fs::FileTimes::new().set_modified(time));
    }
}
