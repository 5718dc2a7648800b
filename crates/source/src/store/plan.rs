//! The entries of a layer made of store paths, and their order.
//!
//! As in nix2container's `nix/graph.go` and `nix/tar.go`: files are placed by their rules, directories above them are
//! added, and everything is sorted by path components, dated to the first second of 1970, and owned by root.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use hashbrown::HashMap;

use super::header::{BLOCK, Header};
use super::rules::{Owner, Rules};
use super::stream::{Entry, StoreTar, Type};
use super::{LocalStore, StoreError};
use nixdive_base::cancel::Cancel;
use nixdive_nix::StorePath;
use nixdive_scan::NameRoom;

/// Modification time of everything in a Nix store: the first second of 1970.
const MTIME: u64 = 1;
/// Bytes of memory per entry, without its name.
const ENTRY_BYTES: u64 = 100;

/// A layer that is being planned.
pub struct TarPlan<'a> {
    store: &'a LocalStore,
    cancel: Cancel,
    entries: HashMap<Box<[u8]>, Planned>,
    owners: Vec<Owner>,
    owner_places: HashMap<Owner, u32>,
    room: NameRoom,
}

/// An entry without its position in the stream.
struct Planned {
    kind: Type,
    mode: u32,
    owner: u32,
    /// Path in the store, if it differs from the path in the layer.
    source: Option<Box<[u8]>>,
}

impl<'a> TarPlan<'a> {
    /// Creates a plan without entries. The layers of one image share their room for names.
    #[must_use]
    pub fn new(store: &'a LocalStore, room: NameRoom, cancel: Cancel) -> Self {
        let owner_places = HashMap::from_iter([(Owner::default(), 0)]);
        let owners = vec![Owner::default()];
        Self { store, cancel, entries: HashMap::new(), owners, owner_places, room }
    }

    /// Adds a store path with its contents.
    ///
    /// # Errors
    /// [`StoreError`] if it is missing or cannot be read.
    pub fn add(&mut self, path: &StorePath, rules: &Rules) -> Result<(), StoreError> {
        self.add_tree(path.to_string().as_bytes(), rules)
    }

    /// Adds an empty directory in place of a missing store path.
    ///
    /// # Errors
    /// [`StoreError`] if a rule or a limit is violated.
    pub fn add_absent(&mut self, path: &StorePath, rules: &Rules) -> Result<(), StoreError> {
        let source = path.to_string().into_bytes();
        match rules.destination(&source)? {
            Some(destination) if destination != b"/" => self.insert(destination, Planned::directory()),
            _ => Ok(()),
        }
    }

    /// Adds everything at and below a path of the store.
    pub(super) fn add_tree(&mut self, top: &[u8], rules: &Rules) -> Result<(), StoreError> {
        let mut pending = vec![top.to_vec()];
        while let Some(source) = pending.pop() {
            self.cancel.check().map_err(|_| StoreError::Cancelled)?;
            let on_disk = self.store.on_disk(&source);
            let failed = |error| StoreError::read(&source, error);
            let metadata = fs::symlink_metadata(&on_disk).map_err(failed)?;
            let destination = rules.destination(&source)?;
            if destination.as_ref().is_some_and(|destination| rules.ignores(destination)) {
                continue;
            }
            let own_mode = metadata.permissions().mode() & 0o7777;
            let (kind, own_mode) = if metadata.is_dir() {
                for entry in fs::read_dir(&on_disk).map_err(failed)? {
                    let name = entry.map_err(failed)?.file_name();
                    pending.push([&source, &b"/"[..], name.as_bytes()].concat());
                }
                (Type::Directory, own_mode)
            } else if metadata.is_symlink() {
                let target = fs::read_link(&on_disk).map_err(failed)?;
                (Type::Symlink(target.as_os_str().as_bytes().into()), 0o777)
            } else if metadata.is_file() {
                (Type::File { bytes: metadata.len() }, own_mode)
            } else {
                return Err(StoreError::Special(String::from_utf8_lossy(&source).into_owned()));
            };
            let Some(destination) = destination else { continue };
            let (mode, owner) = rules.apply(&source, own_mode);
            let owner = self.owner(owner);
            let source = (source != destination).then(|| source.into());
            self.insert(destination, Planned { kind, mode, owner, source })?;
        }
        Ok(())
    }

