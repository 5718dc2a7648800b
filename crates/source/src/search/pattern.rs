use std::ops::Range;

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// Bytes that a pattern may have.
const MOST_PATTERN: usize = 1024;
/// Memory that a compiled pattern may take, bytes.
const MOST_COMPILED: usize = 8 << 20;
/// Lines of one piece that may look right and be wrong before the piece is gone through line by line.
const MOST_VAIN: usize = 64;

/// What is looked for in files.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Literal(Box<Finder<'static>>),
    /// `by_line`: it can match differently in a line alone than in a text of several.
    Lines {
        regex: Regex,
        by_line: bool,
    },
}

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It is empty, or matches the empty text.
    #[error("matches everywhere; type something to look for")]
    Empty,
    /// It is very long.
    #[error("more than {MOST_PATTERN} bytes")]
    TooLong,
    /// It is no regular expression.
    #[error("{0}")]
    Invalid(#[from] regex::Error),
}

impl Pattern {
    /// A text as it stands.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn literal(text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MOST_PATTERN {
            return Err(PatternError::TooLong);
        }
        // Only a text with letters can be written in another case.
        if ignore_case && text.chars().any(char::is_alphabetic) {
            return Self::compile(&regex::escape(text), true, false);
        }
        Ok(Self(Kind::Literal(Box::new(Finder::new(text.as_bytes()).into_owned()))))
    }

    /// What a person types: a text as it stands, or after `re:` a regular expression. Without capitals it stands for
    /// capitals too.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let ignore_case = |text: &str| !text.chars().any(char::is_uppercase);
        match text.strip_prefix("re:") {
            Some(regex) => Self::regex(regex, ignore_case(regex)),
            None => Self::literal(text, ignore_case(text)),
        }
    }

    /// Some bytes.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn bytes(bytes: &[u8]) -> Result<Self, PatternError> {
        match bytes.len() {
            0 => Err(PatternError::Empty),
            length if length > MOST_PATTERN => Err(PatternError::TooLong),
            _ => Ok(Self(Kind::Literal(Box::new(Finder::new(bytes).into_owned())))),
        }
    }

    /// A regular expression in the syntax of the `regex` crate. It matches within one line.
    ///
    /// # Errors
    /// [`PatternError`].
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

    /// The first match that begins at or after `from` and lies within one line of `text`. What stands before `from` is
    /// looked at as context only.
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

/// Searches all lines at once, then makes sure in the line alone. Whatever matches in a line alone also matches in the
/// whole text, so no line before the found one can have a match.
fn find_in_lines(regex: &Regex, text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut from = from;
    for _ in 0..MOST_VAIN {
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

/// The first match in a line that is not empty.
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

/// The line that holds `at`, without its end.
pub(super) fn line_around(text: &[u8], at: usize) -> Range<usize> {
    let (before, after) = text.split_at(at.min(text.len()));
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', after).map_or(text.len(), |newline| at + newline);
    start..end
}
