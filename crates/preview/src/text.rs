use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::available::read_available;
use super::highlight::{FRESH_LEAD, Highlighter};
use super::index::{LineIndex, Located};
use super::line_ends::{LineEnds, Reach};
use super::style::{LineWriter, StyledLine};
use super::wrap::LongLine;
use super::{Encoding, Meaning, Syntaxes};
use nixdive_scan::Section;

/// Bytes of one line that are shown.
pub const LINE_BYTES: usize = 16 << 10;
/// Lines that one request may ask for.
pub const WINDOW_LINES: u64 = 1024;

/// How much one request may do before it answers with what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes that may be read to find out where lines begin.
    pub index_bytes: u64,
    /// Time for colouring.
    pub colouring: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { index_bytes: 64 << 20, colouring: Duration::from_millis(150) }
    }
}

/// Lines of a text, as far as one request got.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Number of the first line, from 0.
    pub first: u64,
    /// The lines that are there.
    pub lines: Vec<StyledLine>,
    /// True if some of the requested lines were not reached within the budget; repeating the
    /// request gets further.
    pub pending: bool,
    /// True if some lines are not coloured yet for lack of time; repeating the request gets
    /// further.
    pub colours_pending: bool,
}

/// A text of any length, served line by line. Only what is asked for is read; what lies before it is counted where lines
/// are asked for by number, and not looked at where they are asked for by where they begin.
pub struct TextPreview {
    pub(super) content: Section,
    pub(super) text_start: u64,
    pub(super) index: LineIndex,
    pub(super) encoding: Encoding,
    pub(super) ends: LineEnds,
    cursor: Cursor,
    colours: Colours,
    /// Lines beyond all bounds whose rows were asked for, the last one at the end.
    pub(super) long: Vec<LongLine>,
    /// The rows of the line whose rows were asked for last.
    pub(super) rows: Option<(u64, usize, Vec<usize>)>,
}

/// A line as text, and where it begins.
pub(super) struct TextLine {
    pub at: u64,
    pub line: StyledLine,
}

/// Colours are looked for when the first lines are, as unpacking the syntaxes takes time.
enum Colours {
    NotLookedFor { syntaxes: Arc<Syntaxes>, path: Vec<u8>, first_line: String },
    None,
    By(Box<Highlighter>),
}

impl TextPreview {
    /// A text in `encoding`, coloured by what `path` and the first line say that it is.
    #[must_use]
    pub fn new(content: Section, encoding: Encoding, path: &[u8], syntaxes: &Arc<Syntaxes>) -> Self {
        let mut start = vec![0; 256];
        let count = content.read_full_at(&mut start, 0).unwrap_or_default();
        start.truncate(count);
        let mark = encoding.mark_bytes(&start).min(count as u64);
        let text = encoding.decode(start.get(mark as usize..).unwrap_or_default());
        let first_line = text.lines().next().unwrap_or_default().to_owned();
        Self {
            text_start: mark,
            index: LineIndex::new(content.clone(), encoding, mark),
            encoding,
            ends: LineEnds::new(content.clone(), encoding, mark),
            cursor: Cursor { content: content.clone(), buffer: Vec::new(), start: 0 },
            content,
            long: Vec::new(),
            rows: None,
            colours: Colours::NotLookedFor { syntaxes: Arc::clone(syntaxes), path: path.to_vec(), first_line },
        }
    }

    /// Shows a text in memory, such as an image's history as a Dockerfile, coloured like the file
    /// `name`.
    #[must_use]
    pub fn of_text(text: String, name: &str, syntaxes: &Arc<Syntaxes>) -> Self {
        Self::new(Section::from_bytes(text.into_bytes()), Encoding::Utf8, name.as_bytes(), syntaxes)
    }

    /// The name of the syntax that it is coloured by.
    pub fn syntax(&mut self) -> Option<&str> {
        self.highlighter().map(|highlighter| highlighter.name())
    }

