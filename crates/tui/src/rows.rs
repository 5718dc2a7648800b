//! The rows of the tree that are to be seen, flattened a bounded number of steps at a time.

use bitflags::bitflags;

use super::expansion::Expansion;
use super::find::Marks;
use super::node_set::NodeSet;
use nixdive_analyse::analysis::HiddenPaths;
use nixdive_image::{
    Baseline, Change, Difference, FileTree, Floors, Kind, LayerIndex, NodeId, Scope, Seen, SortKey, Totals,
};

bitflags! {
    /// Properties of a row besides its node.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(super) struct RowFlags: u8 {
        /// The last of its siblings.
        const LAST = 1;
        /// It can have children.
        const DIRECTORY = 1 << 1;
        /// Its children follow.
        const EXPANDED = 1 << 2;
        /// The filter matches its own name.
        const MATCH = 1 << 3;
    }

    /// Kinds of changes to hide.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(super) struct Hidden: u8 {
        const ADDED = 1;
        const MODIFIED = 1 << 1;
        const REMOVED = 1 << 2;
        /// Also what has only another time of modification.
        const UNMODIFIED = 1 << 3;
    }
}

impl Hidden {
    pub(super) fn of(change: Change) -> Self {
        match change {
            Change::Added => Self::ADDED,
            Change::Modified(_) => Self::MODIFIED,
            Change::Removed => Self::REMOVED,
            Change::Unmodified | Change::Touched => Self::UNMODIFIED,
        }
    }
}

/// One row. 16 bytes, so that a million of them are 16 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Bit by depth: set if the directory there has further siblings below this row.
    pub guides: u64,
    pub node: NodeId,
    /// 0 for entries of the root directory.
    pub depth: u16,
    pub flags: RowFlags,
}

/// Settings that determine the rows and their order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lens<'a> {
    pub tree: &'a FileTree,
    pub scope: Scope,
    pub baseline: Baseline,
    pub sort: SortKey,
    pub reversed: bool,
    pub hidden: Hidden,
    /// Hides entries of the layers up to this one.
    pub base: Option<LayerIndex>,
    pub filter: Option<&'a Marks>,
    /// If set, only hidden copies are shown, with their bytes.
    pub wasted: Option<&'a HiddenPaths>,
}

/// A child of a directory that is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sibling {
    pub key: u64,
    pub node: NodeId,
    pub flags: RowFlags,
}

