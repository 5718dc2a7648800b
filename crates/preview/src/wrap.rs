//! Lines over as many rows as they take.

use std::ops::ControlFlow;

use unicode_width::UnicodeWidthChar;

use super::Encoding;
use super::available::read_available;
use super::style::columns;
use nixdive_scan::Section;

/// Returns the offsets of a text's rows, bytes, when each takes at most `width` columns; at least
/// one.
pub(super) fn row_starts(text: &str, width: usize) -> Vec<usize> {
    let mut starts = vec![0];
    let mut used = 0;
    for (at, character) in text.char_indices() {
        let columns = character.width().unwrap_or(0);
        if used + columns > width && used > 0 {
            starts.push(at);
            used = 0;
        }
        used += columns;
    }
    starts
}

/// Rows between two whose places are kept.
const STRIDE: u64 = 64;
/// Bytes laid out in one go.
const PIECE: usize = 64 << 10;
/// Bytes that no character is longer than.
const CHARACTER: usize = 8;

/// The rows of one line that is too long to be laid out whole. It is gone through from its beginning once; every 64th
/// row is remembered.
pub(super) struct LongLine {
    pub at: u64,
    pub width: usize,
    /// Offsets within the line of the rows 0, 64, 128 and so on.
    marks: Vec<u64>,
    /// Rows that are known to begin.
    rows: u64,
    /// Up to where the line is laid out.
    end: End,
}

/// The state of a layout at its end.
#[derive(Debug, Clone, Copy)]
struct End {
    offset: u64,
    /// Columns used in the row.
    used: usize,
    /// The character before, in the same row.
    previous: Option<char>,
    /// True if the line ends here.
    ended: bool,
}

impl LongLine {
    pub(super) fn new(at: u64, width: usize) -> Self {
        let end = End { offset: 0, used: 0, ended: false, previous: None };
        Self { at, width: width.max(1), marks: vec![0], rows: 1, end }
    }

    /// Goes on until the row `row` begins or the line ends; whether that is so within `budget` bytes.
    pub(super) fn reach(&mut self, row: u64, content: &Section, encoding: Encoding, budget: &mut u64) -> bool {
        while !self.end.ended && self.rows <= row {
            if *budget == 0 {
                return false;
            }
            *budget = budget.saturating_sub(PIECE as u64);
            let (marks, rows) = (&mut self.marks, &mut self.rows);
            let line = content.part(self.at, u64::MAX);
            self.end = lay_out(&line, encoding, self.width, self.end, &mut |offset| {
                if rows.is_multiple_of(STRIDE) {
                    marks.push(offset);
                }
                *rows += 1;
                ControlFlow::Continue(())
            });
        }
        true
    }

    /// The row that an offset within the line is in; `None` where it is not laid out so far.
    pub(super) fn row_of(&self, offset: u64, content: &Section, encoding: Encoding) -> Option<u64> {
        if !self.end.ended && offset >= self.end.offset {
            return None;
        }
        let mark = self.marks.partition_point(|&mark| mark <= offset).saturating_sub(1) as u64;
        let starts = self.starts(mark * STRIDE, STRIDE, content, encoding);
        let after = starts.iter().take(STRIDE as usize).take_while(|&&start| start <= offset).count() as u64;
        Some(mark * STRIDE + after.saturating_sub(1))
    }

    /// Rows known so far: all of them once the line's end was reached.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes laid out so far.
    pub(super) fn bytes(&self) -> u64 {
        self.end.offset
    }

