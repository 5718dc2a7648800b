//! The file tree as it is looked at: which rows there are, which is selected, which are on screen.

use super::expansion::{Expansion, Expansions};
use super::find::{Marks, Needle};
use super::rows::{Effort, Flattener, Hidden, Lens, Row, RowFlags};
use super::walk::{self, Direction, Goal};
use nixdive_analyse::analysis::HiddenPaths;
use nixdive_image::{Baseline, FileTree, LayerIndex, NodeId, Scope, Seen, SortKey};

/// Paths examined before the screen is drawn again.
const BUDGET: usize = 1 << 16;

/// Rows in sight above the first match.
const LINES_ABOVE: usize = 6;

/// A text that was searched for, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub text: String,
    pub needle: Needle,
    pub marks: Marks,
}

/// Settings that the rows depend on, besides the filter and the open directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub scope: Scope,
    pub baseline: Baseline,
    pub sort: SortKey,
    pub reversed: bool,
    pub hidden: Hidden,
    /// Hides entries of the layers up to this one.
    pub base: Option<LayerIndex>,
}

/// The state of the tree pane.
#[derive(Debug)]
pub(super) struct TreeView {
    pub settings: Settings,
    pub filter: Option<Filter>,
    /// If set, only hidden copies are shown.
    wasted: Option<HiddenPaths>,
    expansions: Expansions,
    rows: Vec<Row>,
    pending: Option<Flattener>,
    selected: usize,
    offset: usize,
    /// Path that the user selected last; another row may be selected while this one is hidden.
    wanted: Option<NodeId>,
    located: bool,
    /// True if a match is selected rather than the wanted path, because a filter has just been set.
    prefers_match: bool,
    /// Selection before the filter was set, until the user moves.
    before_filter: Option<NodeId>,
}

fn lens<'a>(
    tree: &'a FileTree,
    settings: &Settings,
    filter: Option<&'a Filter>,
    wasted: Option<&'a HiddenPaths>,
) -> Lens<'a> {
    let Settings { scope, baseline, sort, reversed, hidden, base } = *settings;
    let filter = filter.map(|filter| &filter.marks);
    Lens { tree, scope, baseline, sort, reversed, hidden, base, filter, wasted }
}

impl TreeView {
    pub(super) fn new(tree: &FileTree, scope: Scope, baseline: Baseline, sort: SortKey) -> Self {
        let hidden = Hidden::empty();
        let settings = Settings { scope, baseline, sort, reversed: false, hidden, base: None };
        let mut view = Self {
            settings,
            filter: None,
            wasted: None,
            expansions: Expansions::default(),
            rows: Vec::new(),
            pending: None,
            selected: 0,
            offset: 0,
            wanted: None,
            located: true,
            prefers_match: false,
            before_filter: None,
        };
        view.open_main_chains(tree);
        view.rebuild(tree);
        view.select(0);
        view
    }

