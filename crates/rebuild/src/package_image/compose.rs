//! Turns the files that are kept into store paths, with links to them at the old paths.

use std::collections::BTreeSet;
use std::io;

use hashbrown::{HashMap, HashSet};

use super::beside::Beside;
use super::select::PackageSelection;
use super::{File, PackageImage};
use crate::entry::{metadata_of, top_of};
use crate::plan::RowSubject;
use nixdive_base::cancel::Cancel;
use nixdive_image::{FileTree, NodeId, OccurrenceId};
use nixdive_nix::nar::{NarDigest, NarEntry, NarNode, NarWriter};
use nixdive_nix::rewrite::content_addressed_path;
use nixdive_nix::{StorePath, StorePathError};
use nixdive_write::{
    Body, ComposedStorePath, Composition, Content, Entry, FileContent, Metadata, ReadContent, Stability,
};

/// Reasons why an image cannot be composed.
#[derive(Debug, thiserror::Error)]
pub enum PackageComposeError {
    /// The operation was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The contents of a file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// Path of the file; safe to show.
        path: String,
        /// Reason.
        #[source]
        error: io::Error,
    },
    /// A name is not valid for a store path.
    #[error(transparent)]
    Name(#[from] StorePathError),
}

/// Directories whose files are not moved to the store: containers or their runtimes write to them.
const IN_PLACE: &[&[u8]] =
    &[b"/dev/", b"/home/", b"/nix/", b"/proc/", b"/root/", b"/run/", b"/sys/", b"/tmp/", b"/var/"];
/// Files that container runtimes read, replace or mount over.
const FILES_IN_PLACE: &[&[u8]] = &[
    b"/etc/group",
    b"/etc/gshadow",
    b"/etc/hostname",
    b"/etc/hosts",
    b"/etc/ld.so.cache",
    b"/etc/machine-id",
    b"/etc/mtab",
    b"/etc/passwd",
    b"/etc/resolv.conf",
    b"/etc/shadow",
];

/// Composes the image to be written. Reads the kept files to compute the names of their store paths.
///
/// # Errors
/// If a file cannot be read or the operation was cancelled.
pub fn compose(
    image: &PackageImage<'_>,
    selection: &PackageSelection,
    read: &dyn ReadContent,
    cancel: &Cancel,
) -> Result<Composition, PackageComposeError> {
    let beside = Beside::new(image, selection);
    let mut composing = Composing { image, placed: HashMap::new(), links: Vec::new(), beside, read, cancel };
    let mut store_paths = composing.store_paths(selection)?;
    store_paths.sort_by(|left, right| left.path.cmp(&right.path));
    let mut config = image.image.config.clone();
    config.history.clear();
    config.diff_ids.clear();
    Ok(Composition { base: Vec::new(), store_paths, outside: composing.outside(selection), config })
}

struct Composing<'a> {
    image: &'a PackageImage<'a>,
    /// Target of each content, by occurrence: hard links of a file lead to the same target.
    placed: HashMap<OccurrenceId, Box<[u8]>>,
    /// Paths that become links, with their targets.
    links: Vec<(NodeId, Box<[u8]>)>,
    beside: Beside,
    read: &'a dyn ReadContent,
    cancel: &'a Cancel,
}

/// Entry of a store path whose name is not known yet.
struct Below {
    node: NodeId,
    depth: usize,
    what: What,
}

/// Type and contents of an entry in a store path.
enum What {
    Directory,
    File(OccurrenceId),
    /// Link with its target.
    Link(Box<[u8]>),
}

