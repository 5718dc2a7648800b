use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

mod hard_links;
mod names;
mod removal;

use self::hard_links::HardLinks;
use self::names::{Place, Way};
use super::occurrence::{Extra, flags};
use super::tree::{NONE, Node};
use super::{ContentHash, EntryBatch, FileTree, Kind, LayerIndex, NodeId, Occurrence, OccurrenceId, Owner, RawEntry};

/// A limit that a tree exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeLimit {
    /// More entries than [`TreeBuilder::MAX_ENTRIES`], or than [`TreeBuilder::with_entry_limit`] allows.
    #[error("the limit for entries of all layers is reached; raise --entry-limit if this is intended")]
    Entries,
    /// More directories without an entry of their own than any archiver leaves out.
    #[error(
        "the limit for directories that no entry of any layer describes is reached; raise --entry-limit if this is intended"
    )]
    Directories,
    /// More bytes of names than 32-bit offsets reach.
    #[error("the limit of 4 GiB of file names in all layers is reached; no option raises it")]
    Names,
    /// More layers than [`TreeBuilder::MAX_LAYERS`].
    #[error("the limit of {} layers is reached; no option raises it", TreeBuilder::MAX_LAYERS)]
    Layers,
    /// Names that lead through symbolic links with far longer targets than any image needs.
    #[error("the limit for the targets of symbolic links that names pass through is reached; no option raises it")]
    Links,
}

/// Treatment of a symbolic link of a lower layer when an entry has a name that passes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LowerLinks {
    /// A directory hides it, as with the overlay file system of Docker, Podman and containerd.
    #[default]
    Hidden,
    /// It is followed, as by umoci and the vfs driver, which unpack all layers into one directory.
    Followed,
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
    lower_links: LowerLinks,
    last_directory: Vec<u8>,
    last_parts: Vec<Part>,
    layer: LayerIndex,
    layer_hashes: Vec<ContentHash>,
    /// By node, the highest finished layer that hides what lower layers have below it; 0 where none does.
    erased: Vec<u16>,
    /// Number of the current layer's entry that is being added, from 1.
    entry: u32,
    /// By occurrence of the current layer, the number of the entry that wrote it last.
    written: Vec<u32>,
    /// By node, the number of the current layer's last entry that removed all that the layer had below it.
    removed: hashbrown::HashMap<u32, u32>,
    hard_links: HardLinks,
    /// The first content with several names that was noted in the current layer.
    first_content: usize,
    /// Parts and bytes of link targets walked so far.
    effort: u64,
    most_entries: usize,
}

/// A part of the last directory's path: the offset of its end, the directory there, and whether a
/// link led to it.
struct Part {
    end: usize,
    place: Place,
    moved: bool,
}

impl Default for TreeBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl TreeBuilder {
    /// Entries that one image may have, a bound on memory (about 100 bytes each).
    pub const MAX_ENTRIES: usize = 20_000_000;
    /// Minimum limit on directories that only the names of other entries imply; the limit is four
    /// per entry if that is more.
    const IMPLIED_AT_LEAST: usize = 1_000_000;
    /// Layers that one image may have. Docker stops at 127.
    pub const MAX_LAYERS: usize = 10_000;

    /// An empty tree with its root, built as overlay engines stack layers.
    #[must_use]
    pub fn new() -> Self {
        Self::with_lower_links(LowerLinks::Hidden)
    }

