use std::io;
use std::ops::Range;

use super::available::read_available;
use super::style::{LineWriter, StyledLine};
use super::{Meaning, Style};
use nixdive_scan::Section;

/// Rows that one request may ask for.
const MOST_ROWS: u64 = 4096;

/// The bytes of a file in rows.
#[derive(Debug, Clone)]
pub struct HexView {
    content: Section,
    columns: u8,
    pub(super) problem: Option<String>,
}

/// One row of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexRow {
    /// Offset of its first byte, bytes.
    pub offset: u64,
    /// The bytes; fewer in the last row.
    pub bytes: Vec<u8>,
}

impl HexView {
    /// Shows a file in rows of 16 bytes.
    #[must_use]
    pub fn new(content: Section) -> Self {
        Self { content, columns: 16, problem: None }
    }

    /// Shows a file in rows of `columns` bytes.
    #[must_use]
    pub fn with_columns(content: Section, columns: u8) -> Self {
        Self { content, columns: columns.max(1), problem: None }
    }

    /// Makes rows of 8, 16, 24 or 32 bytes, as many as fit on lines of `width` columns.
    pub fn fit(&mut self, width: usize) {
        let fits = |columns: &u8| self.line_width(*columns) <= width;
        self.columns = [32, 24, 16].into_iter().find(fits).unwrap_or(8);
    }

    /// Bytes of a row.
    #[must_use]
    pub fn columns(&self) -> u8 {
        self.columns
    }

    /// Length of the file, bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.content.length()
    }

    /// Why some rows could not be shown.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Number of rows.
    #[must_use]
    pub fn total_rows(&self) -> u64 {
        self.content.length().div_ceil(u64::from(self.columns))
    }

    /// The row that an offset is in.
    #[must_use]
    pub fn row_at(&self, offset: u64) -> u64 {
        offset / u64::from(self.columns)
    }

    /// Returns at most 4,096 rows; fewer at the end of the file.
    ///
    /// # Errors
    /// If reading the file fails.
    pub fn rows(&self, range: Range<u64>) -> io::Result<Vec<HexRow>> {
        let columns = u64::from(self.columns);
        let count = range.end.saturating_sub(range.start).min(MOST_ROWS);
        let start = range.start.saturating_mul(columns);
        let length = self.content.length().saturating_sub(start).min(count * columns);
        let bytes = self.read(start..start + length)?;
        let rows = bytes.chunks(usize::from(self.columns)).zip(0u64..);
        Ok(rows.map(|(bytes, row)| HexRow { offset: start + row * columns, bytes: bytes.to_vec() }).collect())
    }

    /// The bytes of a range that is bounded by the caller; fewer where the file ends.
    pub(super) fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; range.end.saturating_sub(range.start) as usize];
        let available = read_available(&self.content, &mut bytes, range.start)?;
        bytes.truncate(available.bytes);
        Ok(bytes)
    }

    /// Returns the positions of some bytes of a row in its line: as digits, and as ASCII.
    pub(super) fn places(&self, bytes: Range<usize>) -> [Range<usize>; 2] {
        let digits = |byte: usize| self.offset_digits() + 2 + 3 * byte + byte / 8;
        let columns = usize::from(self.columns);
        let ascii = self.line_width(self.columns) - columns;
        let last = bytes.end.saturating_sub(1);
        [digits(bytes.start)..digits(last) + 2, ascii + bytes.start..ascii + bytes.end]
    }

    /// A row as a line: offset, bytes in groups of eight, and what of them is ASCII.
    #[must_use]
    pub fn line(&self, row: &HexRow) -> StyledLine {
        let mut line = LineWriter::default();
        line.push(&format!("{:0width$x}  ", row.offset, width = self.offset_digits()), Meaning::Dim);
        for column in 0..usize::from(self.columns) {
            if column > 0 {
                line.push(if column % 8 == 0 { "  " } else { " " }, Meaning::Plain);
            }
            match row.bytes.get(column) {
                Some(&byte) => line.push(&format!("{byte:02x}"), meaning(byte)),
                None => line.push("  ", Meaning::Plain),
            }
        }
        line.push("  ", Meaning::Plain);
        for &byte in &row.bytes {
            let printable = byte.is_ascii_graphic() || byte == b' ';
            line.push(char::from(if printable { byte } else { b'.' }).encode_utf8(&mut [0; 4]), meaning(byte));
        }
        line.finish()
    }

    fn offset_digits(&self) -> usize {
        if self.content.length() > u64::from(u32::MAX) { 12 } else { 8 }
    }

    fn line_width(&self, columns: u8) -> usize {
        let columns = usize::from(columns);
        self.offset_digits() + 2 + 3 * columns - 1 + (columns / 8 - 1) + 2 + columns
    }
}

fn meaning(byte: u8) -> Style {
    let meaning = match byte {
        0 => Meaning::Dim,
        b' '..=b'~' => Meaning::String,
        b'\t' | b'\n' | b'\r' => Meaning::Escape,
        0xff => Meaning::Constant,
        _ => Meaning::Number,
    };
    meaning.into()
}
