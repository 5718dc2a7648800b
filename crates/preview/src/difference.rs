use std::io;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput};

use super::style::{LineWriter, StyledLine};
use super::{ContentKind, Encoding, Meaning, classify};
use nixdive_base::cancel::Cancel;
use nixdive_scan::Section;

/// Bytes of a text that is compared line by line.
pub const MOST_COMPARED_TEXT: u64 = 8 << 20;
/// Bytes of one line of a difference that are shown.
const LINE_BYTES: usize = 4 << 10;
/// Maximum number of bytes compared in files that are not compared by lines.
const MOST_COMPARED: u64 = 4 << 30;

/// How two versions of a file differ.
#[derive(Debug)]
pub enum Comparison {
    /// In nothing.
    Same {
        /// Size of each, bytes.
        bytes: u64,
    },
    /// Both are text.
    Text(TextDifference),
    /// At least one is not text, or is longer than [`MOST_COMPARED_TEXT`].
    Bytes {
        /// True if both are text, but too long to be compared by lines.
        too_long: bool,
        /// Size of the older one, bytes.
        before_bytes: u64,
        /// Size of the newer one, bytes.
        after_bytes: u64,
        /// Offset of the first byte that differs, or the end of the shorter one.
        first_difference: u64,
        /// Bytes that differ from those at the same place; what one has more than the other counts too.
        differing_bytes: u64,
        /// Bytes that were looked at from the beginning, where that is less than both have.
        looked_at: Option<u64>,
    },
}

/// Two texts and the runs of lines in which they differ.
#[derive(Debug)]
pub struct TextDifference {
    before: Lines,
    after: Lines,
    hunks: Vec<Hunk>,
}

/// Which of two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

#[derive(Debug)]
struct Lines {
    bytes: Vec<u8>,
    encoding: Encoding,
    /// Offset of each line, and the end of the last one.
    starts: Vec<u32>,
}

/// Compares two versions of a file, the older one first.
///
/// # Errors
/// When one of them cannot be read, or the work was cancelled.
pub fn compare(before: &Section, after: &Section, name: &[u8], cancel: &Cancel) -> io::Result<Comparison> {
    let encoding = |section: &Section| {
        Ok::<_, io::Error>(match classify(section, name)? {
            ContentKind::Text(encoding) => Some(encoding),
            ContentKind::Empty => Some(Encoding::Utf8),
            _ => None,
        })
    };
    let (Some(old), Some(new)) = (encoding(before)?, encoding(after)?) else {
        return compare_bytes(before, after, false, cancel);
    };
    if before.length().max(after.length()) > MOST_COMPARED_TEXT {
        return compare_bytes(before, after, true, cancel);
    }
    let (before, after) = (Lines::read(before, old)?, Lines::read(after, new)?);
    if before.bytes == after.bytes {
        return Ok(Comparison::Same { bytes: before.bytes.len() as u64 });
    }
    cancel.check()?;
    Ok(Comparison::Text(TextDifference::new(before, after)))
}

fn compare_bytes(before: &Section, after: &Section, too_long: bool, cancel: &Cancel) -> io::Result<Comparison> {
    const RUN: usize = 256 << 10;
    let (before_bytes, after_bytes) = (before.length(), after.length());
    let both = before_bytes.min(after_bytes);
    let mut runs = (vec![0; RUN], vec![0; RUN]);
    let (mut at, mut first, mut differing) = (0, None, 0u64);
    while at < both.min(MOST_COMPARED) {
        cancel.check()?;
        let old = before.read_full_at(&mut runs.0, at)?;
        let new = after.read_full_at(&mut runs.1, at)?;
        let count = old.min(new);
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (old, new) = (&runs.0[..count], &runs.1[..count]);
        if old != new {
            let differs = |(old, new): (&u8, &u8)| old != new;
            let place = old.iter().zip(new).position(differs).unwrap_or_default() as u64;
            first.get_or_insert(at + place);
            differing += old.iter().zip(new).filter(|&pair| differs(pair)).count() as u64;
        }
        at += count as u64;
    }
    if first.is_none() && before_bytes == after_bytes && at >= both {
        return Ok(Comparison::Same { bytes: both });
    }
    let all_seen = at >= both;
    Ok(Comparison::Bytes {
        too_long,
        before_bytes,
        after_bytes,
        first_difference: first.unwrap_or(at.min(both)),
        differing_bytes: differing + if all_seen { before_bytes.abs_diff(after_bytes) } else { 0 },
        looked_at: (!all_seen).then_some(at),
    })
}

