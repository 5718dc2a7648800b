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

/// Directories up the chain of what loaded a library in which `DT_RPATH` is looked for.
const MOST_LOADERS: usize = 64;

/// Lookups of libraries in directories, for all programs together: a hundred times what a large distribution needs.
const MOST_LOOKUPS: u64 = 10_000_000;
/// Directories that are still looked into beyond that.
const FEW_DIRECTORIES: usize = 16;

/// A directory by its path as the search has it, links not followed, and where it really is.
type Place = (Vec<u8>, NodeId);

/// Where the libraries of one file are looked for: of the directories those that are there, each once.
pub(super) struct LibraryPlaces {
    search: LibrarySearch,
    before_cache: Vec<Place>,
    uses_cache: bool,
    after_cache: Vec<Place>,
}

/// Directories in a list.
fn parts(list: &[u8]) -> usize {
    memchr::memchr2_iter(b':', b';', list).count() + 1
}

/// A library that something asks for.
pub(super) struct Request {
    from: NodeId,
    how: How,
    /// The first of these that is there is taken.
    names: Vec<Box<[u8]>>,
    is_required: bool,
    /// Where it may be: a path and where that leads.
    pub candidates: VecDeque<(Vec<u8>, NodeId)>,
    machine: Machine,
}

impl Search<'_> {
    /// Asks for a library by the names under which it may be found.
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

    /// Takes those of some paths that are there.
    fn look_at(&mut self, paths: Vec<Vec<u8>>, candidates: &mut VecDeque<(Vec<u8>, NodeId)>) {
        for path in paths {
            if let Some(node) = self.view.find(&path).filter(|&node| matches!(self.view.at(node), At::File(_))) {
                candidates.push_back((path, node));
            }
        }
    }

    /// Takes the library of that name out of each directory that has one. Where all programs together have been looked
    /// for in very many directories, only the first ones of the others are looked into.
    fn look_into(&mut self, directories: &[Place], name: &[u8], candidates: &mut VecDeque<(Vec<u8>, NodeId)>) {
        let mut looked_into = directories;
        if self.library_lookups >= MOST_LOOKUPS && directories.len() > FEW_DIRECTORIES {
            looked_into = directories.get(..FEW_DIRECTORIES).unwrap_or_default();
            let message = format!(
                "libraries would have to be looked for in more than {MOST_LOOKUPS} places; of further programs only the \
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

    /// Where the libraries of a file are looked for. Each file asks for many, one after the other.
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
                // What is not in a directory at its first place is not in it later either.
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

    /// What `$ORIGIN` stands for: of a program the directory in which it really is, of a library the one in which it was
    /// found, links not followed.
    fn origin(&self, node: NodeId) -> Vec<u8> {
        let real = self.view.tree.path(node);
        let path = self.loaded_as.get(&node).map_or(real.as_slice(), |path| path);
        parent(path).map(<[u8]>::to_vec).unwrap_or_default()
    }

    /// The path of a dynamic linker that says how it looks for libraries. One that only lies in a store, put there by a
    /// rebuild, is that of a distribution as before; nixpkgs' glibc is one of the store however it is asked for.
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

    /// The linker of libraries that nothing loads: musl's where the image has no other.
    fn only_linker(&self) -> Option<Vec<u8>> {
        let lib = self.view.find(b"/lib")?;
        let mut names = self.view.children(lib).map(|node| (node, self.view.tree.name(node)));
        let musl = names.find(|(_, name)| name.starts_with(b"ld-musl-") && name.ends_with(b".so.1"))?;
        let glibc = [&b"/lib64/ld-linux-x86-64.so.2"[..], b"/lib/ld-linux-aarch64.so.1", b"/lib/ld-linux.so.2"];
        glibc.iter().all(|path| self.view.find(path).is_none()).then(|| self.view.tree.path(musl.0))
    }

    /// Gives requests the candidates that were read: the first that fits is needed.
    pub(super) fn settle(&mut self) {
        for mut request in std::mem::take(&mut self.requests) {
            let mut found = false;
            while let Some((path, node)) = request.candidates.front() {
                let Some(facts) = self.facts_of(*node) else { break };
                // A linker script, or a text in its place, is passed as the linker would stop there.
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
