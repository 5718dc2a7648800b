//! The rows of two trees laid over each other, flattened a bounded number of steps at a time.

use crate::bits::Bits;
use crate::rows::RowFlags;
use nixdive_analyse::compare::{PairId, PairNode, PairTree};

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairRow {
    /// Bit by depth: set if the directory there has further siblings below this row.
    pub guides: u64,
    pub id: PairId,
    /// 0 for entries of the root directory.
    pub depth: u16,
    pub flags: RowFlags,
}

/// Sort keys of siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PairSort {
    /// The sum of |Δ|, largest first.
    #[default]
    Change,
    /// Names.
    Name,
}

/// Paths that a filter matches.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    pub matches: Bits,
    /// Directories that contain a match.
    pub above: Bits,
    pub count: usize,
}

/// Open directories: a rule, and the exceptions from it.
#[derive(Debug, Clone, Default)]
pub struct OpenDirectories {
    pub rule: bool,
    exceptions: Bits,
}

impl OpenDirectories {
    pub fn all(open: bool) -> Self {
        Self { rule: open, exceptions: Bits::default() }
    }

    fn rule(&self, id: PairId, marks: Option<&Marks>) -> bool {
        marks.map_or(self.rule, |marks| marks.above.contains(id.index()))
    }

    pub fn is_open(&self, id: PairId, marks: Option<&Marks>) -> bool {
        self.rule(id, marks) != self.exceptions.contains(id.index())
    }

    pub fn set(&mut self, id: PairId, open: bool, marks: Option<&Marks>) {
        if self.rule(id, marks) == open {
            self.exceptions.remove(id.index());
        } else {
            self.exceptions.insert(id.index());
        }
    }
}

/// Settings that determine the rows and their order.
#[derive(Debug, Clone, Copy)]
pub struct PairLens<'a> {
    pub tree: &'a PairTree,
    pub only_differences: bool,
    pub sort: PairSort,
    pub reversed: bool,
    pub marks: Option<&'a Marks>,
}

/// A child of a directory that is shown.
#[derive(Debug, Clone, Copy)]
struct Sibling {
    key: u64,
    id: PairId,
    flags: RowFlags,
}

impl PairLens<'_> {
    fn sibling(&self, id: PairId, node: &PairNode, below_match: bool) -> Option<Sibling> {
        if self.only_differences && node.differing == 0 {
            return None;
        }
        let hit = self.marks.is_some_and(|marks| marks.matches.contains(id.index()));
        if let Some(marks) = self.marks
            && !hit
            && !below_match
            && !marks.above.contains(id.index())
        {
            return None;
        }
        let mut flags = RowFlags::empty();
        flags.set(RowFlags::DIRECTORY, node.is_directory);
        flags.set(RowFlags::MATCH, hit);
        let key = match self.sort {
            PairSort::Name => 0,
            PairSort::Change => u64::MAX - node.changed_bytes,
        };
        Some(Sibling { key, id, flags })
    }

    /// Puts siblings, which come in the order of their names, into the order that is shown. What differs comes before
    /// what does not, also where it differs in no byte.
    fn sort(&self, siblings: &mut [Sibling]) {
        if self.sort == PairSort::Change {
            let differs = |sibling: &Sibling| self.tree.get(sibling.id).is_some_and(|node| node.differing > 0);
            siblings.sort_by_key(|sibling| (sibling.key, !differs(sibling)));
        }
        if self.reversed {
            siblings.reverse();
        }
        if let Some(last) = siblings.last_mut() {
            last.flags |= RowFlags::LAST;
        }
    }

    /// Returns `true` if the name of a directory above matches the filter.
    fn is_below_match(&self, id: PairId) -> bool {
        let Some(marks) = self.marks else { return false };
        let mut at = Some(id);
        while let Some(id) = at {
            if marks.matches.contains(id.index()) {
                return true;
            }
            at = self.tree.parent(id);
        }
        false
    }

    /// The only child of a directory that is shown, where that is a directory.
    pub fn only_directory(&self, id: PairId) -> Option<PairId> {
        let below_match = self.is_below_match(id);
        let shown = |child: &PairId| {
            self.tree.get(*child).is_some_and(|node| self.sibling(*child, node, below_match).is_some())
        };
        let mut children = self.tree.children(id).filter(shown);
        let first = children.next().filter(|first| self.tree.get(*first).is_some_and(|node| node.is_directory));
        if children.next().is_some() { None } else { first }
    }
}

