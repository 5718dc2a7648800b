use crate::image::NodeId;

/// A set of nodes, a bit each: 125 kB for a million of them.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    fn place(node: NodeId) -> (usize, u64) {
        (node.index() / 64, 1 << (node.index() % 64))
    }

    pub(super) fn contains(&self, node: NodeId) -> bool {
        let (word, bit) = Self::place(node);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Puts a node in; whether it was not there before.
    pub(super) fn insert(&mut self, node: NodeId) -> bool {
        let (word, bit) = Self::place(node);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        new
    }

    pub(super) fn remove(&mut self, node: NodeId) {
        let (word, bit) = Self::place(node);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }
}
