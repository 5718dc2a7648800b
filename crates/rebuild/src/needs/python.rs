use hashbrown::HashSet;

use super::search::{Follow, Search};
use super::view::At;
use super::{How, NeedsError, Reason, calls};
use nixdive_image::NodeId;

/// Maximum number of modules searched in one image.
const MOST_MODULES: usize = 100_000;

/// Parts of the standard library that services do not need: tests, editors and installers.
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

/// State of the search for Python modules.
#[derive(Debug, Default)]
pub(super) struct Python {
    /// Module directories, each with its runtime.
    directories: Vec<(NodeId, NodeId)>,
    /// Names of imported modules, each with the first importer.
    wanted: Vec<(Box<[u8]>, NodeId)>,
    seen: HashSet<Box<[u8]>>,
    /// Names of requested distributions, each with the first requester.
    distributions: Vec<(Box<[u8]>, NodeId)>,
    /// Metadata of distributions that was read.
    known: HashSet<NodeId>,
    /// Numbers of `wanted` and `directories` that were processed.
    done: (usize, usize),
}

impl Search<'_> {
    /// Keeps the standard library of a Python, and records its module directories.
    pub(super) fn keep_python(&mut self, node: NodeId, prefix: &[u8]) {
        let view = self.view;
        let reason = Reason { from: Some(node), how: How::Runtime };
        // The library is relative to the program, or at the prefix that the program was built for.
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
            Reason { from: Some(node), how: How::Implicit(super::ImplicitNeed::MediaTypes) },
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

    /// Records the modules that a Python program imports and the programs that it starts.
    pub(super) fn follow_python(&mut self, node: NodeId, text: &[u8]) {
        for module in imports(text) {
            self.want_module(node, module);
        }
        self.want_distributions(node, text);
        self.follow_calls(node, text, calls::PYTHON);
        for sign in [&b"importlib.import_module("[..], b"__import__(", b"run_module("] {
            for at in memchr::memmem::find_iter(text, sign) {
                let behind = text.get(at + sign.len()..).unwrap_or_default();
                match literal(behind) {
                    Some(module) => self.want_module(node, top_level(module)),
                    None => {
                        let message =
                            format!("{} imports a module whose name is only known at run time", self.shown(node));
                        self.doubt(Some(node), message);
                    }
                }
            }
        }
    }

    /// Records the distributions that a program requests by name: the start scripts of `pip` and `setuptools` do, and
    /// programs that query a version.
    fn want_distributions(&mut self, node: NodeId, text: &[u8]) {
        const SIGNS: [&[u8]; 6] = [
            b"__requires__ =",
            b"load_entry_point(",
            b"distribution(",
            b"metadata.version(",
            b"pkg_resources.require(",
            b"metadata.metadata(",
        ];
        for sign in SIGNS {
            for at in memchr::memmem::find_iter(text, sign) {
                let Some(asked) = literal(text.get(at + sign.len()..).unwrap_or_default()) else { continue };
                let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
                let name = normalised(asked.split(|byte| !is_name(byte)).next().unwrap_or_default());
                let wanted = &mut self.python.distributions;
                if wanted.len() < MOST_MODULES && !wanted.iter().any(|(known, _)| **known == *name) {
                    wanted.push((name.into(), node));
                }
            }
        }
    }

    /// Keeps the metadata of requested distributions and requests their modules.
    fn find_distributions(&mut self) -> Result<(), NeedsError> {
        let view = self.view;
        let mut lists: Vec<(NodeId, NodeId)> = Vec::new();
        for (name, from) in &self.python.distributions {
            for &(directory, _) in &self.python.directories {
                lists.extend(
                    view.children(directory)
                        .filter(|&child| distribution_of(view.tree.name(child)).is_some_and(|found| found == **name))
                        .map(|child| (child, *from)),
                );
            }
        }
        lists.retain(|(metadata, _)| self.python.known.insert(*metadata));
        for (metadata, from) in lists {
            self.need_tree(metadata, Reason { from: Some(from), how: How::Runtime }, Follow::Nothing, &|_, _| true);
            let lists = [&b"top_level.txt"[..], b"entry_points.txt"].map(|name| view.child(metadata, name));
            let lists: Vec<NodeId> = lists.into_iter().flatten().collect();
            for text in self.texts(&lists)?.into_values() {
                for module in modules_of(&text) {
                    self.want_module(from, module);
                }
            }
        }
        Ok(())
    }

    /// Handles a module that is run by name: `python -m module`.
    pub(super) fn python_module(&mut self, from: NodeId, module: &[u8]) {
        self.want_module(from, top_level(module));
    }

    fn want_module(&mut self, from: NodeId, module: &[u8]) {
        if !module.is_empty() && self.python.wanted.len() < MOST_MODULES && self.python.seen.insert(module.into()) {
            self.python.wanted.push((module.into(), from));
        }
    }

    /// Finds imported modules in the module directories.
    pub(super) fn find_modules(&mut self) -> Result<(), NeedsError> {
        self.find_distributions()?;
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
        Ok(())
    }

    /// Returns the files of a module in a directory: a package, a source file, a compiled module, bundled libraries.
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

    /// Returns the importer of a module, if any.
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

/// Returns a distribution's name normalized by PEP 503.
fn normalised(name: &[u8]) -> Vec<u8> {
    let parts = name.split(|byte| b"-_.".contains(byte)).filter(|part| !part.is_empty());
    parts.map(<[u8]>::to_ascii_lowercase).collect::<Vec<_>>().join(&b'-')
}

/// Returns the distribution described by `NAME-VERSION.dist-info`.
fn distribution_of(name: &[u8]) -> Option<Vec<u8>> {
    let stem = name.strip_suffix(b".dist-info").or_else(|| name.strip_suffix(b".egg-info"))?;
    Some(normalised(stem.split(|&byte| byte == b'-').next().unwrap_or_default()))
}

/// Returns the modules that `top_level.txt` lists or `entry_points.txt` refers to.
fn modules_of(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = list.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.starts_with(b"["));
    lines.filter_map(|line| {
        let module = line.split(|&byte| byte == b'=').next_back()?.trim_ascii();
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
        Some(module.split(|byte| !is_name(byte)).next()?).filter(|module| !module.is_empty())
    })
}

fn top_level(module: &[u8]) -> &[u8] {
    module.split(|&byte| byte == b'.').next().unwrap_or_default()
}

/// Returns the top-level names of modules in import statements.
pub(super) fn imports(text: &[u8]) -> Vec<&[u8]> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let mut found = Vec::new();
    for line in text.split(|byte| b"\n;".contains(byte)) {
        let line = line.trim_ascii();
        // Statements after a keyword, such as `try: import x`.
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

/// Returns the string literal at the beginning of an argument list, with or without brackets.
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

    #[test]
    fn distributions_and_their_modules_are_known_by_their_names() {
        assert_eq!(distribution_of(b"Zope.Interface-5.4.dist-info"), Some(normalised(b"zope_interface")));
        assert_eq!(distribution_of(b"zope"), None);
        let list = b"[console_scripts]\nserve = web_app.main:run\n\nplain\n";
        assert_eq!(modules_of(list).collect::<Vec<_>>(), [&b"web_app"[..], b"plain"]);
    }
}
