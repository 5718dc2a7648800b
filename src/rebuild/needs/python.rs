use hashbrown::HashSet;

use super::search::{Follow, Search};
use super::view::At;
use super::{How, Reason, calls};
use crate::image::NodeId;

/// Modules that are looked for in one image.
const MOST_MODULES: usize = 100_000;

/// Parts of the standard library that no service needs: its tests, editors, and what installs packages.
const LEFT_OUT: [&[u8]; 9] = [
    b"test",
    b"tests",
    b"idlelib",
    b"idle_test",
    b"turtledemo",
    b"ensurepip",
    b"__pycache__",
    b"lib2to3",
    b"pydoc_data",
];

/// What is known of the Python of an image.
#[derive(Debug, Default)]
pub(super) struct Python {
    /// Directories in which modules are looked for, with the runtime that does.
    directories: Vec<(NodeId, NodeId)>,
    /// Names of modules that something imports, with what did first.
    wanted: Vec<(Box<[u8]>, NodeId)>,
    seen: HashSet<Box<[u8]>>,
    /// Up to where `wanted` and `directories` have been looked for.
    done: (usize, usize),
}

impl Search<'_> {
    /// Keeps the standard library of a Python, and remembers where its other modules are.
    pub(super) fn keep_python(&mut self, node: NodeId, prefix: &[u8]) {
        let view = self.view;
        let reason = Reason { from: Some(node), how: How::Runtime };
        // The library lies beside the program, and where the program was built for.
        let prefixes = [prefix, b"/usr", b"/usr/local"];
        let name = view.tree.name(node);
        let version: Vec<u8> = name
            .iter()
            .copied()
            .skip_while(|byte| !byte.is_ascii_digit())
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .collect();
        let version = version.strip_suffix(b".").unwrap_or(&version).to_vec();
        for prefix in prefixes.iter().filter(|prefix| !prefix.is_empty()) {
            let pattern = match version.is_empty() {
                true => [prefix, &b"/lib/python3.*"[..]].concat(),
                false => [prefix, &b"/lib/python"[..], &version].concat(),
            };
            for library in super::glob::expand(view, &pattern) {
                if view.is_directory(library)
                    && view.child(library, b"os.py").is_some()
                    && self.runtimes.insert(library)
                {
                    self.need_tree(library, reason, Follow::Programs, &is_of_library);
                    self.remember_directories(library, node, prefix);
                }
            }
        }
        for extra in ["/etc/python*"] {
            for found in super::glob::expand(view, extra.as_bytes()) {
                self.need_tree(found, reason, Follow::Nothing, &|_, _| true);
            }
        }
        self.need_path(
            b"/etc/mime.types",
            Reason { from: Some(node), how: How::Habit(super::Habit::MediaTypes) },
            Follow::Nothing,
        );
    }

    fn remember_directories(&mut self, library: NodeId, node: NodeId, prefix: &[u8]) {
        let view = self.view;
        let inside =
            ["site-packages", "dist-packages"].into_iter().filter_map(|name| view.child(library, name.as_bytes()));
        let mut directories: Vec<NodeId> = inside.collect();
        directories.extend(view.find(&[prefix, b"/lib/python3/dist-packages"].concat()));
        let local = [&b"/usr/local/lib/"[..], view.tree.name(library), b"/dist-packages"].concat();
        directories.extend(view.find(&local));
        for directory in directories {
            if !self.python.directories.iter().any(|(known, _)| *known == directory) {
                self.python.directories.push((directory, node));
            }
        }
    }

    /// Notes what a Python program imports and which programs it starts.
    pub(super) fn follow_python(&mut self, node: NodeId, text: &[u8]) {
        for module in imports(text) {
            self.want_module(node, module);
        }
        self.follow_calls(node, text, calls::PYTHON);
        for sign in [&b"importlib.import_module("[..], b"__import__(", b"run_module("] {
            for at in memchr::memmem::find_iter(text, sign) {
                let behind = text.get(at + sign.len()..).unwrap_or_default();
                match literal(behind) {
                    Some(module) => self.want_module(node, top_level(module)),
                    None => {
                        let message =
                            format!("{} imports a module whose name is only known when it runs", self.shown(node));
                        self.doubt(Some(node), message);
                    }
                }
            }
        }
    }

    /// A module that is run by its name: `python -m module`.
    pub(super) fn python_module(&mut self, from: NodeId, module: &[u8]) {
        self.want_module(from, top_level(module));
    }

    fn want_module(&mut self, from: NodeId, module: &[u8]) {
        if !module.is_empty() && self.python.wanted.len() < MOST_MODULES && self.python.seen.insert(module.into()) {
            self.python.wanted.push((module.into(), from));
        }
    }

    /// Finds the modules that are imported in the directories of modules.
    pub(super) fn find_modules(&mut self) {
        let (wanted, directories) = self.python.done;
        let mut found: Vec<(NodeId, NodeId)> = Vec::new();
        for (number, (module, from)) in self.python.wanted.iter().enumerate() {
            for (position, &(directory, _)) in self.python.directories.iter().enumerate() {
                if number >= wanted || position >= directories {
                    found.extend(self.module_files(directory, module).into_iter().map(|file| (file, *from)));
                }
            }
        }
        self.python.done = (self.python.wanted.len(), self.python.directories.len());
        for (file, from) in found {
            let reason = Reason { from: Some(from), how: How::Runtime };
            self.need_tree(file, reason, Follow::All, &|name, is_directory| !is_directory || name != b"__pycache__");
        }
    }

    /// What belongs to a module in a directory: a package, a file, a compiled one, a library that it brought.
    fn module_files(&self, directory: NodeId, module: &[u8]) -> Vec<NodeId> {
        let view = self.view;
        let belongs = |name: &[u8]| {
            let rest = name.strip_prefix(module);
            let is_itself = rest.is_some_and(|rest| {
                matches!(rest, b"" | b".py" | b".libs") || rest.starts_with(b".") && rest.ends_with(b".so")
            });
            let metadata = || {
                rest.is_some_and(|rest| {
                    rest.starts_with(b"-") && (rest.ends_with(b".dist-info") || rest.ends_with(b".egg-info"))
                })
            };
            is_itself || metadata()
        };
        let mut files: Vec<NodeId> = view.children(directory).filter(|&child| belongs(view.tree.name(child))).collect();
        if files.iter().all(|&file| matches!(view.at(file), At::Other)) {
            files.clear();
        }
        files
    }

    /// Whether something imports a module.
    pub(super) fn is_imported(&self, module: &[u8]) -> Option<NodeId> {
        self.python.wanted.iter().find(|(name, _)| &**name == module).map(|&(_, from)| from)
    }
}

