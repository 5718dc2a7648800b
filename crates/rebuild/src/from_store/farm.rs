//! Contents of store paths, linked to the root.

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

/// Why contents cannot be linked to the root.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two files, or a file and a directory, at one place.
    #[error("/{} would be both {} and {}", display_in_sentence(.place), display_in_sentence(.first), display_in_sentence(.second))]
    Conflict {
        /// From the root.
        place: String,
        /// In the store.
        first: String,
        /// In the store.
        second: String,
    },
    /// A store path that is a file: it has nothing to be linked.
    #[error("{0} is no directory; there is nothing in it to be linked to the root")]
    NoDirectory(StorePath),
    /// More links than an image may have entries.
    #[error("more links than an image may have entries")]
    TooMany,
}

const MAX_ENTRIES: usize = 1_000_000;
/// Bytes compared at once.
const PIECE_BYTES: usize = 64 << 10;

/// What is to be at a place of the root.
enum Place {
    /// A directory, and where it is first in the store.
    Directory(Vec<u8>),
    /// A link to a file or a link of the store.
    Link(Vec<u8>),
}

/// Directories and links, in the order of their paths. `base` is what will lie below: where it has a link in the place of
/// a directory (`/bin` as a link to `usr/bin`), what belongs there goes where that leads.
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
                // What a package keeps for those who build against it is not for the root.
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

/// Whether a path is a directory itself; a link to one is linked as a whole.
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

/// Whether two files, or what two links lead to, have the same bytes; directories are the same only as themselves.
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
        // What the base has as a directory stays as it is there.
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

/// The path with the links that the base has among its directories followed.
fn through_links(tree: &FileTree, parts: &[Vec<u8>]) -> Vec<u8> {
    let path = parts.join(&b'/');
    let Some(top) = tree.top_layer() else { return path };
    for length in (1..=parts.len()).rev() {
        let (above, below) = parts.split_at(length);
        let above = above.join(&b'/');
        // The last part is what is put there; only what is a directory there too is looked through.
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
