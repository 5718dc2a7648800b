//! One image on screen, from its first bytes on.

use std::sync::Arc;

use super::columns::Columns;
use super::find::{Finding, Marks, Needle};
use super::layout::{Areas, Arrangement, Pane, arrange};
use super::list::ListCursor;
use super::message::{Identified, LayerOutline, Opened, Opening, Overview, Progress, Traffic, Transfer};
use super::pages::{Page, Pages};
use super::prompt::Purpose;
use super::request::{Form, Subject, Target, Ticket};
use super::results::Results;
use super::settings::View;
use super::tree_view::{self, Filter, TreeView};
use super::viewer::Viewer;
use super::walk::{Direction, Goal};
use nixdive_analyse::analysis::base_layers;
use nixdive_base::text::display_name;
use nixdive_image::{Baseline, DigestCheck, Image, Kind, Layer, LayerIndex, NodeId, Scope, SortKey};

/// Selection in the list of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerChoice {
    /// The whole image.
    All,
    One(LayerIndex),
}

/// An image whose trees are complete, and its view.
#[derive(Debug)]
pub(super) struct Exploration {
    pub image: Arc<Image>,
    pub overview: Overview,
    pub tree: TreeView,
    /// Layers of the image that it was built from, where its history tells.
    pub base_layers: Option<u16>,
    /// By layer, newer than what the image holds.
    pub checks: Vec<DigestCheck>,
}

/// Display settings of the panes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preferences {
    /// The selected layer's own entries, not the stack up to it.
    pub alone: bool,
    /// Changes since the base layer, not since the layer below.
    pub aggregated: bool,
    pub columns: Columns,
    pub attributes: bool,
    pub wrap: bool,
    /// Only hidden copies in the tree.
    pub wasted: bool,
    /// The base image and what it brings out of sight.
    pub hide_base: bool,
    pub zoomed: bool,
    /// Share of the layers and details, percent.
    pub share: u16,
}

impl From<View> for Preferences {
    fn from(view: View) -> Self {
        let View { alone, aggregated, columns, attributes, wrap, share, .. } = view;
        Self { alone, aggregated, columns, attributes, wrap, wasted: false, hide_base: false, zoomed: false, share }
    }
}

/// A search that is under way.
#[derive(Debug)]
pub(super) struct Underway {
    pub purpose: Purpose,
    pub text: String,
    pub finding: Finding,
}

/// Places that a search looks at in one go before the screen is drawn again.
const BUDGET: usize = 1 << 16;

/// The state of one image on screen.
#[derive(Debug)]
pub(super) struct Session {
    pub opening: Opening,
    pub name: String,
    pub identified: Identified,
    pub progress: Progress,
    /// Progress and transfer state of layers fetched after opening.
    pub fetching: Option<(Transfer, Traffic)>,
    pub opened: Option<Exploration>,
    pub stopped: bool,
    pub focus: Pane,
    pub layers: ListCursor,
    pub details_offset: usize,
    pub pages: Pages,
    pub preferences: Preferences,
    /// The order in which the tree is first shown.
    pub sort: SortKey,
    /// Target of jumps.
    pub search: Option<Filter>,
    pub underway: Option<Underway>,
    /// File shown over all panes and pages.
    pub viewer: Option<Viewer>,
    /// Hits of a content search, under the file on screen.
    pub results: Option<Results>,
    /// Progress of copying to disk.
    pub copying: Option<Transfer>,
    /// Progress of writing a rebuilt image.
    pub writing: Option<Transfer>,
    latest_ticket: Ticket,
}

impl Session {
    pub(super) fn new(opening: Opening, name: String, view: View) -> Self {
        Self {
            opening,
            name,
            identified: Identified::default(),
            progress: Progress::default(),
            fetching: None,
            opened: None,
            stopped: false,
            focus: Pane::Layers,
            layers: ListCursor::default(),
            details_offset: 0,
            pages: Pages::default(),
            preferences: view.into(),
            sort: view.sort,
            search: None,
            underway: None,
            viewer: None,
            results: None,
            copying: None,
            writing: None,
            latest_ticket: Ticket::default(),
        }
    }

    /// A number for a new question.
    pub(super) fn next_ticket(&mut self) -> Ticket {
        self.latest_ticket = Ticket(self.latest_ticket.0.wrapping_add(1));
        self.latest_ticket
    }

    /// Content of a path at the selected layers: as they leave it, or as it was before one of them removed it.
    pub(super) fn subject(&self, node: NodeId) -> Option<Subject> {
        let opened = self.opened.as_ref()?;
        let tree = &opened.image.tree;
        let (Scope::Stacked(layer) | Scope::Layer(layer)) = self.scope(&opened.image).0;
        let before = || {
            let mut older = tree.occurrences_of(node).skip_while(|&id| tree.occurrence(id).layer > layer);
            older.find(|&id| tree.occurrence(id).kind != Kind::Whiteout)
        };
        if tree.exists_at(node, layer) {
            return Some(Subject { node, layer, entry: tree.visible_at(node, layer), removed: false });
        }
        let entry = before()?;
        Some(Subject { node, layer: tree.occurrence(entry).layer, entry: Some(entry), removed: true })
    }

