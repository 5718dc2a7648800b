//! Two trees laid over each other as they are looked at: which rows there are, which is selected, which are on screen.

use super::data::Compared;
use super::rows::{Marks, OpenDirectories, PairFlattener, PairLens, PairRow, PairSort};
use crate::find::{Finding, Needle};
use crate::list::ListCursor;
use crate::rows::RowFlags;
use crate::walk::Direction;
use nixdive_analyse::compare::{FileChangeKind, PairId, PairTree};

/// Paths examined before the screen is drawn again.
const BUDGET: usize = 1 << 16;
/// Maximum number of differences for which all directories start open.
const FEW: u32 = 60;
/// Directories that are opened in a row where each holds nothing but the next.
const LONGEST_CHAIN: usize = 64;

/// A text that paths are filtered by, and what came of it.
#[derive(Debug)]
pub struct PairFilter {
    pub text: String,
    pub needle: Needle,
    pub marks: Marks,
    hits: Hits,
}

/// The nodes of both trees whose paths match.
#[derive(Debug, Default)]
struct Hits {
    left: crate::find::Marks,
    right: crate::find::Marks,
}

/// A filter that is still looking.
#[derive(Debug)]
struct Underway {
    text: String,
    left: Finding,
    right: Finding,
    is_left_done: bool,
}

/// The state of the files of a comparison.
#[derive(Debug)]
pub struct PairView {
    pub only_differences: bool,
    pub sort: PairSort,
    pub reversed: bool,
    pub filter: Option<PairFilter>,
    underway: Option<Underway>,
    plain: OpenDirectories,
    filtered: OpenDirectories,
    rows: Vec<PairRow>,
    pending: Option<PairFlattener>,
    pub cursor: ListCursor,
    /// Path that the user selected last; another row may be selected while this one is hidden.
    wanted: Option<PairId>,
    located: bool,
    /// Selection before the filter was set.
    before_filter: Option<PairId>,
}

impl PairView {
    pub fn new(tree: &PairTree) -> Self {
        let few = tree.get(PairId::ROOT).is_none_or(|root| root.differing <= FEW);
        let mut view = Self {
            only_differences: true,
            sort: PairSort::Change,
            reversed: false,
            filter: None,
            underway: None,
            plain: OpenDirectories::all(few),
            filtered: OpenDirectories::default(),
            rows: Vec::new(),
            pending: None,
            cursor: ListCursor::default(),
            wanted: None,
            located: true,
            before_filter: None,
        };
        if !few {
            view.open_main_chain(tree);
        }
        view.rebuild(tree);
        view.select(0);
        view
    }

    pub fn lens<'a>(&'a self, tree: &'a PairTree) -> PairLens<'a> {
        let marks = self.filter.as_ref().map(|filter| &filter.marks);
        let Self { only_differences, sort, reversed, .. } = *self;
        PairLens { tree, only_differences, sort, reversed, marks }
    }

    pub fn rows(&self) -> &[PairRow] {
        &self.rows
    }

    pub fn selected_row(&self) -> Option<&PairRow> {
        self.rows.get(self.cursor.selected)
    }

    /// Returns `true` while rows are being built or paths searched.
    pub fn has_work(&self) -> bool {
        self.pending.is_some() || self.underway.is_some()
    }

    /// Opens the directory that contains most of the difference, and directories below it as long as each has only one
    /// entry.
    fn open_main_chain(&mut self, tree: &PairTree) {
        let changed = |id: &PairId| tree.get(*id).map_or(0, |node| node.changed_bytes);
        let mut at = tree.children(PairId::ROOT).max_by_key(changed);
        let mut chain = Vec::new();
        while let Some(id) = at.filter(|_| chain.len() < LONGEST_CHAIN) {
            chain.push(id);
            at = self.lens(tree).only_directory(id);
        }
        chain.into_iter().for_each(|id| self.plain.set(id, true, None));
    }

