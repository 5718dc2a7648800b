//! A file that is looked at: where in it one is, and which of its rows are at hand.

use super::request::{Form, Place, Request, Subject, Ticket, View, ViewRequest};
use crate::preview::StyledLine;

/// Columns that one step to the side moves.
const SIDE_STEP: usize = 8;

/// The state of a preview.
#[derive(Debug)]
pub(super) struct Viewer {
    pub subject: Subject,
    /// As it is shown.
    pub path: String,
    pub form: Form,
    pub wrap: bool,
    /// Columns that are out of sight to the left.
    pub left: usize,
    /// The first row on screen.
    pub offset: u64,
    /// The row that was come for, and how many rows stand above it.
    pub mark: Option<u64>,
    pub view: View,
    ticket: Ticket,
    jump: Option<Place>,
    asked: Option<ViewRequest>,
}

/// Rows above a place that one comes for.
const ROWS_ABOVE: u64 = 3;

impl Viewer {
    pub(super) fn new(ticket: Ticket, subject: Subject, path: String, form: Form) -> Self {
        Self {
            subject,
            path,
            form,
            wrap: false,
            left: 0,
            offset: 0,
            mark: None,
            view: View { pending: true, ..View::default() },
            ticket,
            jump: None,
            asked: None,
        }
    }

    /// Goes to a place that is shown in its own right.
    pub(super) fn go(&mut self, place: Place) {
        if let Place::Row(row) = place {
            self.mark = Some(row);
            self.offset = row.saturating_sub(ROWS_ABOVE);
        } else {
            self.jump = Some(place);
        }
    }

    /// Shows it as something else, from its beginning.
    pub(super) fn switch(&mut self, form: Form) {
        self.form = form;
        self.offset = 0;
        self.left = 0;
        self.mark = None;
        self.jump = None;
    }

    pub(super) fn side(&mut self, right: bool) {
        self.left = if right { self.left.saturating_add(SIDE_STEP) } else { self.left.saturating_sub(SIDE_STEP) };
        let widest = self.view.lines.iter().map(|line| line.text().len()).max().unwrap_or(0);
        self.left = self.left.min(widest);
    }

    pub(super) fn move_by(&mut self, rows: isize) {
        self.jump = None;
        match rows {
            isize::MIN => self.offset = 0,
            isize::MAX => self.jump = Some(Place::End),
            rows => self.offset = self.offset.saturating_add_signed(i64::try_from(rows).unwrap_or(i64::MAX)),
        }
    }

    /// Whether the rows at hand are of what is shown.
    pub(super) fn is_current(&self) -> bool {
        self.view.form == self.form && self.view.ticket == self.ticket
    }

    /// The row with this number, where it is at hand.
    pub(super) fn line(&self, number: u64) -> Option<&StyledLine> {
        let at = usize::try_from(number.checked_sub(self.view.first)?).ok()?;
        self.view.lines.get(at).filter(|_| self.is_current())
    }

    fn end_of_lines(&self) -> u64 {
        self.view.first.saturating_add(self.view.lines.len() as u64)
    }

    /// Rows that are known to be there.
    pub(super) fn known(&self) -> u64 {
        self.view.total.unwrap_or_else(|| self.view.known.max(self.end_of_lines()))
    }

    /// Takes rows, unless they are of something that is looked at no more.
    pub(super) fn take(&mut self, view: View, height: u16) {
        if view.ticket != self.ticket || view.form != self.form {
            return;
        }
        // A different number of bytes in a row makes other rows of the same place.
        if let (Some(before), Some(now), true) = (self.view.row_bytes, view.row_bytes, self.is_current()) {
            self.offset = self.offset.saturating_mul(u64::from(before)) / u64::from(now).max(1);
        }
        if let Some(row) = view.at
            && let Some(place) = self.jump.take()
        {
            self.offset = match place {
                Place::End => row,
                Place::Byte(_) | Place::Row(_) => {
                    self.mark = Some(row);
                    row.saturating_sub(ROWS_ABOVE)
                }
            };
        } else if !view.pending {
            self.jump = None;
        }
        self.view = view;
        self.settle(height);
    }

    /// Keeps the screen full where there are rows enough.
    pub(super) fn settle(&mut self, height: u16) {
        if self.is_current() && !(self.view.pending && self.view.total.is_none()) {
            self.offset = self.offset.min(self.known().saturating_sub(u64::from(height.max(1))));
        }
    }

    /// What has to be asked for, for a screen of so many rows and columns; `None` where all is at hand or asked for.
    pub(super) fn wanted(&mut self, width: u16, height: u16) -> Option<Request> {
        let height = height.max(1);
        let place = self.jump.unwrap_or(Place::Row(self.offset));
        if self.jump.is_none() && self.is_at_hand(width, height) {
            return None;
        }
        let (ticket, subject, form) = (self.ticket, self.subject, self.form);
        let request = ViewRequest { ticket, subject, form, place, height, width };
        if self.asked == Some(request) {
            return None;
        }
        self.asked = Some(request);
        Some(Request::View(request))
    }

    /// Whether the rows on screen are at hand, and those that a page more would bring there.
    fn is_at_hand(&self, width: u16, height: u16) -> bool {
        let height = u64::from(height);
        let refitted = self.view.row_bytes.is_some() && self.asked.is_some_and(|asked| asked.width != width);
        let above = self.view.first == 0 || self.offset >= self.view.first.saturating_add(height);
        let end = self.view.total.unwrap_or(u64::MAX);
        let below = self.end_of_lines() >= self.offset.saturating_add(2 * height).min(end);
        self.is_current() && !refitted && above && below
    }
}