    fn owner(&mut self, owner: Owner) -> u32 {
        if let Some(&place) = self.owner_places.get(&owner) {
            return place;
        }
        let place = u32::try_from(self.owners.len()).unwrap_or(0);
        self.owners.push(owner.clone());
        self.owner_places.insert(owner, place);
        place
    }

    /// Adds an entry, and the missing directories above it.
    fn insert(&mut self, destination: Vec<u8>, planned: Planned) -> Result<(), StoreError> {
        let mut above = parent(&destination).map(<[u8]>::to_vec);
        self.count(&destination)?;
        self.entries.insert(destination.into(), planned);
        while let Some(directory) = above.filter(|directory| !self.entries.contains_key(directory.as_slice())) {
            above = parent(&directory).map(<[u8]>::to_vec);
            self.count(&directory)?;
            self.entries.insert(directory.into(), Planned::directory());
        }
        Ok(())
    }

    fn count(&self, name: &[u8]) -> Result<(), StoreError> {
        if self.room.take(name.len() as u64 + ENTRY_BYTES) { Ok(()) } else { Err(StoreError::TooMany) }
    }

    /// Returns the tar stream of all entries.
    #[must_use]
    pub fn finish(self) -> StoreTar {
        let mut planned: Vec<(Box<[u8]>, Planned)> = self.entries.into_iter().collect();
        planned.sort_unstable_by(|(one, _), (other, _)| by_parts(one).cmp(by_parts(other)));
        let mut position = 0u64;
        let mut entries = Vec::with_capacity(planned.len());
        for (name, planned) in planned {
            let Planned { kind, mode, owner, source } = planned;
            let mut entry = Entry { name, source, kind, mode, owner, start: position, header_bytes: 0 };
            let header_bytes = entry.header(&self.owners).write().len();
            entry.header_bytes = u32::try_from(header_bytes).unwrap_or(u32::MAX);
            let content = entry.file_bytes().div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
            position = position.saturating_add(header_bytes as u64).saturating_add(content);
            entries.push(entry);
        }
        StoreTar::new(self.store.clone(), entries, self.owners, position)
    }
}

impl Planned {
    fn directory() -> Self {
        Self { kind: Type::Directory, mode: 0o755, owner: 0, source: None }
    }
}

impl Entry {
    /// Returns its header; an unknown owner is root.
    pub(super) fn header<'e>(&'e self, owners: &'e [Owner]) -> Header<'e> {
        const NOBODY: &Owner = &Owner { uid: 0, gid: 0, user: String::new(), group: String::new() };
        let (type_flag, link) = match &self.kind {
            Type::Directory => (b'5', &b""[..]),
            Type::File { .. } => (b'0', &b""[..]),
            Type::Symlink(target) => (b'2', &**target),
        };
        let owner = owners.get(self.owner as usize).unwrap_or(NOBODY);
        Header {
            name: &self.name,
            type_flag,
            mode: self.mode,
            owner,
            file_bytes: self.file_bytes(),
            mtime: MTIME,
            link,
            xattrs: &[],
        }
    }
}

/// Returns the parent directory of a path, or `None` for `/` and for a relative path of one component.
fn parent(path: &[u8]) -> Option<&[u8]> {
    match memchr::memrchr(b'/', path)? {
        0 if path.len() == 1 => None,
        0 => path.get(..1),
        slash => path.get(..slash),
    }
}

/// Returns bytes that sort paths by components: a slash sorts before any other byte.
fn by_parts(path: &[u8]) -> impl Iterator<Item = u8> + '_ {
    path.iter().map(|&byte| if byte == b'/' { 0 } else { byte })
}