    /// Rebuilds the rows; the selection keeps its path and its line on screen.
    pub fn rebuild(&mut self, tree: &PairTree) {
        if let Some(filter) = &mut self.filter {
            filter.marks = marks(tree, &filter.hits, self.only_differences);
        }
        self.rows.clear();
        self.located = false;
        self.pending = Some(PairFlattener::whole(&self.lens(tree)));
        self.flatten(tree);
    }

    /// Continues unfinished work.
    pub fn proceed(&mut self, compared: &Compared) {
        if let Some(mut underway) = self.underway.take() {
            let (left, right) = (&compared.left.image.tree, &compared.right.image.tree);
            underway.is_left_done = underway.is_left_done || underway.left.run(left, BUDGET);
            if !underway.is_left_done || !underway.right.run(right, BUDGET) {
                self.underway = Some(underway);
                return;
            }
            let Underway { text, left, right, .. } = underway;
            let hits = Hits { left: left.marks, right: right.marks };
            let filter = PairFilter { text, needle: left.needle, marks: Marks::default(), hits };
            return self.set_filter(&compared.tree, Some(filter));
        }
        self.flatten(&compared.tree);
    }

    fn flatten(&mut self, tree: &PairTree) {
        let Some(mut flattener) = self.pending.take() else { return };
        let mut rows = std::mem::take(&mut self.rows);
        let done = flattener.run(&self.lens(tree), self.open_directories(), &mut rows, BUDGET);
        self.rows = rows;
        if !done {
            self.pending = Some(flattener);
        }
        if !self.located {
            self.locate(tree, done);
        }
    }

    /// Puts the selection on the wanted path, or on what comes nearest while it is not there.
    fn locate(&mut self, tree: &PairTree, done: bool) {
        let line = self.cursor.selected.saturating_sub(self.cursor.offset);
        let mut above = Vec::new();
        let mut at = self.wanted;
        while let Some(id) = at {
            above.push(id);
            at = tree.parent(id);
        }
        above.reverse(); // the root first, then by depth of row + 1
        let on_way = |row: &PairRow| above.get(usize::from(row.depth) + 1) == Some(&row.id);
        let nearest = self.rows.iter().rposition(on_way);
        let is_exact = nearest.is_some_and(|index| self.rows.get(index).map(|row| row.id) == self.wanted);
        let first_match = self.rows.iter().position(|row| row.flags.contains(RowFlags::MATCH));
        let selected = if is_exact { nearest } else { first_match.or(nearest) };
        self.cursor.selected = selected.unwrap_or(0);
        self.cursor.offset = self.cursor.selected.saturating_sub(line);
        self.located = done || is_exact;
    }

    pub fn select(&mut self, index: usize) {
        self.cursor.select(index, self.rows.len());
        self.wanted = self.selected_row().map(|row| row.id);
        self.located = true;
    }

    pub fn move_by(&mut self, rows: isize) {
        self.select(self.cursor.selected.saturating_add_signed(rows));
    }

    fn open_directories(&self) -> &OpenDirectories {
        if self.filter.is_some() { &self.filtered } else { &self.plain }
    }

    fn set_open(&mut self, id: PairId, open: bool) {
        match &self.filter {
            Some(filter) => self.filtered.set(id, open, Some(&filter.marks)),
            None => self.plain.set(id, open, None),
        }
    }

    fn is_directory(&self) -> bool {
        self.selected_row().is_some_and(|row| row.flags.contains(RowFlags::DIRECTORY))
    }

    fn is_expanded(&self) -> bool {
        self.selected_row().is_some_and(|row| row.flags.contains(RowFlags::EXPANDED))
    }

    /// Opens or closes the selected directory; returns `false` if the selection is not a directory.
    pub fn toggle(&mut self, tree: &PairTree) -> bool {
        if self.is_expanded() {
            self.close(tree);
        } else if self.is_directory() {
            self.open(tree);
        }
        self.is_directory()
    }

