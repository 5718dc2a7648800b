use std::io::{self, Read};
use std::ops::ControlFlow;

use super::excerpt::{BEFORE, Excerpt, excerpt};
use super::pattern::{Pattern, line_around};

/// Bytes read at a time.
const PIECE: usize = 256 << 10;
/// Bytes at the end of a piece in which a match may begin only after the next piece was read, if a line is longer than
/// a piece. A regular expression that needs more than these bytes to match is not found there.
const OVERLAP: usize = 4 << 10;
/// Bytes at the beginning of a file that determine whether it is text.
const SAMPLE: usize = 8 << 10;

/// A match in a stream.
pub(super) struct Found {
    pub offset: u64,
    pub line: u64,
    pub excerpt: Excerpt,
    pub binary: bool,
}

/// Searches one stream after the other, with one buffer.
pub(super) struct Scanner<'a> {
    pattern: &'a Pattern,
    buffer: Vec<u8>,
    length: usize,
    /// Offset of the buffer in the stream.
    base: u64,
    /// Number of lines that end before the buffer, and whether the current line begins in it.
    lines: u64,
    line_begins: bool,
    /// Position in the buffer at which the next match may begin.
    from: usize,
    binary: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(pattern: &'a Pattern) -> Self {
        let buffer = vec![0; PIECE];
        Self { pattern, buffer, length: 0, base: 0, lines: 0, line_begins: true, from: 0, binary: false }
    }

    /// Searches a stream to its end, unless `visit` ends it early. Adds the bytes read to `bytes`.
    pub(super) fn search(
        &mut self,
        stream: &mut dyn Read,
        bytes: &mut u64,
        visit: &mut dyn FnMut(Found) -> ControlFlow<()>,
        go_on: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        (self.length, self.base, self.lines, self.from) = (0, 0, 0, 0);
        (self.line_begins, self.binary) = (true, false);
        loop {
            if !go_on() {
                return Ok(());
            }
            let before = self.length;
            let result = self.fill(stream);
            *bytes += (self.length - before) as u64;
            let ended = self.length < self.buffer.len() || result.is_err();
            if self.base == 0 && before == 0 {
                let sample = &self.buffer[..self.length.min(SAMPLE)];
                self.binary = memchr::memchr(0, sample).is_some();
            }
            let settled = if ended { self.length } else { self.settled() };
            if self.search_until(settled, ended, visit, go_on).is_break() || ended {
                return result;
            }
            self.drop_before(settled);
        }
    }

    fn fill(&mut self, stream: &mut dyn Read) -> io::Result<()> {
        while self.length < self.buffer.len() {
            match stream.read(&mut self.buffer[self.length..]) {
                Ok(0) => break,
                Ok(count) => self.length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the position up to which matches may begin: whole lines, or all but the overlap if a line fills the
    /// buffer.
    fn settled(&self) -> usize {
        let text = &self.buffer[..self.length];
        match memchr::memrchr(b'\n', text) {
            Some(newline) if newline + 1 > BEFORE + self.length / 4 => newline + 1,
            _ => self.length - OVERLAP,
        }
    }

    fn search_until(
        &mut self,
        settled: usize,
        ended: bool,
        visit: &mut dyn FnMut(Found) -> ControlFlow<()>,
        go_on: &dyn Fn() -> bool,
    ) -> ControlFlow<()> {
        // No match can extend beyond whole lines.
        let whole_lines = ended || self.buffer.get(settled.wrapping_sub(1)) == Some(&b'\n');
        let text = &self.buffer[..if whole_lines { settled } else { self.length }];
        let (mut counted, mut lines) = (0, self.lines);
        while let Some(found) = self.pattern.find(text, self.from) {
            if found.start >= settled {
                break;
            }
            if !go_on() {
                return ControlFlow::Break(());
            }
            let line = line_around(text, found.start);
            lines += memchr::memchr_iter(b'\n', &text[counted..found.start]).count() as u64;
            counted = found.start;
            let begins = line.start > 0 || self.line_begins;
            let excerpt = excerpt(self.pattern, text, line, begins, found.clone());
            self.from = excerpt.end.max(found.end);
            let offset = self.base + found.start as u64;
            let binary = self.binary;
            visit(Found { offset, line: lines, excerpt, binary })?;
        }
        self.from = self.from.max(settled);
        ControlFlow::Continue(())
    }

    /// Drops everything before `settled`, except what an excerpt may show before a match.
    fn drop_before(&mut self, settled: usize) {
        let dropped = settled.saturating_sub(BEFORE);
        let gone = &self.buffer[..dropped];
        self.lines += memchr::memchr_iter(b'\n', gone).count() as u64;
        if let Some(&last) = gone.last() {
            self.line_begins = last == b'\n';
        }
        self.buffer.copy_within(dropped..self.length, 0);
        self.length -= dropped;
        self.base += dropped as u64;
        self.from = self.from.saturating_sub(dropped);
    }
}