impl Lines {
    fn read(section: &Section, encoding: Encoding) -> io::Result<Self> {
        let mut bytes = vec![0; section.length().min(MOST_COMPARED_TEXT) as usize];
        let count = section.read_full_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(Self::new(bytes, encoding))
    }

    fn new(bytes: Vec<u8>, encoding: Encoding) -> Self {
        let mut starts = vec![0];
        let mut at = 0;
        while let Some(newline) = encoding.newline(&bytes, at) {
            at = newline + encoding.unit() as usize;
            starts.push(at as u32);
        }
        if starts.last() != Some(&(bytes.len() as u32)) {
            starts.push(bytes.len() as u32);
        }
        Self { bytes, encoding, starts }
    }

    fn count(&self) -> u32 {
        (self.starts.len() - 1) as u32
    }

    /// A line with its end.
    fn line(&self, number: u32) -> &[u8] {
        let at = |number: usize| self.starts.get(number).map_or(self.bytes.len(), |&start| start as usize);
        self.bytes.get(at(number as usize)..at(number as usize + 1)).unwrap_or_default()
    }

    fn styled(&self, number: u32, meaning: Meaning) -> StyledLine {
        let line = self.line(number);
        let cut = line.len() > LINE_BYTES;
        let mut text = self.encoding.decode(&line[..line.len().min(LINE_BYTES)]);
        let ended = text.ends_with('\n');
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        let mut writer = LineWriter::default();
        let mark = if number == 0 { '\u{feff}' } else { '\n' };
        writer.push(text.trim_start_matches(mark), meaning);
        if !ended && !cut {
            writer.push(" (no newline at the end)", Meaning::Dim);
        }
        StyledLine { cut, ..writer.finish() }
    }
}

impl TextDifference {
    fn new(before: Lines, after: Lines) -> Self {
        let mut input: InternedInput<&[u8]> = InternedInput::default();
        input.update_before((0..before.count()).map(|number| before.line(number)));
        input.update_after((0..after.count()).map(|number| after.line(number)));
        let mut diff = Diff::compute(Algorithm::Histogram, &input);
        diff.postprocess_lines(&input);
        let hunks = diff.hunks().collect();
        Self { before, after, hunks }
    }

    /// Compares two texts in memory.
    #[must_use]
    pub fn of_texts(before: &str, after: &str) -> Self {
        let lines = |text: &str| Lines::new(text.as_bytes().to_vec(), Encoding::Utf8);
        Self::new(lines(before), lines(after))
    }

    /// Lines that were removed, and lines that were added.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let sum = |lines: fn(&Hunk) -> usize| self.hunks.iter().map(lines).sum::<usize>() as u64;
        (sum(|hunk| hunk.before.len()), sum(|hunk| hunk.after.len()))
    }

    pub(super) fn hunks(&self) -> &[Hunk] {
        &self.hunks
    }

    pub(super) fn line_counts(&self) -> (u32, u32) {
        (self.before.count(), self.after.count())
    }

    pub(super) fn styled(&self, side: Side, number: u32, meaning: Meaning) -> StyledLine {
        match side {
            Side::Before => self.before.styled(number, meaning),
            Side::After => self.after.styled(number, meaning),
        }
    }

    #[cfg(test)]
    pub(super) fn raw_line(&self, side: Side, number: u32) -> &[u8] {
        match side {
            Side::Before => self.before.line(number),
            Side::After => self.after.line(number),
        }
    }
}
