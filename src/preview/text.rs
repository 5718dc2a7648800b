use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::highlight::Highlighter;
use super::index::{LineIndex, Located};
use super::style::{LineWriter, StyledLine};
use super::{Encoding, Meaning, Syntaxes};
use crate::scan::Section;

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
    /// Whether some of the lines asked for were not reached within the budget; the same request again gets further.
    pub pending: bool,
    /// Whether some lines are not coloured yet for want of time; the same request again gets further.
    pub colours_pending: bool,
}

/// A text of any length, served line by line. Only what is asked for is read, and what lies before it is counted.
pub struct TextPreview {
    index: LineIndex,
    encoding: Encoding,
    cursor: Cursor,
    colours: Colours,
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
            index: LineIndex::new(content.clone(), encoding, mark),
            encoding,
            cursor: Cursor { content, buffer: Vec::new(), start: 0 },
            colours: Colours::NotLookedFor { syntaxes: Arc::clone(syntaxes), path: path.to_vec(), first_line },
        }
    }

    /// A text that is at hand, such as an image's history as a Dockerfile, coloured as the file `name` would be.
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
            let found = found.map(|syntax| Box::new(Highlighter::new(Arc::clone(syntaxes), syntax)));
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

    /// Bytes read so far to find lines, of [`Section::length`].
    #[must_use]
    pub fn indexed_bytes(&self) -> u64 {
        self.index.indexed_bytes()
    }

    /// Why the text ends before it should, where it does.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.index.problem()
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
        let range = range.start..range.end.min(range.start.saturating_add(WINDOW_LINES));
        let mut window = Window { first: range.start, ..Window::default() };
        if range.is_empty() {
            return window;
        }
        let mut bytes = budget.index_bytes;
        let lead = self.highlighter().map_or(range.start, |highlighter| highlighter.begin_at(range.start));
        let (raw, pending) = self.raw_lines(lead..range.end, &mut bytes);
        window.pending = pending;
        let shown = (range.start - lead) as usize;
        if shown > raw.len() {
            return window;
        }
        let Some(highlighter) = self.highlighter() else {
            window.lines = raw.iter().map(RawLine::plain).collect();
            return window;
        };
        let texts = raw.iter().map(|line| (line.text.as_str(), line.cut));
        let (mut lines, complete) = highlighter.style(lead, texts, budget.colouring);
        window.colours_pending = !complete;
        window.lines = lines.split_off(shown.min(lines.len()));
        window
    }

    /// The decoded lines of a range, and whether some were not reached.
    fn raw_lines(&mut self, range: Range<u64>, budget: &mut u64) -> (Vec<RawLine>, bool) {
        let mut lines = Vec::new();
        let mut at = match self.index.locate(range.start, budget) {
            Located::At(offset) => offset,
            Located::Beyond(_) => return (lines, false),
            Located::NotYet => return (lines, true),
        };
        let end = range.end;
        for number in range {
            let unit = self.encoding.unit();
            let bytes = self.cursor.bytes(at, LINE_BYTES + 2 * unit as usize);
            if bytes.is_empty() {
                break;
            }
            let (next, line) = match self.encoding.newline(bytes, 0) {
                Some(end) => (Some(at + end as u64 + unit), RawLine::new(self.encoding, &bytes[..end])),
                None => (None, RawLine::new(self.encoding, bytes)),
            };
            let cut = line.cut;
            lines.push(line);
            at = match next {
                Some(next) => next,
                None if !cut || number + 1 >= end => break,
                None => match self.index.locate(number + 1, budget) {
                    Located::At(offset) => offset,
                    Located::Beyond(_) => break,
                    Located::NotYet => return (lines, true),
                },
            };
        }
        (lines, false)
    }
}

/// A line as text, not yet safe.
struct RawLine {
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

    fn plain(&self) -> StyledLine {
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
            let count = self.content.read_full_at(&mut self.buffer, offset).unwrap_or_default();
            self.buffer.truncate(count);
            self.start = offset;
        }
        let at = within(self).unwrap_or(usize::MAX).min(self.buffer.len());
        &self.buffer[at..at.saturating_add(length).min(self.buffer.len())]
    }
}
