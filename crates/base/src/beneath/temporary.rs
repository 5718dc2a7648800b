//! Files and directories under a temporary name, until they are renamed to their place. Each is locked for as long as its
//! process lives, so that what a killed process left can be told from what is still written, and removed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, flock, fstat, linkat, openat, statat, unlinkat,
};
use rustix::io::Errno;

use super::Directory;

/// How temporary names begin; a number follows.
const PREFIX: &str = ".nixdive-";
/// Digits of the number.
const DIGITS: usize = 16;
/// Names that are tried before giving up.
const TRIES: usize = 64;
/// Entries of a directory among which abandoned ones are looked for.
const MAX_LOOKED_AT: usize = 50_000;
/// Directories within one another that are removed with an abandoned one.
const MAX_DEPTH: usize = 64;

/// A file under a temporary name, removed unless it is published.
#[derive(Debug)]
pub struct Temporary {
    directory: Directory,
    /// Empty once it has its own name.
    name: OsString,
    file: File,
}

impl Temporary {
    /// A new empty file in `directory`, for reading and writing. The umask takes its part of `mode`.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(directory: &Directory, mode: u32) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        for _ in 0..TRIES {
            let name = new_name();
            match openat(&*directory.handle, &name, flags, mode) {
                Ok(file) if claim(directory, &name, &file) => {
                    return Ok(Self { directory: directory.clone(), name, file: file.into() });
                }
                Ok(_) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(no_name())
    }

    /// A second name for the file `name` of `directory`; a symbolic link is linked itself.
    ///
    /// # Errors
    /// If the system refuses, or the file system has no hard links.
    pub fn link(directory: &Directory, name: &OsStr) -> io::Result<Self> {
        for _ in 0..TRIES {
            let link = new_name();
            match linkat(&*directory.handle, name, &*directory.handle, &link, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            }
            let how = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let open = |flags| openat(&*directory.handle, &link, how | flags, Mode::empty());
            // One that cannot be opened is not taken for abandoned either.
            match open(OFlags::RDONLY).or_else(|_| open(OFlags::PATH)) {
                Ok(file) => {
                    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
                    return Ok(Self { directory: directory.clone(), name: link, file: file.into() });
                }
                Err(error) => {
                    let _ = directory.remove_file(&link);
                    return Err(error.into());
                }
            }
        }
        Err(no_name())
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The file, to be written to.
    pub fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Moves the file to its name, over what has it now; a link there is replaced, not followed.
    ///
    /// # Errors
    /// If the system refuses; the file is removed then.
    pub fn publish(mut self, to: &Directory, name: &OsStr) -> io::Result<()> {
        self.directory.rename(&self.name, to, name)?;
        self.name.clear();
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // What cannot be removed now is removed by the next run.
            let _ = self.directory.remove_file(&self.name);
        }
    }
}

/// A directory under a temporary name, removed with all in it unless it is published.
#[derive(Debug)]
pub struct TemporaryDirectory {
    parent: Directory,
    /// Empty once it has its own name.
    name: OsString,
    path: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl TemporaryDirectory {
    /// A new empty directory in `parent`. The umask takes its part of `mode`.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(parent: &Directory, mode: u32) -> io::Result<Self> {
        let mode = Mode::from_raw_mode(mode as rustix::fs::RawMode);
        for _ in 0..TRIES {
            let name = new_name();
            match rustix::fs::mkdirat(&*parent.handle, &name, mode) {
                Ok(()) => {}
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(&*parent.handle, &name, flags, Mode::empty()) {
                Ok(lock) if claim(parent, &name, &lock) => {
                    let path = parent.path.join(&name);
                    return Ok(Self { parent: parent.clone(), name, path, _lock: lock.into() });
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(no_name())
    }

    /// Returns the current path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the directory to its place, where nothing or an empty directory is.
    ///
    /// # Errors
    /// If the system refuses. The directory is returned, and removed when it is dropped.
    pub fn publish(mut self, place: &Path) -> Result<(), (io::Error, Self)> {
        match rustix::fs::renameat(&*self.parent.handle, &self.name, CWD, place) {
            Ok(()) => {
                self.name.clear();
                Ok(())
            }
            Err(error) => Err((error.into(), self)),
        }
    }

    /// Keeps it where it is.
    pub fn keep(mut self) -> PathBuf {
        self.name.clear();
        self.path.clone()
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // What cannot be removed now is removed by the next run.
            let _ = remove_all(&self.parent, &self.name, MAX_DEPTH);
        }
    }
}

/// Removes what killed processes of the same user left in a directory: files and directories of a temporary name that no
/// living process holds. What cannot be removed stays.
pub fn remove_abandoned(directory: &Directory) {
    for name in directory.names(MAX_LOOKED_AT).unwrap_or_default() {
        if is_temporary(&name) {
            let _ = remove_if_abandoned(directory, &name);
        }
    }
}

fn remove_if_abandoned(directory: &Directory, name: &OsStr) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(&*directory.handle, name, flags, Mode::empty())?;
    let found = fstat(&file)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    let is_ours = found.st_uid == rustix::process::geteuid().as_raw();
    if !is_ours || !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Ok(());
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    if is_named(directory, name, &file) {
        remove_all(directory, name, MAX_DEPTH)?;
    }
    Ok(())
}

/// Takes the lock of a new file; whether it is still there then. Another process may have taken it for abandoned in between.
fn claim(directory: &Directory, name: &OsStr, file: &impl std::os::fd::AsFd) -> bool {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => false,
        // Without locks, no file is taken to be abandoned.
        _ => is_named(directory, name, file),
    }
}

fn is_named(directory: &Directory, name: &OsStr, file: &impl std::os::fd::AsFd) -> bool {
    let there = statat(&*directory.handle, name, AtFlags::SYMLINK_NOFOLLOW);
    matches!((there, fstat(file)), (Ok(there), Ok(own)) if (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino))
}

/// Removes a file, or a directory with all in it, without following links.
fn remove_all(directory: &Directory, name: &OsStr, depth: usize) -> io::Result<()> {
    match unlinkat(&*directory.handle, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) if depth > 0 => {}
        done => return Ok(done?),
    }
    let inner = directory.subdirectory(Path::new(name))?;
    loop {
        let names = inner.names(MAX_LOOKED_AT)?;
        if names.is_empty() {
            break;
        }
        for name in names {
            remove_all(&inner, &name, depth - 1)?;
        }
    }
    Ok(unlinkat(&*directory.handle, name, AtFlags::REMOVEDIR)?)
}

fn new_name() -> OsString {
    // Every one of these has other keys, chosen at random.
    format!("{PREFIX}{:0width$x}", RandomState::new().build_hasher().finish(), width = DIGITS).into()
}

fn is_temporary(name: &OsStr) -> bool {
    let digits = name.as_bytes().strip_prefix(PREFIX.as_bytes()).unwrap_or_default();
    digits.len() == DIGITS && digits.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

fn no_name() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "no free temporary name")
}