fn is_of_library(name: &[u8], is_directory: bool) -> bool {
    if is_directory {
        let is_static = name.starts_with(b"config-") || matches!(name, b"site-packages" | b"dist-packages");
        return !is_static && !LEFT_OUT.contains(&name);
    }
    !name.ends_with(b".a") && !name.ends_with(b".pyc")
}

fn top_level(module: &[u8]) -> &[u8] {
    module.split(|&byte| byte == b'.').next().unwrap_or_default()
}

/// The top-level names of modules that a program imports by a statement.
fn imports(text: &[u8]) -> Vec<&[u8]> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let mut found = Vec::new();
    for line in text.split(|byte| b"\n;".contains(byte)) {
        let line = line.trim_ascii();
        // `try: import x`
        let line = [&b"try:"[..], b"else:", b"finally:"]
            .iter()
            .find_map(|word| line.strip_prefix(*word))
            .unwrap_or(line)
            .trim_ascii_start();
        if let Some(rest) = line.strip_prefix(b"import ") {
            let names = rest.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            found.extend(names.map(|name| name.split(|byte| !is_name(byte)).next().unwrap_or_default()));
        } else if let Some(rest) = line.strip_prefix(b"from ") {
            let rest = rest.trim_ascii_start();
            found.push(rest.split(|byte| !is_name(byte)).next().unwrap_or_default());
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The literal at the beginning of a list of arguments, in brackets or not.
fn literal(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"[").or_else(|| text.strip_prefix(b"(")).unwrap_or(text).trim_ascii_start();
    let (&quote, rest) = text.split_first()?;
    matches!(quote, b'"' | b'\'').then_some(())?;
    rest.get(..memchr::memchr2(quote, b'\n', rest)?).filter(|literal| !literal.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found() {
        let text = b"import os, sys as s\nfrom flask.views import View\n  import a.b.c\nfrom . import x\n# import no\ntry: import yaml\nimportant = 1";
        assert_eq!(imports(text), [&b"os"[..], b"sys", b"flask", b"a", b"yaml"]);
    }
}
