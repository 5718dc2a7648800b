//! Two images next to each other, and many: what comes in (`data`), what is made of it once (`summary`, `tables`,
//! `words`), the two trees as they are looked at (`view`, whose rows `rows` makes), the matrix of many images
//! (`matrix`), and what keys do to all that (`perform`).

mod data;
mod entry;
mod matrix;
mod perform;
mod rows;
mod summary;
mod tables;
mod view;
mod words;

use std::sync::Arc;

pub use data::{CompareRequest, Compared, ComparedImage, PairNumbers, Shared, SideProgress, Stage};
pub(super) use entry::facts;
pub(super) use matrix::{MatrixView, letter, level_meaning, level_name};
pub(super) use perform::{back, move_by, name_of_selection, perform, press, scroll, settle};
pub(super) use rows::{PairRow, PairSort};
pub(super) use summary::Line as SummaryLine;
pub(super) use tables::{Column, Mark, Row as TableRow};
pub(super) use view::PairView;
pub(super) use words::{brief, differing, signed};

use super::action::Context;
use super::list::ListCursor;
use super::message::Opening;
use super::request::{Form, Target, Ticket};
use super::state::Screen;
use super::viewer::Viewer;
use super::wrap::wrap;
use nixdive_analyse::compare::CompareOptions;
use nixdive_nix::graph::PathId;
use tables::{Subject, details};

/// A page of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PairPage {
    #[default]
    Files,
    Summary,
    Store,
    Packages,
    Config,
    Layers,
}

impl PairPage {
    pub(super) const ALL: [Self; 6] =
        [Self::Files, Self::Summary, Self::Store, Self::Packages, Self::Config, Self::Layers];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Files => "Files",
            Self::Summary => "Summary",
            Self::Store => "Store",
            Self::Packages => "Packages",
            Self::Config => "Config",
            Self::Layers => "Layers",
        }
    }
}

/// A list of a comparison: which of its rows are shown, and which is selected.
#[derive(Debug, Default)]
pub(super) struct TableView {
    /// Places in the table.
    pub shown: Vec<usize>,
    pub filter: String,
    pub cursor: ListCursor,
}

/// The summary, broken for a screen.
#[derive(Debug, Default)]
pub(super) struct SummaryView {
    /// Each line with the number of its paragraph, and `true` if it begins that.
    pub shown: Vec<(usize, String, bool)>,
    width: u16,
    pub cursor: ListCursor,
}

/// Details of a selected row, computed once per selection.
#[derive(Debug, Default)]
pub(super) struct RowDetails {
    of: Option<Subject>,
    pub facts: Vec<(&'static str, String)>,
}

/// A comparison of two images on screen.
#[derive(Debug)]
pub(super) struct PairScreen {
    pub compared: Arc<Compared>,
    pub page: PairPage,
    pub files: PairView,
    pub summary: SummaryView,
    pub tables: [TableView; 4],
    /// Rows that are the same on both sides are left out of the lists.
    pub only_differences: bool,
    pub details: RowDetails,
}

impl PairScreen {
    fn new(compared: Arc<Compared>) -> Self {
        let files = PairView::new(&compared.tree);
        let mut screen = Self {
            compared,
            page: PairPage::Files,
            files,
            summary: SummaryView::default(),
            tables: Default::default(),
            only_differences: true,
            details: RowDetails::default(),
        };
        screen.arrange();
        screen
    }

    /// Takes the same two images compared with other options; the view is kept.
    fn replace(&mut self, compared: Arc<Compared>) {
        self.compared = compared;
        self.summary.width = 0;
        self.details = RowDetails::default();
        let compared = Arc::clone(&self.compared);
        self.files.rebuild(&compared.tree);
        self.arrange();
    }

    fn place(page: PairPage) -> Option<usize> {
        match page {
            PairPage::Files | PairPage::Summary => None,
            PairPage::Store => Some(0),
            PairPage::Packages => Some(1),
            PairPage::Config => Some(2),
            PairPage::Layers => Some(3),
        }
    }

    /// The list of the current page.
    pub(super) fn table(&self) -> Option<&TableView> {
        self.tables.get(Self::place(self.page)?)
    }

    fn table_mut(&mut self) -> Option<&mut TableView> {
        self.tables.get_mut(Self::place(self.page)?)
    }

    /// Recomputes which rows of all lists are shown.
    fn arrange(&mut self) {
        for page in PairPage::ALL {
            let (Some(place), Some(table)) = (Self::place(page), self.compared.table(page)) else { continue };
            let Some(view) = self.tables.get_mut(place) else { continue };
            let wanted = view.filter.to_lowercase();
            // Layers tell more in their order, with those that are shared among them.
            let hides = self.only_differences && page != PairPage::Layers;
            let is_shown = |row: &(usize, &TableRow)| {
                let matches = || row.1.cells.iter().any(|cell| cell.to_lowercase().contains(&wanted));
                !(hides && row.1.mark == Mark::Same) && (wanted.is_empty() || matches())
            };
            view.shown = table.rows.iter().enumerate().filter(is_shown).map(|(place, _)| place).collect();
        }
    }

    /// A row of the current list by its place on the list.
    pub(super) fn row(&self, index: usize) -> Option<&TableRow> {
        let place = self.table()?.shown.get(index)?;
        self.compared.table(self.page)?.rows.get(*place)
    }

