use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// On which side a column is even.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of cells under headings. Cells hold what may be shown as it is.
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// As aligned text, indented by two spaces.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = self.columns.map(|(heading, _)| heading.width());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let headings = self.columns.map(|(heading, _)| heading.to_owned());
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, &width), (_, align)) in row.iter().zip(&widths).zip(self.columns) {
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                let (before, after) =
                    if align == Align::Right { (padding, String::new()) } else { (String::new(), padding) };
                line.extend(["  ", &before, cell, &after]);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// As a GitHub table. Cells are Markdown already.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "| {} |", self.columns.map(|(heading, _)| heading).join(" | "))?;
        let rules = self.columns.map(|(_, align)| if align == Align::Right { "---:" } else { "---" });
        writeln!(out, "| {} |", rules.join(" | "))?;
        for row in &self.rows {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}
