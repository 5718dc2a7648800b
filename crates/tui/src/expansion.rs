//! Open directories of the tree.

use super::find::Marks;
use super::node_set::NodeSet;
use nixdive_image::NodeId;

/// Open directories: a rule, and the exceptions from it.
#[derive(Debug, Clone, Default)]
pub(super) struct Expansion {
    /// The rule where no filter gives one.
    pub open: bool,
    pub exceptions: NodeSet,
}

impl Expansion {
    fn rule(&self, node: NodeId, filter: Option<&Marks>) -> bool {
        filter.map_or(self.open, |marks| marks.above.contains(node))
    }

    pub(super) fn is_open(&self, node: NodeId, filter: Option<&Marks>) -> bool {
        self.rule(node, filter) != self.exceptions.contains(node)
    }

    pub(super) fn set(&mut self, node: NodeId, open: bool, filter: Option<&Marks>) {
        if self.rule(node, filter) == open {
            self.exceptions.remove(node);
        } else {
            self.exceptions.insert(node);
        }
    }
}

/// Open directories, separately for each scope shown.
#[derive(Debug)]
pub(super) struct Expansions {
    pub plain: Expansion,
    pub filtered: Expansion,
    pub wasted: Expansion,
}

impl Default for Expansions {
    fn default() -> Self {
        let wasted = Expansion { open: true, ..Expansion::default() };
        Self { plain: Expansion::default(), filtered: Expansion::default(), wasted }
    }
}

impl Expansions {
    pub(super) fn current(&mut self, filtered: bool, wasted: bool) -> &mut Expansion {
        match (filtered, wasted) {
            (true, _) => &mut self.filtered,
            (false, true) => &mut self.wasted,
            (false, false) => &mut self.plain,
        }
    }
}
