use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::occurrence::{Extra, flags};
use super::tree::{NONE, Node};
use super::{ContentHash, EntryBatch, FileTree, Kind, LayerIndex, NodeId, Occurrence, OccurrenceId, Owner, RawEntry};

/// What a tree cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeLimit {
    /// More entries than [`TreeBuilder::MAX_ENTRIES`].
    #[error("more than {} entries in all layers; an image of that many is refused", TreeBuilder::MAX_ENTRIES)]
    Entries,
    /// More directories without an entry of their own than any archiver leaves out.
    #[error("far more directories than entries in all layers; such an image is refused")]
    Directories,
    /// More bytes of names than 32-bit offsets reach.
    #[error("more than 4 GiB of file names in all layers; such an image is refused")]
    Names,
    /// More layers than [`TreeBuilder::MAX_LAYERS`].
    #[error("more than {} layers; an image of that many is refused", TreeBuilder::MAX_LAYERS)]
    Layers,
}

const WHITEOUT_PREFIX: &[u8] = b".wh.";
const OPAQUE_NAME: &[u8] = b".wh..wh..opq";
const AUFS_PREFIX: &[u8] = b".wh..wh.";

/// Builds a [`FileTree`] from batches of entries, base layer first.
pub struct TreeBuilder {
    tree: FileTree,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    owner_index: hashbrown::HashMap<Owner, u32>,
    last_directory: Vec<u8>,
    /// Where each part of the last directory's path ends, and its node.
    last_parts: Vec<(usize, u32)>,
    layer: LayerIndex,
    layer_hashes: Vec<ContentHash>,
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TreeBuilder {
    /// Entries that one image may have, a bound on memory (about 100 bytes each).
    pub const MAX_ENTRIES: usize = 20_000_000;
    /// Directories that only the names of other entries imply: so many in any case, and four for each entry.
    const IMPLIED_AT_LEAST: usize = 1_000_000;
    /// Layers that one image may have. Docker stops at 127.
    pub const MAX_LAYERS: usize = 10_000;

    /// An empty tree with its root.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = FileTree::default();
        tree.nodes.push(Node {
            parent: NONE,
            name_offset: 0,
            name_length: 0,
            depth: 0,
            first_child: NONE,
            sibling_or_count: NONE,
            occurrence: OccurrenceId::NONE,
            record: NONE,
        });
        Self {
            tree,
            index: HashTable::new(),
            // Seeded anew for every tree, so that an image cannot choose names that all fall into one bucket.
            hasher: DefaultHashBuilder::default(),
            owner_index: hashbrown::HashMap::new(),
            last_directory: Vec::new(),
            last_parts: Vec::new(),
            layer: LayerIndex(0),
            layer_hashes: Vec::new(),
        }
    }

    /// Begins the next layer up. Call before its first batch, also for a layer without entries.
    ///
    /// # Errors
    /// [`TreeLimit::Layers`].
    pub fn begin_layer(&mut self) -> Result<LayerIndex, TreeLimit> {
        self.end_layer();
        let index = self.tree.layer_starts.len();
        if index >= Self::MAX_LAYERS {
            return Err(TreeLimit::Layers);
        }
        self.tree.layer_starts.push(self.tree.occurrences.len() as u32);
        self.layer = LayerIndex(index as u16);
        Ok(self.layer)
    }

    fn end_layer(&mut self) {
        if !self.tree.layer_starts.is_empty() {
            self.tree.layer_hashes.push(std::mem::take(&mut self.layer_hashes));
        }
    }

    /// Adds entries to the layer begun last.
    ///
    /// # Errors
    /// [`TreeLimit`] when the image is too large to hold.
    pub fn add(&mut self, batch: &EntryBatch) -> Result<(), TreeLimit> {
        for entry in batch.entries() {
            self.add_entry(batch, entry)?;
        }
        Ok(())
    }

    /// Sorts the children of every directory and gives the tree out.
    #[must_use]
    pub fn finish(mut self) -> FileTree {
        self.end_layer();
        self.tree.layer_starts.push(self.tree.occurrences.len() as u32);
        drop(self.index);
        let mut tree = self.tree;
        sort_children(&mut tree);
        tree.names.shrink_to_fit();
        tree
    }

