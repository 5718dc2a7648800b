//! Rows around a position: wherever it is in a file, only the part near it is read.

mod bytes;
mod fixed;
mod hits;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use std::time::Duration;

pub use fixed::Fixed;
pub use hits::{Find, Finding, Hit, Needle, Toward};
pub use walk::{Screenful, screenful};

use super::StyledLine;
use super::line_ends::Reach;

/// Position of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Spot {
    /// Offset of the line for text or bytes, bytes; otherwise the line number, from 0.
    pub at: u64,
    /// Which of the rows that a wrapped line takes, from 0.
    pub part: u64,
}

/// A place to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The first row.
    #[default]
    Start,
    /// The last rows.
    End,
    /// A row that was shown before.
    At(Spot),
    /// The row with this byte of a text or of bytes.
    Byte(u64),
    /// The row with a hit of what is looked for.
    Hit {
        /// From where on.
        from: Hit,
        /// Which of the hits.
        toward: Toward,
    },
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// Position of the row.
    pub spot: Spot,
    /// Number of its line, from 0, where lines have numbers and this is known.
    pub number: Option<u64>,
    /// Content of the row.
    pub content: RowContent,
}

/// The content of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowContent {
    /// A line, or a part of one.
    Line(FoundLine),
    /// A row of two versions next to each other.
    Halves {
        /// How they differ.
        sign: Sign,
        /// The older one, with the number of its line from 0.
        before: Option<(u64, FoundLine)>,
        /// The newer one.
        after: Option<(u64, FoundLine)>,
    },
}

impl Default for RowContent {
    fn default() -> Self {
        Self::Line(FoundLine::default())
    }
}

/// How the two halves of a row differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// In nothing.
    Same,
    /// Only the older one has it.
    Removed,
    /// Only the newer one has it.
    Added,
    /// Both have something else.
    Changed,
}

/// A line and what was found in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundLine {
    /// The line.
    pub line: StyledLine,
    /// Ranges of the hits in its text.
    pub found: Vec<Found>,
}

/// A hit within a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Bytes of the row's text.
    pub range: std::ops::Range<usize>,
    /// True for the current hit.
    pub current: bool,
}

impl From<StyledLine> for FoundLine {
    fn from(line: StyledLine) -> Self {
        Self { line, found: Vec::new() }
    }
}

impl FoundLine {
    /// The part of it that these bytes of its text are.
    fn part(&self, range: std::ops::Range<usize>) -> Self {
        let within = |found: &Found| {
            let (from, to) = (found.range.start.max(range.start), found.range.end.min(range.end));
            (from < to).then(|| Found { range: from - range.start..to - range.start, current: found.current })
        };
        Self { line: self.line.part(range.clone()), found: self.found.iter().filter_map(within).collect() }
    }
}

/// Limits of one step, after which it returns what it has.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// Bytes that may be read to find lines.
    pub bytes: u64,
    /// Time for colouring.
    pub colouring: Duration,
}

/// How rows are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns that there are.
    pub width: usize,
    /// Rows of a screen.
    pub height: usize,
    /// True if long lines continue in the next row.
    pub wrap: bool,
}

/// Something that is shown row by row. Lines have their places in ascending order.
pub trait Rows {
    /// The first line; `None` where there is none.
    fn first(&mut self) -> Option<u64>;
    /// The last line; `None` where more has to be read than is allowed.
    fn last(&mut self, bytes: &mut u64) -> Option<u64>;
    /// The line that a place is in, or the next to it.
    fn line_with(&mut self, place: u64, bytes: &mut u64) -> Option<u64>;
    /// The line after one.
    fn after(&mut self, line: u64, bytes: &mut u64) -> Reach;
    /// The line before one.
    fn before(&mut self, line: u64, bytes: &mut u64) -> Reach;
    /// Makes sure how many rows a line takes, up to `part`; the last of those that there are.
    fn part_up_to(&mut self, line: u64, part: u64, layout: Layout, bytes: &mut u64) -> Option<u64>;
    /// The row of a line that a hit in it is in.
    fn part_with(&mut self, line: u64, hit: Hit, layout: Layout, bytes: &mut u64) -> Option<u64>;
    /// The rows at some spots that follow each other; whether nothing is missing of them, colours for instance.
    fn show(&mut self, spots: &[Spot], layout: Layout, find: Option<&Find>, allowance: Allowance) -> (Vec<Row>, bool);
    /// Places beyond all lines begin here.
    fn extent(&self) -> u64;
    /// Places that are looked through in one go.
    fn piece(&self) -> u64;
    /// Returns the hits that begin within a range of positions.
    ///
    /// # Errors
    /// If reading fails.
    fn hits(&mut self, needle: &dyn Needle, range: std::ops::Range<u64>) -> std::io::Result<Vec<Hit>>;
    /// Columns that line numbers take, the gap behind them included; 0 where lines have none.
    fn gutter(&self) -> u16 {
        0
    }
}
