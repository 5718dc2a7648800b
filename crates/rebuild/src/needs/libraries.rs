use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashSet;

use super::elf::{Elf, Machine};
use super::linker::{LibrarySearch, MOST_DIRECTORIES, SearchPath, fits, parent};
use super::read::Facts;
use super::search::{Follow, Search};
use super::view::At;
use super::{How, Reason};
use nixdive_image::NodeId;

/// Maximum number of loaders in the chain above a library whose `DT_RPATH` is searched.
const MOST_LOADERS: usize = 64;

/// Maximum number of directory lookups for libraries of all programs: a hundred times what a large distribution needs.
const MOST_LOOKUPS: u64 = 10_000_000;
/// Number of directories still searched per program beyond that.
const FEW_DIRECTORIES: usize = 16;

/// Directory: its path as searched, with links unresolved, and the node it resolves to.
type Place = (Vec<u8>, NodeId);

/// Search directories of one file that exist, without duplicates.
pub(super) struct LibraryPlaces {
    search: LibrarySearch,
    before_cache: Vec<Place>,
    uses_cache: bool,
    after_cache: Vec<Place>,
}

/// Returns the number of directories in a list.
fn parts(list: &[u8]) -> usize {
    memchr::memchr2_iter(b':', b';', list).count() + 1
}

/// Requested library.
pub(super) struct Request {
    from: NodeId,
    how: How,
    /// Alternative names, of which the first one present is used.
    names: Vec<Box<[u8]>>,
    is_required: bool,
    /// Candidate paths with the nodes they resolve to.
    pub candidates: VecDeque<(Vec<u8>, NodeId)>,
    machine: Machine,
}