    /// Opens the selected directory, or moves to the first child of an open one.
    pub fn expand(&mut self, tree: &PairTree) {
        if !self.is_directory() {
            return;
        }
        if !self.is_expanded() {
            return self.open(tree);
        }
        let inside = self.rows.get(self.cursor.selected + 1).map(|row| row.depth);
        if inside > self.selected_row().map(|row| row.depth) {
            self.select(self.cursor.selected + 1);
        }
    }

    /// Closes the selected directory, or moves to the directory that contains the selection.
    pub fn collapse(&mut self, tree: &PairTree) {
        if self.is_expanded() {
            return self.close(tree);
        }
        let Some(depth) = self.selected_row().map(|row| row.depth) else { return };
        let above = self.rows.get(..self.cursor.selected).unwrap_or_default();
        if let Some(parent) = above.iter().rposition(|row| row.depth < depth) {
            self.select(parent);
        }
    }

    /// Opens or closes all directories at and below the selected one.
    pub fn set_below(&mut self, tree: &PairTree, open: bool) {
        let Some(top) = self.selected_row().map(|row| row.id).filter(|_| self.is_directory()) else { return };
        let mut stack = vec![top];
        while let Some(id) = stack.pop() {
            self.set_open(id, open);
            stack.extend(tree.children(id).filter(|&child| tree.get(child).is_some_and(|node| node.is_directory)));
        }
        self.rebuild(tree);
    }

    /// Closes everything, or opens everything when all is closed.
    pub fn toggle_all(&mut self, tree: &PairTree) {
        let any_open = self.rows.iter().any(|row| row.flags.contains(RowFlags::EXPANDED));
        if self.filter.is_some() {
            self.filtered = OpenDirectories::default();
            if any_open {
                let tops: Vec<PairId> = self.rows.iter().filter(|row| row.depth == 0).map(|row| row.id).collect();
                tops.into_iter().for_each(|id| self.set_open(id, false));
            }
        } else {
            self.plain = OpenDirectories::all(!any_open);
        }
        self.rebuild(tree);
    }

    fn open(&mut self, tree: &PairTree) {
        let Some(row) = self.selected_row().copied() else { return };
        self.wanted = Some(row.id);
        let mut at = Some(row.id);
        for _ in 0..LONGEST_CHAIN {
            let Some(id) = at else { break };
            self.set_open(id, true);
            at = self.lens(tree).only_directory(id);
        }
        let lens = self.lens(tree);
        let mut inside = Vec::new();
        let done = PairFlattener::below(&lens, &row).run(&lens, self.open_directories(), &mut inside, BUDGET);
        if !done || self.pending.is_some() {
            return self.rebuild(tree);
        }
        if let Some(row) = self.rows.get_mut(self.cursor.selected) {
            row.flags |= RowFlags::EXPANDED;
        }
        let after = self.cursor.selected + 1;
        self.rows.splice(after..after, inside);
    }

    fn close(&mut self, tree: &PairTree) {
        let Some(row) = self.selected_row().copied() else { return };
        self.wanted = Some(row.id);
        self.set_open(row.id, false);
        if self.pending.is_some() {
            return self.rebuild(tree);
        }
        let after = self.cursor.selected + 1;
        let inside = self.rows.iter().skip(after).take_while(|below| below.depth > row.depth).count();
        self.rows.drain(after..after + inside);
        if let Some(row) = self.rows.get_mut(self.cursor.selected) {
            row.flags -= RowFlags::EXPANDED;
        }
    }

    /// Shows only paths that match a text, or all again.
    pub fn look_for(&mut self, compared: &Compared, text: &str) {
        self.underway = None;
        if self.filter.as_ref().map_or("", |filter| &filter.text) == text {
            return;
        }
        let Some(needle) = Needle::parse(text) else { return self.set_filter(&compared.tree, None) };
        let left = Finding::new(&compared.left.image.tree, needle.clone());
        let right = Finding::new(&compared.right.image.tree, needle);
        self.underway = Some(Underway { text: text.to_owned(), left, right, is_left_done: false });
        self.proceed(compared);
    }

