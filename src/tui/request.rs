//! What the interface asks of an opened image beyond its tree, and what comes back.
//!
//! Contents are read on other threads. Every question carries a [`Ticket`]; answers to a question that nobody waits for
//! any more are dropped.

use crate::image::{LayerIndex, NodeId, OccurrenceId};
use crate::preview::StyledLine;
use crate::search::{ContentHit, PathHit, SearchSummary};

/// Number of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket(pub u32);

/// A question about an opened image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Rows of what a path holds. A later one replaces those that are not answered yet.
    View(ViewRequest),
    /// Hits in the content of files, as they are found. A later one stops it.
    Search(SearchRequest),
    /// The best paths. A later one replaces it.
    Paths(PathRequest),
    /// Stop searching.
    StopSearch,
    /// Copy a path with all below it to disk.
    Extract(ExtractRequest),
    /// Stop that.
    StopExtract,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The path.
    pub node: NodeId,
    /// The topmost of the layers that are stacked.
    pub layer: LayerIndex,
    /// The entry; `None` for a directory that only its children imply.
    pub entry: Option<OccurrenceId>,
}

/// As what a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As what it is: text, a summary, a listing; bytes where nothing is known of it.
    #[default]
    Content,
    /// As bytes.
    Bytes,
    /// As what differs from the version in the next lower layer that has one.
    Difference,
}

/// A place in what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A row, from 0.
    Row(u64),
    /// The row with this byte of the file.
    Byte(u64),
    /// The last rows.
    End,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewRequest {
    /// Number of the question: one for each path that is looked at.
    pub ticket: Ticket,
    /// What is looked at.
    pub subject: Subject,
    /// As what.
    pub form: Form,
    /// The first row on screen.
    pub place: Place,
    /// Rows that there is room for; two screenfuls before the place and three from it on are wanted.
    pub height: u16,
    /// Columns that there is room for.
    pub width: u16,
}

/// Rows of what a path holds.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The question.
    pub ticket: Ticket,
    /// As what it is shown.
    pub form: Form,
    /// What it is, in a few words.
    pub kind: String,
    /// Number of the first row here, from 0.
    pub first: u64,
    /// Rows that follow each other, safe to write to a terminal.
    pub lines: Vec<StyledLine>,
    /// Number of all rows, where it is known.
    pub total: Option<u64>,
    /// Rows that are known to be there.
    pub known: u64,
    /// The row that was asked for by [`Place::Byte`] or [`Place::End`], once it is found.
    pub at: Option<u64>,
    /// Bytes of a row, where rows are bytes.
    pub row_bytes: Option<u8>,
    /// Whether a further answer to the same question follows.
    pub pending: bool,
    /// What is wrong with it, as a sentence.
    pub problem: Option<String>,
}

/// What to look for in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// Number of the question.
    pub ticket: Ticket,
    /// A text as it stands, or after `re:` a regular expression; without capitals it stands for capitals too.
    pub text: String,
    /// The topmost of the layers that are stacked.
    pub layer: LayerIndex,
}

/// Hits that came since the last answer.
#[derive(Debug, Default)]
pub struct Hits {
    /// The question.
    pub ticket: Ticket,
    /// The hits.
    pub hits: Vec<ContentHit>,
    /// How far it is.
    pub summary: SearchSummary,
    /// Whether it has ended.
    pub complete: bool,
    /// Why nothing could be looked for, as a sentence.
    pub problem: Option<String>,
}

/// Letters of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathRequest {
    /// Number of the question.
    pub ticket: Ticket,
    /// The letters, in words.
    pub text: String,
    /// The topmost of the layers that are stacked.
    pub layer: LayerIndex,
}

/// The best paths so far, which replace those before.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// The question.
    pub ticket: Ticket,
    /// The best, best first.
    pub hits: Vec<PathHit>,
    /// All that match, whether or not among the best.
    pub matched: u64,
    /// Whether all paths were looked at.
    pub complete: bool,
}

/// What to copy to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractRequest {
    /// The path.
    pub node: NodeId,
    /// The topmost of the layers that are stacked.
    pub layer: LayerIndex,
    /// The directory on disk to put it into.
    pub directory: String,
}
