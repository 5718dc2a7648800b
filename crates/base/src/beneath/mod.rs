//! Files below an open directory. Each step of a path is resolved from the directory's handle, so that no link, and no other
//! process that swaps a directory for a link meanwhile, leads outside.

mod resolve;
mod temporary;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags};

pub use temporary::{Temporary, TemporaryDirectory, remove_abandoned};

/// Which symbolic links are followed on the way to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// None.
    Refused,
    /// Only links that stay below the directory.
    Inside,
}

/// An open directory. Clones share the handle.
#[derive(Debug, Clone)]
pub struct Directory {
    handle: Arc<OwnedFd>,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory at `path`, following links: `path` is trusted.
    ///
    /// # Errors
    /// If the directory does not exist or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { handle: Arc::new(handle), path: path.to_owned() })
    }

    /// The path by which it was opened, for messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a directory below, without following any link.
    ///
    /// # Errors
    /// If something on the way is missing or is not a directory.
    pub fn subdirectory(&self, path: &Path) -> io::Result<Self> {
        if path.as_os_str().is_empty() {
            return Ok(self.clone());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = resolve::open(&self.handle, path, flags, Mode::empty(), Links::Refused)?;
        Ok(Self { handle: Arc::new(handle), path: self.path.join(path) })
    }

    /// Makes a directory of one name here; `false` where the name is taken.
    ///
    /// # Errors
    /// If the system refuses for another reason.
    pub fn make_directory(&self, name: &OsStr) -> io::Result<bool> {
        match rustix::fs::mkdirat(&*self.handle, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the directories of a path that are missing, and opens the last one, without following any link.
    ///
    /// # Errors
    /// If something on the way is not a directory, or cannot be made.
    pub fn make_path(&self, path: &Path) -> io::Result<Self> {
        let mut directory = self.clone();
        for name in path {
            directory.make_directory(name)?;
            directory = directory.subdirectory(Path::new(name))?;
        }
        Ok(directory)
    }

    /// Opens a file below for reading. A pipe that takes its place is not waited for.
    ///
    /// # Errors
    /// If it is missing, or reached only through a link that `links` does not allow.
    pub fn open_file(&self, path: &Path, links: Links) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(resolve::open(&self.handle, path, flags, Mode::empty(), links)?.into())
    }

    /// Returns the type of the file with a name, without following links; `None` if the name is
    /// free.
    ///
    /// # Errors
    /// If the file cannot be examined.
    pub fn kind(&self, name: &OsStr) -> io::Result<Option<FileType>> {
        match rustix::fs::statat(&*self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file or a link; `false` where the name is free.
    ///
    /// # Errors
    /// If it is a directory, or the system refuses.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<bool> {
        match rustix::fs::unlinkat(&*self.handle, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns `true` if both directories are on one file system, so that files can be renamed
    /// between them.
    ///
    /// # Errors
    /// If a directory cannot be examined.
    pub fn is_on_one_file_system(&self, other: &Self) -> io::Result<bool> {
        Ok(rustix::fs::fstat(&*self.handle)?.st_dev == rustix::fs::fstat(&*other.handle)?.st_dev)
    }

    /// Gives a file a second name. A link is not followed.
    ///
    /// # Errors
    /// If the name is taken, or the file system has no hard links.
    pub fn hard_link(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::linkat(&*self.handle, name, &*to.handle, new_name, AtFlags::empty())?)
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// If the name is taken, or the system refuses.
    pub fn symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &*self.handle, name)?)
    }

    /// Moves a file, over what has the new name.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn rename(&self, name: &OsStr, to: &Self, new_name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&*self.handle, name, &*to.handle, new_name)?)
    }

    /// The names in it, at most `most` of them.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn names(&self, most: usize) -> io::Result<Vec<std::ffi::OsString>> {
        use std::os::unix::ffi::OsStringExt;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&*self.handle)?.take(most) {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(std::ffi::OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// Waits for a lock on the directory, which other processes wait for too. It goes with the file that is returned. Where
    /// the file system has no locks, there is none.
    ///
    /// # Errors
    /// If the directory cannot be opened once more.
    pub fn lock(&self, lock: Lock) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&*self.handle, ".", flags, Mode::empty())?;
        let operation = match lock {
            Lock::Shared => FlockOperation::LockShared,
            Lock::Exclusive => FlockOperation::LockExclusive,
        };
        loop {
            match rustix::fs::flock(&file, operation) {
                Err(rustix::io::Errno::INTR) => {}
                _ => return Ok(file.into()),
            }
        }
    }

    /// The lock, if nobody else has one.
    #[must_use]
    pub fn try_lock_alone(&self) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&*self.handle, ".", flags, Mode::empty()).ok()?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(file.into())
    }

    /// Sets the mode and the time of modification of the directory itself.
    ///
    /// # Errors
    /// If the system refuses the mode. A file system that cannot hold the time keeps the current one.
    pub fn set_mode_and_time(&self, mode: u32, time: Option<std::time::SystemTime>) -> io::Result<()> {
        let file = File::from(self.handle.try_clone()?);
        if let Some(time) = time {
            let _ = file.set_times(std::fs::FileTimes::new().set_modified(time));
        }
        Ok(rustix::fs::fchmod(&*self.handle, Mode::from_raw_mode(mode as rustix::fs::RawMode))?)
    }
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Beside others that share it.
    Shared,
    /// Alone.
    Exclusive,
}

/// Returns `true` if a path leads out of its directory, or through something that is not a
/// directory, which [`Links`] refuses.
#[must_use]
pub fn is_led_out(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::XDEV | Errno::NOTDIR))
}
