use std::ops::Range;

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// Maximum bytes of a pattern.
const MOST_PATTERN: usize = 1024;
/// Maximum bytes of a compiled pattern.
const MOST_COMPILED: usize = 8 << 20;
/// Number of false candidates in one piece before its lines are searched one by one.
const MAX_FALSE_MATCHES: usize = 64;

/// The pattern of a search.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Literal(Box<Finder<'static>>),
    /// `by_line`: it can match differently in a single line than in a text of several lines.
    Lines {
        regex: Regex,
        by_line: bool,
    },
}

/// Reason why a pattern is rejected.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It is empty, or matches the empty text.
    #[error("matches everywhere; enter a more specific pattern")]
    Empty,
    /// It is too long.
    #[error("more than {MOST_PATTERN} bytes")]
    TooLong,
    /// It is not a valid regular expression.
    #[error("{0}")]
    Invalid(#[from] regex::Error),
}

impl Pattern {
    /// Searches for a literal text.
    ///
    /// # Errors
    /// [`PatternError`] if it is empty or too long.
    pub fn literal(text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MOST_PATTERN {
            return Err(PatternError::TooLong);
        }
        // Only a text with letters has upper and lower case.
        if ignore_case && text.chars().any(char::is_alphabetic) {
            return Self::compile(&regex::escape(text), true, false);
        }
        Ok(Self(Kind::Literal(Box::new(Finder::new(text.as_bytes()).into_owned()))))
    }

    /// Parses user input: a literal text, or a regular expression after `re:`. Input without capitals ignores case.
    ///
    /// # Errors
    /// [`PatternError`] if it is empty, too long or not a valid regular expression.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let ignore_case = |text: &str| !text.chars().any(char::is_uppercase);
        match text.strip_prefix("re:") {
            Some(regex) => Self::regex(regex, ignore_case(regex)),
            None => Self::literal(text, ignore_case(text)),
        }
    }

    /// Searches for a sequence of bytes.
    ///
    /// # Errors
    /// [`PatternError`] if it is empty or too long.
    pub fn bytes(bytes: &[u8]) -> Result<Self, PatternError> {
        match bytes.len() {
            0 => Err(PatternError::Empty),
            length if length > MOST_PATTERN => Err(PatternError::TooLong),
            _ => Ok(Self(Kind::Literal(Box::new(Finder::new(bytes).into_owned())))),
        }
    }

    /// Searches for a regular expression in the syntax of the `regex` crate. It matches within one line.
    ///
    /// # Errors
    /// [`PatternError`] if it is too long, invalid, or matches the empty text.
    pub fn regex(text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        if text.len() > MOST_PATTERN {
            return Err(PatternError::TooLong);
        }
        let by_line = text.contains("\\A") || text.contains("\\z") || (text.contains("(?") && text.contains('-'));
        Self::compile(text, ignore_case, by_line)
    }

    fn compile(text: &str, ignore_case: bool, by_line: bool) -> Result<Self, PatternError> {
        let mut builder = RegexBuilder::new(text);
        builder.case_insensitive(ignore_case).multi_line(true).crlf(true);
        let regex = builder.size_limit(MOST_COMPILED).dfa_size_limit(MOST_COMPILED).build()?;
        if regex.is_match(b"") {
            return Err(PatternError::Empty);
        }
        Ok(Self(Kind::Lines { regex, by_line }))
    }

    /// Returns the first match that begins at or after `from` and lies within one line of `text`. The text before
    /// `from` serves only as context.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match &self.0 {
            Kind::Literal(finder) => {
                let start = from + finder.find(text.get(from..)?)?;
                Some(start..start + finder.needle().len())
            }
            Kind::Lines { regex, by_line: true } => find_by_line(regex, text, from),
            Kind::Lines { regex, by_line: false } => find_in_lines(regex, text, from),
        }
    }
}

/// Searches all lines at once, then checks the match in its line alone. A match in a single line is also a match in the
/// whole text, so no earlier line can contain a match.
fn find_in_lines(regex: &Regex, text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut from = from;
    for _ in 0..MAX_FALSE_MATCHES {
        let found = regex.find_at(text, from)?;
        let line = line_around(text, found.start());
        if found.end() <= line.end && !found.is_empty() {
            return Some(found.range());
        }
        if let Some(found) = find_in_line(regex, text, line.clone(), from) {
            return Some(found);
        }
        from = line.end + 1;
        if from > text.len() {
            return None;
        }
    }
    find_by_line(regex, text, from)
}

fn find_by_line(regex: &Regex, text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut from = from;
    while from <= text.len() {
        let line = line_around(text, from);
        if let Some(found) = find_in_line(regex, text, line.clone(), from) {
            return Some(found);
        }
        from = line.end + 1;
    }
    None
}

/// Returns the first match in a line that is not empty.
fn find_in_line(regex: &Regex, text: &[u8], line: Range<usize>, from: usize) -> Option<Range<usize>> {
    let haystack = text.get(line.clone())?;
    let mut at = from.saturating_sub(line.start);
    while at <= haystack.len() {
        let found = regex.find_at(haystack, at)?;
        if !found.is_empty() {
            return Some(line.start + found.start()..line.start + found.end());
        }
        at = found.end() + 1;
    }
    None
}

/// Returns the line that contains `at`, without its end.
pub(super) fn line_around(text: &[u8], at: usize) -> Range<usize> {
    let (before, after) = text.split_at(at.min(text.len()));
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', after).map_or(text.len(), |newline| at + newline);
    start..end
}