    fn set_filter(&mut self, tree: &PairTree, filter: Option<PairFilter>) {
        let ends = filter.is_none();
        if ends {
            self.wanted = self.wanted.or(self.before_filter);
        } else {
            // The first match is selected.
            self.before_filter = self.wanted.take().or(self.before_filter);
        }
        self.filter = filter;
        self.filtered = OpenDirectories::default();
        if ends && let Some(id) = self.wanted {
            self.open_above(tree, id);
        }
        self.rebuild(tree);
    }

    fn open_above(&mut self, tree: &PairTree, id: PairId) {
        let mut at = tree.parent(id);
        while let Some(id) = at {
            self.set_open(id, true);
            at = tree.parent(id);
        }
    }

    /// Selects a path, opening the directories above it, and showing what does not differ where it does not.
    pub fn reveal(&mut self, tree: &PairTree, id: PairId) {
        self.only_differences &= tree.get(id).is_some_and(|node| node.differing > 0);
        self.underway = None;
        self.filter = None;
        self.wanted = Some(id);
        self.open_above(tree, id);
        self.rebuild(tree);
    }

    /// Goes to the next or previous difference, in the order on screen, opening closed directories on the way; returns
    /// `true` if there is one. A directory on one side only is one difference, whatever it contains.
    pub fn next_difference(&mut self, compared: &Compared, direction: Direction) -> bool {
        let tree = &compared.tree;
        let mut at = self.cursor.selected;
        let start = self.wanted;
        // Beginning: what is selected may be closed with differences of its own inside.
        let mut enters = direction == Direction::Forward;
        loop {
            if enters && self.opens_at(compared, at) {
                self.cursor.selected = at;
                self.open(tree);
            }
            enters = true;
            let next = match direction {
                Direction::Forward => Some(at + 1).filter(|&next| next < self.rows.len()),
                Direction::Backward => at.checked_sub(1),
            };
            let Some(next) = next else { break };
            at = next;
            while direction == Direction::Backward && self.opens_at(compared, at) {
                self.cursor.selected = at;
                let before = self.rows.len();
                self.open(tree);
                at += self.rows.len().saturating_sub(before);
            }
            let differs = |row: &PairRow| tree.get(row.id).is_some_and(|node| node.change.is_some());
            if self.rows.get(at).is_some_and(differs) {
                self.select(at);
                return true;
            }
        }
        let back = start.and_then(|id| self.rows.iter().position(|row| row.id == id));
        self.select(back.unwrap_or(self.cursor.selected));
        false
    }

    /// Returns `true` for a closed directory of both sides with differences below it.
    fn opens_at(&self, compared: &Compared, index: usize) -> bool {
        let Some(row) = self.rows.get(index) else { return false };
        let closed = row.flags.contains(RowFlags::DIRECTORY) && !row.flags.contains(RowFlags::EXPANDED);
        closed
            && self.pending.is_none()
            && compared.tree.get(row.id).is_some_and(|node| {
                let change = node.change.and_then(|place| compared.differences.files.changes.get(place as usize));
                let one_sided = matches!(change.map(|c| c.kind), Some(FileChangeKind::Added | FileChangeKind::Removed));
                !one_sided && node.differing > u32::from(change.is_some())
            })
    }
}

/// Computes the paths that a filter matches in both trees.
fn marks(tree: &PairTree, hits: &Hits, only_differences: bool) -> Marks {
    let mut marks = Marks::default();
    for id in tree.ids().rev() {
        let Some(node) = tree.get(id) else { continue };
        let hit = node.left.is_some_and(|node| hits.left.matches.contains(node))
            || node.right.is_some_and(|node| hits.right.matches.contains(node));
        let hit = hit && !(only_differences && node.differing == 0);
        if hit && marks.matches.insert(id.index()) {
            marks.count += 1;
        }
        // Here, paths below a directory come before it.
        if (hit || marks.above.contains(id.index()))
            && let Some(parent) = tree.parent(id)
        {
            marks.above.insert(parent.index());
        }
    }
    marks
}
