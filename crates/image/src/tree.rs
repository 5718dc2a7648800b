use super::occurrence::{Extra, flags};
use super::{ContentHash, Kind, Occurrence, OccurrenceId, Owner, Segment, Xattrs};

/// Index of a path in its tree. The root is [`NodeId::ROOT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// `/`.
    pub const ROOT: Self = Self(0);

    /// The index itself.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index of a layer, base layer 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerIndex(pub u16);

impl LayerIndex {
    /// The index itself.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One path. 28 bytes.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) parent: u32,
    pub(super) name_offset: u32,
    pub(super) name_length: u16,
    pub(super) depth: u16,
    /// While the tree is built: head of the list of children, newest first. Afterwards: start in `children`.
    pub(super) first_child: u32,
    /// While the tree is built: next in the parent's list. Afterwards: number of children.
    pub(super) sibling_or_count: u32,
    /// Newest occurrence, of the highest layer.
    pub(super) occurrence: u32,
    /// Newest total, of the highest layer that changed something below.
    pub(super) record: u32,
}

pub(super) const NONE: u32 = u32::MAX;

/// Totals below a directory as one layer leaves it, and the part that the layer added. 40 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub bytes: u64,
    pub own_bytes: u64,
    pub entries: u32,
    pub own_entries: u32,
    pub older: u32,
    pub layer: u16,
    /// True if something below has changed.
    pub changed: bool,
    /// True if the layer itself has something below: an entry, a whiteout or an opaque mark.
    pub mentioned: bool,
}

/// Sums over what lies below a directory, itself left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sum of the file sizes in the tar headers, bytes.
    pub bytes: u64,
    /// Entries.
    pub entries: u32,
}

/// Counts of one layer, made once while the history is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerSummary {
    /// Entries that cover nothing.
    pub added: u32,
    /// Entries that cover another one and differ from it.
    pub modified: u32,
    /// Entries that cover another one and differ in nothing, or in the time of modification only.
    pub unmodified: u32,
    /// Visible entries of lower layers that this layer hides.
    pub removed: u32,
    /// Bytes of the files it hides.
    pub removed_bytes: u64,
}

/// All paths of all layers of an image: a node a path, with its occurrences by layer.
///
/// Memory is about 100 bytes an entry, whatever the number of layers.
#[derive(Debug, Default, Clone)]
pub struct FileTree {
    pub(super) nodes: Vec<Node>,
    pub(super) names: Vec<u8>,
    pub(super) children: Vec<u32>,
    pub(super) occurrences: Vec<Occurrence>,
    pub(super) owners: Vec<Owner>,
    pub(super) extras: Vec<Extra>,
    pub(super) records: Vec<Record>,
    /// False when there were too many records to keep: totals are then found by walking.
    pub(super) records_complete: bool,
    /// Index of each layer's first occurrence, and the total number at the end.
    pub(super) layer_starts: Vec<u32>,
    /// Identities of content by occurrence, for layers whose content was read whole; empty for the others.
    pub(super) layer_hashes: Vec<Vec<ContentHash>>,
    pub(super) summaries: Vec<LayerSummary>,
    /// Contents that hard links are names of: the occurrence that has each; `NONE` where none has it any more.
    pub(super) linked_contents: Vec<u32>,
    /// Directories that hide a symbolic link of a lower layer because an entry's name passes through it: the
    /// directory's occurrence and the link's.
    pub(super) hidden_links: Vec<(u32, u32)>,
    /// Entries below something of the same layer that is not a directory.
    pub(super) refused: u64,
}

/// A directory in the place of a lower layer's symbolic link, made because names of entries pass through that link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenLink {
    /// The directory.
    pub directory: OccurrenceId,
    /// The link that it hides.
    pub link: OccurrenceId,
}

impl FileTree {
    /// Number of paths, the root included.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Number of entries kept, over all layers; of one name twice in a layer the last is kept.
    #[must_use]
    pub fn occurrence_count(&self) -> usize {
        self.occurrences.len()
    }

