use nixdive_image::{FileTree, Image, Kind, LayerIndex, NodeId};

/// The figures of a whole image. Every byte count says what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Sum of the layers' unpacked tar streams, bytes.
    pub unpacked_bytes: u64,
    /// Sum of the layers' stored blobs, bytes; `None` when one of them is not known.
    pub compressed_bytes: Option<u64>,
    /// Sum of the file sizes in the tar headers of all layers, bytes. dive's `sizeBytes`.
    pub file_bytes: u64,
    /// The same without the base layer, bytes. dive's `userSizeByes`.
    pub user_file_bytes: u64,
    /// File bytes that a container sees: those of the stacked tree.
    pub visible_file_bytes: u64,
    /// dive's score: the least that each path took over what all its copies took, 0 to 1.
    pub efficiency: f64,
    /// dive's wasted bytes: of each path that is there twice or more, the sum of all its copies.
    pub wasted_bytes: u64,
    /// dive's wasted bytes over [`Self::user_file_bytes`], 0 for nothing over nothing, infinite where something is
    /// wasted and the layers above the base hold no bytes. A ratio in spite of dive's name for it.
    pub user_wasted_percent: f64,
    /// Whiteouts whose target is in no lower layer. They hide nothing and count for nothing; dive stops counting the
    /// layer at the first of them, so that its figures of such an image are too good (its pull request 715).
    pub dangling_whiteouts: u32,
}

/// A path that dive counts as wasting: its copies and whiteouts number two or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WastedPath {
    /// The path.
    pub node: NodeId,
    /// Sum over all its copies, bytes; a whiteout of a directory counts what it hides.
    pub bytes: u64,
    /// Copies and whiteouts.
    pub count: u32,
    /// The layer that holds the second of them.
    pub repeated_in: LayerIndex,
}

/// A directory removed with all that was in it, which dive does not count as waste although the bytes are shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedDirectory {
    /// The path.
    pub node: NodeId,
    /// The layer that holds the whiteout.
    pub layer: LayerIndex,
    /// Bytes of files that it hides.
    pub bytes: u64,
}

/// Figures with the paths behind them.
#[derive(Debug, Clone, Default)]
pub struct Assessment {
    /// The figures.
    pub figures: Figures,
    /// The most wasting first; equal ones in dive's order: the one last found to be there twice comes first.
    pub wasted: Vec<WastedPath>,
    /// The largest first, then by layer and path.
    pub removed_directories: Vec<RemovedDirectory>,
}

/// Computes dive's figures and the paths behind them.
///
/// Source: dive's `filetree.Efficiency` and `image.Analyze`, v0.13.1. Leaves of each layer's own tree are counted
/// under their path; a whiteout counts nothing if its target is a file or a directory whose newest mention is only
/// implied, and all bytes below it if that is a directory with an entry. Two things are mended: a whiteout without a
/// target is passed over, and what an opaque directory hides is no longer counted below it. All sums are whole
/// numbers and each figure is one division, so the result does not depend on the order of paths.
#[must_use]
pub fn assess(image: &Image) -> Assessment {
    let tree = &image.tree;
    let mut found = Assessment {
        figures: Figures {
            unpacked_bytes: image.unpacked_bytes(),
            compressed_bytes: image.compressed_bytes(),
            file_bytes: image.file_bytes(),
            user_file_bytes: image.layers.iter().skip(1).map(|layer| layer.file_bytes).fold(0, u64::saturating_add),
            visible_file_bytes: tree.top_layer().map_or(0, |top| tree.totals_at(NodeId::ROOT, top).bytes),
            efficiency: 1.0,
            wasted_bytes: 0,
            user_wasted_percent: 0.0,
            dangling_whiteouts: 0,
        },
        wasted: Vec::new(),
        removed_directories: Vec::new(),
    };
    let mut least_bytes = 0u64;
    let mut all_bytes = 0u64;
    for node in tree.all_paths() {
        let path = sum_path(tree, node, &mut found);
        if path.count == 0 {
            continue;
        }
        least_bytes = least_bytes.saturating_add(path.least);
        all_bytes = all_bytes.saturating_add(path.bytes);
        if path.count >= 2 {
            let repeated_in = path.last_but_one.unwrap_or(LayerIndex(0));
            found.wasted.push(WastedPath { node, bytes: path.bytes, count: path.count, repeated_in });
        }
    }
    let figures = &mut found.figures;
    if all_bytes > 0 {
        figures.efficiency = least_bytes as f64 / all_bytes as f64;
    }
    figures.wasted_bytes = found.wasted.iter().map(|path| path.bytes).fold(0, u64::saturating_add);
    if figures.wasted_bytes > 0 {
        figures.user_wasted_percent = figures.wasted_bytes as f64 / figures.user_file_bytes as f64;
    }
    sort(&mut found);
    found
}

