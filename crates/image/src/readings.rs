//! The other way in which an image can be unpacked: links of lower layers are followed instead of hidden.

use super::{
    EntryBatch, EntryFields, FileTree, Kind, LayerIndex, LowerLinks, Occurrence, OccurrenceId, TreeBuilder, TreeLimit,
    compute_history,
};

impl FileTree {
    /// The tree that umoci and the vfs driver unpack, where it can be another: names that pass through a symbolic link
    /// of a lower layer follow it. `None` where no name does. Contents are found in it as in this tree.
    ///
    /// # Errors
    /// [`TreeLimit`].
    pub fn with_links_followed(&self) -> Result<Option<Self>, TreeLimit> {
        if self.hidden_links.is_empty() {
            return Ok(None);
        }
        let mut builder = TreeBuilder::with_lower_links(LowerLinks::Followed).with_entry_limit(usize::MAX);
        for layer in self.layer_indices() {
            builder.begin_layer()?;
            replay(self, layer, &mut builder)?;
        }
        let mut tree = builder.finish();
        // What changed is not asked of this tree; content that nothing is known of is taken to differ.
        compute_history(&mut tree, &mut |_: &Self, _, _| false);
        Ok(Some(tree))
    }
}

/// Adds the entries of a layer as an archive would have them.
fn replay(tree: &FileTree, layer: LayerIndex, builder: &mut TreeBuilder) -> Result<(), TreeLimit> {
    let hiding: hashbrown::HashSet<u32> = tree.hidden_links.iter().map(|&(directory, _)| directory).collect();
    let mut batch = EntryBatch::default();
    // A directory that came behind what is below it does not keep that from following the link.
    let (late, early): (Vec<_>, Vec<_>) = tree.layer_occurrences(layer).partition(|id| hiding.contains(&id.0));
    for id in early.into_iter().chain(late) {
        push(tree, id, &mut batch);
        if batch.is_full() {
            builder.add(&batch)?;
            batch = EntryBatch::default();
        }
    }
    builder.add(&batch)
}

fn push(tree: &FileTree, id: OccurrenceId, batch: &mut EntryBatch) {
    let occurrence = tree.occurrence(id);
    let path = tree.path(occurrence.node());
    let path = path.strip_prefix(b"/").unwrap_or(&path);
    let (directory, name) = path.split_at(path.len() - tree.name(occurrence.node()).len());
    if occurrence.kind == Kind::Whiteout || occurrence.is_whiteout_too() {
        batch.push(&[directory, b".wh.", name].concat(), b"", EntryFields::new(Kind::File));
    }
    if !occurrence.is_implied() && !matches!(occurrence.kind, Kind::Whiteout | Kind::OpaqueMark) {
        let (fields, link) = entry(tree, id, occurrence);
        batch.push(path, link, fields);
    }
    if occurrence.is_opaque() {
        let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
        batch.push(&[path, slash, b".wh..wh..opq"].concat(), b"", EntryFields::new(Kind::File));
    }
}

/// An entry as it was, but a hard link to something of its own layer as a second entry of that content: the names may
/// lead elsewhere now.
fn entry<'a>(tree: &'a FileTree, id: OccurrenceId, occurrence: &Occurrence) -> (EntryFields, &'a [u8]) {
    let linked = tree.linked(id).filter(|&linked| tree.occurrence(linked).layer == occurrence.layer);
    let from = linked.unwrap_or(id);
    let content = tree.occurrence(from);
    let owner = tree.owner(id);
    let fields = EntryFields {
        mode: occurrence.mode(),
        type_flag: content.type_flag,
        uid: owner.uid,
        gid: owner.gid,
        bytes: content.bytes,
        mtime: occurrence.mtime,
        offset: content.offset,
        device: tree.device(from).unwrap_or_default(),
        xattrs: tree.xattrs(id).clone(),
        sparse: tree.sparse(from).map(<[_]>::to_vec),
        content: tree.content_hash(from).copied(),
        is_absolute: occurrence.is_absolute(),
        ..EntryFields::new(content.kind)
    };
    (fields, tree.link_target(from).unwrap_or_default())
}