    /// Links of lower layers that the names of entries pass through. Overlay engines show a directory in place of
    /// each; umoci and the vfs driver follow it ([`Self::with_links_followed`]).
    pub fn hidden_links(&self) -> impl ExactSizeIterator<Item = HiddenLink> + use<'_> {
        self.hidden_links
            .iter()
            .map(|&(directory, link)| HiddenLink { directory: OccurrenceId(directory), link: OccurrenceId(link) })
    }

    /// Number of names that lead below a file of the same layer, or through links without end. Engines refuse such a
    /// layer; the tree has a directory there.
    #[must_use]
    pub fn refused_names(&self) -> u64 {
        self.refused
    }

    /// Number of layers.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.layer_starts.len().saturating_sub(1)
    }

    /// The layers, base first.
    pub fn layer_indices(&self) -> impl DoubleEndedIterator<Item = LayerIndex> + use<> {
        (0..self.layer_count() as u16).map(LayerIndex)
    }

    /// The topmost layer; `None` for an image without layers.
    #[must_use]
    pub fn top_layer(&self) -> Option<LayerIndex> {
        self.layer_count().checked_sub(1).map(|index| LayerIndex(index as u16))
    }

    /// All nodes, parents before children.
    pub fn node_ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The name of a node, without its directory; empty for the root.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &[u8] {
        let node = &self.nodes[node.index()];
        let start = node.name_offset as usize;
        &self.names[start..start + usize::from(node.name_length)]
    }

    /// The directory of a node; `None` for the root.
    #[must_use]
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        let parent = self.nodes[node.index()].parent;
        (parent != NONE).then_some(NodeId(parent))
    }

    /// Number of directories above a node: 0 for the root.
    #[must_use]
    pub fn depth(&self, node: NodeId) -> usize {
        usize::from(self.nodes[node.index()].depth)
    }

    /// Children over all layers, byte-sorted by name.
    #[must_use]
    pub fn children(&self, node: NodeId) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<'_> {
        let node = &self.nodes[node.index()];
        let start = node.first_child as usize;
        let range = start..start + node.sibling_or_count as usize;
        self.children.get(range).unwrap_or_default().iter().map(|&child| NodeId(child))
    }

    /// The absolute path of a node: `/` for the root.
    #[must_use]
    pub fn path(&self, node: NodeId) -> Vec<u8> {
        let mut parts = Vec::new();
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            parts.push(at);
            at = parent;
        }
        if parts.is_empty() {
            return b"/".to_vec();
        }
        let mut path = Vec::new();
        for part in parts.into_iter().rev() {
            path.push(b'/');
            path.extend_from_slice(self.name(part));
        }
        path
    }

    /// An occurrence by its index.
    #[must_use]
    pub fn occurrence(&self, id: OccurrenceId) -> &Occurrence {
        &self.occurrences[id.index()]
    }

    /// Occurrences of a path, of the highest layer first.
    pub fn occurrences_of(&self, node: NodeId) -> impl Iterator<Item = OccurrenceId> + use<'_> {
        let mut next = self.nodes[node.index()].occurrence;
        std::iter::from_fn(move || {
            let id = OccurrenceId::from_raw(next)?;
            next = self.occurrences[id.index()].older;
            Some(id)
        })
    }

    /// The occurrence of a path in exactly one layer.
    #[must_use]
    pub fn occurrence_in(&self, node: NodeId, layer: LayerIndex) -> Option<OccurrenceId> {
        self.occurrences_of(node)
            .take_while(|&id| self.occurrence(id).layer >= layer)
            .find(|&id| self.occurrence(id).layer == layer)
    }

    /// The next lower layer's occurrence of the same path.
    #[must_use]
    pub fn older(&self, id: OccurrenceId) -> Option<OccurrenceId> {
        OccurrenceId::from_raw(self.occurrences[id.index()].older)
    }

    /// All occurrences of one layer, in the order of its entries.
    pub fn layer_occurrences(&self, layer: LayerIndex) -> impl DoubleEndedIterator<Item = OccurrenceId> + use<> {
        let start = self.layer_starts.get(layer.index()).copied().unwrap_or_default();
        let end = self.layer_starts.get(layer.index() + 1).copied().unwrap_or(start);
        (start..end).map(OccurrenceId)
    }

    /// Numeric owner of an entry.
    #[must_use]
    pub fn owner(&self, id: OccurrenceId) -> Owner {
        self.owners[self.occurrences[id.index()].owner as usize]
    }

    pub(super) fn extra(&self, id: OccurrenceId) -> Option<&Extra> {
        self.extras.get(self.occurrences[id.index()].extra as usize)
    }

    /// Target of a symbolic or hard link, as written in the archive.
    #[must_use]
    pub fn link_target(&self, id: OccurrenceId) -> Option<&[u8]> {
        let link = &self.extra(id)?.link;
        (!link.is_empty()).then_some(link)
    }

    /// Extended attributes of an entry.
    #[must_use]
    pub fn xattrs(&self, id: OccurrenceId) -> &Xattrs {
        const NONE: &Xattrs = &Xattrs::new();
        self.extra(id).map_or(NONE, |extra| &extra.xattrs)
    }

    /// Device numbers, major and minor, of a device.
    #[must_use]
    pub fn device(&self, id: OccurrenceId) -> Option<(u32, u32)> {
        let device = matches!(self.occurrence(id).kind, Kind::CharacterDevice | Kind::BlockDevice);
        device.then(|| self.extra(id).map_or((0, 0), |extra| extra.device))
    }

    /// Stored runs of a sparse file.
    #[must_use]
    pub fn sparse(&self, id: OccurrenceId) -> Option<&[Segment]> {
        self.extra(id)?.sparse.as_deref()
    }

    /// Identity of an entry's content, where the content was read.
    #[must_use]
    pub fn content_hash(&self, id: OccurrenceId) -> Option<&ContentHash> {
        let occurrence = self.occurrence(id);
        if occurrence.flags & flags::HASHED == 0 {
            return None;
        }
        let layer = occurrence.layer.index();
        let start = *self.layer_starts.get(layer)? as usize;
        self.layer_hashes.get(layer)?.get(id.index() - start)
    }

    /// Returns the entries that one layer added, modified and removed.
    #[must_use]
    pub fn layer_summary(&self, layer: LayerIndex) -> LayerSummary {
        self.summaries.get(layer.index()).copied().unwrap_or_default()
    }

    /// The whole of the name arena, and for an offset in it the node whose name is there: for searching all names
    /// in one run over memory.
    #[must_use]
    pub fn name_arena(&self) -> &[u8] {
        &self.names
    }

    /// The node whose name covers `offset` of [`Self::name_arena`], and where that name begins and ends there.
    #[must_use]
    pub fn node_at_name(&self, offset: usize) -> Option<(NodeId, std::ops::Range<usize>)> {
        let index = self.nodes.partition_point(|node| node.name_offset as usize <= offset).checked_sub(1)?;
        let node = self.nodes.get(index)?;
        let start = node.name_offset as usize;
        Some((NodeId(index as u32), start..start + usize::from(node.name_length)))
    }
}