    fn highlighter(&mut self) -> Option<&mut Highlighter> {
        if let Colours::NotLookedFor { syntaxes, path, first_line } = &self.colours {
            let found = syntaxes.find(path, first_line);
            let found = found.map(|syntax| Box::new(Highlighter::new(Arc::clone(syntaxes), syntax, self.text_start)));
            self.colours = found.map_or(Colours::None, Colours::By);
        }
        match &mut self.colours {
            Colours::By(highlighter) => Some(highlighter),
            Colours::NotLookedFor { .. } | Colours::None => None,
        }
    }

    /// How it is encoded.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Number of all lines, once the file was read to its end.
    #[must_use]
    pub fn total_lines(&self) -> Option<u64> {
        self.index.total()
    }

    /// Lines that are known to be there so far.
    #[must_use]
    pub fn known_lines(&self) -> u64 {
        self.index.known()
    }

    /// Grows with every request that gets further than the one before.
    #[must_use]
    pub fn bytes_looked_at(&self) -> u64 {
        let long = self.long.iter().map(LongLine::bytes).fold(0, u64::wrapping_add);
        self.index.indexed_bytes().wrapping_add(self.ends.bytes_read()).wrapping_add(long)
    }

    /// Bytes read so far to find lines, of [`Section::length`].
    #[must_use]
    pub fn indexed_bytes(&self) -> u64 {
        self.index.indexed_bytes()
    }

    /// Why the text ends before it should, where it does.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.index.problem().or(self.ends.problem())
    }

    /// Reads on to the end of the text; `None` where the budget did not suffice and the same again gets further.
    pub fn count_lines(&mut self, budget: Budget) -> Option<u64> {
        self.index.locate(u64::MAX, &mut { budget.index_bytes });
        self.index.total()
    }

    /// The line, from 0, that a byte of the file lies in; `None` where the budget did not suffice and the same request
    /// again gets further.
    pub fn line_at(&mut self, offset: u64, budget: Budget) -> Option<u64> {
        self.index.line_at(offset, &mut { budget.index_bytes })
    }

    /// The lines of `range`, from 0, at most [`WINDOW_LINES`] of them.
    pub fn lines(&mut self, range: Range<u64>, budget: Budget) -> Window {
        let count = range.end.saturating_sub(range.start).min(WINDOW_LINES);
        let mut window = Window { first: range.start, ..Window::default() };
        if count == 0 {
            return window;
        }
        let mut left = budget.index_bytes;
        let first = match self.index.locate(range.start, &mut left) {
            Located::At(offset) => offset,
            Located::Beyond(_) => return window,
            Located::NotYet => return Window { pending: true, ..window },
        };
        let (offsets, pending) = self.offsets_from(first, count as usize, &mut left);
        window.pending = pending;
        let (lines, complete) = self.styled(&offsets, budget.colouring);
        window.colours_pending = !complete;
        window.lines = lines.into_iter().map(|line| line.line).collect();
        window
    }

    /// Returns the offsets of `count` lines, beginning with the one at `first`; and whether some
    /// were not reached.
    fn offsets_from(&mut self, first: u64, count: usize, budget: &mut u64) -> (Vec<u64>, bool) {
        let mut offsets = vec![first];
        while offsets.len() < count {
            match self.ends.after(offsets.last().copied().unwrap_or(first), budget) {
                Reach::At(next) => offsets.push(next),
                Reach::Edge => break,
                Reach::NotYet => return (offsets, true),
            }
        }
        (offsets, false)
    }

    /// The lines that begin at some offsets and follow each other, and whether all have their colours.
    pub(super) fn styled(&mut self, offsets: &[u64], colouring: Duration) -> (Vec<TextLine>, bool) {
        let Some(&first) = offsets.first() else { return (Vec::new(), true) };
        let lead = self.lead(first);
        let before = lead.len();
        let raw: Vec<(u64, RawLine)> = lead.iter().chain(offsets).map(|&at| (at, self.raw_line(at))).collect();
        let Some(highlighter) = self.highlighter() else {
            let plain = raw.iter().map(|(at, line)| TextLine { at: *at, line: line.plain() });
            return (plain.collect(), true);
        };
        let texts = raw.iter().map(|(at, line)| (*at, line.text.as_str(), line.cut));
        let (lines, complete) = highlighter.style(texts, colouring);
        let lines = raw.iter().zip(lines).skip(before).map(|((at, _), line)| TextLine { at: *at, line });
        (lines.collect(), complete)
    }

    /// The lines before one that have to be gone through so that it gets its colours.
    fn lead(&mut self, first: u64) -> Vec<u64> {
        /// Bytes that may be read to find them.
        const READ: u64 = 256 << 10;
        let Some(begin) = self.highlighter().map(|highlighter| highlighter.begin_at(first)) else { return Vec::new() };
        let mut budget = READ;
        let mut lead = Vec::new();
        let mut at = first;
        while begin.is_none_or(|begin| at > begin) && (begin.is_some() || lead.len() < FRESH_LEAD) {
            match self.ends.before(at, &mut budget) {
                Reach::At(before) => at = before,
                Reach::Edge | Reach::NotYet => break,
            }
            lead.push(at);
        }
        lead.reverse();
        lead
    }

    /// The line that begins at an offset, cut at [`LINE_BYTES`].
    pub(super) fn raw_line(&mut self, at: u64) -> RawLine {
        RawLine::new(self.encoding, self.line_bytes(at))
    }

    /// The bytes of the line that begins at an offset, without its end; more than [`LINE_BYTES`] where it is cut.
    pub(super) fn line_bytes(&mut self, at: u64) -> &[u8] {
        let encoding = self.encoding;
        let bytes = self.cursor.bytes(at, LINE_BYTES + 2 * encoding.unit() as usize);
        match encoding.newline(bytes, 0) {
            Some(end) => &bytes[..end],
            None => bytes,
        }
    }
}