    pub(super) fn lens<'a>(&'a self, tree: &'a FileTree) -> Lens<'a> {
        lens(tree, &self.settings, self.filter.as_ref(), self.wasted.as_ref())
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn selected(&self) -> usize {
        self.selected
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn selected_row(&self) -> Option<&Row> {
        self.rows.get(self.selected)
    }

    pub(super) fn selected_seen(&self, tree: &FileTree) -> Option<(NodeId, Seen)> {
        let node = self.selected_row()?.node;
        Some((node, self.lens(tree).see_alone(node)?))
    }

    /// Returns `true` while rows are being built.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Opens the directories from the root down that hold one directory and nothing else, with what that holds, where
    /// this is a tenth of the image or more: `/nix/store` of a Nix image.
    fn open_main_chains(&mut self, tree: &FileTree) {
        let all = lens(tree, &self.settings, None, None);
        let Some(root) = all.see(NodeId::ROOT, Default::default()) else { return };
        let mut opened = Vec::new();
        for sibling in all.siblings(NodeId::ROOT, root.floors, false, &mut Effort::default()).into_iter().take(64) {
            let large = all.see_alone(sibling.node).is_some_and(|seen| seen.totals.bytes >= root.totals.bytes / 10);
            let chain = if large { only_children(&all, sibling.node) } else { Vec::new() };
            if chain.len() > 1 {
                opened.extend(chain);
            }
        }
        for node in opened {
            self.expansions.plain.set(node, true, None);
        }
    }

    /// Rebuilds the rows; the selection keeps its path and its line on screen.
    pub(super) fn rebuild(&mut self, tree: &FileTree) {
        self.rows.clear();
        self.located = false;
        self.pending = Some(Flattener::whole(&self.lens(tree)));
        self.proceed(tree);
    }

    /// Goes on making rows.
    pub(super) fn proceed(&mut self, tree: &FileTree) {
        let Some(mut flattener) = self.pending.take() else { return };
        let lens = lens(tree, &self.settings, self.filter.as_ref(), self.wasted.as_ref());
        let expansion = self.expansions.current(self.filter.is_some(), self.wasted.is_some());
        let done = flattener.run(&lens, expansion, &mut self.rows, BUDGET);
        if !done {
            self.pending = Some(flattener);
        }
        if !self.located {
            self.locate(tree, done);
        }
    }

    /// Puts the selection on the wanted path, or on what comes nearest while it is not there.
    fn locate(&mut self, tree: &FileTree, done: bool) {
        let line = self.selected.saturating_sub(self.offset);
        let mut chain = Vec::new();
        let mut at = self.wanted;
        while let Some(node) = at {
            chain.push(node);
            at = tree.parent(node);
        }
        chain.reverse(); // the root first, then by depth of row + 1
        let on_chain = |row: &Row| chain.get(usize::from(row.depth) + 1).is_some_and(|&node| node == row.node);
        let nearest = self.rows.iter().rposition(on_chain);
        let is_match = |row: &Row| row.flags.contains(RowFlags::MATCH);
        let exact = nearest.filter(|&index| {
            let row = &self.rows[index];
            Some(row.node) == self.wanted && (!self.prefers_match || is_match(row))
        });
        let first_match = self.rows.iter().position(is_match).filter(|_| self.filter.is_some());
        // The first of the matches comes with the directories above it in sight.
        let line = if exact.is_none() && first_match.is_some() { LINES_ABOVE } else { line };
        self.selected = exact.or(first_match).or(nearest).unwrap_or(0);
        self.offset = self.selected.saturating_sub(line);
        self.located = done || exact.is_some() || (self.prefers_match && first_match.is_some());
        if self.located && std::mem::take(&mut self.prefers_match) && first_match.is_some() {
            self.wanted = self.selected_row().map(|row| row.node);
        }
    }

    /// Keeps the selection inside the rows, and on screen where `height` rows are.
    pub(super) fn settle(&mut self, height: usize) {
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
        let height = height.max(1);
        let lowest = self.selected.saturating_sub(height - 1);
        let most = self.rows.len().saturating_sub(height);
        self.offset = self.offset.clamp(lowest, self.selected).min(most.max(lowest));
    }

    pub(super) fn select(&mut self, index: usize) {
        self.selected = index.min(self.rows.len().saturating_sub(1));
        self.wanted = self.selected_row().map(|row| row.node);
        self.located = true;
        self.before_filter = None;
    }

    /// Takes the row that is selected for the one that is wanted.
    pub(super) fn stay(&mut self) {
        self.select(self.selected);
    }

    pub(super) fn move_by(&mut self, rows: isize) {
        self.select(self.selected.saturating_add_signed(rows));
    }

    /// Scrolls the rows under the selection, which moves only if it would leave the screen.
    pub(super) fn scroll_by(&mut self, rows: isize, height: usize) {
        let most = self.rows.len().saturating_sub(height);
        self.offset = self.offset.saturating_add_signed(rows).min(most);
        let seen = self.offset..=self.offset + height.saturating_sub(1);
        if !seen.contains(&self.selected) {
            self.select(self.selected.clamp(*seen.start(), *seen.end()));
        }
    }

    fn expansion(&mut self) -> (&mut Expansion, Option<&Marks>) {
        let expansion = self.expansions.current(self.filter.is_some(), self.wasted.is_some());
        (expansion, self.filter.as_ref().map(|filter| &filter.marks))
    }

    fn is_directory(&self) -> bool {
        self.selected_row().is_some_and(|row| row.flags.contains(RowFlags::DIRECTORY))
    }

    fn is_expanded(&self) -> bool {
        self.selected_row().is_some_and(|row| row.flags.contains(RowFlags::EXPANDED))
    }

    pub(super) fn toggle(&mut self, tree: &FileTree) {
        if self.is_expanded() {
            self.close(tree);
        } else if self.is_directory() {
            self.open(tree, false);
        }
    }

    /// Opens the selected directory, or moves to the first child of an open one.
    pub(super) fn expand(&mut self, tree: &FileTree) {
        if !self.is_directory() {
            return;
        }
        if !self.is_expanded() {
            return self.open(tree, false);
        }
        let inside = self.rows.get(self.selected + 1).map(|row| row.depth);
        if inside > self.selected_row().map(|row| row.depth) {
            self.select(self.selected + 1);
        }
    }

    /// Closes the selected directory, or moves to the directory that contains the selection.
    pub(super) fn collapse(&mut self, tree: &FileTree) {
        if self.is_expanded() {
            return self.close(tree);
        }
        let Some(depth) = self.selected_row().map(|row| row.depth) else { return };
        let above = self.rows.get(..self.selected).unwrap_or_default();
        if let Some(parent) = above.iter().rposition(|row| row.depth < depth) {
            self.select(parent);
        }
    }

    pub(super) fn expand_below(&mut self, tree: &FileTree) {
        if self.is_directory() {
            if self.is_expanded() {
                self.close(tree);
            }
            self.open(tree, true);
        }
    }

    pub(super) fn collapse_below(&mut self, tree: &FileTree) {
        if !self.is_directory() {
            return;
        }
        if self.is_expanded() {
            self.close(tree);
        }
        let Some(node) = self.selected_row().map(|row| row.node) else { return };
        let (expansion, marks) = self.expansion();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            expansion.set(node, false, marks);
            stack.extend(tree.children(node));
        }
    }

    /// Closes everything, or opens everything when all is closed.
    pub(super) fn toggle_all(&mut self, tree: &FileTree) {
        let any_open = self.rows.iter().any(|row| row.flags.contains(RowFlags::EXPANDED));
        if self.filter.is_some() {
            // Under a filter the rule is what leads to the matches: all of that, or none of it.
            self.expansions.filtered = Expansion::default();
            if any_open {
                let tops: Vec<NodeId> = self.rows.iter().filter(|row| row.depth == 0).map(|row| row.node).collect();
                let (expansion, marks) = self.expansion();
                for node in tops {
                    expansion.set(node, false, marks);
                }
            }
        } else {
            *self.expansion().0 = Expansion { open: !any_open, ..Expansion::default() };
        }
        self.rebuild(tree);
    }

    fn open(&mut self, tree: &FileTree, all: bool) {
        let Some(row) = self.selected_row().copied() else { return };
        self.wanted = Some(row.node);
        let chain = if all { vec![row.node] } else { chain_to_open(&self.lens(tree), row.node) };
        let (expansion, marks) = self.expansion();
        for node in chain {
            expansion.set(node, true, marks);
        }
        let lens = lens(tree, &self.settings, self.filter.as_ref(), self.wasted.as_ref());
        let expansion = self.expansions.current(self.filter.is_some(), self.wasted.is_some());
        let mut inside = Vec::new();
        let mut flattener = Flattener::below(&lens, &row, all);
        let done = flattener.run(&lens, expansion, &mut inside, BUDGET);
        if done && self.pending.is_none() {
            self.rows[self.selected].flags |= RowFlags::EXPANDED;
            let after = self.selected + 1;
            self.rows.splice(after..after, inside);
            return;
        }
        if all {
            // Too much for one go: let the rest of the rows be made along the way.
            self.open_all_below(tree, row.node);
        }
        self.rebuild(tree);
    }

    fn open_all_below(&mut self, tree: &FileTree, node: NodeId) {
        let (expansion, marks) = self.expansion();
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if tree.children(node).len() > 0 {
                expansion.set(node, true, marks);
                stack.extend(tree.children(node));
            }
        }
    }