impl Search<'_> {
    /// Requests a library by its alternative names.
    pub(super) fn ask(&mut self, from: NodeId, elf: &Elf, how: How, names: Vec<Box<[u8]>>, is_required: bool) {
        let places = self.library_places(from, elf);
        let mut candidates = VecDeque::new();
        for name in &names {
            if name.contains(&b'/') {
                self.look_at(places.search.paths_of(name), &mut candidates);
                continue;
            }
            self.look_into(&places.before_cache, name, &mut candidates);
            if places.uses_cache {
                let cached: Vec<Vec<u8>> = self.linker.cached(name).iter().map(|path| path.to_vec()).collect();
                self.look_at(cached, &mut candidates);
            }
            self.look_into(&places.after_cache, name, &mut candidates);
        }
        if candidates.is_empty() && !is_required {
            return;
        }
        self.requests.push(Request { from, how, names, is_required, candidates, machine: elf.machine });
    }

    /// Adds the paths that exist to the candidates.
    fn look_at(&mut self, paths: Vec<Vec<u8>>, candidates: &mut VecDeque<(Vec<u8>, NodeId)>) {
        for path in paths {
            if let Some(node) = self.view.find(&path).filter(|&node| matches!(self.view.at(node), At::File(_))) {
                candidates.push_back((path, node));
            }
        }
    }

    /// Adds the libraries of this name in the directories to the candidates. After the maximum number of lookups, only
    /// the first directories are searched.
    fn look_into(&mut self, directories: &[Place], name: &[u8], candidates: &mut VecDeque<(Vec<u8>, NodeId)>) {
        let mut looked_into = directories;
        if self.library_lookups >= MOST_LOOKUPS && directories.len() > FEW_DIRECTORIES {
            looked_into = directories.get(..FEW_DIRECTORIES).unwrap_or_default();
            let message = format!(
                "more than {MOST_LOOKUPS} lookups of libraries; for further programs only the \
                 first {FEW_DIRECTORIES} directories were searched"
            );
            self.doubt(None, message);
        }
        self.library_lookups = self.library_lookups.saturating_add(looked_into.len() as u64);
        for (directory, node) in looked_into {
            let found = self.view.walk(*node, name).end.ok();
            if let Some(node) = found.filter(|&node| matches!(self.view.at(node), At::File(_))) {
                candidates.push_back(([directory, &b"/"[..], name].concat(), node));
            }
        }
    }

    /// Returns the search directories of a file. A file usually requests many libraries in a row.
    fn library_places(&mut self, node: NodeId, elf: &Elf) -> Arc<LibraryPlaces> {
        if let Some((_, places)) = self.library_places.as_ref().filter(|(known, _)| *known == node) {
            return Arc::clone(places);
        }
        let search = self.library_search(node, elf);
        let SearchPath { before_cache, uses_cache, after_cache } = self.linker.directories(&search);
        let mut seen = HashSet::new();
        let mut there = |directories: Vec<Vec<u8>>| -> Vec<Place> {
            let found = |path: Vec<u8>| {
                let node = self.view.find(&path).filter(|&node| self.view.is_directory(node))?;
                // A directory that does not contain the library at its first position does not at a later one.
                seen.insert(node).then_some((path, node))
            };
            directories.into_iter().filter_map(found).collect()
        };
        let before_cache = there(before_cache);
        let after_cache = there(after_cache);
        let places = Arc::new(LibraryPlaces { search, before_cache, uses_cache, after_cache });
        self.library_places = Some((node, Arc::clone(&places)));
        places
    }

    fn library_search(&self, node: NodeId, elf: &Elf) -> LibrarySearch {
        let origin = |node: NodeId| self.origin(node);
        let mut rpaths = Vec::new();
        let mut interpreter = elf.interpreter.as_deref().map(<[u8]>::to_vec);
        if elf.runpath.is_none() {
            rpaths.extend(elf.rpath.clone().map(|rpath| (rpath, origin(node))));
        }
        let mut at = node;
        let mut directories = rpaths.iter().map(|(rpath, _)| parts(rpath)).sum::<usize>();
        for _ in 0..MOST_LOADERS {
            let Some(from) = self.needs.reasons.get(at.index()).and_then(|reason| reason.as_ref()?.from) else { break };
            at = from;
            if let Some(loader) = self.elf_of(at) {
                let loader = loader.get();
                if loader.runpath.is_none() && elf.runpath.is_none() && directories < MOST_DIRECTORIES {
                    directories += loader.rpath.as_deref().map_or(0, parts);
                    rpaths.extend(loader.rpath.clone().map(|rpath| (rpath, origin(at))));
                }
                interpreter = interpreter.or_else(|| loader.interpreter.as_deref().map(<[u8]>::to_vec));
            }
        }
        let interpreter = interpreter.map(|path| self.linker_at(path));
        let environment = self.environment.iter().rev().find(|(name, _)| name == b"LD_LIBRARY_PATH");
        LibrarySearch {
            rpaths,
            environment: environment.map(|(_, value)| value.clone()).unwrap_or_default(),
            runpath: elf.runpath.clone().map(|runpath| (runpath, origin(node))),
            machine: elf.machine,
            interpreter: interpreter.or_else(|| self.only_linker()),
        }
    }

    /// Returns the value of `$ORIGIN`: for a program its real directory, for a library the directory in which it was
    /// found, with links unresolved.
    fn origin(&self, node: NodeId) -> Vec<u8> {
        let real = self.view.tree.path(node);
        let path = self.loaded_as.get(&node).map_or(real.as_slice(), |path| path);
        parent(path).map(<[u8]>::to_vec).unwrap_or_default()
    }

    /// Returns the path of a dynamic linker that determines how libraries are searched. A linker that a rebuild moved
    /// into the store behaves like the distribution's; nixpkgs' glibc behaves like one of the store, whatever path
    /// requested it.
    fn linker_at(&self, asked: Vec<u8>) -> Vec<u8> {
        const STORE: &[u8] = b"/nix/store/";
        let Some(node) = self.view.find(&asked) else { return asked };
        let real = self.view.tree.path(node);
        let is_of_nixpkgs = || {
            let name = real.split(|&byte| byte == b'/').nth(3).unwrap_or_default();
            let place = real.split(|&byte| byte == b'/').nth(4).unwrap_or_default();
            place == b"lib" && memchr::memmem::find(name, b"-glibc-").is_some()
        };
        let lies_there = real.starts_with(STORE) && !asked.starts_with(STORE);
        if lies_there && !is_of_nixpkgs() { asked } else { real }
    }

    /// Returns the linker for libraries without a loader: musl's if the image has no other.
    fn only_linker(&self) -> Option<Vec<u8>> {
        let lib = self.view.find(b"/lib")?;
        let mut names = self.view.children(lib).map(|node| (node, self.view.tree.name(node)));
        let musl = names.find(|(_, name)| name.starts_with(b"ld-musl-") && name.ends_with(b".so.1"))?;
        let glibc = [&b"/lib64/ld-linux-x86-64.so.2"[..], b"/lib/ld-linux-aarch64.so.1", b"/lib/ld-linux.so.2"];
        glibc.iter().all(|path| self.view.find(path).is_none()).then(|| self.view.tree.path(musl.0))
    }

    /// Resolves requests whose candidates were read: the first that fits is needed.
    pub(super) fn settle(&mut self) {
        for mut request in std::mem::take(&mut self.requests) {
            let mut found = false;
            while let Some((path, node)) = request.candidates.front() {
                let Some(facts) = self.facts_of(*node) else { break };
                // The linker would stop at a linker script or a text, but the search continues.
                if matches!(&*facts, Facts::Elf(elf) if fits(elf, request.machine)) {
                    let path = path.clone();
                    self.found_library(&request, &path);
                    found = true;
                    break;
                }
                request.candidates.pop_front();
            }
            if found {
                continue;
            }
            if !request.candidates.is_empty() {
                self.requests.push(request);
            } else if request.is_required {
                let name = request.names.first().cloned().unwrap_or_default();
                self.miss(Some(request.from), request.how, &name);
            }
        }
    }

    fn found_library(&mut self, request: &Request, path: &[u8]) {
        let reason = Reason { from: Some(request.from), how: request.how };
        if let Some(node) = self.need_path(path, reason, Follow::Programs) {
            self.loaded_as.entry(node).or_insert_with(|| path.into());
        }
        let (Some(directory), Some(name)) = (parent(path), path.rsplit(|&byte| byte == b'/').next()) else { return };
        let Some(variants) = self.view.find(&[directory, b"/glibc-hwcaps"].concat()) else { return };
        let view = self.view;
        let found: Vec<NodeId> = view.children(variants).filter_map(|variant| view.child(variant, name)).collect();
        for node in found {
            let path = view.tree.path(node);
            let reason = Reason { from: Some(request.from), how: How::LibraryVariant };
            self.need_path(&path, reason, Follow::Programs);
        }
    }
}
