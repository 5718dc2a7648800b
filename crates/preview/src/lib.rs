//! File previews: text coloured line by line, bytes, summaries of programs and archives,
//! differences.
//!
//! Nothing here draws. Everything is asked for by a range and answers from the few bytes that it needs; whatever a file
//! claims, a request does bounded work, and no text leaves this room with a control character in it.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod archive;
mod available;
mod byte_rows;
mod difference;
mod directory;
mod elf;
mod encoding;
mod hex;
mod highlight;
mod index;
mod kind;
mod line_ends;
mod link;
mod rows;
mod scopes;
mod scroll;
mod style;
mod syntaxes;
#[cfg(test)]
mod tests;
mod text;
mod wrap;

pub use archive::{ArchiveEntry, ArchiveFormat, ArchiveListing, list_archive};
pub use byte_rows::differing_rows;
pub use difference::{Comparison, MOST_COMPARED_TEXT, TextDifference, compare};
pub use directory::{DirectorySummary, summarise_directory};
pub use elf::{ElfSummary, summarise_elf};
pub use encoding::Encoding;
pub use hex::{HexRow, HexView};
pub use kind::{ContentKind, classify};
pub use line_ends::Reach;
pub use link::{LinkChain, LinkEnd, follow_link};
pub use rows::{SideBySideRow, UnifiedRow};
pub use scroll::{
    Allowance, Find, Finding, Fixed, Found, FoundLine, Hit, Layout, Needle, Place, Row, RowContent, Rows, Screenful,
    Sign, Spot, Toward, screenful,
};
pub use style::{Meaning, Span, Style, StyledLine};
pub use syntaxes::Syntaxes;
pub use text::{Budget, LINE_BYTES, TextPreview, WINDOW_LINES, Window};

pub use nixdive_base::cancel::Cancel;
pub use nixdive_scan::Section;
