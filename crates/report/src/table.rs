use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::page::Page;

/// On which side a column is even.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of cells under headings. Cells hold text that is safe to show.
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
    hidden: Option<&'static str>,
}

impl<const N: usize> Table<N> {
    pub fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new(), hidden: None }
    }

    /// The same table without a column, by its heading, where that is to be hidden.
    pub fn without(self, heading: &'static str, is_hidden: bool) -> Self {
        Self { hidden: is_hidden.then_some(heading), ..self }
    }

    /// The cells of a row that are shown.
    fn shown<'a, T>(&'a self, row: &'a [T; N]) -> impl Iterator<Item = &'a T> + Clone {
        let is_shown =
            |(cell, (heading, _)): (&'a T, &(&'static str, Align))| (Some(*heading) != self.hidden).then_some(cell);
        row.iter().zip(&self.columns).filter_map(is_shown)
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
            for ((cell, &width), (_, align)) in self.shown(row).zip(self.shown(&widths)).zip(self.shown(&self.columns))
            {
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                let (before, after) =
                    if *align == Align::Right { (padding, String::new()) } else { (String::new(), padding) };
                line.extend(["  ", &before, cell, &after]);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// As a GitHub table.
    pub fn write_markdown(&self, page: &mut Page) {
        page.row(self.shown(&self.columns).map(|(heading, _)| *heading));
        page.rule(self.shown(&self.columns).map(|(_, align)| *align));
        for row in &self.rows {
            page.row(self.shown(row));
        }
    }
}
