use std::io;

use super::Encoding;
use super::available::read_available;
use nixdive_scan::Section;

/// Bytes of one step of the index.
const BLOCK: usize = 256 << 10;

/// Index of line starts. Holds one number for each 256 KiB of a file: the line ends up to there. A
/// line is found by reading the one block that it begins in; a file is counted only as far as
/// requested.
pub(super) struct LineIndex {
    content: Section,
    encoding: Encoding,
    text_start: u64,
    /// Line ends in all blocks up to and with this one.
    counts: Vec<u64>,
    /// End of the text, once known.
    end: Option<u64>,
    ends_with_newline: bool,
    problem: Option<String>,
    block: Vec<u8>,
    block_number: Option<usize>,
}

/// The offset of a line, or the reason why it is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Located {
    /// At this offset.
    At(u64),
    /// The text has only this many lines.
    Beyond(u64),
    /// More has to be read than was allowed.
    NotYet,
}

impl LineIndex {
    pub(super) fn new(content: Section, encoding: Encoding, text_start: u64) -> Self {
        Self {
            content,
            encoding,
            text_start,
            counts: Vec::new(),
            end: None,
            ends_with_newline: false,
            problem: None,
            block: Vec::new(),
            block_number: None,
        }
    }

    /// Bytes whose lines are counted.
    pub(super) fn indexed_bytes(&self) -> u64 {
        self.end.unwrap_or((self.counts.len() * BLOCK) as u64)
    }

    /// Number of all lines, once the whole file was read.
    pub(super) fn total(&self) -> Option<u64> {
        let end = self.end?;
        let rest = end > self.text_start && !self.ends_with_newline;
        Some(self.newlines() + u64::from(rest))
    }

    /// Lines that are known to be there.
    pub(super) fn known(&self) -> u64 {
        self.total().unwrap_or_else(|| self.newlines())
    }

    /// Returns the problem with the file, if any.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn newlines(&self) -> u64 {
        self.counts.last().copied().unwrap_or_default()
    }

    /// Finds the offset of a line. Reads at most `budget` bytes that are not counted yet, and
    /// subtracts them.
    pub(super) fn locate(&mut self, line: u64, budget: &mut u64) -> Located {
        while self.newlines() < line || self.counts.is_empty() {
            if self.end.is_some() {
                return Located::Beyond(self.total().unwrap_or_default());
            }
            if *budget == 0 {
                return Located::NotYet;
            }
            *budget = budget.saturating_sub(BLOCK as u64);
            self.count_block();
        }
        if self.total().is_some_and(|total| line >= total) {
            return Located::Beyond(self.total().unwrap_or_default());
        }
        match line.checked_sub(1) {
            None => Located::At(self.text_start),
            Some(newline) => self.after_newline(newline),
        }
    }

    /// The line that an offset lies in.
    pub(super) fn line_at(&mut self, offset: u64, budget: &mut u64) -> Option<u64> {
        let number = usize::try_from(offset / BLOCK as u64).ok()?;
        while self.counts.len() <= number && self.end.is_none() {
            if *budget == 0 {
                return None;
            }
            *budget = budget.saturating_sub(BLOCK as u64);
            self.count_block();
        }
        if self.counts.len() <= number {
            return Some(self.total()?.saturating_sub(1));
        }
        let before = number.checked_sub(1).and_then(|number| self.counts.get(number)).copied().unwrap_or_default();
        let count = self.read_block(number).ok()?;
        let within = usize::try_from(offset % BLOCK as u64).ok()?.min(count);
        let within = within - within % self.encoding.unit() as usize;
        let line = before + self.encoding.count_newlines(&self.block[..within]);
        Some(self.total().map_or(line, |total| line.min(total.saturating_sub(1))))
    }

    fn after_newline(&mut self, newline: u64) -> Located {
        let number = self.counts.partition_point(|&count| count <= newline);
        let before = number.checked_sub(1).and_then(|number| self.counts.get(number)).copied().unwrap_or_default();
        let Ok(count) = self.read_block(number) else { return Located::Beyond(self.known()) };
        let block = &self.block[..count];
        let mut at = 0;
        for _ in before..=newline {
            let Some(found) = self.encoding.newline(block, at) else { return Located::Beyond(self.known()) };
            at = found + self.encoding.unit() as usize;
        }
        Located::At((number * BLOCK + at) as u64)
    }

    fn count_block(&mut self) {
        let number = self.counts.len();
        let start = (number * BLOCK) as u64;
        let (count, error) = match self.read_block(number) {
            Ok(count) => (count, None),
            Err(error) => (0, Some(error)),
        };
        let block = &self.block[..count];
        let unit = self.encoding.unit() as usize;
        let newlines = self.newlines() + self.encoding.count_newlines(block);
        self.counts.push(newlines);
        if count > 0 {
            let tail = block.len() - block.len() % unit;
            let last = block[..tail].len().checked_sub(unit);
            self.ends_with_newline = last
                .is_some_and(|last| tail == block.len() && self.encoding.newline(&block[..tail], last) == Some(last));
        }
        let end = start + count as u64;
        if count == BLOCK && end < self.content.length() {
            return;
        }
        self.end = Some(end);
        self.problem = match error {
            Some(error) => Some(error.to_string()),
            None if self.problem.is_some() => self.problem.take(),
            None if end < self.content.length() => {
                Some(format!("the last {} bytes are missing", self.content.length() - end))
            }
            None => None,
        };
    }

    /// Reads a block unless it is already in memory; returns its number of bytes.
    fn read_block(&mut self, number: usize) -> io::Result<usize> {
        if self.block_number == Some(number) {
            return Ok(self.block.len());
        }
        self.block_number = None;
        let start = (number as u64).saturating_mul(BLOCK as u64);
        let most = self.content.length().saturating_sub(start).min(BLOCK as u64) as usize;
        self.block.resize(most, 0);
        let count = match read_available(&self.content, &mut self.block, start) {
            Ok(available) => {
                self.problem = self.problem.take().or(available.problem);
                available.bytes
            }
            Err(error) => {
                self.block.clear();
                return Err(error);
            }
        };
        self.block.truncate(count);
        self.block_number = Some(number);
        Ok(count)
    }
}
