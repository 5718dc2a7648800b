//! A file on screen: the position in it, and the rows that are available.

use std::sync::Arc;

use super::request::{FindRequest, FindState, Form, Request, Target, Ticket, View, ViewRequest};
use unicode_width::UnicodeWidthStr;

use nixdive_preview::{FoundLine, Hit, Place, Row, RowContent, Spot, Toward};

/// Columns that one step to the side moves.
const SIDE_STEP: usize = 8;
/// Columns of a screen from which on two versions stand next to each other unless one wants it otherwise.
pub(super) const WIDE: u16 = 120;
/// Columns that two versions next to each other take at least.
pub(super) const NARROWEST_HALVES: u16 = 60;
/// Rows above a place that one comes for.
const ROWS_ABOVE: i64 = 3;

/// The state of a preview.
#[derive(Debug)]
pub(super) struct Viewer {
    pub target: Target,
    /// As it is shown.
    pub path: String,
    /// As what it is wanted.
    wanted: Form,
    /// As what it is shown: what is wanted, if the screen is wide enough.
    pub form: Form,
    pub wrap: bool,
    /// Columns that are out of sight to the left.
    pub left: usize,
    /// Text to find in it.
    pub find: Option<Find>,
    pub view: View,
    /// Current or requested position, and the distance from it in rows.
    place: Place,
    by: i64,
    ticket: Ticket,
    asked: Option<ViewRequest>,
    /// True if the last request is not answered yet.
    awaited: bool,
}

/// A search within the file.
#[derive(Debug)]
pub(super) struct Find {
    pub text: Arc<str>,
    /// Position that it began at.
    begun: Option<Spot>,
    current: Option<Hit>,
}

impl Viewer {
    pub(super) fn new(ticket: Ticket, target: Target, path: String, form: Form) -> Self {
        Self {
            target,
            path,
            wanted: form,
            form,
            wrap: false,
            left: 0,
            find: None,
            view: View { pending: true, ..View::default() },
            place: Place::Start,
            by: 0,
            ticket,
            asked: None,
            awaited: false,
        }
    }

    /// Goes to a byte of the file where a search through files found a text.
    pub(super) fn go_to_hit(&mut self, offset: u64, text: &str) {
        let hit = Hit { at: offset, start: 0 };
        self.find = Some(Find { text: text.into(), begun: None, current: Some(hit) });
        self.place = Place::Byte(offset);
        self.by = -ROWS_ABOVE;
    }

    /// Shows it as something else, from its beginning.
    pub(super) fn switch(&mut self, form: Form) {
        self.wanted = form;
        self.form = form;
        self.left = 0;
        (self.place, self.by) = (Place::Start, 0);
        if let Some(find) = &mut self.find {
            (find.begun, find.current) = (None, None);
        }
    }

    /// Switches to the next view of differences: the one that fits `width` columns first, then the other, then none.
    pub(super) fn next_difference(&mut self, width: u16) {
        let order = if width >= WIDE {
            [Form::SideBySide, Form::Unified, Form::Content]
        } else {
            [Form::Unified, Form::SideBySide, Form::Content]
        };
        let at = order.iter().position(|&form| form == self.wanted && form.is_difference());
        self.switch(order[at.map_or(0, |at| (at + 1) % order.len())]);
    }

    /// Returns `true` if two versions would be shown side by side on a wider screen.
    pub(super) fn is_too_narrow(&self) -> bool {
        self.wanted != self.form
    }

    pub(super) fn toggle_wrap(&mut self) {
        self.wrap = !self.wrap;
        self.left = 0;
    }

    pub(super) fn side(&mut self, right: bool) {
        self.left = if right { self.left.saturating_add(SIDE_STEP) } else { self.left.saturating_sub(SIDE_STEP) };
        let text = |row: &Row| match &row.content {
            RowContent::Line(line) => line.line.text().len(),
            RowContent::Halves { before, after, .. } => {
                let halves = before.iter().chain(after);
                halves.map(|(_, line)| line.line.text().len()).max().unwrap_or(0)
            }
        };
        self.left = self.left.min(self.view.rows.iter().map(text).max().unwrap_or(0));
    }

    pub(super) fn move_by(&mut self, rows: isize) {
        match rows {
            isize::MIN => (self.place, self.by) = (Place::Start, 0),
            isize::MAX => (self.place, self.by) = (Place::End, 0),
            rows => self.by = self.by.saturating_add(i64::try_from(rows).unwrap_or(i64::MAX)),
        }
    }

