//! New names of changed store paths, bottom up, as `nix store make-content-addressed` computes them.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use hashbrown::HashMap;

use super::StoreImage;
use super::compose::ComposeError;
use super::select::Selection;
use nixdive_base::cancel::Cancel;
use nixdive_image::NodeId;
use nixdive_nix::contents::{TreeEntry, TreeEntryKind};
use nixdive_nix::graph::PathId;
use nixdive_nix::nar::{NarEntry, NarNode, NarWriter};
use nixdive_nix::rewrite::{HashModulo, StorePathRewriter, content_addressed_path};
use nixdive_nix::{StoreHash, StorePath};
use nixdive_write::{Content, ReadContent, Rewriting};

/// New names of store paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Renamed {
    pub to: HashMap<PathId, StorePath>,
}

/// Changes to the contents of one store path, before its own hash part is replaced.
pub(super) struct Changes {
    /// References cut in single files, in addition to the general ones.
    cut: HashMap<NodeId, Vec<StoreHash>>,
    references: Vec<(StorePath, StoreHash)>,
    own: Option<(StoreHash, StoreHash)>,
}

impl Changes {
    /// Returns the changes to a file; `None` without changes.
    pub fn of_file(&self, node: NodeId) -> Option<Arc<Rewriting>> {
        let cut = self.cut.get(&node).cloned().unwrap_or_default();
        let is_nothing = cut.is_empty() && self.references.is_empty() && self.own.is_none();
        (!is_nothing).then(|| Arc::new(Rewriting { references: self.references.clone(), own: self.own, cut }))
    }

    /// Replaces hash parts in the target of a link or in a name.
    pub fn of_text(&self, text: &[u8]) -> Vec<u8> {
        let mut text = rewrite_text(text, &self.references);
        if let Some((old, new)) = &self.own {
            replace(&mut text, old, new);
        }
        text
    }
}