/// A line as text, not yet safe.
pub(super) struct RawLine {
    text: String,
    cut: bool,
}

impl RawLine {
    fn new(encoding: Encoding, bytes: &[u8]) -> Self {
        let cut = bytes.len() > LINE_BYTES;
        let mut end = bytes.len().min(LINE_BYTES);
        while cut
            && encoding == Encoding::Utf8
            && end > LINE_BYTES - 4
            && bytes.get(end).is_some_and(|b| b & 0xc0 == 0x80)
        {
            end -= 1;
        }
        let mut text = encoding.decode(&bytes[..end]);
        if !cut && text.ends_with('\r') {
            text.pop();
        }
        Self { text, cut }
    }

    pub(super) fn plain(&self) -> StyledLine {
        let mut line = LineWriter::default();
        line.push(&self.text, Meaning::Plain);
        StyledLine { cut: self.cut, ..line.finish() }
    }
}

/// Reads a file here and there, some of it at a time. Runs begin at even offsets.
struct Cursor {
    content: Section,
    buffer: Vec<u8>,
    start: u64,
}

impl Cursor {
    /// `length` bytes from `offset`, fewer at the end and where they cannot be read.
    fn bytes(&mut self, offset: u64, length: usize) -> &[u8] {
        const RUN: usize = 128 << 10;
        let within = |cursor: &Self| offset.checked_sub(cursor.start).and_then(|at| usize::try_from(at).ok());
        let at_hand = within(self).is_some_and(|at| at.saturating_add(length) <= self.buffer.len());
        if !at_hand {
            let most = self.content.length().saturating_sub(offset).min(RUN as u64) as usize;
            self.buffer.resize(most, 0);
            let available = read_available(&self.content, &mut self.buffer, offset);
            let count = available.map_or(0, |available| available.bytes);
            self.buffer.truncate(count);
            self.start = offset;
        }
        let at = within(self).unwrap_or(usize::MAX).min(self.buffer.len());
        &self.buffer[at..at.saturating_add(length).min(self.buffer.len())]
    }
}
