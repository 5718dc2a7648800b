use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::page::Page;
use crate::table::Align;

pub(super) use crate::names::signed;

/// Rows of cells under headings, for any form of a report. Cells hold text that is safe to show.
#[derive(Clone)]
pub(super) struct Grid {
    pub columns: Vec<(String, Align)>,
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|&(name, align)| (name.to_owned(), align)).collect();
        Self { columns, rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As aligned text, indented by two spaces.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let headings: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let all = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in all() {
            let mut line = String::new();
            for ((cell, &width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                let parts = match align {
                    Align::Right => ["  ", &padding, cell],
                    Align::Left => ["  ", cell, &padding],
                };
                line.extend(parts);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// As a GitHub table.
    pub fn write_markdown(&self, page: &mut Page) {
        page.row(self.columns.iter().map(|(name, _)| name));
        page.rule(self.columns.iter().map(|&(_, align)| align));
        for row in &self.rows {
            page.row(row);
        }
    }
}

/// A titled list of which the first rows are shown.
pub(super) struct Section {
    pub title: String,
    pub grid: Grid,
    /// True if the section is expanded where sections can be folded.
    pub is_open: bool,
}

impl Section {
    /// A section of `count` rows in all.
    pub fn new(title: &str, grid: Grid, count: usize) -> Self {
        let left_out = count.saturating_sub(grid.rows.len());
        let title = if left_out > 0 { format!("{title} ({} of {count})", grid.rows.len()) } else { title.to_owned() };
        Self { title, grid, is_open: false }
    }

    pub fn unfolded(self) -> Self {
        Self { is_open: true, ..self }
    }
}

/// `+12.5 %`; `new` where there was nothing.
pub(super) fn signed_percent(left: u64, right: u64) -> String {
    match (left, right) {
        (0, 0) => "+0.0 %".to_owned(),
        (0, _) => "new".to_owned(),
        _ => format!("{:+.1} %", (right as f64 - left as f64) / left as f64 * 100.0),
    }
}
