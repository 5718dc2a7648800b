//! Opening below a directory: by `openat2` where the kernel has it, else step by step.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use super::Links;

/// Links that are followed on the way to one file.
const MAX_LINKS: usize = 40;

/// Opens `path` below `root`. `XDEV`: it leads out; `LOOP`: a link is in the way, or there are too many.
pub(super) fn open(root: &OwnedFd, path: &Path, flags: OFlags, mode: Mode, links: Links) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    if let Some(opened) = by_kernel(root, path, flags, mode, links) {
        return opened;
    }
    by_steps(root, path, flags, mode, links)
}

/// `None` where the kernel does not know `openat2`, or a filter keeps it from us.
#[cfg(target_os = "linux")]
fn by_kernel(root: &OwnedFd, path: &Path, flags: OFlags, mode: Mode, links: Links) -> Option<Result<OwnedFd, Errno>> {
    use rustix::fs::{ResolveFlags, openat2};
    /// The kernel gives up where something is renamed meanwhile.
    const TRIES: usize = 16;
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if links == Links::Refused {
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    for _ in 0..TRIES {
        match openat2(root, path, flags, mode, resolve) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS | Errno::PERM) => return None,
            opened => return Some(opened),
        }
    }
    None
}

/// Opens one name after the other, each without following a link; links are read and followed here.
pub(super) fn by_steps(root: &OwnedFd, path: &Path, flags: OFlags, mode: Mode, links: Links) -> Result<OwnedFd, Errno> {
    let mut entered: Vec<OwnedFd> = Vec::new();
    let mut left = parts(path.as_os_str())?;
    let mut followed = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            entered.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let current = entered.last().unwrap_or(root);
        let opened = match left.is_empty() {
            true => openat(current, &part, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode),
            false => openat(current, &part, STEP, Mode::empty()),
        };
        let error = match opened {
            Ok(file) if left.is_empty() => return Ok(file),
            Ok(directory) => {
                entered.push(directory);
                continue;
            }
            Err(error) => error,
        };
        // A link causes different errors, depending on the flags and the system.
        let Ok(target) = readlinkat(current.as_fd(), &part, Vec::new()) else { return Err(error) };
        followed += 1;
        if links == Links::Refused || followed > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let mut target = parts(&OsString::from_vec(target.into_bytes()))?;
        target.append(&mut left);
        left = target;
    }
    openat(entered.last().unwrap_or(root), ".", flags | OFlags::CLOEXEC, mode)
}

/// A directory on the way: what it holds is reached, but not listed.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn parts(path: &OsStr) -> Result<VecDeque<OsString>, Errno> {
    let bytes = path.as_bytes();
    if bytes.starts_with(b"/") {
        return Err(Errno::XDEV);
    }
    let parts = bytes.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    Ok(parts.map(|part| OsStr::from_bytes(part).to_owned()).collect())
}
