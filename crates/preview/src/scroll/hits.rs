use std::ops::Range;
use std::sync::Arc;

use super::super::Encoding;
use super::Rows;

/// Hits of one file that are counted.
const MOST_HITS: usize = 100_000;
/// Hits of one line, or of one piece, that are taken.
const MOST_AT_ONCE: usize = 10_000;
/// Pieces that one step looks through.
const PIECES: usize = 16;

/// A search term.
pub trait Needle: Send + Sync {
    /// The first hit that begins at or after `from`, as bytes of `text`; it is not empty. What stands before `from` is
    /// looked at as context only.
    fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>>;
}

/// A search within what is shown, as rows have to know it.
#[derive(Clone)]
pub struct Find {
    /// Search term.
    pub needle: Arc<dyn Needle>,
    /// The hit that was gone to.
    pub current: Option<Hit>,
}

/// Position of a hit's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hit {
    /// Offset of the first byte for text or bytes; otherwise the line number, from 0.
    pub at: u64,
    /// Within a line that is known by its number, bytes.
    pub start: u64,
}

/// Which hit, seen from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// The first that begins there or after it.
    Here,
    /// The first after it.
    Next,
    /// The last before it.
    Previous,
}

/// How far a search within what is shown has come.
#[derive(Debug, Default)]
pub struct Finding {
    seek: Option<Seek>,
    hits: Vec<Hit>,
    counted_to: u64,
    counted: bool,
    problem: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Seek {
    from: Hit,
    toward: Toward,
    /// Start of the next piece; its end when searching backwards.
    next: u64,
    /// True if the search passed the end and continues from the other one.
    wrapped: bool,
    done: bool,
    hit: Option<Hit>,
}

impl Finding {
    /// Goes to a hit, as far as one step gets; [`Self::seeks`] tells whether the same again gets further.
    pub(super) fn seek(&mut self, rows: &mut dyn Rows, find: &Find, from: Hit, toward: Toward) -> Option<Hit> {
        let begun = self.seek.filter(|seek| (seek.from, seek.toward) == (from, toward));
        let next = if toward == Toward::Previous { from.at.saturating_add(1).min(rows.extent()) } else { from.at };
        let mut seek = begun.unwrap_or(Seek { from, toward, next, wrapped: false, done: false, hit: None });
        for _ in 0..PIECES {
            if seek.done {
                break;
            }
            let step = if toward == Toward::Previous { back(&mut seek, rows, find) } else { on(&mut seek, rows, find) };
            if let Err(error) = step {
                self.problem = Some(error.to_string());
                seek.done = true;
            }
        }
        self.seek = Some(seek);
        seek.hit
    }

    /// Returns `true` while a search is in progress.
    #[must_use]
    pub fn seeks(&self) -> bool {
        self.seek.is_some_and(|seek| !seek.done)
    }

    /// Returns `true` if the search ended without a hit.
    #[must_use]
    pub fn found_nothing(&self) -> bool {
        self.seek.is_some_and(|seek| seek.done && seek.hit.is_none()) || (self.counted && self.hits.is_empty())
    }

    /// Returns `true` if the hit was found after wrapping around the end.
    #[must_use]
    pub fn wrapped(&self) -> bool {
        self.seek.is_some_and(|seek| seek.wrapped && seek.hit.is_some())
    }

    /// The hit that was gone to last.
    #[must_use]
    pub fn current(&self) -> Option<Hit> {
        self.seek.and_then(|seek| seek.hit)
    }

    /// Why not everything could be looked through.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Hits counted so far, and whether they are all.
    #[must_use]
    pub fn count(&self) -> (u64, bool) {
        (self.hits.len() as u64, self.counted && self.hits.len() < MOST_HITS)
    }

    /// Which of all hits this is, from 0, where they are counted up to it.
    #[must_use]
    pub fn index_of(&self, hit: Hit) -> Option<u64> {
        self.hits.binary_search(&hit).ok().map(|index| index as u64)
    }