impl StoreImage<'_> {
    /// Computes the new names. With `all`, every kept path is renamed as if it had changed.
    pub(super) fn rename(
        &self,
        selection: &Selection,
        all: bool,
        read: &dyn ReadContent,
        cancel: &Cancel,
    ) -> Result<Renamed, ComposeError> {
        let mut renamed = Renamed::default();
        for group in selection.graph.references_first() {
            let changed =
                |path: &PathId| selection.keeps(*path) && (all || self.is_changed(*path, selection, &renamed));
            if !group.iter().any(changed) {
                continue;
            }
            let [path] = group.as_slice() else {
                let names: Vec<String> = group.iter().map(|path| self.name(*path)).collect();
                return Err(ComposeError::Circle(names.join(", ")));
            };
            let new = self.new_name(*path, selection, &renamed, read, cancel)?;
            renamed.to.insert(*path, new);
        }
        Ok(renamed)
    }

    fn is_changed(&self, path: PathId, selection: &Selection, renamed: &Renamed) -> bool {
        selection.dropped.get(path.index()).is_some_and(|dropped| dropped.contains(&true))
            || selection.cuts.iter().any(|cut| cut.from == path)
            || selection.graph.references(path).iter().any(|to| renamed.to.contains_key(to))
    }

    /// Returns the changes to a store path, including its own hash part if its new name is given.
    pub(super) fn changes(
        &self,
        path: PathId,
        selection: &Selection,
        renamed: &Renamed,
        new: Option<&StorePath>,
    ) -> Changes {
        let mut cut: HashMap<NodeId, Vec<StoreHash>> = HashMap::new();
        for applied in selection.cuts.iter().filter(|cut| cut.from == path) {
            let Some(to) = self.study.get_path(applied.to) else { continue };
            for &file in &applied.files {
                cut.entry(file).or_default().push(to.hash());
            }
        }
        let pair = |to: &PathId| {
            let old = self.study.get_path(*to)?.clone();
            renamed.to.get(to).map(|new| (old, new.hash()))
        };
        let references = selection.graph.references(path).iter().filter_map(pair).collect();
        let old = self.study.get_path(path).map(StorePath::hash);
        let own = old.zip(new.map(StorePath::hash)).filter(|(old, new)| old != new);
        Changes { cut, references, own }
    }

    fn new_name(
        &self,
        path: PathId,
        selection: &Selection,
        renamed: &Renamed,
        read: &dyn ReadContent,
        cancel: &Cancel,
    ) -> Result<StorePath, ComposeError> {
        let old = self.study.get_path(path).ok_or(ComposeError::Unknown)?;
        let failed = |error: io::Error| ComposeError::Read { path: old.to_string(), error };
        if let Some(left_out) = self.paths.get(path.index()).and_then(|path| path.left_out.first()) {
            let left_out = super::select::shown_path(self.tree(), *left_out);
            return Err(ComposeError::NoNar { path: old.to_string(), left_out });
        }
        let changes = self.changes(path, selection, renamed, None);
        let mut nar = NarWriter::new(HashModulo::new(&old.hash()));
        let nar_failed = |error: nixdive_nix::nar::NarError| failed(error.into());
        for entry in self.kept_entries(path, selection) {
            cancel.check().map_err(|_| ComposeError::Cancelled)?;
            self.nar_entry(entry, &changes, &mut nar).map_err(nar_failed)?;
            if let TreeEntryKind::File { content, .. } = entry.kind {
                let content = content_of(content, changes.of_file(entry.node));
                let mut reader = read.read(&content).map_err(failed)?;
                nar.content_from(&mut *reader).map_err(nar_failed)?;
            }
        }
        let (modulo, _) = nar.finish().map_err(nar_failed)?;
        let (hash, refers_to_itself) = modulo.finish().map_err(failed)?;
        let named = |to: &PathId| renamed.to.get(to).or_else(|| self.study.get_path(*to)).cloned();
        let references: BTreeSet<StorePath> = selection.graph.references(path).iter().filter_map(named).collect();
        content_addressed_path(&hash, old.name(), &references, refers_to_itself).map_err(|_| ComposeError::Unknown)
    }

    pub(super) fn kept_entries<'s>(
        &'s self,
        path: PathId,
        selection: &'s Selection,
    ) -> impl Iterator<Item = &'s TreeEntry> + 's {
        let entries = self.entries(path).iter().enumerate();
        entries.filter(move |(place, _)| !selection.drops_entry(path, *place)).map(|(_, entry)| entry)
    }

    fn nar_entry(
        &self,
        entry: &TreeEntry,
        changes: &Changes,
        nar: &mut NarWriter<HashModulo>,
    ) -> Result<(), nixdive_nix::nar::NarError> {
        let plain = entry.nar_entry(self.tree());
        match plain.node {
            NarNode::Symlink { target } => {
                let target = changes.of_text(target);
                nar.entry(&NarEntry { node: NarNode::Symlink { target: &target }, ..plain })
            }
            _ => nar.entry(&plain),
        }
    }
}

/// Returns a content with its changes.
pub(super) fn content_of(content: nixdive_image::OccurrenceId, rewriting: Option<Arc<Rewriting>>) -> Content {
    match rewriting {
        Some(rewriting) => Content::Rewritten(content, rewriting),
        None => Content::Image(content),
    }
}

/// Replaces the hash parts of store paths in a text.
pub(super) fn rewrite_text(text: &[u8], references: &[(StorePath, StoreHash)]) -> Vec<u8> {
    let mut rewriter = StorePathRewriter::new(Vec::new(), references.iter().cloned());
    let written = io::Write::write_all(&mut rewriter, text).and_then(|()| rewriter.finish());
    // Writing to memory cannot fail.
    written.unwrap_or_else(|_| text.to_vec())
}

fn replace(text: &mut [u8], old: &StoreHash, new: &StoreHash) {
    let finder = memchr::memmem::Finder::new(old.as_bytes());
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| finder.find(rest)) {
        at += found;
        if let Some(place) = text.get_mut(at..at + StoreHash::LENGTH) {
            place.copy_from_slice(new.as_bytes());
        }
        at += StoreHash::LENGTH;
    }
}
