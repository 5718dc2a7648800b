use std::collections::VecDeque;

use super::elf::{Elf, Machine};
use super::linker::{LibrarySearch, fits, parent};
use super::read::Facts;
use super::search::{Follow, Search};
use super::view::At;
use super::{How, Reason};
use crate::image::NodeId;

/// Directories up the chain of what loaded a library in which `DT_RPATH` is looked for.
const MOST_LOADERS: usize = 64;

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
        let search = self.library_search(from, elf);
        let mut candidates = VecDeque::new();
        for name in &names {
            for path in self.linker.candidates(name, &search) {
                if let Some(node) = self.view.find(&path).filter(|&node| matches!(self.view.at(node), At::File(_))) {
                    candidates.push_back((path, node));
                }
            }
        }
        if candidates.is_empty() && !is_required {
            return;
        }
        self.requests.push(Request { from, how, names, is_required, candidates, machine: elf.machine });
    }

    fn library_search(&self, node: NodeId, elf: &Elf) -> LibrarySearch {
        let origin = |node: NodeId| self.origin(node);
        let mut rpaths = Vec::new();
        let mut interpreter = elf.interpreter.as_deref().map(<[u8]>::to_vec);
        if elf.runpath.is_none() {
            rpaths.extend(elf.rpath.clone().map(|rpath| (rpath, origin(node))));
        }
        let mut at = node;
        for _ in 0..MOST_LOADERS {
            let Some(from) = self.needs.reasons.get(at.index()).and_then(|reason| reason.as_ref()?.from) else { break };
            at = from;
            if let Some(loader) = self.elf_of(at) {
                let loader = loader.get();
                if loader.runpath.is_none() && elf.runpath.is_none() {
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
