use std::ops::Range;

use super::pattern::Pattern;
use nixdive_base::text::display_name;
use nixdive_image::{NodeId, OccurrenceId};

/// Bytes of a line shown before a match.
pub(super) const BEFORE: usize = 64;
/// Bytes of a line shown from the start of a match.
pub(super) const AFTER: usize = 256;

/// A match in a file, with an excerpt of its line. Further matches within the excerpt are part of the same hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentHit {
    /// The path.
    pub node: NodeId,
    /// The entry with the content; for a hard link, the file that it refers to.
    pub occurrence: OccurrenceId,
    /// Offset of the first match in the file, in bytes.
    pub offset: u64,
    /// Number of its line, from 0 as in previews; line ends count in binary files, too.
    pub line: u64,
    /// The line, or a part of it around the match, safe to write to a terminal.
    pub excerpt: String,
    /// Byte ranges of the matches in the excerpt.
    pub matches: Vec<Range<usize>>,
    /// True if the excerpt is cut at its beginning, and at its end.
    pub cut: (bool, bool),
    /// True if the file is binary.
    pub binary: bool,
}

/// A part of a line.
pub(super) struct Excerpt {
    pub text: String,
    pub matches: Vec<Range<usize>>,
    pub cut: (bool, bool),
    /// End of the part in the searched text.
    pub end: usize,
}

/// Returns the part of `line` around the match `found`. `line_begins` is true if the line really begins at its start.
pub(super) fn excerpt(
    pattern: &Pattern,
    text: &[u8],
    line: Range<usize>,
    line_begins: bool,
    found: Range<usize>,
) -> Excerpt {
    let start = character_start(text, line.start.max(found.start.saturating_sub(BEFORE)), found.start);
    let end = line.end.min(found.start + AFTER).max(found.start);
    let mut end = character_end(text, end, line.end).max(found.start + 1).min(text.len());
    let cut = (start > line.start || !line_begins, end < line.end);
    let searched = &text[..end];
    let mut out = Excerpt { text: String::new(), matches: Vec::new(), cut, end };
    let mut shown = start;
    let mut next = Some(found.start..found.end.min(end));
    while let Some(found) = next.take().filter(|found| found.start < found.end) {
        out.text.push_str(&display_name(&text[shown..found.start]));
        let from = out.text.len();
        out.text.push_str(&display_name(&text[found.clone()]));
        out.matches.push(from..out.text.len());
        shown = found.end;
        next = pattern.find(searched, shown);
    }
    // A carriage return before the line end is part of the line end.
    if end == line.end && end > shown && text.get(end - 1) == Some(&b'\r') {
        end -= 1;
    }
    out.text.push_str(&display_name(&text[shown..end]));
    out
}

/// Returns the first start of a character at or after `at`.
fn character_start(text: &[u8], at: usize, before: usize) -> usize {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let inner = text.get(at..before).unwrap_or_default().iter().take(3).take_while(|byte| is_inner(byte)).count();
    at + inner
}

/// Returns the last end of a character at or before `at`, unless the line ends there.
fn character_end(text: &[u8], at: usize, line_end: usize) -> usize {
    if at >= line_end {
        return at;
    }
    let inner =
        text.get(..at).unwrap_or_default().iter().rev().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let lead = at.saturating_sub(inner + 1);
    let width = match text.get(lead) {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return at,
    };
    if lead + width > at { lead } else { at }
}
