use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use crate::{Body, ComposedStorePath, Content, Entry, FileContent, Metadata, Stability};
use nixdive_base::cancel::Cancel;
use nixdive_nix::StorePath;
use nixdive_source::store::{LocalStore, StoreError};

/// Maximum number of entries of one store path.
const MAX_ENTRIES: usize = 5_000_000;

/// Reads a store path of this machine with its contents, owned by root and without references.
pub(super) fn store_path(
    store: &LocalStore,
    path: &StorePath,
    cancel: &Cancel,
) -> Result<ComposedStorePath, StoreError> {
    let mut entries = entries(store, path, cancel)?;
    entries.sort_by(|one, other| parts(&one.path).cmp(parts(&other.path)));
    let nar_bytes = entries.iter().map(nar_bytes).fold(NAR_MAGIC, u64::saturating_add);
    let (references, stability) = (Vec::new(), Stability::Package);
    Ok(ComposedStorePath { path: path.clone(), references, nar_bytes, stability, entries })
}

/// Length of the beginning of a NAR, bytes.
const NAR_MAGIC: u64 = 24;

/// Returns the size of an entry in a NAR, including its name in the parent directory: Nix manual, "Nix Archive (NAR)
/// Format".
fn nar_bytes(entry: &Entry) -> u64 {
    // A string is its length and its bytes, padded to 8 bytes.
    let text = |bytes: u64| 8u64.saturating_add(bytes.saturating_add(7) & !7);
    let name = entry.path.rsplit(|&byte| byte == b'/').next().map_or(0, <[u8]>::len) as u64;
    let is_top = entry.path.iter().filter(|&&byte| byte == b'/').count() <= 2;
    let outer = if is_top { 0 } else { text(5) + text(1) + text(4) + text(name) + text(4) + text(1) };
    let inner = match &entry.body {
        Body::Directory => text(9),
        Body::Symlink(target) => text(7) + text(6) + text(target.len() as u64),
        Body::File(file) => {
            let executable = if entry.metadata.mode & 0o100 != 0 { text(10) + text(0) } else { 0 };
            let content = text(7) + executable + text(8);
            content.saturating_add(text(file.bytes))
        }
    };
    inner.saturating_add(outer + text(1) + text(4) + text(1))
}

fn entries(store: &LocalStore, path: &StorePath, cancel: &Cancel) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut pending = vec![path.to_string().into_bytes()];
    while let Some(source) = pending.pop() {
        cancel.check().map_err(|_| StoreError::Cancelled)?;
        if entries.len() >= MAX_ENTRIES {
            return Err(StoreError::TooMany);
        }
        let on_disk = store.on_disk(&source);
        let failed = |error| StoreError::Read { path: String::from_utf8_lossy(&source).into_owned(), error };
        let found = fs::symlink_metadata(&on_disk).map_err(failed)?;
        let mut mode = u16::try_from(found.permissions().mode() & 0o7777).unwrap_or_default();
        let body = if found.is_dir() {
            for entry in fs::read_dir(&on_disk).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                pending.push([&source, &b"/"[..], name.as_bytes()].concat());
            }
            Body::Directory
        } else if found.is_symlink() {
            mode = 0o777;
            Body::Symlink(fs::read_link(&on_disk).map_err(failed)?.as_os_str().as_bytes().into())
        } else if found.is_file() {
            Body::File(FileContent { bytes: found.len(), content: Content::Disk(on_disk.into()) })
        } else {
            return Err(StoreError::Special(String::from_utf8_lossy(&source).into_owned()));
        };
        let path = source.get(1..).unwrap_or_default().into();
        entries.push(Entry { path, metadata: Metadata { mode, ..Metadata::default() }, body });
    }
    Ok(entries)
}

fn parts(path: &[u8]) -> impl Iterator<Item = u8> + '_ {
    path.iter().map(|&byte| if byte == b'/' { 0 } else { byte })
}