    /// Returns the offsets in the line of the rows from `first` on, at most `count` of them,
    /// followed by the end of the last one; only rows that were reached.
    pub(super) fn starts(&self, first: u64, count: u64, content: &Section, encoding: Encoding) -> Vec<u64> {
        let first = first.min(self.rows - 1);
        let count = count.min(self.rows - first);
        let mark = self.marks.get(usize::try_from(first / STRIDE).unwrap_or(usize::MAX)).copied().unwrap_or_default();
        let mut row = first / STRIDE * STRIDE;
        let mut starts = Vec::new();
        if row == first {
            starts.push(mark);
        }
        let line = content.part(self.at, u64::MAX);
        let mut end = End { offset: mark, used: 0, ended: false, previous: None };
        while starts.len() as u64 <= count && !end.ended {
            end = lay_out(&line, encoding, self.width, end, &mut |offset| {
                row += 1;
                if row >= first {
                    starts.push(offset);
                }
                if starts.len() as u64 > count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        if starts.len() as u64 <= count {
            starts.push(end.offset);
        }
        starts
    }
}

/// Lays out some more of a line, up to [`PIECE`] bytes, and tells where rows begin.
fn lay_out(
    line: &Section,
    encoding: Encoding,
    width: usize,
    from: End,
    begins: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> End {
    let mut bytes = vec![0; PIECE + CHARACTER];
    let available = read_available(line, &mut bytes, from.offset);
    let count = available.map_or(0, |available| available.bytes);
    let last = count < bytes.len();
    let mut end = from;
    for (character, length) in encoding.characters(&bytes[..count]) {
        if character == '\n' {
            return End { ended: true, ..end };
        }
        // What follows may be part of a character.
        if !last && end.offset - from.offset >= PIECE as u64 {
            return end;
        }
        let mut wide = columns(end.previous, character, end.used);
        if end.used + wide > width && end.used > 0 {
            if begins(end.offset).is_break() {
                return end;
            }
            end.used = 0;
            wide = columns(None, character, 0);
        }
        end.used += wide;
        end.previous = Some(character);
        end.offset += length as u64;
    }
    End { ended: last, ..end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all_rows(text: &str, width: usize) -> Vec<String> {
        let content = Section::from_bytes(text.as_bytes().to_vec());
        let mut line = LongLine::new(0, width);
        let mut rows = Vec::new();
        while line.reach(rows.len() as u64, &content, Encoding::Utf8, &mut { u64::MAX })
            && (rows.len() as u64) < line.rows()
        {
            let starts = line.starts(rows.len() as u64, 1, &content, Encoding::Utf8);
            rows.push(text[starts[0] as usize..starts[1] as usize].to_owned());
        }
        rows
    }

    #[test]
    fn a_line_longer_than_a_piece_is_laid_out_without_a_seam() {
        let text = "0123456789".repeat(20_000);
        let rows = all_rows(&text, 70);
        assert_eq!(rows.len(), 200_000usize.div_ceil(70));
        assert!(rows.iter().zip(0..).all(|(row, number)| number == 2857 || row.len() == 70));
        assert_eq!(rows.concat(), text);
        let content = Section::from_bytes(text.into_bytes());
        let mut line = LongLine::new(0, 70);
        assert!(!line.reach(u64::MAX, &content, Encoding::Utf8, &mut { 1 }), "one piece at a time");
        assert!(line.reach(u64::MAX, &content, Encoding::Utf8, &mut { u64::MAX }));
        for offset in [0, 69, 70, 139, 4480, 100_000, 199_999] {
            assert_eq!(line.row_of(offset, &content, Encoding::Utf8), Some(offset / 70), "{offset}");
        }
    }

    proptest! {
        #[test]
        fn rows_of_any_text_are_those_of_a_short_line(text in "[a-z日é\u{301}👩 ]{0,300}", width in 2usize..40) {
            let starts = row_starts(&text, width);
            let ends = starts.iter().skip(1).copied().chain([text.len()]);
            let expected: Vec<String> = starts.iter().zip(ends).map(|(&from, to)| text[from..to].to_owned()).collect();
            prop_assert_eq!(all_rows(&text, width), expected);
        }

        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..500), width in 0usize..20) {
            let content = Section::from_bytes(bytes.clone());
            for encoding in [Encoding::Utf8, Encoding::Utf16Le, Encoding::Latin1] {
                let mut line = LongLine::new(0, width);
                let whole = line.reach(u64::MAX, &content, encoding, &mut { u64::MAX });
                prop_assert!(whole);
                let starts = line.starts(0, u64::MAX, &content, encoding);
                prop_assert!(starts.is_sorted() && starts.last().unwrap() <= &(bytes.len() as u64));
            }
        }
    }
}
