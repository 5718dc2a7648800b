//! What the interface asks of an opened image beyond its tree, and what comes back.
//!
//! Contents are read on other threads. Every question carries a [`Ticket`]; answers to a question that nobody waits for
//! any more are dropped.

use std::sync::Arc;

use super::compare::CompareRequest;
use nixdive_image::{LayerIndex, NodeId, OccurrenceId};
use nixdive_preview::{Hit, Place, Row};
use nixdive_rebuild::choices::Choices;
use nixdive_source::search::{ContentHit, PathHit, SearchSummary};
use nixdive_write::Destination;

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
    /// Plan a rebuild. A later one replaces those that are not answered yet.
    Plan(PlanRequest),
    /// Write what a rebuild makes of the image.
    Rebuild(Box<RebuildRequest>),
    /// Stop that.
    StopRebuild,
    /// Look for what is wrong. Comes once, when packages and store are known.
    Judge,
    /// Compare two of the images that were opened together. A later one replaces those that are not answered yet.
    Compare(CompareRequest),
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
    /// Whether a layer above it has removed it.
    pub removed: bool,
}

/// What of the opened images is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A path of the one image.
    Path(Subject),
    /// Two versions of a file, of two images that are compared: each with the number of its image, from 0; `None` on the
    /// side that has none.
    Versions {
        /// The old one.
        left: Option<(usize, Subject)>,
        /// The new one.
        right: Option<(usize, Subject)>,
    },
}

/// As what a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As what it is: text, a summary, a listing; bytes where nothing is known of it.
    #[default]
    Content,
    /// As bytes.
    Bytes,
    /// As what differs from the version in the next lower layer that has one, removed lines before added ones.
    Unified,
    /// As what differs from that, the two versions next to each other.
    SideBySide,
}

impl Form {
    /// Whether it shows two versions.
    #[must_use]
    pub fn is_difference(self) -> bool {
        matches!(self, Self::Unified | Self::SideBySide)
    }
}

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRequest {
    /// Number of the question: one for each path that is looked at.
    pub ticket: Ticket,
    /// What is looked at.
    pub target: Target,
    /// As what.
    pub form: Form,
    /// A place.
    pub place: Place,
    /// Rows from there to the first on screen.
    pub by: i64,
    /// Whether long lines go on in the next row.
    pub wrap: bool,
    /// What is looked for in it.
    pub find: Option<FindRequest>,
    /// Rows that there is room for; two screenfuls before the first on screen and three from it on are wanted.
    pub height: u16,
    /// Columns that there is room for.
    pub width: u16,
}

/// What is looked for in a file that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindRequest {
    /// A text as it stands, or after `re:` a regular expression; without capitals it stands for capitals too. In bytes
    /// also hexadecimal digits.
    pub text: Arc<str>,
    /// The hit that was gone to.
    pub current: Option<Hit>,
}

/// Rows of what a path holds.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The question.
    pub ticket: Ticket,
    /// As what it is shown.
    pub form: Form,
    /// The place that was asked for.
    pub place: Place,
    /// Rows from there to the first on screen, as asked for.
    pub by: i64,
    /// What it is, in a few words.
    pub kind: String,
    /// What the older and the newer half are, where there are halves.
    pub halves: Option<(String, String)>,
    /// Rows that follow each other, safe to write to a terminal; none while the place is not found.
    pub rows: Vec<Row>,
    /// Which of them is the first on screen.
    pub top: usize,
    /// Whether the first row of all is among them.
    pub begins: bool,
    /// Whether the last row of all is.
    pub ends: bool,
    /// What the places of rows are.
    pub measure: Measure,
    /// Number of all lines or bytes.
    pub total: Option<u64>,
    /// Places beyond all rows begin here.
    pub extent: u64,
    /// Columns of line numbers, the gap behind them included.
    pub gutter: u16,
    /// What came of looking for something in it.
    pub find: Option<FindState>,
    /// Whether a further answer to the same question follows.
    pub pending: bool,
    /// What is wrong with it, as a sentence.
    pub problem: Option<String>,
}

/// What the places of rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// Numbers of lines.
    #[default]
    Lines,
    /// Offsets in a text.
    Text,
    /// Offsets of bytes.
    Bytes,
}

/// What came of looking for something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindState {
    /// What was looked for.
    pub text: Arc<str>,
    /// The hit that was gone to.
    pub current: Option<Hit>,
    /// Which of all it is, from 0, where that is known.
    pub index: Option<u64>,
    /// Hits counted so far.
    pub count: u64,
    /// Whether all are counted.
    pub counted: bool,
    /// Whether there is none.
    pub nothing: bool,
    /// Whether the hit was found beyond the end, from the beginning on, or the other way round.
    pub wrapped: bool,
    /// How far the looking or counting is, percent.
    pub percent: u64,
    /// Why nothing, or not everything, could be looked through.
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

/// What to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    /// Number of the question.
    pub ticket: Ticket,
    /// What the user has decided so far.
    pub choices: Choices,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildRequest {
    /// What the user has decided.
    pub choices: Choices,
    /// Where to.
    pub destination: Destination,
    /// Whether a file that is there already may be replaced.
    pub replaces: bool,
}
