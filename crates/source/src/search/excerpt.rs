use std::ops::Range;

use super::pattern::Pattern;
use nixdive_base::text::display_name;
use nixdive_image::{NodeId, OccurrenceId};

/// Bytes of a line that are shown before a match.
pub(super) const BEFORE: usize = 64;
/// Bytes of a line that are shown from the beginning of a match on.
pub(super) const AFTER: usize = 256;

/// A place in a file that matches. It stands for the piece of its line that it shows: further matches within that piece
/// are no hits of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentHit {
    /// The path.
    pub node: NodeId,
    /// The entry that has the content; for a hard link the file that it names.
    pub occurrence: OccurrenceId,
    /// Of the first match, in the file, bytes.
    pub offset: u64,
    /// Number of its line, from 0 as in previews; line ends of a binary file count too.
    pub line: u64,
    /// The line, or a part of it around the match, safe to write to a terminal.
    pub excerpt: String,
    /// Where in the excerpt the matches stand, bytes.
    pub matches: Vec<Range<usize>>,
    /// Whether the line begins before the excerpt, and whether it ends after it.
    pub cut: (bool, bool),
    /// Whether the file is no text.
    pub binary: bool,
}

/// A piece of a line.
pub(super) struct Excerpt {
    pub text: String,
    pub matches: Vec<Range<usize>>,
    pub cut: (bool, bool),
    /// Where it ends in the searched text.
    pub end: usize,
}

/// The piece of `line` around the match `found`. `line_begins` says whether the line begins where it seems to.
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
    // A carriage return before the line end belongs to the end.
    if end == line.end && end > shown && text.get(end - 1) == Some(&b'\r') {
        end -= 1;
    }
    out.text.push_str(&display_name(&text[shown..end]));
    out
}

/// The first beginning of a character from `at` on.
fn character_start(text: &[u8], at: usize, before: usize) -> usize {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let inner = text.get(at..before).unwrap_or_default().iter().take(3).take_while(|byte| is_inner(byte)).count();
    at + inner
}

/// The last end of a character up to `at`, unless the line ends there.
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
