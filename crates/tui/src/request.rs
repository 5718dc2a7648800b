//! Requests of the interface about an opened image beyond its tree, and the answers.
//!
//! Contents are read on other threads. Every request carries a [`Ticket`]; answers to outdated requests are dropped.

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
    /// Search file contents; hits are reported as they are found. A new search stops the previous one.
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
    /// Compute the findings. Sent once, when packages and store are known.
    Judge,
    /// Compare two of the images that were opened together. A later one replaces those that are not answered yet.
    Compare(CompareRequest),
}

/// A path to look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The path.
    pub node: NodeId,
    /// The topmost of the layers that are stacked.
    pub layer: LayerIndex,
    /// The entry; `None` for a directory that only its children imply.
    pub entry: Option<OccurrenceId>,
    /// True if a layer above has removed it.
    pub removed: bool,
}

/// Content to show.
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
    /// Returns `true` if it shows two versions.
    #[must_use]
    pub fn is_difference(self) -> bool {
        matches!(self, Self::Unified | Self::SideBySide)
    }
}

/// Rows to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRequest {
    /// Number of the request: one for each path shown.
    pub ticket: Ticket,
    /// Content to show.
    pub target: Target,
    /// As what.
    pub form: Form,
    /// A place.
    pub place: Place,
    /// Rows from there to the first on screen.
    pub by: i64,
    /// True if long lines continue on the next row.
    pub wrap: bool,
    /// Text to find in it.
    pub find: Option<FindRequest>,
    /// Rows that there is room for; two screenfuls before the first on screen and three from it on are wanted.
    pub height: u16,
    /// Columns that there is room for.
    pub width: u16,
}

/// Text to find in the file on screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindRequest {
    /// A literal text, or a regular expression after `re:`; without capitals it also matches capitals. In bytes, also
    /// hexadecimal digits.
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
    /// Position that was requested.
    pub place: Place,
    /// Rows from there to the first one on screen, as requested.
    pub by: i64,
    /// Short description of the content.
    pub kind: String,
    /// Names of the older and the newer half, if there are halves.
    pub halves: Option<(String, String)>,
    /// Rows that follow each other, safe to write to a terminal; none while the place is not found.
    pub rows: Vec<Row>,
    /// Index of the first row on screen.
    pub top: usize,
    /// True if the first row of the content is included.
    pub begins: bool,
    /// True if the last row of the content is included.
    pub ends: bool,
    /// Unit of the rows' positions.
    pub measure: Measure,
    /// Number of all lines or bytes.
    pub total: Option<u64>,
    /// Places beyond all rows begin here.
    pub extent: u64,
    /// Columns of line numbers, the gap behind them included.
    pub gutter: u16,
    /// Result of the search in it.
    pub find: Option<FindState>,
    /// True if a further answer to the same request follows.
    pub pending: bool,
    /// Problem with it, as a sentence.
    pub problem: Option<String>,
}

/// Units of the rows' positions.
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

/// State of a search in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindState {
    /// Text of the search.
    pub text: Arc<str>,
    /// The hit that was gone to.
    pub current: Option<Hit>,
    /// Number of the hit, from 0, if it is known.
    pub index: Option<u64>,
    /// Hits counted so far.
    pub count: u64,
    /// True if all hits are counted.
    pub counted: bool,
    /// True if nothing matches.
    pub nothing: bool,
    /// True if the hit was found after continuing from the other end.
    pub wrapped: bool,
    /// Progress of the search or the count, percent.
    pub percent: u64,
    /// Why nothing, or not everything, could be looked through.
    pub problem: Option<String>,
}

/// A content search to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// Number of the question.
    pub ticket: Ticket,
    /// A literal text, or a regular expression after `re:`; without capitals it also matches capitals.
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
    /// Progress of the search.
    pub summary: SearchSummary,
    /// True once it has ended.
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
    /// Number of all matches, beyond the best.
    pub matched: u64,
    /// True if all paths were searched.
    pub complete: bool,
}

/// Files to copy to disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractRequest {
    /// The path.
    pub node: NodeId,
    /// The topmost of the layers that are stacked.
    pub layer: LayerIndex,
    /// The directory on disk to put it into.
    pub directory: String,
}

/// A plan to compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    /// Number of the question.
    pub ticket: Ticket,
    /// Decisions of the user so far.
    pub choices: Choices,
}

/// An image to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildRequest {
    /// Decisions of the user.
    pub choices: Choices,
    /// Destination of the image.
    pub destination: Destination,
    /// True if an existing file may be replaced.
    pub replaces: bool,
}
