//! Hits of a search through the content of files.

use super::list::ListCursor;
use super::request::{Hits, Ticket};
use nixdive_source::search::{ContentHit, SearchSummary};

/// The state of a search through files.
#[derive(Debug)]
pub(super) struct Results {
    pub ticket: Ticket,
    pub text: String,
    pub hits: Vec<ContentHit>,
    pub summary: SearchSummary,
    pub complete: bool,
    pub problem: Option<String>,
    pub cursor: ListCursor,
}

impl Results {
    pub(super) fn new(ticket: Ticket, text: String) -> Self {
        Self {
            ticket,
            text,
            hits: Vec::new(),
            summary: SearchSummary::default(),
            complete: false,
            problem: None,
            cursor: ListCursor::default(),
        }
    }

    /// Takes hits, unless they belong to another search.
    pub(super) fn take(&mut self, hits: Hits) {
        if hits.ticket == self.ticket {
            self.hits.extend(hits.hits);
            self.summary = hits.summary;
            self.complete |= hits.complete;
            self.problem = hits.problem;
        }
    }

    pub(super) fn selected(&self) -> Option<&ContentHit> {
        self.hits.get(self.cursor.selected)
    }
}