    /// Looks through some more to count hits; whether the same again gets further.
    pub fn count_on(&mut self, rows: &mut dyn Rows, find: &Find) -> bool {
        for _ in 0..PIECES {
            if self.counted {
                return false;
            }
            let end = self.counted_to.saturating_add(rows.piece()).min(rows.extent());
            match rows.hits(&*find.needle, self.counted_to..end) {
                Ok(hits) => self.hits.extend(hits),
                Err(error) => {
                    self.problem = Some(error.to_string());
                    self.counted = true;
                }
            }
            self.counted_to = end;
            self.counted |= end >= rows.extent() || self.hits.len() >= MOST_HITS;
        }
        !self.counted
    }

    /// How far the looking or the counting is, of `extent` places.
    #[must_use]
    pub fn percent(&self, extent: u64) -> u64 {
        let far = match self.seek {
            Some(seek) if !seek.done => match (seek.toward, seek.wrapped) {
                (Toward::Previous, false) => seek.from.at.saturating_sub(seek.next),
                (Toward::Previous, true) => seek.from.at.saturating_add(extent.saturating_sub(seek.next)),
                (_, false) => seek.next.saturating_sub(seek.from.at),
                (_, true) => extent.saturating_sub(seek.from.at).saturating_add(seek.next),
            },
            _ => self.counted_to,
        };
        (u128::from(far) * 100 / u128::from(extent.max(1))).min(100) as u64
    }
}

/// Looks through the next piece forward.
fn on(seek: &mut Seek, rows: &mut dyn Rows, find: &Find) -> std::io::Result<()> {
    let extent = rows.extent();
    if seek.next >= extent {
        seek.done = seek.wrapped;
        (seek.wrapped, seek.next) = (true, 0);
        return Ok(());
    }
    let end = seek.next.saturating_add(rows.piece()).min(extent);
    let fits = |hit: &&Hit| match seek.toward {
        _ if seek.wrapped => true,
        Toward::Here => **hit >= seek.from,
        Toward::Next | Toward::Previous => **hit > seek.from,
    };
    seek.hit = rows.hits(&*find.needle, seek.next..end)?.iter().find(fits).copied();
    seek.next = end;
    seek.done = seek.hit.is_some() || (seek.wrapped && end > seek.from.at);
    Ok(())
}

/// Looks through the next piece backward.
fn back(seek: &mut Seek, rows: &mut dyn Rows, find: &Find) -> std::io::Result<()> {
    let extent = rows.extent();
    if seek.next == 0 {
        seek.done = seek.wrapped;
        (seek.wrapped, seek.next) = (true, extent);
        return Ok(());
    }
    let start = seek.next.saturating_sub(rows.piece());
    let hits = rows.hits(&*find.needle, start..seek.next)?;
    seek.hit = hits.iter().rev().find(|hit| seek.wrapped || **hit < seek.from).copied();
    seek.next = start;
    seek.done = seek.hit.is_some() || (seek.wrapped && start <= seek.from.at);
    Ok(())
}

/// The hits in a text that begin within `range`, each from behind the one before.
pub(super) fn all_in(needle: &dyn Needle, text: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = range.start;
    while found.len() < MOST_AT_ONCE
        && let Some(hit) = needle.find(text, from).filter(|hit| hit.start < range.end)
    {
        from = hit.end.max(hit.start + 1);
        found.push(hit);
    }
    found
}

/// The hits in encoded text, as bytes of it.
pub(super) fn all_in_encoded(
    needle: &dyn Needle,
    encoding: Encoding,
    bytes: &[u8],
    range: Range<usize>,
) -> Vec<Range<usize>> {
    if encoding == Encoding::Utf8 {
        return all_in(needle, bytes, range);
    }
    let text = encoding.decode(bytes);
    let mut hits = all_in(needle, text.as_bytes(), 0..text.len()).into_iter().peekable();
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut decoded, mut at, mut start) = (0, 0, None);
    let lengths = encoding.characters(bytes).map(|(character, length)| (character.len_utf8(), length));
    for (character, length) in lengths.chain([(0, 0)]) {
        if let (Some(hit), Some(from)) = (hits.peek(), start)
            && decoded >= hit.end
        {
            found.push(from..at);
            start = None;
            hits.next();
        }
        if let (Some(hit), None) = (hits.peek(), start)
            && decoded >= hit.start
        {
            start = Some(at);
        }
        decoded += character;
        at += length;
    }
    found.retain(|hit| range.contains(&hit.start));
    found
}
