//! Entries that a layer writes and later replaces itself: everything below a directory that a later
//! entry makes a file.

use hashbrown::HashMap;

use super::super::tree::NONE;
use super::TreeBuilder;

impl TreeBuilder {
    /// Ends the current layer: what it removed itself is dropped, and what it hides is noted for the layers above.
    pub(super) fn end_layer(&mut self) {
        if self.tree.layer_starts.is_empty() {
            return;
        }
        self.end_hard_links();
        if !self.removed.is_empty() {
            self.drop_removed();
        }
        let start = self.start();
        for occurrence in self.tree.occurrences.iter().skip(start) {
            if occurrence.erases_below() {
                self.erased[occurrence.node as usize] = self.layer.0;
            }
        }
        self.forget_hard_links();
        self.forget_way();
        self.removed.clear();
        self.written.clear();
        self.entry = 0;
        self.first_content = self.tree.linked_contents.len();
        self.tree.layer_hashes.push(std::mem::take(&mut self.layer_hashes));
    }

    fn drop_removed(&mut self) {
        let start = self.start();
        let mut floors: HashMap<u32, u32> = HashMap::new();
        let mut is_dead = Vec::with_capacity(self.tree.occurrences.len() - start);
        for index in start..self.tree.occurrences.len() {
            let parent = self.tree.nodes[self.tree.occurrences[index].node as usize].parent;
            is_dead.push(parent != NONE && self.removed_below(parent, &mut floors) >= self.written[index - start]);
        }
        for (at, _) in is_dead.iter().enumerate().filter(|(_, dead)| **dead) {
            self.release(start + at);
        }
        let mut moved = vec![NONE; is_dead.len()];
        let mut kept = start;
        for (at, dead) in is_dead.into_iter().enumerate() {
            let index = start + at;
            let (node, older) = (self.tree.occurrences[index].node, self.tree.occurrences[index].older);
            if dead {
                self.tree.nodes[node as usize].occurrence = older;
                continue;
            }
            self.tree.occurrences.swap(kept, index);
            self.tree.nodes[node as usize].occurrence = kept as u32;
            moved[at] = kept as u32;
            if let Some(&hash) = self.layer_hashes.get(at) {
                self.layer_hashes[kept - start] = hash;
            }
            kept += 1;
        }
        self.tree.occurrences.truncate(kept);
        self.layer_hashes.truncate(kept - start);
        self.renumber_contents(start, &moved);
        let hidden_links = std::mem::take(&mut self.tree.hidden_links);
        self.tree.hidden_links = hidden_links
            .into_iter()
            .filter_map(|(hiding, link)| match (hiding as usize).checked_sub(start).map(|at| moved.get(at)) {
                None => Some((hiding, link)),
                Some(new) => Some((new.copied().filter(|&new| new != NONE)?, link)),
            })
            .collect();
    }

    /// The number of the last entry that removed what was below a directory or one above it; 0 for none.
    fn removed_below(&self, directory: u32, floors: &mut HashMap<u32, u32>) -> u32 {
        let mut way = Vec::new();
        let mut at = directory;
        let mut floor = loop {
            if let Some(&known) = floors.get(&at) {
                break known;
            }
            way.push(at);
            match self.tree.nodes[at as usize].parent {
                NONE => break 0,
                parent => at = parent,
            }
        };
        for node in way.into_iter().rev() {
            floor = floor.max(self.removed.get(&node).copied().unwrap_or(0));
            floors.insert(node, floor);
        }
        floor
    }
}
