use crate::graph::PathId;
use crate::references::ReferenceScanner;
use nixdive_image::{Config, FileTree, Floors, Kind, NodeId, OccurrenceId, Seen};

use super::paths::{StoreContents, visible_children};
use super::references::{ContentReferences, Evidence, Place, evidence};

/// Reasons outside the store why a store path is a root, strongest first. Numbers are indexes into
/// the configuration's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootSource {
    /// It is what was opened: a store path in place of an image.
    Given,
    /// An argument of the entry point.
    Entrypoint(usize),
    /// A further argument.
    Command(usize),
    /// A variable of the environment.
    Environment(usize),
    /// The working directory.
    WorkingDirectory,
    /// A mount point.
    Volume(usize),
    /// A label.
    Label(usize),
    /// An argument of the health check.
    Healthcheck(usize),
    /// An argument of the shell.
    Shell(usize),
    /// A file, link or name outside the store.
    Tree(NodeId, Place),
}

/// A store path and what holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Store path that is a root.
    pub path: PathId,
    /// By what.
    pub source: RootSource,
}

/// Texts of the configuration, and what they are by their places.
type List<'c> = (&'c [String], fn(usize) -> RootSource);

/// The texts of a configuration that can name store paths, and what they are.
pub(crate) fn config_texts(config: &Config) -> Vec<(&str, RootSource)> {
    let healthcheck = config.healthcheck.as_ref().map_or(&[][..], |check| &check.test);
    let lists: [List<'_>; 7] = [
        (&config.entrypoint, RootSource::Entrypoint),
        (&config.cmd, RootSource::Command),
        (&config.env, RootSource::Environment),
        (std::slice::from_ref(&config.working_directory), |_| RootSource::WorkingDirectory),
        (&config.volumes, RootSource::Volume),
        (healthcheck, RootSource::Healthcheck),
        (&config.shell, RootSource::Shell),
    ];
    let mut texts: Vec<(&str, RootSource)> = Vec::new();
    for (list, source) in lists {
        texts.extend(list.iter().enumerate().map(|(place, text)| (text.as_str(), source(place))));
    }
    for (place, (key, value)) in config.labels.iter().enumerate() {
        texts.extend([key, value].map(|text| (text.as_str(), RootSource::Label(place))));
    }
    texts
}

/// The store paths that an image's configuration names.
#[must_use]
pub fn config_roots(config: &Config, scanner: &mut ReferenceScanner) -> Vec<Root> {
    let mut roots = Vec::new();
    for (text, source) in config_texts(config) {
        let found = scanner.scan(text.as_bytes());
        roots.extend(found.iter().map(|found| Root { path: PathId(found.candidate), source }));
    }
    roots
}

/// The contents of files outside the store in which references count: those that [`tree_roots`] asks for. Of one content
/// under several names, it is there several times.
#[must_use]
pub fn outside_contents(tree: &FileTree, store: &StoreContents) -> Vec<OccurrenceId> {
    let mut found = Vec::new();
    walk_outside(tree, store, |_, seen, listed| {
        let content = seen.occurrence.filter(|_| !listed && !seen.is_directory).and_then(|id| tree.content_of(id));
        found.extend(content);
    });
    found
}

/// Proofs outside the store that are kept.
const MOST_ROOTS: usize = 1 << 20;

/// Locations of Nix's lists of valid store paths. Being listed does not make a path a root; links
/// there (garbage collector roots, profiles) do.
const REGISTRIES: [&[u8]; 3] = [b"/nix/var", b"/nix-path-registration", b"/registration"];

/// The store paths that links, files and names outside the store refer to.
#[must_use]
pub fn tree_roots(
    tree: &FileTree,
    store: &StoreContents,
    contents: &ContentReferences,
    scanner: &mut ReferenceScanner,
) -> Vec<Root> {
    let mut found: Vec<Evidence> = Vec::new();
    walk_outside(tree, store, |node, seen, listed| {
        if found.len() >= MOST_ROOTS {
            return;
        }
        if !listed {
            evidence(&mut found, node, |_| Place::Name, &scanner.scan(tree.name(node)));
        }
        let Some(id) = seen.occurrence.filter(|_| !seen.is_directory) else { return };
        match tree.occurrence(id).kind {
            Kind::Symlink => {
                let target = tree.link_target(id).unwrap_or_default();
                evidence(&mut found, node, |_| Place::LinkTarget, &scanner.scan(target));
            }
            Kind::File | Kind::HardLink if !listed => {
                let references = tree.content_of(id).and_then(|content| contents.get(&content));
                evidence(&mut found, node, Place::Content, references.map_or(&[], Vec::as_slice));
            }
            _ => {}
        }
    });
    found.sort_unstable_by_key(|proof| (proof.node, proof.place, proof.to));
    let root = |proof: &Evidence| Root { path: proof.to, source: RootSource::Tree(proof.node, proof.place) };
    found.iter().map(root).collect()
}

/// Shows all that is visible outside the store, with whether it lies where Nix keeps its lists.
pub(crate) fn walk_outside(tree: &FileTree, store: &StoreContents, mut visit: impl FnMut(NodeId, &Seen, bool)) {
    let registries = REGISTRIES.map(|path| tree.lookup(path));
    let mut stack = vec![(NodeId::ROOT, Floors::default(), false)];
    while let Some((directory, floors, listed)) = stack.pop() {
        for (node, seen) in visible_children(tree, directory, floors) {
            if Some(node) == store.store {
                continue;
            }
            let listed = listed || registries.contains(&Some(node));
            visit(node, &seen, listed);
            if seen.is_directory {
                stack.push((node, seen.floors, listed));
            }
        }
    }
}
