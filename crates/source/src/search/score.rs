/// Maximum number of letters of a query that count.
const MOST_LETTERS: usize = 64;
/// Maximum number of words of a query that count.
const MOST_WORDS: usize = 8;
/// Bytes at the end of a path that are scored; the bytes before them still have to match.
const SCORED_BYTES: usize = 512;

/// Points for letters and their positions, in the style of fzf's `algo.go`: a match earns points, a gap costs some, and
/// letters at the beginning of words or next to each other earn more.
mod points {
    pub const MATCH: i32 = 16;
    pub const GAP_START: i32 = -3;
    pub const GAP: i32 = -1;
    pub const PART_START: i32 = 9;
    pub const WORD_START: i32 = 8;
    pub const CAMEL: i32 = 7;
    pub const CONSECUTIVE: i32 = 4;
    pub const FIRST_TWICE: i32 = 2;
    /// For a letter in the last component of the path.
    pub const IN_NAME: i32 = 4;
    /// For a last component that equals the query.
    pub const WHOLE_NAME: i32 = 24;
}

/// A query for paths: words whose letters occur in the path in the same order. A query without capitals ignores case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathQuery {
    words: Vec<Vec<u8>>,
    fold: bool,
}

impl PathQuery {
    /// Parses a query: words are separated by spaces, and all of them must match.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let fold = !text.chars().any(char::is_uppercase);
        let mut left = MOST_LETTERS;
        let mut words = Vec::new();
        for word in text.split_whitespace().take(MOST_WORDS) {
            let word = &word.as_bytes()[..word.len().min(left)];
            left -= word.len();
            if !word.is_empty() {
                words.push(word.to_vec());
            }
        }
        Self { words, fold }
    }

    /// Returns `true` if the query is empty, so that every path matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn words(&self) -> &[Vec<u8>] {
        &self.words
    }

    fn folded(&self, byte: u8) -> u8 {
        if self.fold { byte.to_ascii_lowercase() } else { byte }
    }

    /// Returns how many letters of a word are found after `text`, if `found` of them were found before.
    pub(super) fn advance(&self, word: &[u8], found: usize, text: &[u8]) -> usize {
        let mut found = found;
        let mut rest = text;
        while let Some(&letter) = word.get(found) {
            let at = if self.fold && letter.is_ascii_alphabetic() {
                memchr::memchr2(letter.to_ascii_lowercase(), letter.to_ascii_uppercase(), rest)
            } else {
                memchr::memchr(letter, rest)
            };
            let Some(at) = at else { break };
            found += 1;
            rest = &rest[at + 1..];
        }
        found
    }

    /// Returns `true` if a text matches all words.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        self.words.iter().all(|word| self.advance(word, 0, path) == word.len())
    }

    /// Returns the score of a path, higher for a better match, or `None` if a word does not match.
    #[must_use]
    pub fn score(&self, path: &[u8]) -> Option<i32> {
        self.score_with(path, &mut Scratch::default())
    }

    pub(super) fn score_with(&self, path: &[u8], scratch: &mut Scratch) -> Option<i32> {
        let mut score = 0;
        for word in &self.words {
            score += self.score_word(word, path, scratch)?;
        }
        Some(score)
    }

    /// Returns the positions of the best-scoring letters in a path, in order, for highlighting.
    #[must_use]
    pub fn positions(&self, path: &[u8]) -> Vec<usize> {
        let mut scratch = Scratch::default();
        let mut positions = Vec::new();
        for word in &self.words {
            if self.score_word(word, path, &mut scratch).is_some() {
                scratch.trace(word.len(), &mut positions);
            }
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    fn score_word(&self, word: &[u8], path: &[u8], scratch: &mut Scratch) -> Option<i32> {
        if self.advance(word, 0, path) < word.len() {
            return None;
        }
        let mut window = path.len().saturating_sub(SCORED_BYTES);
        if window > 0 && self.advance(word, 0, &path[window..]) < word.len() {
            window = 0;
        }
        let text = &path[window..(window + 8 * SCORED_BYTES).min(path.len())];
        let name_start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
        scratch.start = window;
        scratch.width = text.len();
        let best = scratch.fill(self, word, text, name_start.saturating_sub(window));
        let name = path.get(name_start..).unwrap_or_default();
        let whole = name.len() == word.len() && name.iter().zip(word).all(|(&a, &b)| self.folded(a) == self.folded(b));
        Some(best.unwrap_or_default() + if whole { points::WHOLE_NAME } else { 0 })
    }
}

/// Buffers of one scoring, reused for the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    start: usize,
    width: usize,
    /// For each letter and position: the best score with this letter at this position.
    ending: Vec<i32>,
    /// The position of the preceding letter.
    before: Vec<u16>,
    /// The text in lower case, if case is ignored.
    text: Vec<u8>,
    bonus: Vec<i32>,
    /// Range of possible positions for each letter.
    bounds: Vec<(usize, usize)>,
    /// Number of consecutive letters up to each position, for the current and the previous letter.
    runs: (Vec<i32>, Vec<i32>),
    end: usize,
}

