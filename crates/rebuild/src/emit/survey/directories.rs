//! Directories that the new image needs, and those with unusual owners or modes.

use std::collections::{BTreeMap, BTreeSet};

use super::Survey;
use super::rules::{is_in_library_directory, is_left_directory};
use nixdive_image::{Kind, NodeId, Owner};

/// Directory of the new image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::emit) struct OwnDirectory {
    /// Absolute path.
    pub path: Vec<u8>,
    pub mode: u16,
    pub owner: Owner,
}

/// Directories that programs write to without naming them.
const EXPECTED: [&[u8]; 4] = [b"/tmp", b"/var/tmp", b"/run", b"/var/run"];

/// Directories that are meaningless when empty, or that container runtimes create.
const MADE_BY_RUNTIME: [&[u8]; 9] =
    [b"/boot", b"/dev", b"/home", b"/media", b"/mnt", b"/opt", b"/proc", b"/srv", b"/sys"];

impl OwnDirectory {
    /// Returns `true` if owner or mode must be set, as no directory of a Nix store has them.
    pub fn is_special(&self) -> bool {
        self.mode & 0o7777 != 0o755 || self.owner.uid != 0 || self.owner.gid != 0
    }
}

impl Survey<'_> {
    pub(super) fn find_directories(&mut self) {
        let tree = self.tree();
        let config = &self.request.image.config;
        let mut wanted: BTreeSet<NodeId> = BTreeSet::new();
        let named = config.volumes.iter().map(String::as_str).chain([config.working_directory.as_str()]);
        let named = named.filter(|path| path.starts_with('/')).map(str::as_bytes).chain(EXPECTED);
        wanted.extend(named.filter_map(|path| self.resolve(path)));
        let needs = self.request.needs;
        let reasons = needs.map(|needs| needs.reasons.as_slice()).unwrap_or_default();
        let needed = tree.node_ids().zip(reasons).filter(|(_, reason)| reason.is_some()).map(|(node, _)| node);
        wanted.extend(needed);
        // Parents of own files and wanted directories with unusual owners or modes.
        let mut above: BTreeSet<NodeId> = BTreeSet::new();
        for node in self.own.iter().map(|own| own.node).chain(wanted.iter().copied()) {
            let mut at = tree.parent(node);
            while let Some(node) = at.filter(|&node| above.insert(node)) {
                at = tree.parent(node);
            }
        }
        let store = tree.lookup(b"/nix");
        let placed: BTreeSet<Vec<u8>> = self.places.iter().map(|place| place.path.clone()).collect();
        let mut found: BTreeMap<Vec<u8>, OwnDirectory> = BTreeMap::new();
        for &node in wanted.union(&above).filter(|&&node| node != NodeId::ROOT && Some(node) != store) {
            let Some(directory) = self.directory(node) else { continue };
            let path = &directory.path;
            let is_left = is_left_directory(path)
                || is_in_library_directory(path)
                || (MADE_BY_RUNTIME.contains(&path.as_slice())
                    && !self.request.image.config.volumes.iter().any(|volume| volume.as_bytes() == path.as_slice()));
            if is_left {
                continue;
            }
            let is_placed = || placed.contains(&directory.path);
            if (wanted.contains(&node) || directory.is_special()) && !is_placed() {
                found.insert(directory.path.clone(), directory);
            }
        }
        // Own files and nested directories create their parents, so only special directories remain to be listed.
        let own = self.own.iter().map(|own| own.path.as_slice());
        let all: BTreeSet<Vec<u8>> = own.map(<[u8]>::to_vec).chain(found.keys().cloned()).collect();
        self.directories = found
            .into_values()
            .filter(|directory| {
                let below = [&directory.path[..], b"/"].concat();
                let has_below = all.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below));
                directory.is_special() || !has_below
            })
            .collect();
    }

    /// Returns a directory as in the topmost layer; `None` if it is not a directory or is in a Nix store.
    fn directory(&self, node: NodeId) -> Option<OwnDirectory> {
        let tree = self.tree();
        let path = tree.path(node);
        let is_usable = !path.starts_with(b"/nix/store/")
            && path.len() < 3000
            && path.split(|&byte| byte == b'/').all(|part| !matches!(part, b"." | b"..") && part.len() <= 255);
        if !is_usable {
            return None;
        }
        match tree.visible_at(node, self.top?) {
            Some(id) => {
                let is_directory = tree.occurrence(id).kind == Kind::Directory;
                is_directory.then(|| OwnDirectory { path, mode: tree.occurrence(id).mode(), owner: tree.owner(id) })
            }
            None => Some(OwnDirectory { path, mode: 0o755, owner: Owner { uid: 0, gid: 0 } }),
        }
    }
}
