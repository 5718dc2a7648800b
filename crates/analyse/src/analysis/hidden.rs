use hashbrown::HashMap;

use nixdive_image::{FileTree, Kind, LayerIndex, NodeId, OccurrenceId};

/// The copies of files that a later layer covers or removes: they are shipped, and never seen.
#[derive(Debug, Clone, Default)]
pub struct HiddenCopies {
    /// In the order of their layers.
    copies: Vec<OccurrenceId>,
}

/// Totals of the entries that upper layers hide at and below a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HiddenTotals {
    /// File bytes of the copies.
    pub bytes: u64,
    /// Copies below the path, its own left out.
    pub entries: u32,
    /// The newest copy at the path itself.
    pub copy: Option<OccurrenceId>,
}

/// Hidden totals by path, for the paths that hide anything.
#[derive(Debug, Clone, Default)]
pub struct HiddenPaths {
    paths: HashMap<NodeId, HiddenTotals>,
}

impl HiddenCopies {
    /// Finds them in one run over the entries. Empty files and links count nothing.
    #[must_use]
    pub fn of(tree: &FileTree) -> Self {
        let Some(top) = tree.top_layer() else { return Self::default() };
        let mut seen = vec![false; tree.occurrence_count()];
        for (_, id) in tree.stacked_paths(top) {
            if let Some(place) = id.and_then(|id| seen.get_mut(id.index())) {
                *place = true;
            }
        }
        let all = tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer));
        let hidden = |&id: &OccurrenceId| {
            let occurrence = tree.occurrence(id);
            occurrence.kind == Kind::File && occurrence.bytes > 0 && !seen[id.index()]
        };
        Self { copies: all.filter(hidden).collect() }
    }

    /// Sums them up by path: those of one layer, or of all.
    #[must_use]
    pub fn paths(&self, tree: &FileTree, layer: Option<LayerIndex>) -> HiddenPaths {
        let of_layer = |id: &&OccurrenceId| layer.is_none_or(|layer| tree.occurrence(**id).layer == layer);
        let mut found = HiddenPaths::default();
        for &id in self.copies.iter().filter(of_layer) {
            let occurrence = tree.occurrence(id);
            let own = found.paths.entry(occurrence.node()).or_default();
            own.bytes = own.bytes.saturating_add(occurrence.bytes);
            own.copy = own.copy.max(Some(id));
            let mut at = tree.parent(occurrence.node());
            while let Some(node) = at {
                let above = found.paths.entry(node).or_default();
                above.bytes = above.bytes.saturating_add(occurrence.bytes);
                above.entries = above.entries.saturating_add(1);
                at = tree.parent(node);
            }
        }
        found
    }
}

impl HiddenPaths {
    /// Returns the totals hidden at and below a path, or `None` if nothing is hidden there.
    #[must_use]
    pub fn at(&self, node: NodeId) -> Option<&HiddenTotals> {
        self.paths.get(&node)
    }
}