    fn close(&mut self, tree: &FileTree) {
        let Some(row) = self.selected_row().copied() else { return };
        self.wanted = Some(row.node);
        let (expansion, marks) = self.expansion();
        expansion.set(row.node, false, marks);
        if self.pending.is_some() {
            return self.rebuild(tree);
        }
        let after = self.selected + 1;
        let inside = self.rows[after..].iter().take_while(|below| below.depth > row.depth).count();
        self.rows.drain(after..after + inside);
        self.rows[self.selected].flags -= RowFlags::EXPANDED;
    }

    /// Returns `true` if only hidden copies are shown.
    pub(super) fn shows_wasted(&self) -> bool {
        self.wasted.is_some()
    }

    /// Shows only hidden copies, or what there is to see. All directories come open.
    pub(super) fn set_wasted(&mut self, tree: &FileTree, wasted: Option<HiddenPaths>) {
        self.wasted = wasted;
        self.rebuild(tree);
    }

    /// Filters, or shows everything again.
    pub(super) fn set_filter(&mut self, tree: &FileTree, filter: Option<Filter>) {
        let ends = filter.is_none() && self.filter.is_some();
        self.prefers_match = filter.is_some();
        if ends {
            self.wanted = self.before_filter.take().or(self.wanted);
        } else if self.filter.is_none() {
            self.before_filter = self.wanted;
        }
        self.filter = filter;
        self.expansions.filtered = Expansion::default();
        if ends && let Some(node) = self.wanted {
            self.open_above(tree, node);
        }
        self.rebuild(tree);
    }