impl Lens<'_> {
    /// Maximum number of paths that one run of [`Self::holds_shown`] examines; beyond that it assumes that something
    /// is shown.
    const LOOK_LIMIT: usize = 2048;

    pub(super) fn see(&self, node: NodeId, floors: Floors) -> Option<Seen> {
        match self.wasted {
            Some(wasted) => self.see_wasted(wasted, node),
            None => self.tree.see(node, self.scope, self.baseline, floors),
        }
    }

    pub(super) fn see_alone(&self, node: NodeId) -> Option<Seen> {
        match self.wasted {
            Some(wasted) => self.see_wasted(wasted, node),
            None => self.tree.see_alone(node, self.scope, self.baseline),
        }
    }

    /// A path with its hidden copies, at it and below it: removed, or written again by a later layer.
    fn see_wasted(&self, wasted: &HiddenPaths, node: NodeId) -> Option<Seen> {
        let hidden = wasted.at(node)?;
        let still_there = self.tree.top_layer().is_some_and(|top| self.tree.exists_at(node, top));
        let change = if still_there { Change::Modified(Difference::CONTENT) } else { Change::Removed };
        let totals = Totals { bytes: hidden.bytes, entries: hidden.entries };
        let newest = || self.tree.occurrences_of(node).find(|&id| self.tree.occurrence(id).kind != Kind::Whiteout);
        let is_directory = hidden.entries > 0;
        let occurrence = hidden.copy.or_else(newest);
        Some(Seen { occurrence, change, totals, floors: Floors::default(), is_directory })
    }

    /// A child as it is shown, if it is; `below_match` where a directory above matches the filter.
    fn sibling(&self, node: NodeId, floors: Floors, below_match: bool, effort: &mut Effort) -> Option<Sibling> {
        let hit = self.filter.is_some_and(|marks| marks.matches.contains(node));
        if let Some(marks) = self.filter
            && !hit
            && !below_match
            && !marks.above.contains(node)
        {
            return None;
        }
        effort.work += 1;
        let seen = self.see(node, floors)?;
        if self.base.is_some_and(|base| self.comes_from(base, node, &seen)) {
            return None;
        }
        let wanted = self.filter.is_none() || hit || below_match;
        let mut flags = RowFlags::empty();
        if seen.is_directory {
            flags |= RowFlags::DIRECTORY;
            let shown = if wanted {
                self.shows_directory(node, &seen, effort)
            } else {
                self.holds_shown(node, &seen, true, effort)
            };
            if !shown {
                return None;
            }
        } else if !wanted || self.hidden.intersects(Hidden::of(seen.change)) {
            return None;
        }
        flags.set(RowFlags::MATCH, hit);
        Some(Sibling { key: self.key(&seen), node, flags })
    }

    /// Returns `true` if a path and everything below it is as the layers up to `base` left it.
    fn comes_from(&self, base: LayerIndex, node: NodeId, seen: &Seen) -> bool {
        let entry = seen.occurrence.map(|id| self.tree.occurrence(id).layer);
        seen.change != Change::Removed
            && entry.is_none_or(|layer| layer <= base)
            && self.tree.last_change_below(node, self.scope.layer()).is_none_or(|layer| layer <= base)
    }

    fn shows_directory(&self, node: NodeId, seen: &Seen, effort: &mut Effort) -> bool {
        if self.hidden.is_empty() {
            return true;
        }
        match seen.change {
            Change::Modified(difference) => {
                let itself = !difference.difference(Difference::CONTENT | Difference::MTIME).is_empty();
                (itself && !self.hidden.contains(Hidden::MODIFIED))
                    || Hidden::UNMODIFIED.contains(self.hidden)
                    || self.holds_shown(node, seen, false, effort)
            }
            change => !self.hidden.intersects(Hidden::of(change)),
        }
    }

    /// Returns `true` if anything below a directory is shown; if `filtered`, also by the filter.
    fn holds_shown(&self, node: NodeId, seen: &Seen, filtered: bool, effort: &mut Effort) -> bool {
        if effort.holding.contains(node) {
            return true;
        }
        let begun = effort.work;
        let mut stack = vec![(node, seen.floors)];
        while let Some((directory, floors)) = stack.pop() {
            for child in self.tree.children(directory) {
                let marks = self.filter.filter(|_| filtered);
                let hit = marks.is_none_or(|marks| marks.matches.contains(child));
                if !hit && !marks.is_some_and(|marks| marks.above.contains(child)) {
                    continue;
                }
                effort.work += 1;
                if effort.work - begun > Self::LOOK_LIMIT {
                    effort.remember(self.tree, directory, node);
                    return true;
                }
                let Some(seen) = self.see(child, floors) else { continue };
                let container = seen.is_directory && matches!(seen.change, Change::Modified(_));
                let counts = hit && !container && !self.hidden.intersects(Hidden::of(seen.change));
                if counts || effort.holding.contains(child) {
                    effort.remember(self.tree, directory, node);
                    return true;
                }
                if seen.is_directory {
                    stack.push((child, seen.floors));
                }
            }
        }
        false
    }

    /// Ascending order of this is the order of [`nixdive_image::CompareOrder`], as far as not the names decide.
    fn key(&self, seen: &Seen) -> u64 {
        const LARGEST: u64 = u64::MAX >> 3;
        let by_bytes = LARGEST - seen.totals.bytes.min(LARGEST);
        let rank = match seen.change {
            Change::Removed => 0,
            Change::Modified(_) => 1,
            Change::Added => 2,
            Change::Touched => 3,
            Change::Unmodified => 4,
        };
        match self.sort {
            SortKey::Name => 0,
            SortKey::Bytes => by_bytes,
            SortKey::Change => rank << 61 | by_bytes,
        }
    }

    /// Puts siblings, which come in the order of their names, into the order that is shown.
    fn sort(&self, siblings: &mut [Sibling]) {
        if self.sort != SortKey::Name {
            siblings.sort_by_key(|sibling| sibling.key);
        }
        if self.reversed {
            siblings.reverse();
        }
        if let Some(last) = siblings.last_mut() {
            last.flags |= RowFlags::LAST;
        }
    }

    /// All shown children of a directory in order.
    pub(super) fn siblings(
        &self,
        parent: NodeId,
        floors: Floors,
        below_match: bool,
        effort: &mut Effort,
    ) -> Vec<Sibling> {
        let children = self.tree.children(parent);
        let mut siblings: Vec<Sibling> =
            children.filter_map(|child| self.sibling(child, floors, below_match, effort)).collect();
        self.sort(&mut siblings);
        siblings
    }
}

/// Work done so far while building rows, and results to reuse.
#[derive(Debug, Default)]
pub(super) struct Effort {
    /// Paths examined.
    pub work: usize,
    /// Directories that are known to hold something shown.
    holding: NodeSet,
}

