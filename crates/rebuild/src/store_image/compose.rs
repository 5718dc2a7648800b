//! Composition of the kept store paths.

use std::io;

use hashbrown::HashMap;

use super::rename::{Renamed, content_of, rewrite_text};
use super::select::{Selection, is_directory};
use super::{Outside, StoreImage};
use crate::entry::{metadata_of, top_of};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Config, Kind};
use nixdive_nix::contents::{Place, RootSource, TreeEntry, TreeEntryKind};
use nixdive_nix::database::{DATABASE_PATH, WRITE_AHEAD_LOG_PATH};
use nixdive_nix::graph::PathId;
use nixdive_nix::nar::nar_bytes;
use nixdive_nix::{StoreHash, StorePath};
use nixdive_write::{Body, ComposedStorePath, Composition, Entry, FileContent, ReadContent, Rewriting, Stability};

/// Reasons why an image cannot be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The operation was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The contents of a store path cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// Store path.
        path: String,
        /// Reason.
        #[source]
        error: io::Error,
    },
    /// The new name of a store path cannot be computed.
    #[error("{path} would change, but a NAR cannot contain {left_out}; keep the store path unchanged with --keep")]
    NoNar {
        /// Store path.
        path: String,
        /// Device, pipe or dangling link in it.
        left_out: String,
    },
    /// Store paths that refer to each other cannot be named by content.
    #[error("{0} refer to each other, so none of them can change; keep them with --keep")]
    Circle(String),
    /// The selection is for another image.
    #[error("the plan belongs to a different image")]
    Unknown,
}

/// Composes the image to be written. Reads the store paths whose content changes, to compute their new names.
///
/// # Errors
/// If a store path cannot be read or renamed, or if the selection is for another image.
pub fn compose(
    image: &StoreImage<'_>,
    selection: &Selection,
    read: &dyn ReadContent,
    cancel: &Cancel,
) -> Result<Composition, ComposeError> {
    let renamed = image.rename(selection, false, read, cancel)?;
    image.composition(selection, &renamed)
}

