//! Writes a flake to disk atomically.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::{CarriedContent, Flake};
use nixdive_base::beneath::{Directory, TemporaryDirectory, remove_abandoned};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_name;
use nixdive_image::{FileTree, Image, OccurrenceId, Segment};
use nixdive_source::open::{ContentError, Contents};

/// File in every directory written by this program, which marks it as replaceable.
const MARKER: &str = ".nixdive-flake";
const MARKER_TEXT: &str = "nixdive wrote this directory and will replace it when asked to write here again.\n";

/// Reasons why a flake was not written.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// The directory has contents that this program did not write.
    #[error("{0} exists and was not written by nixdive; choose another directory, or empty this one")]
    Occupied(String),
    /// A file or directory cannot be written.
    #[error("{path}: {error}")]
    Write {
        /// Path of the file or directory; safe to show.
        path: String,
        /// Error of the system.
        error: io::Error,
    },
    /// A file of the image cannot be read.
    #[error("{path}: {error}")]
    Content {
        /// Path of the file in the image; safe to show.
        path: String,
        /// Reason.
        error: ContentError,
    },
    /// Writing was cancelled.
    #[error("cancelled; nothing was written")]
    Cancelled,
}

/// Writes a flake to a new directory. An empty directory, or one that this program wrote, is replaced. Until the flake
/// is complete, it is written under another name next to the destination.
///
/// # Errors
/// If the directory cannot be replaced or written; its previous contents are then unchanged.
pub fn write(
    directory: &Path,
    flake: &Flake,
    image: &Image,
    contents: &Contents,
    cancel: &Cancel,
) -> Result<(), EmitError> {
    check_replaceable(directory)?;
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(wrote(parent))?;
    let parent_directory = Directory::open(parent).map_err(wrote(parent))?;
    remove_abandoned(&parent_directory);
    let new = TemporaryDirectory::new(&parent_directory, 0o700).map_err(wrote(parent))?;
    fill(new.path(), flake, image, contents, cancel)?;
    fs::set_permissions(new.path(), Permissions::from_mode(0o755)).map_err(wrote(directory))?;
    if directory.symlink_metadata().is_err() {
        return new.publish(directory).map_err(|(error, _)| wrote(directory)(error));
    }
    // The two directories are exchanged atomically; the old one is removed with the temporary directory.
    match rustix::fs::renameat_with(CWD, new.path(), CWD, directory, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => replace(new.path(), directory, &parent_directory),
        Err(error) => Err(wrote(directory)(error.into())),
    }
}

/// Replaces a directory on a file system that cannot exchange two: the old one is moved aside, and moved back if the
/// new one cannot take its place.
fn replace(new: &Path, directory: &Path, parent: &Directory) -> Result<(), EmitError> {
    let old = TemporaryDirectory::new(parent, 0o700).map_err(wrote(parent.path()))?;
    let aside = old.path().join("replaced");
    fs::rename(directory, &aside).map_err(wrote(directory))?;
    let result = fs::rename(new, directory);
    if result.is_err() && fs::rename(&aside, directory).is_err() {
        // Kept under its temporary name rather than lost.
        let _ = old.keep();
    }
    result.map_err(wrote(directory))
}

fn wrote(path: &Path) -> impl Fn(io::Error) -> EmitError {
    let path = display_name(path.as_os_str().as_bytes()).into_owned();
    move |error| EmitError::Write { path: path.clone(), error }
}

/// Checks that a directory may be written: it is absent or empty, or this program wrote it.
///
/// # Errors
/// [`EmitError::Occupied`] if it has other contents.
fn check_replaceable(directory: &Path) -> Result<(), EmitError> {
    let occupied = || EmitError::Occupied(display_name(directory.as_os_str().as_bytes()).into_owned());
    match fs::symlink_metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(wrote(directory)(error)),
        Ok(metadata) if !metadata.is_dir() => return Err(occupied()),
        Ok(_) => {}
    }
    let is_empty = fs::read_dir(directory).map_err(wrote(directory))?.next().is_none();
    let is_ours = || fs::symlink_metadata(directory.join(MARKER)).is_ok_and(|marker| marker.is_file());
    if is_empty || is_ours() { Ok(()) } else { Err(occupied()) }
}