    fn add_entry(&mut self, batch: &EntryBatch, entry: &RawEntry) -> Result<(), TreeLimit> {
        let (path, link) = batch.names(entry);
        let (directory, name) = match memchr::memrchr(b'/', path) {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        if name == OPAQUE_NAME {
            let node = self.directory(directory)?;
            return self.mark_opaque(node);
        }
        if name.starts_with(AUFS_PREFIX) || path.starts_with(AUFS_PREFIX) {
            return Ok(()); // AUFS bookkeeping (.wh..wh.aufs, .wh..wh.plnk/…, .wh..wh.orph): names nothing in the image
        }
        let parent = self.directory(directory)?;
        if let Some(hidden) = name.strip_prefix(WHITEOUT_PREFIX)
            && !matches!(hidden, b"" | b"." | b"..")
        {
            let node = self.child(parent, hidden)?;
            return self.mark_whiteout(node, entry);
        }
        if name.is_empty() && entry.fields.kind != Kind::Directory {
            return Ok(()); // the root is a directory whatever an entry for it says; engines refuse such a layer
        }
        let node = if name.is_empty() { parent } else { self.child(parent, name)? };
        self.place(node, entry, link)
    }

    /// The node of a directory path, made with all its parents where it is new.
    fn directory(&mut self, path: &[u8]) -> Result<u32, TreeLimit> {
        let common = common_prefix(path, &self.last_directory);
        while let Some(&(end, _)) = self.last_parts.last()
            && (end > common || path.get(end).is_some_and(|&byte| byte != b'/'))
        {
            self.last_parts.pop();
        }
        let (mut start, mut node) = self.last_parts.last().map_or((0, 0), |&(end, node)| (end + 1, node));
        self.last_directory.truncate(common);
        self.last_directory.extend_from_slice(&path[common..]);
        while start < path.len() {
            let end = memchr::memchr(b'/', &path[start..]).map_or(path.len(), |length| start + length);
            if end > start {
                node = self.child(node, &path[start..end])?;
                self.last_parts.push((end, node));
            }
            start = end + 1;
        }
        Ok(node)
    }

    fn child(&mut self, parent: u32, name: &[u8]) -> Result<u32, TreeLimit> {
        let name = &name[..name.len().min(usize::from(u16::MAX))];
        let tree = &mut self.tree;
        let hash = self.hasher.hash_one((parent, name));
        let same = |&index: &u32| {
            let node = &tree.nodes[index as usize];
            let start = node.name_offset as usize;
            node.parent == parent && tree.names.get(start..start + usize::from(node.name_length)) == Some(name)
        };
        if let Some(&found) = self.index.find(hash, same) {
            return Ok(found);
        }
        let index = tree.nodes.len();
        // Most paths are entries; a name of many parts can imply a thousand times as many.
        if index >= Self::IMPLIED_AT_LEAST + 4 * tree.occurrences.len() {
            return Err(TreeLimit::Directories);
        }
        let name_offset = u32::try_from(tree.names.len()).map_err(|_| TreeLimit::Names)?;
        tree.names.extend_from_slice(name);
        let index = index as u32;
        let above = &mut tree.nodes[parent as usize];
        let node = Node {
            parent,
            name_offset,
            name_length: name.len() as u16,
            depth: above.depth.saturating_add(1),
            first_child: NONE,
            sibling_or_count: above.first_child,
            occurrence: OccurrenceId::NONE,
            record: NONE,
        };
        above.first_child = index;
        tree.nodes.push(node);
        let hasher = &self.hasher;
        self.index.insert_unique(hash, index, |&other| {
            let node = &tree.nodes[other as usize];
            let start = node.name_offset as usize;
            let name = tree.names.get(start..start + usize::from(node.name_length)).unwrap_or_default();
            hasher.hash_one((node.parent, name))
        });
        Ok(index)
    }

    /// The occurrence of `node` in the current layer, made as `kind` where it is new; whether it was new.
    fn occurrence(&mut self, node: u32, kind: Kind) -> Result<(usize, bool), TreeLimit> {
        let newest = self.tree.nodes[node as usize].occurrence;
        if let Some(id) = OccurrenceId::from_raw(newest)
            && self.tree.occurrences[id.index()].layer == self.layer
        {
            return Ok((id.index(), false));
        }
        let index = self.tree.occurrences.len();
        if index >= Self::MAX_ENTRIES {
            return Err(TreeLimit::Entries);
        }
        let owner = self.owner(Owner { uid: 0, gid: 0 });
        self.tree.occurrences.push(Occurrence {
            node,
            older: newest,
            extra: NONE,
            owner,
            mtime: 0,
            bytes: 0,
            offset: 0,
            layer: self.layer,
            mode_bits: 0,
            kind,
            flags: 0,
            difference: super::Difference::empty(),
            type_flag: 0,
        });
        self.tree.nodes[node as usize].occurrence = index as u32;
        Ok((index, true))
    }

    fn owner(&mut self, owner: Owner) -> u32 {
        let owners = &mut self.tree.owners;
        *self.owner_index.entry(owner).or_insert_with(|| {
            owners.push(owner);
            (owners.len() - 1) as u32
        })
    }

    fn mark_opaque(&mut self, node: u32) -> Result<(), TreeLimit> {
        let (index, _) = self.occurrence(node, Kind::OpaqueMark)?;
        let occurrence = &mut self.tree.occurrences[index];
        // A later entry of the same name may yet make a directory of it. A whiteout hides all of that anyway.
        if occurrence.kind != Kind::Whiteout {
            occurrence.flags |= flags::OPAQUE;
        }
        Ok(())
    }

    fn mark_whiteout(&mut self, node: u32, entry: &RawEntry) -> Result<(), TreeLimit> {
        let (index, new) = self.occurrence(node, Kind::Whiteout)?;
        let occurrence = &mut self.tree.occurrences[index];
        if new || occurrence.kind == Kind::OpaqueMark {
            occurrence.kind = Kind::Whiteout;
            occurrence.flags = 0;
            occurrence.mode_bits = entry.fields.mode;
            occurrence.mtime = entry.fields.mtime;
            occurrence.type_flag = entry.fields.type_flag;
        } else if occurrence.kind != Kind::Whiteout {
            occurrence.flags |= flags::WHITEOUT_TOO;
        }
        Ok(())
    }

    fn place(&mut self, node: u32, entry: &RawEntry, link: &[u8]) -> Result<(), TreeLimit> {
        let fields = &entry.fields;
        let (index, new) = self.occurrence(node, fields.kind)?;
        let owner = self.owner(Owner { uid: fields.uid, gid: fields.gid });
        let needs_extra =
            !link.is_empty() || !fields.xattrs.is_empty() || fields.sparse.is_some() || fields.device != (0, 0);
        let extra = if needs_extra {
            self.tree.extras.push(Extra {
                link: link.into(),
                xattrs: fields.xattrs.clone(),
                sparse: fields.sparse.clone().map(Vec::into_boxed_slice),
                device: fields.device,
            });
            (self.tree.extras.len() - 1) as u32
        } else {
            NONE
        };
        let occurrence = &mut self.tree.occurrences[index];
        let mut kept = 0;
        if !new {
            kept = match occurrence.kind {
                Kind::Whiteout => flags::WHITEOUT_TOO,
                Kind::OpaqueMark if fields.kind == Kind::Directory => flags::OPAQUE,
                Kind::OpaqueMark => flags::WHITEOUT_TOO,
                _ => occurrence.flags & (flags::OPAQUE | flags::WHITEOUT_TOO),
            };
        }
        occurrence.flags = kept;
        occurrence.kind = fields.kind;
        occurrence.type_flag = fields.type_flag;
        occurrence.mode_bits = fields.mode;
        occurrence.mtime = fields.mtime;
        occurrence.bytes = fields.bytes;
        occurrence.offset = fields.offset;
        occurrence.owner = owner;
        occurrence.extra = extra;
        if let Some(hash) = fields.content {
            occurrence.flags |= flags::HASHED;
            let start = self.tree.layer_starts.last().copied().unwrap_or_default() as usize;
            self.layer_hashes.resize(self.layer_hashes.len().max(index - start + 1), [0; 16]);
            self.layer_hashes[index - start] = hash;
        }
        Ok(())
    }
}

/// Bytes at the start that two paths have in common.
fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let same = left.chunks_exact(BLOCK).zip(right.chunks_exact(BLOCK)).take_while(|(left, right)| left == right);
    let blocks = BLOCK * same.count();
    let rest = left[blocks..].iter().zip(&right[blocks..]).take_while(|(left, right)| left == right);
    blocks + rest.count()
}

/// Turns the linked lists of children into sorted slices of one array.
fn sort_children(tree: &mut FileTree) {
    let mut children = Vec::with_capacity(tree.nodes.len().saturating_sub(1));
    let mut next = vec![NONE; tree.nodes.len()];
    for (index, node) in tree.nodes.iter().enumerate() {
        next[index] = node.sibling_or_count;
    }
    let mut family = Vec::new();
    for index in 0..tree.nodes.len() {
        family.clear();
        let mut child = tree.nodes[index].first_child;
        while child != NONE {
            family.push(child);
            child = next[child as usize];
        }
        family.reverse();
        family.sort_by(|&left, &right| tree.name(NodeId(left)).cmp(tree.name(NodeId(right))));
        tree.nodes[index].first_child = children.len() as u32;
        tree.nodes[index].sibling_or_count = family.len() as u32;
        children.extend_from_slice(&family);
    }
    tree.children = children;
}