impl StoreImage<'_> {
    pub(super) fn composition(&self, selection: &Selection, renamed: &Renamed) -> Result<Composition, ComposeError> {
        let name = |id: PathId| renamed.to.get(&id).or_else(|| self.study.get_path(id));
        let mut kept: Vec<(PathId, StorePath)> = Vec::new();
        for id in self.study.ids().filter(|&id| selection.keeps(id)) {
            kept.push((id, name(id).ok_or(ComposeError::Unknown)?.clone()));
        }
        kept.sort_by(|left, right| left.1.cmp(&right.1));
        // Different store paths may become equal by content.
        let mut places: HashMap<&StorePath, u32> = HashMap::new();
        let mut first: Vec<&(PathId, StorePath)> = Vec::new();
        for known in &kept {
            places.entry(&known.1).or_insert_with(|| {
                first.push(known);
                u32::try_from(first.len() - 1).unwrap_or(u32::MAX)
            });
        }
        let store_paths = first.iter().map(|(id, path)| {
            let place = |to: &PathId| name(*to).and_then(|path| places.get(path).copied());
            let mut references: Vec<u32> = selection.graph.references(*id).iter().filter_map(place).collect();
            references.sort_unstable();
            references.dedup();
            let tree = self.tree();
            ComposedStorePath {
                path: path.clone(),
                references,
                nar_bytes: nar_bytes(self.kept_entries(*id, selection).map(|entry| entry.nar_entry(tree))),
                stability: self.stability(*id, selection),
                entries: self.composed_entries(*id, path, selection, renamed),
            }
        });
        let is_changed = !renamed.to.is_empty() || kept.len() < self.paths.len();
        Ok(Composition {
            base: Vec::new(),
            store_paths: store_paths.collect(),
            outside: self.composed_outside(selection, renamed, is_changed),
            config: self.composed_config(renamed),
        })
    }

    /// Returns the stability of a store path: paths that only roots refer to are the application.
    fn stability(&self, id: PathId, selection: &Selection) -> Stability {
        let is_used = selection.graph.referrers(id).iter().any(|&by| selection.keeps(by) && by != id);
        if is_used { Stability::Package } else { Stability::Application }
    }

    fn composed_entries(&self, id: PathId, path: &StorePath, selection: &Selection, renamed: &Renamed) -> Vec<Entry> {
        let tree = self.tree();
        let changes = self.changes(id, selection, renamed, Some(path));
        let start = self.entries(id).first().map_or(0, |entry| tree.path(entry.node).len());
        let entry = |entry: &TreeEntry| {
            let below = tree.path(entry.node).get(start..).map(|below| changes.of_text(below)).unwrap_or_default();
            let body = match entry.kind {
                TreeEntryKind::Directory => Body::Directory,
                TreeEntryKind::Symlink(id) => {
                    Body::Symlink(changes.of_text(tree.link_target(id).unwrap_or_default()).into())
                }
                TreeEntryKind::File { content, bytes, .. } => {
                    Body::File(FileContent { bytes, content: content_of(content, changes.of_file(entry.node)) })
                }
            };
            let named = match entry.kind {
                TreeEntryKind::File { content, .. } => Some(content),
                _ => top_of(tree, entry.node),
            };
            let path = [path.to_string().trim_start_matches('/').as_bytes(), &below].concat();
            Entry { path: path.into(), metadata: metadata_of(tree, named), body }
        };
        self.kept_entries(id, selection).map(entry).collect()
    }

    fn composed_outside(&self, selection: &Selection, renamed: &Renamed, is_changed: bool) -> Vec<Entry> {
        let references = self.renamed_references(renamed);
        let mut touched: Vec<nixdive_image::NodeId> = Vec::new();
        for root in &self.study.roots {
            if let (RootSource::Tree(node, Place::Content(_)), true) =
                (root.source, renamed.to.contains_key(&root.path))
            {
                touched.push(node);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let rewriting = std::sync::Arc::new(Rewriting { references, ..Rewriting::default() });
        let entry = |(place, outside): (usize, &Outside)| {
            if selection.drops_outside(place) || (is_changed && self.is_of_database(outside)) {
                return None;
            }
            let is_touched = touched.binary_search(&outside.node).is_ok();
            self.outside_entry(outside, &rewriting, is_touched)
        };
        let mut entries: Vec<Entry> = self.outside.iter().enumerate().filter_map(entry).collect();
        entries.sort_by(|left, right| left.path.split(|&b| b == b'/').cmp(right.path.split(|&b| b == b'/')));
        entries
    }

    /// Returns an entry outside the store; `None` for devices and pipes, which container runtimes create.
    fn outside_entry(
        &self,
        outside: &Outside,
        rewriting: &std::sync::Arc<Rewriting>,
        is_touched: bool,
    ) -> Option<Entry> {
        let tree = self.tree();
        let path = rewrite_text(&tree.path(outside.node), &rewriting.references);
        let path: Box<[u8]> = path.strip_prefix(b"/").unwrap_or(&path).into();
        let linked = outside.occurrence.map(|id| tree.linked(id).unwrap_or(id));
        let body = match linked {
            None => Body::Directory,
            Some(id) if is_directory(tree, id) => Body::Directory,
            Some(id) => match tree.occurrence(id).kind {
                Kind::Symlink => {
                    let target = tree.link_target(id).unwrap_or_default();
                    Body::Symlink(rewrite_text(target, &rewriting.references).into())
                }
                Kind::File => {
                    let rewriting = is_touched.then(|| std::sync::Arc::clone(rewriting));
                    Body::File(FileContent { bytes: tree.occurrence(id).bytes, content: content_of(id, rewriting) })
                }
                _ => return None,
            },
        };
        Some(Entry { path, metadata: metadata_of(tree, linked), body })
    }

    /// Returns `true` for a file of the Nix database, which would list absent store paths.
    fn is_of_database(&self, outside: &Outside) -> bool {
        let path = self.tree().path(outside.node);
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        let is_sidecar = path.strip_prefix(DATABASE_PATH.as_bytes()).is_some_and(|rest| rest.starts_with(b"-"));
        path == DATABASE_PATH.as_bytes()
            || path == WRITE_AHEAD_LOG_PATH.as_bytes()
            || path == b"nix-path-registration"
            || is_sidecar
    }

    /// Returns `true` if the image contains the Nix database of its store.
    pub(super) fn has_database(&self) -> bool {
        self.outside.iter().any(|outside| outside.occurrence.is_some() && self.is_of_database(outside))
    }

    fn renamed_references(&self, renamed: &Renamed) -> Vec<(StorePath, StoreHash)> {
        let mut references: Vec<(StorePath, StoreHash)> =
            renamed.to.iter().filter_map(|(id, new)| Some((self.study.get_path(*id)?.clone(), new.hash()))).collect();
        references.sort_by(|left, right| left.0.cmp(&right.0));
        references
    }

    fn composed_config(&self, renamed: &Renamed) -> Config {
        let mut config = self.image.config.clone();
        config.history.clear();
        config.diff_ids.clear();
        let references = self.renamed_references(renamed);
        if references.is_empty() {
            return config;
        }
        let rewrite = |text: &mut String| {
            if let Ok(rewritten) = String::from_utf8(rewrite_text(text.as_bytes(), &references)) {
                *text = rewritten;
            }
        };
        let lists = [&mut config.entrypoint, &mut config.cmd, &mut config.env, &mut config.volumes, &mut config.shell];
        lists.into_iter().flatten().for_each(rewrite);
        config.healthcheck.iter_mut().flat_map(|check| &mut check.test).for_each(rewrite);
        config.labels.iter_mut().flat_map(|(key, value)| [key, value]).for_each(rewrite);
        rewrite(&mut config.working_directory);
        config
    }
}