#[derive(Default)]
struct PathSum {
    bytes: u64,
    least: u64,
    count: u32,
    last: Option<LayerIndex>,
    last_but_one: Option<LayerIndex>,
}

impl PathSum {
    /// Adds a copy; the layers come from the highest down.
    fn add(&mut self, layer: LayerIndex, bytes: u64) {
        self.least = if self.count == 0 { bytes } else { self.least.min(bytes) };
        self.bytes = self.bytes.saturating_add(bytes);
        self.count += 1;
        self.last_but_one = self.last.replace(layer);
    }
}

fn sum_path(tree: &FileTree, node: NodeId, found: &mut Assessment) -> PathSum {
    let mut sum = PathSum::default();
    for id in tree.occurrences_of(node) {
        let occurrence = tree.occurrence(id);
        if occurrence.kind == Kind::Whiteout || occurrence.is_whiteout_too() {
            match hidden_by_whiteout(tree, node, occurrence.layer) {
                Hidden::Nothing => found.figures.dangling_whiteouts += 1,
                Hidden::Other => sum.add(occurrence.layer, 0),
                Hidden::Directory(bytes) => {
                    sum.add(occurrence.layer, bytes);
                    found.removed_directories.push(RemovedDirectory { node, layer: occurrence.layer, bytes });
                }
            }
        }
        let is_mark = matches!(occurrence.kind, Kind::Whiteout | Kind::OpaqueMark) || occurrence.is_implied();
        if occurrence.is_leaf() && !is_mark {
            sum.add(occurrence.layer, occurrence.bytes);
        }
    }
    sum
}

/// The content that a whiteout hides, as dive counts it.
pub(super) enum Hidden {
    /// The layers below do not contain the path.
    Nothing,
    /// Something that counts 0: a file, a link, or a directory that the newest layer below only implies.
    Other,
    /// A directory with an entry: its bytes and those of all files below it.
    Directory(u64),
}

pub(super) fn hidden_by_whiteout(tree: &FileTree, node: NodeId, layer: LayerIndex) -> Hidden {
    let Some(below) = layer.0.checked_sub(1).map(LayerIndex) else {
        return Hidden::Nothing;
    };
    let totals = tree.totals_at(node, below);
    let Some(id) = tree.visible_at(node, below) else {
        return if totals.entries > 0 { Hidden::Other } else { Hidden::Nothing };
    };
    let target = tree.occurrence(id);
    // dive stacks a layer's implied directories over entries of lower layers, which makes those count as implied too.
    let implied_since = tree.last_change_below(node, below).is_some_and(|changed| changed > target.layer);
    if target.kind != Kind::Directory || target.is_implied() || implied_since {
        return Hidden::Other;
    }
    Hidden::Directory(target.bytes.saturating_add(totals.bytes))
}

/// The paths were met in their order, which a stable sort keeps among equals.
fn sort(found: &mut Assessment) {
    found.wasted.reverse();
    found.wasted.sort_by_key(|path| std::cmp::Reverse((path.bytes, path.repeated_in)));
    found.removed_directories.retain(|directory| directory.bytes > 0);
    found.removed_directories.sort_by_key(|directory| (std::cmp::Reverse(directory.bytes), directory.layer));
}