impl Effort {
    /// Remembers that all directories from `directory` up to `top` hold something shown.
    fn remember(&mut self, tree: &FileTree, directory: NodeId, top: NodeId) {
        let mut at = Some(directory);
        while let Some(node) = at.filter(|&node| self.holding.insert(node) && node != top) {
            at = tree.parent(node);
        }
    }
}

/// Turns a directory into rows, a part at a time.
#[derive(Debug, Default)]
pub(super) struct Flattener {
    stack: Vec<Frame>,
    effort: Effort,
}

#[derive(Debug)]
struct Frame {
    node: NodeId,
    depth: u16,
    guides: u64,
    floors: Floors,
    below_match: bool,
    open_all: bool,
    siblings: Vec<Sibling>,
    looked_at: usize,
    sorted: bool,
    next: usize,
}

impl Flattener {
    /// Begins with the entries of the root directory.
    pub(super) fn whole(lens: &Lens) -> Self {
        let mut flattener = Self::default();
        if let Some(seen) = lens.see(NodeId::ROOT, Floors::default()) {
            flattener.stack.push(Frame { floors: seen.floors, ..Frame::of(NodeId::ROOT) });
        }
        flattener
    }

    /// Begins with the entries of a row's directory; with `open_all`, opens all directories on the way.
    pub(super) fn below(lens: &Lens, row: &Row, open_all: bool) -> Self {
        let mut flattener = Self::default();
        let mut below_match = false;
        let mut at = Some(row.node);
        while let Some(node) = at.filter(|_| !below_match) {
            below_match = lens.filter.is_some_and(|marks| marks.matches.contains(node));
            at = lens.tree.parent(node);
        }
        if let Some(seen) = lens.see_alone(row.node) {
            let (depth, guides) = inner(row);
            let floors = seen.floors;
            flattener.stack.push(Frame { floors, depth, guides, below_match, open_all, ..Frame::of(row.node) });
        }
        flattener
    }

    /// Adds rows until all are complete or about `budget` paths were examined; returns `true` if all are complete.
    pub(super) fn run(&mut self, lens: &Lens, expansion: &mut Expansion, rows: &mut Vec<Row>, budget: usize) -> bool {
        self.effort.work = 0;
        while self.effort.work < budget {
            let Some(frame) = self.stack.last_mut() else { return true };
            if !frame.sorted {
                frame.collect(lens, &mut self.effort, budget);
                continue;
            }
            let Some(&sibling) = frame.siblings.get(frame.next) else {
                self.stack.pop();
                continue;
            };
            frame.next += 1;
            self.effort.work += 1;
            let mut row = Row { guides: frame.guides, node: sibling.node, depth: frame.depth, flags: sibling.flags };
            if !row.flags.contains(RowFlags::DIRECTORY) {
                rows.push(row);
                continue;
            }
            if frame.open_all {
                expansion.set(row.node, true, lens.filter);
            }
            if expansion.is_open(row.node, lens.filter) {
                row.flags |= RowFlags::EXPANDED;
                let (depth, guides) = inner(&row);
                let below_match = frame.below_match || row.flags.contains(RowFlags::MATCH);
                let open_all = frame.open_all;
                if let Some(seen) = lens.see(row.node, frame.floors) {
                    let floors = seen.floors;
                    self.stack.push(Frame { floors, depth, guides, below_match, open_all, ..Frame::of(row.node) });
                }
            }
            rows.push(row);
        }
        self.stack.is_empty()
    }
}

/// Depth and guides of the entries of a row's directory.
fn inner(row: &Row) -> (u16, u64) {
    let continues = !row.flags.contains(RowFlags::LAST) && row.depth < 64;
    (row.depth.saturating_add(1), if continues { row.guides | 1 << row.depth } else { row.guides })
}

impl Frame {
    /// Returns a top directory of which nothing has been examined.
    fn of(node: NodeId) -> Self {
        Self {
            node,
            depth: 0,
            guides: 0,
            floors: Floors::default(),
            below_match: false,
            open_all: false,
            siblings: Vec::new(),
            looked_at: 0,
            sorted: false,
            next: 0,
        }
    }

    fn collect(&mut self, lens: &Lens, effort: &mut Effort, budget: usize) {
        for child in lens.tree.children(self.node).skip(self.looked_at) {
            if effort.work >= budget {
                return;
            }
            self.looked_at += 1;
            effort.work += 1;
            if let Some(sibling) = lens.sibling(child, self.floors, self.below_match, effort) {
                self.siblings.push(sibling);
            }
        }
        lens.sort(&mut self.siblings);
        self.sorted = true;
    }
}