    /// Looks into a path.
    pub(super) fn view(&mut self, subject: Subject, form: Form) {
        let Some(opened) = &self.opened else { return };
        let path = display_name(&opened.image.tree.path(subject.node)).into_owned();
        let ticket = self.next_ticket();
        self.viewer = Some(Viewer::new(ticket, Target::Path(subject), path, form));
    }

    pub(super) fn layer_count(&self) -> usize {
        self.opened.as_ref().map_or(self.identified.layers.len(), |opened| opened.image.layers.len())
    }

    /// Rows of the list of layers: one for the whole image, then one for each.
    pub(super) fn layer_rows(&self) -> usize {
        (self.layer_count() - self.hidden_layers().min(self.layer_count())) + 1
    }

    pub(super) fn layer_choice(&self) -> LayerChoice {
        match self.selected_layer_index().and_then(|index| u16::try_from(index).ok()) {
            Some(index) => LayerChoice::One(LayerIndex(index)),
            None => LayerChoice::All,
        }
    }

    /// The number of the selected layer; `None` for the whole image.
    pub(super) fn selected_layer_index(&self) -> Option<usize> {
        Some(self.layers.selected.checked_sub(1)? + self.hidden_layers())
    }

    pub(super) fn selected_layer(&self) -> Option<&Layer> {
        match self.layer_choice() {
            LayerChoice::All => None,
            LayerChoice::One(layer) => self.opened.as_ref()?.image.layers.get(layer.index()),
        }
    }

    pub(super) fn selected_outline(&self) -> Option<&LayerOutline> {
        self.selected_layer_index().and_then(|index| self.identified.layers.get(index))
    }

    /// Returns `true` if nothing is known to be missing from the image or to differ from its description.
    pub(super) fn is_complete(&self) -> bool {
        let Some(opened) = &self.opened else { return true };
        let differs = |check: &DigestCheck| matches!(check, DigestCheck::Differs { .. });
        opened.image.is_complete() && !opened.checks.iter().any(differs)
    }

    pub(super) fn digest_check(&self, layer: usize) -> Option<&DigestCheck> {
        let opened = self.opened.as_ref()?;
        match opened.checks.get(layer) {
            Some(check) if *check != DigestCheck::NotChecked => Some(check),
            _ => opened.image.layers.get(layer).map(|layer| &layer.diff_id_check),
        }
    }

    /// Scope that the tree shows, and the baseline of its changes.
    pub(super) fn scope(&self, image: &Image) -> (Scope, Baseline) {
        let top = image.tree.top_layer().unwrap_or(LayerIndex(0));
        let base = self.opened.as_ref().and_then(|opened| opened.base_layers);
        let since_base = Baseline::Since(LayerIndex(base.map_or(0, |count| count.saturating_sub(1))));
        let baseline = if self.preferences.aggregated { since_base } else { Baseline::Below };
        match self.layer_choice() {
            LayerChoice::All => (Scope::Stacked(top), since_base),
            LayerChoice::One(layer) if self.preferences.alone => (Scope::Layer(layer), baseline),
            LayerChoice::One(layer) => (Scope::Stacked(layer), baseline),
        }
    }

    pub(super) fn open(&mut self, opened: Opened) {
        let Opened { image, overview } = opened;
        self.pages.show(&image);
        let checks = vec![DigestCheck::NotChecked; image.layers.len()];
        let (scope, baseline) = self.scope(&image);
        let tree = TreeView::new(&image.tree, scope, baseline, self.sort);
        let base_layers = base_layers(&image.config);
        self.opened = Some(Exploration { image, overview, tree, base_layers, checks });
        self.stopped = false;
        self.details_offset = 0;
    }

    /// Takes a better reading of the same tree; reopens a tree of another shape.
    pub(super) fn refine(&mut self, refined: Opened) {
        match &mut self.opened {
            Some(opened) if opened.image.tree.node_count() == refined.image.tree.node_count() => {
                opened.image = refined.image;
                opened.overview = refined.overview;
                let image = Arc::clone(&opened.image);
                opened.tree.rebuild(&image.tree);
            }
            _ => self.open(refined),
        }
    }

    /// Makes the tree follow the selected layer and the preferences.
    pub(super) fn follow(&mut self) {
        let Some(image) = self.opened.as_ref().map(|opened| Arc::clone(&opened.image)) else { return };
        let (scope, baseline) = self.scope(&image);
        let Some(opened) = &mut self.opened else { return };
        let base = opened.base_layers.filter(|_| self.preferences.hide_base);
        let base = base.and_then(|count| count.checked_sub(1)).map(LayerIndex);
        let settings = tree_view::Settings { scope, baseline, base, ..opened.tree.settings };
        if opened.tree.settings != settings {
            opened.tree.settings = settings;
            opened.tree.rebuild(&image.tree);
            self.details_offset = 0;
        }
        self.follow_wasted();
    }