fn fill(root: &Path, flake: &Flake, image: &Image, contents: &Contents, cancel: &Cancel) -> Result<(), EmitError> {
    for (name, text) in [("flake.nix", &*flake.flake_nix), ("README.md", &flake.readme), (MARKER, MARKER_TEXT)] {
        let path = root.join(name);
        fs::write(&path, text).map_err(wrote(&path))?;
    }
    let mut files: HashMap<OccurrenceId, Vec<(PathBuf, bool)>> = HashMap::new();
    let mut links = Vec::new();
    for file in &flake.files {
        let path = root.join(OsStr::from_bytes(&file.path));
        match &file.content {
            CarriedContent::File { occurrence, is_executable } => {
                files.entry(*occurrence).or_default().push((path, *is_executable));
            }
            CarriedContent::Symlink(target) => links.push((path, target)),
        }
    }
    let tree = &image.tree;
    let ids: Vec<OccurrenceId> = files.keys().copied().collect();
    contents.for_each_stored::<EmitError>(tree, &ids, &mut |id, stored| {
        let shown = || display_name(&tree.path(tree.occurrence(id).node())).into_owned();
        let stored = stored.map_err(|error| EmitError::Content { path: shown(), error })?;
        let Some(((first, is_executable), others)) = files.get(&id).and_then(|paths| paths.split_first()) else {
            return Ok(());
        };
        make_parent(root, first)?;
        let mode = |is_executable: bool| Permissions::from_mode(if is_executable { 0o755 } else { 0o644 });
        copy(stored, first, tree, id, cancel, &shown)?;
        fs::set_permissions(first, mode(*is_executable)).map_err(wrote(first))?;
        for (other, is_executable) in others {
            make_parent(root, other)?;
            fs::copy(first, other).map_err(wrote(other))?;
            fs::set_permissions(other, mode(*is_executable)).map_err(wrote(other))?;
        }
        Ok(())
    })?;
    // Links come last, so that nothing is written through one.
    for (path, target) in links {
        make_parent(root, &path)?;
        symlink(OsStr::from_bytes(target), &path).map_err(wrote(&path))?;
    }
    Ok(())
}

/// Creates the parent directories of a path; existing ones must not be links.
fn make_parent(root: &Path, path: &Path) -> Result<(), EmitError> {
    let Some(parent) = path.parent().filter(|parent| *parent != root) else { return Ok(()) };
    let below = parent.strip_prefix(root).map_err(|_| wrote(path)(io::ErrorKind::InvalidInput.into()))?;
    let mut at = root.to_owned();
    for part in below.components() {
        at.push(part);
        match fs::create_dir(&at) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(wrote(&at)(io::ErrorKind::NotADirectory.into()));
                }
            }
            result => result.map_err(wrote(&at))?,
        }
    }
    Ok(())
}

/// Copies contents into a new file; holes remain holes, as they may be larger than any disk.
fn copy(
    stored: &mut dyn Read,
    path: &Path,
    tree: &FileTree,
    id: OccurrenceId,
    cancel: &Cancel,
    shown: &dyn Fn() -> String,
) -> Result<(), EmitError> {
    let content = |error: io::Error| EmitError::Content { path: shown(), error: error.into() };
    let mut file = File::create_new(path).map_err(wrote(path))?;
    let bytes = tree.occurrence(id).bytes;
    let whole = [Segment { file_offset: 0, length: bytes }];
    let mut buffer = vec![0; 64 << 10];
    for run in tree.sparse(id).unwrap_or(&whole) {
        file.seek(SeekFrom::Start(run.file_offset)).map_err(wrote(path))?;
        let mut left = run.length;
        while left > 0 {
            cancel.check().map_err(|_| EmitError::Cancelled)?;
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match stored.read(buffer.get_mut(..most).unwrap_or_default()) {
                Ok(0) => return Err(content(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(content(error)),
            };
            file.write_all(buffer.get(..count).unwrap_or_default()).map_err(wrote(path))?;
            left = left.saturating_sub(count as u64);
        }
    }
    file.set_len(bytes).map_err(wrote(path))
}