impl Composing<'_> {
    fn tree(&self) -> &FileTree {
        self.image.tree()
    }

    fn store_paths(&mut self, selection: &PackageSelection) -> Result<Vec<ComposedStorePath>, PackageComposeError> {
        let mut members: Vec<Vec<&File>> = vec![Vec::new(); self.image.groups.len()];
        let image = self.image;
        for (file, _) in image.files.iter().zip(&selection.kept).filter(|(_, kept)| **kept) {
            let goes_to_store = !stays_in_place(&image.tree().path(file.node));
            if goes_to_store && let Some(members) = members.get_mut(file.group as usize) {
                members.push(file);
            }
        }
        let mut store_paths = Vec::new();
        // A file with several names is placed by the name that a package owns.
        let (of_packages, others): (Vec<_>, Vec<_>) =
            image.groups.iter().zip(&members).partition(|(group, _)| matches!(group.subject, RowSubject::Package(_)));
        for (group, members) in of_packages.into_iter().chain(others) {
            self.cancel.check().map_err(|_| PackageComposeError::Cancelled)?;
            store_paths.extend(self.store_path(&group.name, group.stability, members)?);
        }
        Ok(store_paths)
    }

    fn store_path(
        &mut self,
        name: &str,
        stability: Stability,
        members: &[&File],
    ) -> Result<Option<ComposedStorePath>, PackageComposeError> {
        let mut first: Vec<&File> = Vec::new();
        let mut again: Vec<&File> = Vec::new();
        let mut known = HashSet::new();
        for &file in members.iter().filter(|file| !file.is_link) {
            let is_new = !self.placed.contains_key(&file.occurrence) && known.insert(file.occurrence);
            if is_new { first.push(file) } else { again.push(file) }
        }
        let mut composed = None;
        if !first.is_empty() {
            let links = self.beside.links(self.image, &first, members);
            let below = self.entries_below(&first, links);
            let digest = self.nar(&below)?;
            let path = content_addressed_path(&digest.hash, name, &BTreeSet::new(), false)?;
            composed = Some(self.named(path, stability, &below, digest.bytes));
        }
        for file in first.into_iter().chain(again) {
            if let Some(place) = self.placed.get(&file.occurrence) {
                self.links.push((file.node, place.clone()));
            }
        }
        Ok(composed)
    }

    /// Returns files, links to neighbours and parent directories, with each directory before its entries in byte order.
    fn entries_below(&self, files: &[&File], links: Vec<(NodeId, Box<[u8]>)>) -> Vec<Below> {
        let tree = self.tree();
        let files = files.iter().map(|file| (file.node, What::File(file.occurrence)));
        let links = links.into_iter().map(|(node, target)| (node, What::Link(target)));
        let mut members: Vec<(NodeId, What)> = files.chain(links).collect();
        // Order of a NAR: a slash sorts before all other bytes.
        let in_order = |byte: u8| if byte == b'/' { 0 } else { byte };
        members.sort_by_cached_key(|(node, _)| tree.path(*node).into_iter().map(in_order).collect::<Vec<u8>>());
        let mut entries: Vec<Below> = vec![Below { node: NodeId::ROOT, depth: 0, what: What::Directory }];
        let mut open: Vec<NodeId> = vec![NodeId::ROOT];
        for (node, what) in members {
            let mut above: Vec<NodeId> = std::iter::successors(tree.parent(node), |&at| tree.parent(at)).collect();
            above.reverse();
            let common = above.iter().zip(&open).take_while(|(left, right)| left == right).count();
            open.truncate(common);
            for &directory in above.get(common..).unwrap_or_default() {
                entries.push(Below { node: directory, depth: open.len(), what: What::Directory });
                open.push(directory);
            }
            entries.push(Below { node, depth: open.len(), what });
        }
        entries
    }

    fn nar(&self, below: &[Below]) -> Result<NarDigest, PackageComposeError> {
        let tree = self.tree();
        let mut nar = NarWriter::hashing();
        for entry in below {
            self.cancel.check().map_err(|_| PackageComposeError::Cancelled)?;
            let failed = |error: io::Error| {
                let path = nixdive_base::text::display_name(&tree.path(entry.node)).into_owned();
                PackageComposeError::Read { path, error }
            };
            let node = match &entry.what {
                What::Directory => NarNode::Directory,
                What::Link(target) => NarNode::Symlink { target },
                What::File(id) => {
                    let file = tree.occurrence(*id);
                    NarNode::File { executable: file.mode() & 0o100 != 0, bytes: file.bytes }
                }
            };
            let named = NarEntry { depth: entry.depth, name: tree.name(entry.node), node };
            nar.entry(&named).map_err(|error| failed(error.into()))?;
            if let What::File(id) = entry.what {
                let mut reader = self.read.read(&Content::Image(id)).map_err(failed)?;
                nar.content_from(&mut *reader).map_err(|error| failed(error.into()))?;
            }
        }
        nar.digest().map_err(|error| PackageComposeError::Read { path: "a store path".to_owned(), error: error.into() })
    }

    fn named(&mut self, path: StorePath, stability: Stability, below: &[Below], nar_bytes: u64) -> ComposedStorePath {
        let image = self.image;
        let tree = image.tree();
        let root = path.to_string();
        let mut entries = Vec::with_capacity(below.len());
        for entry in below {
            let place = match entry.node {
                NodeId::ROOT => root.clone().into_bytes(),
                node => [root.as_bytes(), &tree.path(node)].concat(),
            };
            let (body, metadata) = match &entry.what {
                What::Directory if entry.node == NodeId::ROOT => {
                    (Body::Directory, Metadata { mode: 0o755, ..Metadata::default() })
                }
                What::Directory => (Body::Directory, metadata_of(tree, top_of(tree, entry.node))),
                What::Link(target) => (Body::Symlink(target.clone()), Metadata { mode: 0o777, ..Metadata::default() }),
                What::File(id) => {
                    self.placed.insert(*id, place.clone().into());
                    let bytes = tree.occurrence(*id).bytes;
                    let body = Body::File(FileContent { bytes, content: Content::Image(*id) });
                    (body, metadata_of(tree, Some(*id)))
                }
            };
            entries.push(Entry { path: place.get(1..).unwrap_or_default().into(), metadata, body });
        }
        ComposedStorePath { path, references: Vec::new(), nar_bytes, stability, entries }
    }

    /// Returns the entries outside the store: directories, old links, links into the store, and files left in place.
    fn outside(&self, selection: &PackageSelection) -> Vec<Entry> {
        let tree = self.tree();
        let mut entries = Vec::new();
        let targets: HashMap<NodeId, &[u8]> = self.links.iter().map(|(node, target)| (*node, &**target)).collect();
        for (file, _) in self.image.files.iter().zip(&selection.kept).filter(|(_, kept)| **kept) {
            let body = match targets.get(&file.node) {
                Some(target) => Body::Symlink((*target).into()),
                None if file.is_link => Body::Symlink(tree.link_target(file.occurrence).unwrap_or_default().into()),
                None => Body::File(FileContent { bytes: file.bytes, content: Content::Image(file.occurrence) }),
            };
            let metadata = match body {
                Body::Symlink(_) => Metadata { mode: 0o777, ..Metadata::default() },
                _ => metadata_of(tree, Some(file.occurrence)),
            };
            entries.push(Entry { path: relative(tree, file.node), metadata, body });
        }
        for &(node, occurrence) in &self.image.directories {
            if self.beside.is_outside(node) {
                let metadata = metadata_of(tree, occurrence);
                entries.push(Entry { path: relative(tree, node), metadata, body: Body::Directory });
            }
        }
        entries.sort_by(|left, right| left.path.split(|&b| b == b'/').cmp(right.path.split(|&b| b == b'/')));
        entries
    }
}

fn relative(tree: &FileTree, node: NodeId) -> Box<[u8]> {
    let path = tree.path(node);
    path.strip_prefix(b"/").unwrap_or(&path).into()
}

fn stays_in_place(path: &[u8]) -> bool {
    IN_PLACE.iter().any(|directory| path.starts_with(directory)) || FILES_IN_PLACE.contains(&path)
}