    /// Returns the subject of the selected row.
    pub(super) fn subject(&self) -> Option<Subject> {
        Some(self.row(self.table()?.cursor.selected)?.subject)
    }

    /// Computes the details of the selected row.
    fn explain(&mut self) {
        let subject = self.subject();
        if self.details.of != subject {
            let facts = subject.map(|subject| details(&self.compared, subject)).unwrap_or_default();
            self.details = RowDetails { of: subject, facts };
        }
    }

    /// Wraps the summary for a screen of `width` cells.
    fn fit(&mut self, width: u16) {
        if self.summary.width == width {
            return;
        }
        self.summary.width = width;
        let room = usize::from(width).saturating_sub(super::draw::SUMMARY_INDENT + 2);
        let mut shown = Vec::new();
        for (number, line) in self.compared.summary.iter().enumerate() {
            let pieces: Vec<String> = match line {
                SummaryLine::Text(text) | SummaryLine::Warning(text) => {
                    wrap(text, usize::from(width).saturating_sub(4)).into_iter().map(str::to_owned).collect()
                }
                SummaryLine::Item { what, why, .. } => {
                    let causes = if why.is_empty() { Vec::new() } else { wrap(why, room.saturating_sub(2)) };
                    let causes = causes.into_iter().map(|piece| format!("  {piece}"));
                    wrap(what, room).into_iter().map(str::to_owned).chain(causes).collect()
                }
                _ => vec![String::new()],
            };
            shown.extend(pieces.into_iter().enumerate().map(|(index, piece)| (number, piece, index == 0)));
        }
        self.summary.shown = shown;
    }

    /// The store path of the side that has it, for the row that is selected.
    fn selected_store_path(&self) -> Option<(Option<PathId>, Option<PathId>)> {
        match self.subject()? {
            Subject::StorePath(ids) => Some((ids.left, ids.right)),
            _ => None,
        }
    }
}

/// Several images on screen, from their first bytes on.
#[derive(Debug)]
pub(super) struct Comparing {
    pub opening: Opening,
    /// As the user named the images.
    pub names: Vec<String>,
    pub options: CompareOptions,
    pub progress: Vec<SideProgress>,
    pub stopped: bool,
    /// Matrix of more than two images.
    pub matrix: Option<MatrixView>,
    pub pair: Option<PairScreen>,
    /// A comparison that is awaited.
    pub asked: Option<CompareRequest>,
    pub viewer: Option<Viewer>,
    latest_ticket: Ticket,
    /// Screen to return to.
    pub beneath: Option<Box<Screen>>,
}

impl Comparing {
    pub(super) fn new(opening: Opening, names: Vec<String>, options: CompareOptions) -> Self {
        let progress = vec![SideProgress::default(); names.len()];
        Self {
            opening,
            names,
            options,
            progress,
            stopped: false,
            matrix: None,
            pair: None,
            asked: None,
            viewer: None,
            latest_ticket: Ticket::default(),
            beneath: None,
        }
    }

    /// Returns `true` if there is something to show.
    pub(super) fn is_open(&self) -> bool {
        self.pair.is_some() || self.matrix.is_some()
    }

    pub(super) fn take_compared(&mut self, compared: Arc<Compared>) {
        // A late answer to an older question is of no use.
        if self.asked.is_some_and(|asked| asked != compared.request) {
            return;
        }
        self.asked = None;
        self.options = compared.request.options;
        match &mut self.pair {
            Some(pair) if pair.compared.request.pair == compared.request.pair => pair.replace(compared),
            _ => self.pair = Some(PairScreen::new(compared)),
        }
    }

    pub(super) fn take_shared(&mut self, shared: Arc<Shared>) {
        self.matrix = Some(MatrixView::new(shared));
    }

    /// Looks into a path.
    fn view(&mut self, target: Target, path: String, form: Form) {
        self.latest_ticket = Ticket(self.latest_ticket.0.wrapping_add(1));
        self.viewer = Some(Viewer::new(self.latest_ticket, target, path, form));
    }

    pub(super) fn context(&self) -> Context {
        match (&self.viewer, &self.pair, &self.matrix) {
            (Some(_), ..) => Context::Preview,
            (None, Some(pair), _) if pair.page == PairPage::Files => Context::Differences,
            (None, Some(_), _) => Context::Comparison,
            (None, None, Some(_)) => Context::Matrix,
            (None, None, None) => Context::Everywhere,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.pair.as_ref().is_some_and(|pair| pair.files.has_work())
    }

    pub(super) fn proceed(&mut self) {
        if let Some(pair) = &mut self.pair {
            pair.files.proceed(&pair.compared);
        }
    }

    /// Filter of the current page; empty if there is none.
    pub(super) fn filter(&self) -> &str {
        let Some(pair) = &self.pair else { return "" };
        match pair.table() {
            Some(table) => &table.filter,
            None => pair.files.filter.as_ref().map_or("", |filter| &filter.text),
        }
    }

    /// Shows only what has a text in its path or its cells.
    pub(super) fn set_filter(&mut self, text: &str) {
        let Some(pair) = &mut self.pair else { return };
        if pair.page == PairPage::Files {
            let compared = Arc::clone(&pair.compared);
            return pair.files.look_for(&compared, text);
        }
        if let Some(table) = pair.table_mut() {
            table.filter = text.to_owned();
            pair.arrange();
        }
    }
}
