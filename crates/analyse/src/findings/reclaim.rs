use hashbrown::HashMap;

use nixdive_image::{FileTree, Kind, NodeId, OccurrenceId};

/// Bytes that could be saved, by entry, so that no byte counts twice.
pub(super) struct Reclaim {
    /// By occurrence, whether all of it could go.
    whole: Vec<bool>,
    /// Entries of which a part could go, bytes.
    parts: HashMap<OccurrenceId, u64>,
}

impl Reclaim {
    pub fn new(tree: &FileTree) -> Self {
        Self { whole: vec![false; tree.occurrence_count()], parts: HashMap::new() }
    }

    /// All of an entry could go.
    pub fn whole(&mut self, id: OccurrenceId) {
        if let Some(place) = self.whole.get_mut(id.index()) {
            *place = true;
        }
    }

    /// Marks some bytes of an entry as removable.
    pub fn part(&mut self, id: OccurrenceId, bytes: u64) {
        let known = self.parts.entry(id).or_default();
        *known = bytes.max(*known);
    }

    /// All entries of all layers at and below a path could go.
    pub fn below(&mut self, tree: &FileTree, node: NodeId) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            for id in tree.occurrences_of(node) {
                self.whole(id);
            }
            stack.extend(tree.children(node));
        }
    }

    /// Returns `true` if a whole entry is removable.
    pub fn is_whole(&self, id: OccurrenceId) -> bool {
        self.whole.get(id.index()).copied().unwrap_or_default()
    }

    /// The sum, file bytes.
    pub fn bytes(&self, tree: &FileTree) -> u64 {
        let mut sum = 0u64;
        for id in tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer)) {
            let occurrence = tree.occurrence(id);
            if occurrence.kind == Kind::File && self.is_whole(id) {
                sum = sum.saturating_add(occurrence.bytes);
            }
        }
        let parts = self.parts.iter().filter(|&(&id, _)| !self.is_whole(id));
        parts.fold(sum, |sum, (&id, &bytes)| sum.saturating_add(bytes.min(tree.occurrence(id).bytes)))
    }
}
