//! What is in a file: text coloured line by line, bytes, summaries of programs and archives, differences.
//!
//! Nothing here draws. Everything is asked for by a range and answers from the few bytes that it needs; whatever a file
//! claims, a request does bounded work, and no text leaves this room with a control character in it.

mod archive;
mod difference;
mod directory;
mod elf;
mod encoding;
mod hex;
mod highlight;
mod index;
mod kind;
mod link;
mod rows;
mod scopes;
mod style;
mod syntaxes;
#[cfg(test)]
mod tests;
mod text;

pub use archive::{ArchiveEntry, ArchiveFormat, ArchiveListing, list_archive};
pub use difference::{Comparison, MOST_COMPARED_TEXT, TextDifference, compare};
pub use directory::{DirectorySummary, summarise_directory};
pub use elf::{ElfSummary, summarise_elf};
pub use encoding::Encoding;
pub use hex::{HexRow, HexView};
pub use kind::{ContentKind, classify};
pub use link::{LinkChain, LinkEnd, follow_link};
pub use rows::{SideBySideRow, UnifiedRow};
pub use style::{Meaning, Span, Style, StyledLine};
pub use syntaxes::Syntaxes;
pub use text::{Budget, LINE_BYTES, TextPreview, WINDOW_LINES, Window};

pub use crate::scan::{Cancel, Section};
