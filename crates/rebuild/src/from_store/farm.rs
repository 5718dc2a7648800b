//! Links from the root of the image to the contents of store paths.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::{Body, Entry, Metadata};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::display_in_sentence;
use nixdive_image::{FileTree, Kind};
use nixdive_nix::StorePath;
use nixdive_source::store::{LocalStore, StoreError};

/// Reasons why contents cannot be linked to the root.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two files, or a file and a directory, have the same path.
    #[error("/{} would be both {} and {}", display_in_sentence(.place), display_in_sentence(.first), display_in_sentence(.second))]
    Conflict {
        /// Path from the root.
        place: String,
        /// First store file at that path.
        first: String,
        /// Second store file at that path.
        second: String,
    },
    /// The store path is a file and has no contents to link.
    #[error("{0} is not a directory; it has no contents to link to the root")]
    NoDirectory(StorePath),
    /// There are more links than an image may have entries.
    #[error("more links than an image may have entries")]
    TooMany,
}

const MAX_ENTRIES: usize = 1_000_000;
/// Bytes compared at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Entry at a path of the root.
enum Place {
    /// Directory, with its first source in the store.
    Directory(Vec<u8>),
    /// Link to a file or a link in the store.
    Link(Vec<u8>),
}

/// Returns directories and links sorted by path. `base` is the image below: if it has a link in place of a directory
/// (`/bin` as a link to `usr/bin`), entries are placed where the link leads.
pub(super) fn link(
    store: &LocalStore,
    linked: &[StorePath],
    base: Option<&FileTree>,
    cancel: &Cancel,
) -> Result<Vec<Entry>, FarmError> {
    let mut places: BTreeMap<Vec<Vec<u8>>, Place> = BTreeMap::new();
    for path in linked {
        let top = path.to_string().into_bytes();
        if !fs::symlink_metadata(store.on_disk(&top)).is_ok_and(|found| found.is_dir()) {
            return Err(FarmError::NoDirectory(path.clone()));
        }
        let mut pending = vec![(Vec::new(), top)];
        while let Some((parts, source)) = pending.pop() {
            cancel.check().map_err(|_| StoreError::Cancelled)?;
            let on_disk = store.on_disk(&source);
            let failed = |error| StoreError::Read { path: String::from_utf8_lossy(&source).into_owned(), error };
            for entry in fs::read_dir(&on_disk).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name().as_bytes().to_vec();
                let source = [source.as_slice(), b"/", &name].concat();
                let mut parts: Vec<Vec<u8>> = parts.clone();
                parts.push(name);
                // Build-time metadata of a package is not needed at the root.
                if parts.first().is_some_and(|first| first == b"nix-support") {
                    continue;
                }
                let is_directory = is_directory(store, &source)?;
                add(store, &mut places, &parts, &source, is_directory)?;
                if is_directory {
                    pending.push((parts, source));
                }
            }
            if places.len() > MAX_ENTRIES {
                return Err(FarmError::TooMany);
            }
        }
    }
    Ok(places.into_iter().filter_map(|(parts, place)| entry(&parts, place, base)).collect())
}

/// Returns `true` if a path is a directory itself; a link to one is linked as a whole.
fn is_directory(store: &LocalStore, source: &[u8]) -> Result<bool, StoreError> {
    let found = fs::symlink_metadata(store.on_disk(source));
    let failed = |error| StoreError::Read { path: String::from_utf8_lossy(source).into_owned(), error };
    Ok(found.map_err(failed)?.is_dir())
}

fn add(
    store: &LocalStore,
    places: &mut BTreeMap<Vec<Vec<u8>>, Place>,
    parts: &[Vec<u8>],
    source: &[u8],
    is_directory: bool,
) -> Result<(), FarmError> {
    let conflict = |known: &[u8]| FarmError::Conflict {
        place: String::from_utf8_lossy(&parts.join(&b'/')).into_owned(),
        first: String::from_utf8_lossy(known).into_owned(),
        second: String::from_utf8_lossy(source).into_owned(),
    };
    match (places.get(parts), is_directory) {
        (None, true) => drop(places.insert(parts.to_vec(), Place::Directory(source.to_vec()))),
        (None, false) => drop(places.insert(parts.to_vec(), Place::Link(source.to_vec()))),
        (Some(Place::Directory(_)), true) => {}
        (Some(Place::Link(known)), false) => {
            let same = same_content(&store.on_disk(known), &store.on_disk(source))
                .map_err(|error| StoreError::Read { path: String::from_utf8_lossy(source).into_owned(), error })?;
            if !same {
                return Err(conflict(known));
            }
        }
        (Some(Place::Directory(known) | Place::Link(known)), _) => return Err(conflict(known)),
    }
    Ok(())
}

/// Returns `true` if two files, or the targets of two links, have the same bytes; directories equal only themselves.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let real = |path: &Path| -> io::Result<PathBuf> { fs::canonicalize(path).or_else(|_| fs::read_link(path)) };
    let (one, other) = (real(one)?, real(other)?);
    if one == other {
        return Ok(true);
    }
    let is_file = |path: &Path| fs::metadata(path).map(|found| found.is_file().then_some(found.len()));
    let (Ok(Some(length)), Ok(Some(same_length))) = (is_file(&one), is_file(&other)) else { return Ok(false) };
    if length != same_length {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut piece, mut same) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let count = one.read(&mut piece)?;
        if count == 0 {
            return Ok(true);
        }
        let (piece, same) = (piece.get(..count).unwrap_or_default(), same.get_mut(..count).unwrap_or_default());
        other.read_exact(same)?;
        if piece != same {
            return Ok(false);
        }
    }
}

fn entry(parts: &[Vec<u8>], place: Place, base: Option<&FileTree>) -> Option<Entry> {
    let path = parts.join(&b'/');
    let path = base.map_or(path.clone(), |tree| through_links(tree, parts));
    let (mode, body) = match place {
        // A directory that the base has is left unchanged.
        Place::Directory(_) if base.is_some_and(|tree| is_directory_in(tree, &path)) => return None,
        Place::Directory(_) => (0o755, Body::Directory),
        Place::Link(target) => (0o777, Body::Symlink(target.into())),
    };
    Some(Entry { path: path.into(), metadata: Metadata { mode, ..Metadata::default() }, body })
}

fn is_directory_in(tree: &FileTree, path: &[u8]) -> bool {
    let found = tree.lookup(path).zip(tree.top_layer());
    found.is_some_and(|(node, top)| {
        let kind = tree.visible_at(node, top).map(|id| tree.occurrence(id).kind);
        kind == Some(Kind::Directory) || (kind.is_none() && tree.exists_at(node, top))
    })
}

/// Returns the path with links in the base's directories followed.
fn through_links(tree: &FileTree, parts: &[Vec<u8>]) -> Vec<u8> {
    let path = parts.join(&b'/');
    let Some(top) = tree.top_layer() else { return path };
    for length in (1..=parts.len()).rev() {
        let (above, below) = parts.split_at(length);
        let above = above.join(&b'/');
        // The last component is the new entry; it is followed only if it is a directory in the base as well.
        if let nixdive_image::Resolution::Found { node, .. } = tree.resolve(&above, top, true)
            && is_directory_in(tree, &tree.path(node))
        {
            let found = tree.path(node);
            let mut whole: Vec<&[u8]> = vec![found.get(1..).unwrap_or_default()];
            whole.extend(below.iter().map(Vec::as_slice));
            whole.retain(|part| !part.is_empty());
            return whole.join(&b'/');
        }
    }
    path
}