/// Turns a directory into rows, a part at a time.
#[derive(Debug)]
pub struct PairFlattener {
    stack: Vec<Frame>,
    work: usize,
}

#[derive(Debug)]
struct Frame {
    depth: u16,
    guides: u64,
    below_match: bool,
    siblings: Vec<Sibling>,
    next: usize,
    /// The next child to look at; `None` when all were.
    collecting: Option<PairId>,
    id: PairId,
}

impl PairFlattener {
    /// Begins with the entries of the root directory.
    pub fn whole(lens: &PairLens<'_>) -> Self {
        Self { stack: vec![Frame::of(lens, PairId::ROOT, 0, 0, false)], work: 0 }
    }

    /// Begins with the entries of a row's directory.
    pub fn below(lens: &PairLens<'_>, row: &PairRow) -> Self {
        let (depth, guides) = inner(row);
        Self { stack: vec![Frame::of(lens, row.id, depth, guides, lens.is_below_match(row.id))], work: 0 }
    }

    /// Adds rows until all are complete or about `budget` paths were examined; returns `true` if all are complete.
    pub fn run(&mut self, lens: &PairLens<'_>, open: &OpenDirectories, rows: &mut Vec<PairRow>, budget: usize) -> bool {
        self.work = 0;
        while self.work < budget {
            let Some(frame) = self.stack.last_mut() else { return true };
            if frame.collecting.is_some() {
                frame.collect(lens, &mut self.work, budget);
                continue;
            }
            let Some(&sibling) = frame.siblings.get(frame.next) else {
                self.stack.pop();
                continue;
            };
            frame.next += 1;
            self.work += 1;
            let mut row = PairRow { guides: frame.guides, id: sibling.id, depth: frame.depth, flags: sibling.flags };
            let below_match = frame.below_match || row.flags.contains(RowFlags::MATCH);
            if row.flags.contains(RowFlags::DIRECTORY) && open.is_open(row.id, lens.marks) {
                row.flags |= RowFlags::EXPANDED;
                let (depth, guides) = inner(&row);
                self.stack.push(Frame::of(lens, row.id, depth, guides, below_match));
            }
            rows.push(row);
        }
        self.stack.is_empty()
    }
}

/// Depth and guides of the entries of a row's directory.
fn inner(row: &PairRow) -> (u16, u64) {
    let continues = !row.flags.contains(RowFlags::LAST) && row.depth < 64;
    (row.depth.saturating_add(1), if continues { row.guides | 1 << row.depth } else { row.guides })
}

impl Frame {
    fn of(lens: &PairLens<'_>, id: PairId, depth: u16, guides: u64, below_match: bool) -> Self {
        let collecting = lens.tree.children(id).next();
        Self { depth, guides, below_match, siblings: Vec::new(), next: 0, collecting, id }
    }

    fn collect(&mut self, lens: &PairLens<'_>, work: &mut usize, budget: usize) {
        let Some(first) = self.collecting.take() else { return };
        for child in lens.tree.siblings_from(self.id, first) {
            if *work >= budget {
                self.collecting = Some(child);
                return;
            }
            *work += 1;
            let Some(node) = lens.tree.get(child) else { continue };
            self.siblings.extend(lens.sibling(child, node, self.below_match));
        }
        lens.sort(&mut self.siblings);
    }
}