const NEVER: i32 = i32::MIN / 2;

impl Scratch {
    /// Finds the best positions of a word's letters in a text and returns the score.
    fn fill(&mut self, query: &PathQuery, word: &[u8], text: &[u8], name_start: usize) -> Option<i32> {
        let width = text.len();
        self.bonus.clear();
        let mut last = b'/';
        for (at, &byte) in text.iter().enumerate() {
            self.bonus.push(bonus(last, byte) + if at >= name_start { points::IN_NAME } else { 0 });
            last = byte;
        }
        self.text.clear();
        self.text.extend(text.iter().map(|&byte| query.folded(byte)));
        self.find_bounds(query, word)?;
        self.ending.clear();
        self.ending.resize(width * word.len(), NEVER);
        self.before.clear();
        self.before.resize(width * word.len(), 0);
        self.runs.0.resize(width.max(self.runs.0.len()), 0);
        self.runs.1.resize(width.max(self.runs.1.len()), 0);
        for (number, &letter) in word.iter().enumerate() {
            std::mem::swap(&mut self.runs.0, &mut self.runs.1);
            self.letter(number, query.folded(letter));
        }
        let last = self.ending.get(width * (word.len() - 1)..)?;
        let (end, &best) = last.iter().enumerate().max_by_key(|&(at, &points)| (points, std::cmp::Reverse(at)))?;
        self.end = end;
        (best > NEVER).then_some(best)
    }

    /// Finds the first position of each letter when all before it are as early as possible, and the last one when all
    /// after it are as late as possible.
    fn find_bounds(&mut self, query: &PathQuery, word: &[u8]) -> Option<()> {
        self.bounds.clear();
        let mut from = 0;
        for &letter in word {
            let first = from + memchr::memchr(query.folded(letter), self.text.get(from..)?)?;
            self.bounds.push((first, first));
            from = first + 1;
        }
        let mut until = self.text.len();
        for (&letter, bounds) in word.iter().zip(&mut self.bounds).rev() {
            until = memchr::memrchr(query.folded(letter), self.text.get(..until)?)?;
            bounds.1 = until;
        }
        Some(())
    }

    /// Computes the scores of one letter of a word.
    fn letter(&mut self, number: usize, letter: u8) {
        let width = self.width;
        let Some(&(first, last)) = self.bounds.get(number) else { return };
        let first = match number.checked_sub(1).and_then(|before| self.bounds.get(before)) {
            Some((first, _)) => first + 1,
            None => first,
        };
        let (above, row) = self.ending.split_at_mut(width * number);
        let above = above.get(width * number.saturating_sub(1)..).unwrap_or_default();
        let before = &mut self.before[width * number..];
        // The best score of the previous letter, minus the gap up to here, and its position.
        let (mut gapped, mut gapped_at) = (NEVER, 0);
        for at in first..=last {
            if number > 0 && at >= 2 {
                let opened = above[at - 2].saturating_add(points::GAP_START);
                gapped = gapped.saturating_add(points::GAP).max(NEVER);
                if opened > gapped {
                    (gapped, gapped_at) = (opened, at - 2);
                }
            }
            if self.text[at] != letter {
                continue;
            }
            let bonus = self.bonus[at];
            if number == 0 {
                row[at] = points::MATCH + points::FIRST_TWICE * bonus;
                self.runs.0[at] = bonus.max(points::CONSECUTIVE);
                continue;
            }
            let apart = if gapped > NEVER / 2 { gapped + points::MATCH + bonus } else { NEVER };
            let adjacent = above[at - 1];
            let run = self.runs.1[at - 1];
            // Consecutive letters earn the bonus of the first of them.
            let together = if adjacent > NEVER / 2 { adjacent + points::MATCH + bonus.max(run) } else { NEVER };
            if together >= apart {
                row[at] = together;
                before[at] = (at - 1) as u16;
                self.runs.0[at] = run.max(bonus).max(points::CONSECUTIVE);
            } else {
                row[at] = apart;
                before[at] = gapped_at as u16;
                self.runs.0[at] = bonus.max(points::CONSECUTIVE);
            }
        }
    }

    fn trace(&self, letters: usize, positions: &mut Vec<usize>) {
        let mut at = self.end;
        for number in (0..letters).rev() {
            positions.push(self.start + at);
            at = self.before.get(self.width * number + at).map_or(0, |&before| usize::from(before));
        }
    }
}

/// Returns the bonus of a position, which depends on the byte before it.
fn bonus(before: u8, byte: u8) -> i32 {
    match (before, byte) {
        (b'/', _) => points::PART_START,
        (b'-' | b'_' | b'.' | b' ' | b'@' | b'+', letter) if letter.is_ascii_alphanumeric() => points::WORD_START,
        (before, letter) if before.is_ascii_lowercase() && letter.is_ascii_uppercase() => points::CAMEL,
        (before, letter) if !before.is_ascii_digit() && letter.is_ascii_digit() => points::CAMEL,
        _ => 0,
    }
}
