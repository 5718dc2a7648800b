//! Closures of store paths: from Nix's database if it can be read, else from references found in files.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use hashbrown::HashMap;

use super::{LocalStore, StoreError};
use nixdive_base::cancel::Cancel;
use nixdive_nix::database::{self, DATABASE_PATH, MAX_DATABASE_BYTES, StoreDatabase, WRITE_AHEAD_LOG_PATH};
use nixdive_nix::references::{Candidates, ReferenceScanner};
use nixdive_nix::{STORE_DIRECTORY, StorePath};

/// Maximum number of entries examined in the store's directory.
const MAX_STORE_PATHS: usize = 5_000_000;

/// A closure, and how it was determined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closure {
    /// Store paths, dependencies before dependents where possible.
    pub paths: Vec<StorePath>,
    /// References of each path, including itself if it refers to itself.
    pub references: HashMap<StorePath, Vec<StorePath>>,
    /// Reason why the database was not used, as a sentence; `None` if it was used.
    pub scanned_because: Option<String>,
}

/// Returns the closure according to the database, or `None` if a path is not registered.
fn known_closure(database: &StoreDatabase, tops: &[&StorePath]) -> Option<Closure> {
    let mut closure = Closure::default();
    for &top in tops {
        for known in database.closure(top)? {
            if closure.references.contains_key(&known.path) {
                continue;
            }
            let named = known.references.iter().filter_map(|&place| Some(database.paths.get(place)?.path.clone()));
            closure.references.insert(known.path.clone(), named.collect());
            closure.paths.push(known.path.clone());
        }
    }
    Some(closure)
}

impl LocalStore {
    /// Returns the closure of a store path.
    ///
    /// # Errors
    /// [`StoreError`] if a path cannot be read or it is cancelled.
    pub fn closure(&self, path: &StorePath, cancel: &Cancel) -> Result<Closure, StoreError> {
        self.closure_of(&[path], cancel)
    }

    /// Returns the combined closure of several store paths.
    ///
    /// # Errors
    /// [`StoreError`] if a path cannot be read or it is cancelled.
    pub fn closure_of(&self, tops: &[&StorePath], cancel: &Cancel) -> Result<Closure, StoreError> {
        let scanned_because = match self.database().map(|database| known_closure(&database, tops)) {
            Ok(Some(closure)) => return Ok(closure),
            Ok(None) => "it does not know this path".to_owned(),
            Err(reason) => reason,
        };
        let closure = self.scan_closure(tops, cancel)?;
        let scanned_because = format!(
            "references were searched for in files, since /{DATABASE_PATH} cannot be used: {scanned_because}{}",
            if self.has_log() { "; it has a write-ahead log, which is not read" } else { "" }
        );
        Ok(Closure { scanned_because: Some(scanned_because), ..closure })
    }

    /// Returns Nix's database, or the reason why it cannot be read.
    fn database(&self) -> Result<StoreDatabase, String> {
        let file = self.on_disk(DATABASE_PATH.as_bytes());
        let length = fs::metadata(&file).map_err(|error| error.to_string())?.len();
        if length > MAX_DATABASE_BYTES {
            return Err(format!("it has {length} bytes, more than the maximum of {MAX_DATABASE_BYTES}"));
        }
        let mut bytes = Vec::new();
        let opened = File::open(&file).map_err(|error| error.to_string())?;
        opened.take(MAX_DATABASE_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        database::read(&bytes).map_err(|error| error.to_string())
    }

    fn has_log(&self) -> bool {
        fs::metadata(self.on_disk(WRITE_AHEAD_LOG_PATH.as_bytes())).is_ok_and(|log| log.len() > 0)
    }

    fn scan_closure(&self, tops: &[&StorePath], cancel: &Cancel) -> Result<Closure, StoreError> {
        let store = STORE_DIRECTORY.as_bytes();
        let entries = fs::read_dir(self.on_disk(store)).map_err(|error| StoreError::read(store, error))?;
        let names = entries.take(MAX_STORE_PATHS).flatten().map(|entry| entry.file_name());
        let mut known: Vec<StorePath> =
            names.filter_map(|name| StorePath::parse_base_name(name.as_bytes()).ok()).collect();
        known.sort();
        let missing =
            |top: &StorePath| StoreError::read(top.to_string().as_bytes(), std::io::ErrorKind::NotFound.into());
        let place_of = |top: &&StorePath| known.binary_search(top).map_err(|_| missing(top));
        let mut tops = tops.iter().map(place_of).collect::<Result<Vec<usize>, _>>()?.into_iter();
        let candidates = Arc::new(Candidates::new(known.iter().map(StorePath::hash)));
        let mut scanner = ReferenceScanner::new(candidates);
        let mut seen = vec![false; known.len()];
        let mut closure = Closure::default();
        let mut stack: Vec<(usize, std::vec::IntoIter<usize>)> = Vec::new();
        let mut next = None;
        loop {
            if stack.is_empty() && next.is_none() {
                next = tops.next();
                if next.is_none() {
                    break;
                }
            }
            if let Some(place) = next.take()
                && let Some(mark) = seen.get_mut(place)
                && !std::mem::replace(mark, true)
                && let Some(path) = known.get(place)
            {
                let references = self.references(path, &mut scanner, cancel)?;
                let named = references.iter().filter_map(|&place| known.get(place).cloned()).collect();
                closure.references.insert(path.clone(), named);
                stack.push((place, references.into_iter()));
            }
            let Some((place, references)) = stack.last_mut() else { continue };
            match references.next() {
                Some(reference) => next = Some(reference),
                None => {
                    closure.paths.extend(known.get(*place).cloned());
                    stack.pop();
                }
            }
        }
        Ok(closure)
    }

    /// Returns the indices of the paths that a store path's contents, links and names refer to.
    fn references(
        &self,
        path: &StorePath,
        scanner: &mut ReferenceScanner,
        cancel: &Cancel,
    ) -> Result<Vec<usize>, StoreError> {
        let mut found = Vec::new();
        let mut buffer = vec![0; 128 << 10];
        let mut pending = vec![path.to_string().into_bytes()];
        while let Some(source) = pending.pop() {
            cancel.check().map_err(|_| StoreError::Cancelled)?;
            let on_disk = self.on_disk(&source);
            let failed = |error| StoreError::read(&source, error);
            let metadata = fs::symlink_metadata(&on_disk).map_err(failed)?;
            if metadata.is_dir() {
                for entry in fs::read_dir(&on_disk).map_err(failed)? {
                    let name = entry.map_err(failed)?.file_name();
                    scanner.feed(name.as_bytes());
                    found.extend(scanner.finish());
                    pending.push([&source, &b"/"[..], name.as_bytes()].concat());
                }
            } else if metadata.is_symlink() {
                scanner.feed(fs::read_link(&on_disk).map_err(failed)?.as_os_str().as_bytes());
            } else if metadata.is_file() {
                let mut file = File::open(&on_disk).map_err(failed)?;
                loop {
                    cancel.check().map_err(|_| StoreError::Cancelled)?;
                    let count = file.read(&mut buffer).map_err(failed)?;
                    if count == 0 {
                        break;
                    }
                    scanner.feed(buffer.get(..count).unwrap_or_default());
                }
            }
            found.extend(scanner.finish());
        }
        let mut places: Vec<usize> = found.iter().map(|reference| reference.candidate as usize).collect();
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }
}