    /// Looks for a text as it is typed, from where one was when the typing began.
    pub(super) fn look_for(&mut self, text: &str) {
        if text.is_empty() {
            self.forget();
            return;
        }
        let begun = self.find.as_ref().and_then(|find| find.begun).or_else(|| self.top_spot());
        let from = begun.map_or(Hit::default(), |spot| Hit { at: spot.at, start: 0 });
        self.find = Some(Find { text: text.into(), begun, current: None });
        (self.place, self.by) = (Place::Hit { from, toward: Toward::Here }, -ROWS_ABOVE);
    }

    /// Ends the search; returns `true` if there was one.
    pub(super) fn forget(&mut self) -> bool {
        self.find.take().is_some()
    }

    /// Begins to type another text from where one is now.
    pub(super) fn begin_find(&mut self) {
        self.find = None;
    }

    /// Goes to the next hit or the one before, if anything is looked for.
    pub(super) fn next_hit(&mut self, toward: Toward) {
        let top = self.top_spot().map_or(Hit::default(), |spot| Hit { at: spot.at, start: 0 });
        let Some(find) = &self.find else { return };
        // From a hit that is out of sight one does not go on, but from what one sees.
        let seen = find.current.filter(|_| shows_current(&self.view));
        let (from, toward) = match (seen, toward) {
            (None, Toward::Next) => (top, Toward::Here),
            (from, toward) => (from.unwrap_or(top), toward),
        };
        (self.place, self.by) = (Place::Hit { from, toward }, -ROWS_ABOVE);
    }

    /// Result of the current search.
    pub(super) fn found(&self) -> Option<&FindState> {
        let find = self.find.as_ref()?;
        self.view.find.as_ref().filter(|state| state.text == find.text)
    }

    /// Returns `true` if the available rows belong to the content shown.
    pub(super) fn is_current(&self) -> bool {
        self.view.form == self.form && self.view.ticket == self.ticket && !self.asked_nothing_yet()
    }

    fn asked_nothing_yet(&self) -> bool {
        self.view.pending && self.view.rows.is_empty() && self.view.kind.is_empty() && self.view.problem.is_none()
    }

    /// The rows on screen.
    pub(super) fn rows(&self) -> &[Row] {
        if self.is_current() { self.view.rows.get(self.view.top..).unwrap_or_default() } else { &[] }
    }

    fn top_spot(&self) -> Option<Spot> {
        self.rows().first().map(|row| row.spot)
    }

    /// Takes rows, unless they belong to other content.
    pub(super) fn take(&mut self, view: View, height: u16) {
        if view.ticket != self.ticket || view.form != self.form {
            return;
        }
        let answers = view.place == self.place;
        if view.rows.is_empty() && !self.view.rows.is_empty() && view.pending && self.is_current() {
            // Nothing is found yet: the previous state remains.
            (self.view.find, self.view.pending) = (view.find, true);
            return;
        }
        let old = self.top_spot();
        let hit = matches!(view.place, Place::Hit { .. });
        let by = view.by;
        self.view = view;
        let top = self.view.rows.get(self.view.top).map(|row| row.spot);
        if answers {
            self.awaited = false;
            self.by = self.by.saturating_sub(by);
            self.reveal_hit();
            let top = top.filter(|_| !hit).or_else(|| self.keep_still(old, height));
            if let Some(top) = top {
                self.place = Place::At(top);
            }
        } else if let Some(kept) = old.and_then(|old| self.view.rows.iter().position(|row| row.spot == old)) {
            // An answer to an outdated request does not move the view.
            self.view.top = kept;
        }
        self.settle(height);
    }

    /// Keeps the screen still if a hit is already on it; returns the first row on screen.
    fn keep_still(&mut self, old: Option<Spot>, height: u16) -> Option<Spot> {
        let rows = &self.view.rows;
        let before = old.and_then(|old| rows.iter().position(|row| row.spot == old));
        let hit = rows.iter().position(|row| current_column(row).is_some());
        if let (Some(before), Some(hit)) = (before, hit)
            && (before..before.saturating_add(usize::from(height))).contains(&hit)
        {
            self.view.top = before;
        }
        self.view.rows.get(self.view.top).map(|row| row.spot)
    }

    /// Remembers the hit that was gone to, and brings it into sight sideways.
    fn reveal_hit(&mut self) {
        if !matches!(self.place, Place::Hit { .. } | Place::Byte(_)) {
            return;
        }
        if let (Some(find), Some(state)) = (&mut self.find, &self.view.find)
            && find.text == state.text
        {
            find.current = state.current;
        }
        let column = self.view.rows.iter().find_map(current_column);
        if let Some(column) = column.filter(|_| !self.wrap) {
            let width = usize::from(self.asked.as_ref().map_or(80, |asked| asked.width));
            let room = width.saturating_sub(usize::from(self.view.gutter) + SIDE_STEP).max(SIDE_STEP);
            if column < self.left || column >= self.left + room {
                self.left = column.saturating_sub(room / 2) / SIDE_STEP * SIDE_STEP;
            }
        }
    }