    /// An empty tree with its root, built in either way in which engines treat links of lower layers.
    #[must_use]
    pub fn with_lower_links(lower_links: LowerLinks) -> Self {
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
            // Seeded randomly for every tree, so that an image cannot choose names that all fall
            // into one bucket.
            hasher: DefaultHashBuilder::default(),
            owner_index: hashbrown::HashMap::new(),
            lower_links,
            last_directory: Vec::new(),
            last_parts: Vec::new(),
            layer: LayerIndex(0),
            layer_hashes: Vec::new(),
            erased: vec![0],
            entry: 0,
            written: Vec::new(),
            removed: hashbrown::HashMap::new(),
            hard_links: HardLinks::default(),
            first_content: 0,
            effort: 0,
            most_entries: Self::MAX_ENTRIES,
        }
    }

    /// The same with another limit for entries of all layers together. Implied directories keep to its proportion.
    #[must_use]
    pub fn with_entry_limit(mut self, entries: usize) -> Self {
        self.most_entries = entries;
        self
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

    /// Index of the current layer's first occurrence.
    fn start(&self) -> usize {
        self.tree.layer_starts.last().map_or(0, |&start| start as usize)
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
        self.entry = self.entry.saturating_add(1);
        if name == OPAQUE_NAME {
            return match self.directory(directory, Way::Mark)? {
                Some(place) => self.mark_opaque(place),
                None => Ok(()),
            };
        }
        if name.starts_with(AUFS_PREFIX) || path.starts_with(AUFS_PREFIX) {
            return Ok(()); // AUFS bookkeeping (.wh..wh.aufs, .wh..wh.plnk/…, .wh..wh.orph): names nothing in the image
        }
        if name.is_empty() && entry.fields.kind != Kind::Directory {
            return Ok(()); // the root is a directory whatever an entry for it says; engines refuse such a layer
        }
        let hidden = name.strip_prefix(WHITEOUT_PREFIX).filter(|hidden| !matches!(*hidden, b"" | b"." | b".."));
        let way = if hidden.is_some() { Way::Mark } else { Way::Make };
        let Some(parent) = self.directory(directory, way)? else { return Ok(()) };
        if let Some(hidden) = hidden {
            return self.mark_whiteout(parent, hidden, entry);
        }
        let node = if name.is_empty() { 0 } else { self.child(parent.node, name)? };
        let live = self.live(node, parent.removed);
        self.place(node, live, entry, link)
    }

    fn find_hashed(&self, parent: u32, name: &[u8], hash: u64) -> Option<u32> {
        let tree = &self.tree;
        let same = |&index: &u32| {
            let node = &tree.nodes[index as usize];
            let start = node.name_offset as usize;
            node.parent == parent && tree.names.get(start..start + usize::from(node.name_length)) == Some(name)
        };
        self.index.find(hash, same).copied()
    }

    fn find_child(&self, parent: u32, name: &[u8]) -> Option<u32> {
        let name = &name[..name.len().min(usize::from(u16::MAX))];
        self.find_hashed(parent, name, self.hasher.hash_one((parent, name)))
    }

    fn child(&mut self, parent: u32, name: &[u8]) -> Result<u32, TreeLimit> {
        let name = &name[..name.len().min(usize::from(u16::MAX))];
        let hash = self.hasher.hash_one((parent, name));
        if let Some(found) = self.find_hashed(parent, name, hash) {
            return Ok(found);
        }
        let tree = &mut self.tree;
        let index = tree.nodes.len();
        // Most paths are entries; a name of many parts can imply a thousand times as many.
        let at_least = Self::IMPLIED_AT_LEAST.max(self.most_entries / 20);
        if index >= at_least + 4 * tree.occurrences.len() {
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
        self.erased.push(0);
        let hasher = &self.hasher;
        self.index.insert_unique(hash, index, |&other| {
            let node = &tree.nodes[other as usize];
            let start = node.name_offset as usize;
            let name = tree.names.get(start..start + usize::from(node.name_length)).unwrap_or_default();
            hasher.hash_one((node.parent, name))
        });
        Ok(index)
    }

    /// The occurrence of `node` in the current layer, emptied; made where it is not `live`.
    fn occurrence(&mut self, node: u32, live: Option<usize>, kind: Kind) -> Result<usize, TreeLimit> {
        let newest = self.tree.nodes[node as usize].occurrence;
        let removed = OccurrenceId::from_raw(newest)
            .map(OccurrenceId::index)
            .filter(|&index| self.tree.occurrences[index].layer == self.layer);
        let owner = self.owner(Owner { uid: 0, gid: 0 });
        let mut made = Occurrence {
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
        };
        if let Some(index) = live.or(removed) {
            self.release(index);
            made.older = self.tree.occurrences[index].older;
            self.tree.occurrences[index] = made;
            self.set_written(index);
            return Ok(index);
        }
        let index = self.tree.occurrences.len();
        if index >= self.most_entries {
            return Err(TreeLimit::Entries);
        }
        self.tree.occurrences.push(made);
        self.written.push(self.entry);
        self.tree.nodes[node as usize].occurrence = index as u32;
        Ok(index)
    }

    fn set_written(&mut self, index: usize) {
        let at = index - self.start();
        if let Some(written) = self.written.get_mut(at) {
            *written = self.entry;
        }
    }

    fn owner(&mut self, owner: Owner) -> u32 {
        let owners = &mut self.tree.owners;
        *self.owner_index.entry(owner).or_insert_with(|| {
            owners.push(owner);
            (owners.len() - 1) as u32
        })
    }

    /// A directory that an entry below it implies, and that hides something else or that only a mark makes.
    fn imply(&mut self, node: u32, live: Option<usize>) -> Result<usize, TreeLimit> {
        let index = self.occurrence(node, live, Kind::Directory)?;
        let occurrence = &mut self.tree.occurrences[index];
        occurrence.flags = flags::IMPLIED;
        occurrence.mode_bits = 0o755;
        occurrence.type_flag = b'5';
        Ok(index)
    }

    fn mark_opaque(&mut self, place: Place) -> Result<(), TreeLimit> {
        self.forget_way();
        let index = match self.live_at(place) {
            // The directory is removed already.
            Some(index) if self.tree.occurrences[index].kind == Kind::Whiteout => return Ok(()),
            Some(index) => index,
            None if place.node == 0 || place.has_lower_directory => {
                self.occurrence(place.node, None, Kind::OpaqueMark)?
            }
            None => self.imply(place.node, None)?,
        };
        self.tree.occurrences[index].flags |= flags::OPAQUE;
        Ok(())
    }

    fn mark_whiteout(&mut self, parent: Place, name: &[u8], entry: &RawEntry) -> Result<(), TreeLimit> {
        if self.live_at(parent).is_some_and(|index| self.tree.occurrences[index].kind == Kind::Whiteout) {
            return Ok(()); // removed with the directory above
        }
        self.settle(parent)?;
        let node = self.child(parent.node, name)?;
        let live = self.live(node, parent.removed);
        if self.tree.nodes[node as usize].first_child != NONE {
            self.forget_way();
        }
        match live.map(|index| (index, self.tree.occurrences[index].kind)) {
            None | Some((_, Kind::Whiteout | Kind::OpaqueMark)) => {
                let index = self.occurrence(node, live, Kind::Whiteout)?;
                let occurrence = &mut self.tree.occurrences[index];
                occurrence.mode_bits = entry.fields.mode;
                occurrence.mtime = entry.fields.mtime;
                occurrence.type_flag = entry.fields.type_flag;
                occurrence.flags = absolute(entry);
            }
            // A whiteout removes nothing of its own layer, wherever it is.
            Some((index, _)) => self.tree.occurrences[index].flags |= flags::WHITEOUT_TOO | flags::ERASES,
        }
        Ok(())
    }

    fn place(&mut self, node: u32, live: Option<usize>, entry: &RawEntry, link: &[u8]) -> Result<(), TreeLimit> {
        let fields = &entry.fields;
        let target = match fields.kind {
            Kind::HardLink => self.target_now(link)?,
            _ => None,
        };
        if target.is_some_and(|(target, _)| target == node) && live.is_some() {
            return Ok(()); // a second entry of one file, which tar writes as a link to itself
        }
        let before = live.map(|index| (self.tree.occurrences[index].kind, self.tree.occurrences[index].flags));
        let kept = match before {
            None => 0,
            Some((Kind::Whiteout, _)) => flags::WHITEOUT_TOO,
            Some((Kind::Directory | Kind::OpaqueMark, kept)) if fields.kind == Kind::Directory => {
                kept & (flags::OPAQUE | flags::ERASES | flags::WHITEOUT_TOO)
            }
            Some((_, kept)) => kept & flags::WHITEOUT_TOO,
        };
        let has_below = self.tree.nodes[node as usize].first_child != NONE;
        if fields.kind != Kind::Directory && has_below {
            self.removed.insert(node, self.entry);
        }
        let is_moved = self.is_moved();
        if has_below && fields.kind != Kind::Directory
            || before.is_some_and(|(kind, _)| kind != Kind::Directory || fields.kind != Kind::Directory)
        {
            self.forget_way();
        }
        let index = self.occurrence(node, live, fields.kind)?;
        // After the place was emptied: its content may have gone to another name, which the link is a name of then.
        let content = match target {
            Some((_, target)) => self.content_number(target),
            None => NONE,
        };
        let owner = self.owner(Owner { uid: fields.uid, gid: fields.gid });
        let needs_extra =
            !link.is_empty() || !fields.xattrs.is_empty() || fields.sparse.is_some() || fields.device != (0, 0);
        let extra = if needs_extra {
            self.tree.extras.push(Extra {
                link: link.into(),
                xattrs: fields.xattrs.clone(),
                sparse: fields.sparse.clone().map(Vec::into_boxed_slice),
                device: fields.device,
                content,
            });
            (self.tree.extras.len() - 1) as u32
        } else {
            NONE
        };
        let occurrence = &mut self.tree.occurrences[index];
        occurrence.flags = kept | absolute(entry) | if is_moved { flags::MOVED } else { 0 };
        occurrence.type_flag = fields.type_flag;
        occurrence.mode_bits = fields.mode;
        occurrence.mtime = fields.mtime;
        occurrence.bytes = fields.bytes;
        occurrence.offset = fields.offset;
        occurrence.owner = owner;
        occurrence.extra = extra;
        if fields.kind == Kind::HardLink {
            self.name_content(content, index);
            if content == NONE {
                self.await_target(index, link);
            }
        }
        if let Some(hash) = fields.content {
            self.tree.occurrences[index].flags |= flags::HASHED;
            self.keep_hash(index, hash);
        }
        Ok(())
    }

    fn keep_hash(&mut self, index: usize, hash: ContentHash) {
        let at = index - self.start();
        self.layer_hashes.resize(self.layer_hashes.len().max(at + 1), [0; 16]);
        self.layer_hashes[at] = hash;
    }
}

fn absolute(entry: &RawEntry) -> u8 {
    if entry.fields.is_absolute { flags::ABSOLUTE } else { 0 }
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
