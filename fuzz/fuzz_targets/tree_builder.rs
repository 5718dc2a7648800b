//! Whatever entries layers have, the tree holds them, its totals are the sums of what is visible, and every path leads
//! back to its node.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nixdive::image::{Baseline, Change, EntryBatch, EntryFields, FileTree, Floors, Kind, LayerIndex, NodeId, Scope, TreeBuilder, compute_history};

#[derive(Arbitrary, Debug)]
struct Entry<'a> {
    /// Which names the path consists of.
    path: [u8; 4],
    own_name: Option<&'a [u8]>,
    link: [u8; 2],
    kind: u8,
    bytes: u64,
    mode: u16,
    mtime: i64,
}

const NAMES: [&[u8]; 8] = [b"", b"a", b"b", b"c", b".wh.a", b".wh.b", b".wh..wh..opq", b".wh..wh.plnk"];
const KINDS: [Kind; 7] =
    [Kind::File, Kind::Directory, Kind::Symlink, Kind::HardLink, Kind::CharacterDevice, Kind::BlockDevice, Kind::Fifo];

fn name(number: u8) -> &'static [u8] {
    NAMES[usize::from(number) % NAMES.len()]
}

/// As [`EntryBatch::push`] demands it: no empty part, no `.`, no `..`.
fn path<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let parts = parts.flat_map(|part| part.split(|&byte| byte == b'/'));
    parts.filter(|part| !matches!(*part, b"" | b"." | b"..")).collect::<Vec<_>>().join(&b'/')
}

fn build(layers: &[Vec<Entry<'_>>]) -> FileTree {
    let mut builder = TreeBuilder::new();
    for layer in layers {
        builder.begin_layer().expect("few layers");
        let mut batch = EntryBatch::default();
        for entry in layer {
            let mut fields = EntryFields::new(KINDS[usize::from(entry.kind) % KINDS.len()]);
            fields.bytes = entry.bytes;
            fields.mode = entry.mode & 0o7777;
            fields.mtime = entry.mtime;
            fields.content = (entry.mode & 1 == 0).then_some([entry.bytes as u8; 16]);
            let link = path(entry.link.iter().map(|&number| name(number)));
            batch.push(&path(entry.path.iter().map(|&number| name(number)).chain(entry.own_name)), &link, fields);
        }
        builder.add(&batch).expect("few entries");
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |tree: &FileTree, older, newer| {
        tree.content_hash(older) == tree.content_hash(newer)
    });
    tree
}

/// What a walk over the stacked tree meets: entries and their bytes, removed ones left out.
fn walk(tree: &FileTree, scope: Scope, baseline: Baseline) -> (u32, u64) {
    let (mut entries, mut bytes) = (0, 0u64);
    let mut stack = vec![(NodeId::ROOT, Floors::default())];
    while let Some((node, floors)) = stack.pop() {
        let Some(seen) = tree.see(node, scope, baseline, floors) else { continue };
        if node != NodeId::ROOT && seen.change != Change::Removed && seen.occurrence.is_some() {
            entries += 1;
            bytes = bytes.wrapping_add(seen.occurrence.map_or(0, |id| tree.occurrence(id).bytes));
        }
        stack.extend(tree.children(node).map(|child| (child, seen.floors)));
    }
    (entries, bytes)
}

fn check_layer(tree: &FileTree, layer: LayerIndex) {
    let (mut entries, mut bytes) = (0, 0u64);
    for node in tree.node_ids().filter(|&node| node != NodeId::ROOT) {
        if let Some(id) = tree.visible_at(node, layer) {
            entries += 1;
            bytes = bytes.wrapping_add(tree.occurrence(id).bytes);
        }
        let _ = tree.resolve(&tree.path(node), layer, true);
    }
    let totals = tree.totals_at(NodeId::ROOT, layer);
    assert_eq!((totals.entries, totals.bytes), (entries, bytes), "totals of {layer:?}");
    for baseline in [Baseline::Below, Baseline::Since(LayerIndex(0))] {
        assert_eq!(walk(tree, Scope::Stacked(layer), baseline), (entries, bytes), "walk over {layer:?}");
        walk(tree, Scope::Layer(layer), baseline);
    }
    let _ = tree.layer_summary(layer);
    for id in tree.layer_occurrences(layer) {
        let _ = tree.content_of(id);
    }
}

fuzz_target!(|layers: Vec<Vec<Entry<'_>>>| {
    if layers.len() > 12 || layers.iter().map(Vec::len).sum::<usize>() > 200 {
        return;
    }
    let tree = build(&layers);
    for node in tree.node_ids() {
        assert_eq!(tree.lookup(&tree.path(node)), Some(node));
    }
    for layer in tree.layer_indices() {
        check_layer(&tree, layer);
    }
});
