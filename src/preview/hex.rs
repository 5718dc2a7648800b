use std::io;
use std::ops::Range;

use super::style::{LineWriter, StyledLine};
use super::{Meaning, Style};
use crate::scan::Section;

/// Rows that one request may ask for.
const MOST_ROWS: u64 = 4096;

/// The bytes of a file in rows.
#[derive(Debug, Clone)]
pub struct HexView {
    content: Section,
    columns: u8,
}

/// One row of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexRow {
    /// Of its first byte, bytes.
    pub offset: u64,
    /// The bytes; fewer in the last row.
    pub bytes: Vec<u8>,
}

impl HexView {
    /// Shows a file in rows of 16 bytes.
    #[must_use]
    pub fn new(content: Section) -> Self {
        Self { content, columns: 16 }
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

    /// Some rows, at most 4,096; fewer where the file ends.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn rows(&self, range: Range<u64>) -> io::Result<Vec<HexRow>> {
        let columns = u64::from(self.columns);
        let count = range.end.saturating_sub(range.start).min(MOST_ROWS);
        let start = range.start.saturating_mul(columns);
        let length = self.content.length().saturating_sub(start).min(count * columns);
        let mut bytes = vec![0; length as usize];
        let read = self.content.read_full_at(&mut bytes, start)?;
        bytes.truncate(read);
        let rows = bytes.chunks(usize::from(self.columns)).zip(0u64..);
        Ok(rows.map(|(bytes, row)| HexRow { offset: start + row * columns, bytes: bytes.to_vec() }).collect())
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