    /// Runs `work` on the tree view and its tree.
    pub(super) fn with_tree<R>(
        &mut self,
        change: impl FnOnce(&mut TreeView, &nixdive_image::FileTree) -> R,
    ) -> Option<R> {
        let opened = self.opened.as_mut()?;
        Some(change(&mut opened.tree, &opened.image.tree))
    }

    /// Begins to search for a text; what an earlier search was still doing is dropped.
    pub(super) fn look_for(&mut self, purpose: Purpose, text: &str) {
        self.underway = None;
        let Some(opened) = &self.opened else { return };
        let known = match purpose {
            Purpose::Rows
            | Purpose::Within
            | Purpose::Search
            | Purpose::Path
            | Purpose::Directory
            | Purpose::Destination
            | Purpose::Command => return,
            Purpose::Filter => &opened.tree.filter,
            Purpose::Find => &self.search,
        };
        if known.as_ref().map_or("", |known| &known.text) == text {
            return;
        }
        match Needle::parse(text) {
            Some(needle) => {
                let finding = Finding::new(&opened.image.tree, needle);
                self.underway = Some(Underway { purpose, text: text.to_owned(), finding });
                self.proceed();
            }
            None => self.found(purpose, None),
        }
    }

    /// Returns `true` if [`Self::proceed`] has work to do.
    pub(super) fn has_work(&self) -> bool {
        self.underway.is_some() || self.opened.as_ref().is_some_and(|opened| opened.tree.is_pending())
    }

    /// Continues unfinished work.
    pub(super) fn proceed(&mut self) {
        let Some(opened) = &mut self.opened else { return };
        let Some(mut underway) = self.underway.take() else { return opened.tree.proceed(&opened.image.tree) };
        if !underway.finding.run(&opened.image.tree, BUDGET) {
            self.underway = Some(underway);
            return;
        }
        let Underway { purpose, text, finding: Finding { needle, marks, .. } } = underway;
        self.found(purpose, Some(Filter { text, needle, marks }));
    }

    fn found(&mut self, purpose: Purpose, found: Option<Filter>) {
        match purpose {
            Purpose::Rows
            | Purpose::Within
            | Purpose::Search
            | Purpose::Path
            | Purpose::Directory
            | Purpose::Destination
            | Purpose::Command => {}
            Purpose::Filter => {
                self.with_tree(|view, tree| view.set_filter(tree, found));
            }
            Purpose::Find => {
                self.search = found;
                if !self.at_hit() {
                    self.jump(Direction::Forward);
                }
            }
        }
    }

    /// Returns `true` if the selection is already a hit of the search.
    fn at_hit(&self) -> bool {
        let selected = self.opened.as_ref().and_then(|opened| opened.tree.selected_row());
        let marks = self.search.as_ref().map(|search| &search.marks);
        selected.zip(marks).is_some_and(|(row, marks)| marks.matches.contains(row.node))
    }

    /// Jumps to the next hit of the search; returns `true` if there is one.
    pub(super) fn jump(&mut self, direction: Direction) -> bool {
        let (Some(opened), Some(search)) = (&mut self.opened, &self.search) else { return false };
        opened.tree.jump(&opened.image.tree, Goal::Marks(&search.marks), direction)
    }

    /// Goes to a path in the files, with all layers stacked.
    pub(super) fn reveal(&mut self, node: NodeId) {
        self.pages.current = Page::Files;
        self.focus = Pane::Tree;
        self.viewer = None;
        self.results = None;
        let seen = self.opened.as_ref().and_then(|opened| {
            let (scope, baseline) = self.scope(&opened.image);
            opened.image.tree.see_alone(node, scope, baseline)
        });
        if seen.is_none() {
            // The layer in which it was last there shows it as removed, or as it was.
            let layer = self.opened.as_ref().and_then(|opened| {
                let tree = &opened.image.tree;
                tree.occurrences_of(node).next().map(|id| tree.occurrence(id).layer)
            });
            self.select_layer(layer);
            self.follow();
        }
        self.with_tree(|view, tree| {
            view.set_filter(tree, None);
            view.reveal(tree, node);
        });
    }

    /// Shows only the files of some package in the tree.
    pub(super) fn show_only(&mut self, name: &str, nodes: &[NodeId]) {
        let Some(needle) = Needle::parse(name) else { return };
        self.pages.current = Page::Files;
        self.focus = Pane::Tree;
        self.layers.selected = 0;
        self.follow();
        self.with_tree(|view, tree| {
            let marks = Marks::of(tree, nodes);
            view.set_filter(tree, Some(Filter { text: format!("package {name}"), needle, marks }));
        });
    }

    pub(super) fn areas(&self, size: (u16, u16)) -> Areas {
        arrange(&Arrangement {
            size,
            layer_rows: self.layer_rows(),
            focus: self.focus,
            zoomed: self.preferences.zoomed,
            share: self.preferences.share,
        })
    }
}