    fn open_above(&mut self, tree: &FileTree, node: NodeId) {
        let mut above = Vec::new();
        let mut at = tree.parent(node);
        while let Some(node) = at {
            above.push(node);
            at = tree.parent(node);
        }
        let (expansion, marks) = self.expansion();
        for node in above {
            expansion.set(node, true, marks);
        }
    }

    /// Selects a path, opening the directories above it.
    pub(super) fn reveal(&mut self, tree: &FileTree, node: NodeId) {
        self.wanted = Some(node);
        if let Some(index) = self.rows.iter().position(|row| row.node == node) {
            return self.select(index);
        }
        self.open_above(tree, node);
        self.rebuild(tree);
    }

    /// Selects the next match of the search; returns `true` if there is one.
    pub(super) fn jump(&mut self, tree: &FileTree, goal: Goal, direction: Direction) -> bool {
        let from = self.selected_row().map(|row| row.node);
        match walk::next(&self.lens(tree), goal, from, direction) {
            Some(node) => {
                self.reveal(tree, node);
                true
            }
            None => false,
        }
    }
}

/// A directory with those that follow when each holds one directory and nothing else.
fn chain_to_open(lens: &Lens, node: NodeId) -> Vec<NodeId> {
    let chain = only_children(lens, node);
    if chain.is_empty() { vec![node] } else { chain }
}

/// `node`, its only child, and so on down to the first directory that holds more than one directory alone.
fn only_children(lens: &Lens, node: NodeId) -> Vec<NodeId> {
    const LONGEST: usize = 64;
    let mut chain = Vec::new();
    let mut at = node;
    let Some(mut seen) = lens.see_alone(node).filter(|seen| seen.is_directory) else { return chain };
    while chain.len() < LONGEST {
        chain.push(at);
        let mut shown = lens.tree.children(at).filter_map(|child| Some((child, lens.see(child, seen.floors)?)));
        match (shown.next(), shown.next()) {
            (Some((child, inner)), None) if inner.is_directory => (at, seen) = (child, inner),
            _ => break,
        }
    }
    chain
}