    /// Moves as far as rows are available, and fills the screen if there are enough rows.
    pub(super) fn settle(&mut self, height: u16) {
        let (Place::At(spot), true) = (self.place, self.is_current()) else { return };
        let Some(at) = self.view.rows.iter().position(|row| row.spot == spot) else { return };
        let wanted = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(self.by);
        let length = self.view.rows.len();
        let full = length.saturating_sub(usize::from(height.max(1)));
        let top = usize::try_from(wanted.max(0)).unwrap_or(usize::MAX);
        let beyond = (wanted < 0 && !self.view.begins) || (top > full && !self.view.ends);
        let top = top.min(full);
        self.view.top = top;
        // The distance beyond the available rows is still to be moved.
        self.by = if beyond { wanted.saturating_sub(i64::try_from(top).unwrap_or(i64::MAX)) } else { 0 };
        if let Some(row) = self.view.rows.get(top) {
            self.place = Place::At(row.spot);
        }
    }

    /// Adapts the view to a screen of `width` columns.
    fn fit(&mut self, width: u16) {
        let halves = self.wanted == Form::SideBySide && width >= NARROWEST_HALVES;
        let form = if self.wanted == Form::SideBySide && !halves { Form::Unified } else { self.wanted };
        if form != self.form {
            self.form = form;
            (self.place, self.by) = (Place::Start, 0);
        }
        let relaid = self.asked.as_ref().filter(|asked| asked.wrap && (asked.width != width || !self.wrap));
        if let (Some(asked), Place::At(spot)) = (relaid, &mut self.place) {
            // Rows of another width: about the same part of the line.
            let part = spot.part.saturating_mul(u64::from(asked.width)) / u64::from(width.max(1));
            spot.part = if self.wrap { part } else { 0 };
        }
    }

    /// Returns the next request for a screen of this size; `None` if everything is available or requested.
    pub(super) fn wanted(&mut self, width: u16, height: u16) -> Option<Request> {
        let height = height.max(1);
        self.fit(width);
        if self.is_at_hand(width, height) {
            return None;
        }
        let find = self.find.as_ref().map(|find| FindRequest { text: Arc::clone(&find.text), current: find.current });
        let (ticket, target, form, wrap) = (self.ticket, self.target, self.form, self.wrap);
        let (place, by) = (self.place, self.by);
        let request = ViewRequest { ticket, target, form, place, by, wrap, find, height, width };
        // A row that was requested is not requested again; any other position is requested again after an answer.
        if self.asked.as_ref() == Some(&request) && (self.awaited || matches!(place, Place::At(_))) {
            return None;
        }
        self.asked = Some(request.clone());
        self.awaited = true;
        Some(Request::View(request))
    }

    /// Returns `true` if the rows on screen and one more page are available.
    fn is_at_hand(&self, width: u16, height: u16) -> bool {
        let height = usize::from(height);
        let Some(asked) = &self.asked else { return false };
        let text = self.find.as_ref().map(|find| &find.text);
        let same = asked.width == width
            && asked.wrap == self.wrap
            && asked.form == self.form
            && asked.find.as_ref().map(|find| &find.text) == text;
        let above = self.view.begins || self.view.top >= height;
        let below = self.view.ends || self.view.rows.len() >= self.view.top + 2 * height;
        let there = matches!(self.place, Place::At(_)) && self.by == 0;
        let empty = self.view.total == Some(0) || self.view.problem.is_some() && self.view.rows.is_empty();
        same && self.is_current() && (empty || (there && above && below))
    }
}

/// Returns `true` if the current hit is on or near the screen.
fn shows_current(view: &View) -> bool {
    view.rows.iter().skip(view.top).any(|row| current_column(row).is_some())
}

/// Column in a row at which the current hit begins.
fn current_column(row: &Row) -> Option<usize> {
    let of = |line: &FoundLine| {
        let found = line.found.iter().find(|found| found.current)?;
        let text = line.line.text();
        Some(text.get(..found.range.start)?.width())
    };
    match &row.content {
        RowContent::Line(line) => of(line),
        RowContent::Halves { before, after, .. } => before.iter().chain(after).find_map(|(_, line)| of(line)),
    }
}
