use std::io;

use super::Encoding;
use super::available::{Available, read_available};
use nixdive_scan::Section;

/// Bytes read at a time.
const BLOCK: u64 = 64 << 10;

/// The result of searching for the start of a neighbouring line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Here.
    At(u64),
    /// There is none.
    Edge,
    /// More has to be read than was allowed; the same question again gets further.
    NotYet,
}

/// Finds the neighbours of a line from where it begins, whatever lies before it in its file.
pub(super) struct LineEnds {
    content: Section,
    encoding: Encoding,
    text_start: u64,
    block: Vec<u8>,
    block_number: Option<u64>,
    /// How far the last questions that were not answered got, one for each direction.
    resume: [Option<Resume>; 2],
    problem: Option<String>,
    bytes_read: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    offset: u64,
    forward: bool,
}

struct Resume {
    question: Question,
    reached: u64,
}

impl LineEnds {
    pub(super) fn new(content: Section, encoding: Encoding, text_start: u64) -> Self {
        let block = Vec::new();
        Self {
            content,
            encoding,
            text_start,
            block,
            block_number: None,
            resume: [None, None],
            problem: None,
            bytes_read: 0,
        }
    }

    /// Bytes read so far, some of them several times.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Why something could not be read.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The line after the one that begins at `at`. What is newly read is taken off `budget`, bytes.
    pub(super) fn after(&mut self, at: u64, budget: &mut u64) -> Reach {
        let question = Question { offset: at, forward: true };
        let mut from = self.reached(question).unwrap_or(at);
        loop {
            let number = from / BLOCK;
            let Some(bytes) = self.block(number, budget) else {
                self.resume[usize::from(question.forward)] = Some(Resume { question, reached: from });
                return Reach::NotYet;
            };
            let unit = self.encoding.unit();
            let start = number * BLOCK;
            if let Some(newline) = self.encoding.newline(&self.block[..bytes], (from - start) as usize) {
                let next = start + newline as u64 + unit;
                let more = next < self.content.length() && !(next == start + bytes as u64 && (bytes as u64) < BLOCK);
                return if more { Reach::At(next) } else { Reach::Edge };
            }
            if (bytes as u64) < BLOCK {
                return Reach::Edge;
            }
            from = start + BLOCK;
        }
    }

    /// The line before the one that begins at `at`.
    pub(super) fn before(&mut self, at: u64, budget: &mut u64) -> Reach {
        if at <= self.text_start {
            return Reach::Edge;
        }
        self.start_of(at - self.encoding.unit().min(at), budget).map_or(Reach::NotYet, Reach::At)
    }

    /// Returns the offset of the line with the byte at `offset`; its line end is part of a line.
    pub(super) fn start_of(&mut self, offset: u64, budget: &mut u64) -> Option<u64> {
        let unit = self.encoding.unit();
        let offset = offset - offset % unit;
        let question = Question { offset, forward: false };
        let mut until = self.reached(question).unwrap_or(offset);
        while until > self.text_start {
            let number = (until - 1) / BLOCK;
            let Some(bytes) = self.block(number, budget) else {
                self.resume[usize::from(question.forward)] = Some(Resume { question, reached: until });
                return None;
            };
            let start = number * BLOCK;
            let within = ((until - start) as usize).min(bytes);
            if let Some(newline) = self.encoding.last_newline(&self.block[..bytes], within) {
                return Some((start + newline as u64 + unit).max(self.text_start));
            }
            until = start;
        }
        Some(self.text_start)
    }

    /// Returns `true` if the file has a byte at an offset; `None` if reading it would exceed the
    /// budget.
    pub(super) fn is_there(&mut self, offset: u64, budget: &mut u64) -> Option<bool> {
        let bytes = self.block(offset / BLOCK, budget)?;
        Some(offset % BLOCK < bytes as u64)
    }

    fn reached(&mut self, question: Question) -> Option<u64> {
        let resume = &mut self.resume[usize::from(question.forward)];
        resume.take_if(|resume| resume.question == question).map(|resume| resume.reached)
    }

    /// Reads a block unless it is already in memory; returns its number of bytes, 0 if it cannot be
    /// read.
    fn block(&mut self, number: u64, budget: &mut u64) -> Option<usize> {
        if self.block_number == Some(number) {
            return Some(self.block.len());
        }
        if *budget == 0 {
            return None;
        }
        *budget = budget.saturating_sub(BLOCK);
        self.bytes_read = self.bytes_read.wrapping_add(BLOCK);
        self.block_number = Some(number);
        match self.read(number.saturating_mul(BLOCK)) {
            Ok(available) => {
                self.block.truncate(available.bytes);
                self.problem = available.problem.or(self.problem.take());
            }
            Err(error) => {
                self.block.clear();
                self.problem = Some(error.to_string());
            }
        }
        Some(self.block.len())
    }

    fn read(&mut self, start: u64) -> io::Result<Available> {
        let most = self.content.length().saturating_sub(start).min(BLOCK) as usize;
        self.block.resize(most, 0);
        read_available(&self.content, &mut self.block, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_are_walked_both_ways_whatever_the_encoding(
            text in "([a-cé\u{a0a}]{0,5}\n){0,20}[a-c]{0,3}",
            encoding in prop::sample::select(vec![Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be]),
        ) {
            let bytes: Vec<u8> = match encoding {
                Encoding::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                Encoding::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => text.clone().into_bytes(),
            };
            let mut ends = LineEnds::new(Section::from_bytes(bytes.clone()), encoding, 0);
            let mut starts = vec![0];
            while let Reach::At(next) = ends.after(*starts.last().unwrap(), &mut { u64::MAX }) {
                starts.push(next);
            }
            prop_assert_eq!(starts.len(), text.lines().count().max(1));
            let mut back = vec![*starts.last().unwrap()];
            while let Reach::At(before) = ends.before(*back.last().unwrap(), &mut { u64::MAX }) {
                back.push(before);
            }
            back.reverse();
            prop_assert_eq!(&back, &starts);
            for offset in 0..bytes.len() as u64 {
                let expected = starts.iter().rev().find(|&&start| start <= offset);
                let found = ends.start_of(offset, &mut { u64::MAX });
                prop_assert_eq!(found.as_ref(), expected);
            }
        }
    }

    #[test]
    fn a_line_of_many_blocks_is_passed_in_steps() {
        let mut bytes = vec![b'a'; 10 * BLOCK as usize];
        bytes.extend(b"\nb");
        let mut ends = LineEnds::new(Section::from_bytes(bytes), Encoding::Utf8, 0);
        let mut steps = 0;
        let next = loop {
            match ends.after(0, &mut { 2 * BLOCK }) {
                Reach::NotYet => steps += 1,
                other => break other,
            }
        };
        assert_eq!((next, steps), (Reach::At(10 * BLOCK + 1), 5));
        assert_eq!(ends.before(10 * BLOCK + 1, &mut { BLOCK }), Reach::NotYet);
        assert_eq!(ends.before(10 * BLOCK + 1, &mut { 20 * BLOCK }), Reach::At(0));
    }
}
