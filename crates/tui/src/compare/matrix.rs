use std::sync::Arc;

use super::data::{PairNumbers, Shared};
use nixdive_analyse::compare::{Level, Matrix};
use nixdive_base::text::display_bytes;

/// Content that several images share: one level at a time, one cell selected.
#[derive(Debug)]
pub struct MatrixView {
    pub shared: Arc<Shared>,
    level: usize,
    pub row: usize,
    pub column: usize,
}

impl MatrixView {
    pub fn new(shared: Arc<Shared>) -> Self {
        // The first pair, not an image with itself.
        Self { shared, level: 0, row: 0, column: 1 }
    }

    pub fn matrix(&self) -> Option<&Matrix> {
        self.shared.sharing.levels.get(self.level)
    }

    pub fn set_level(&mut self, level: usize) {
        if level < self.shared.sharing.levels.len() {
            self.level = level;
        }
    }

    pub fn next_level(&mut self, by: usize) {
        self.level = (self.level + by) % self.shared.sharing.levels.len().max(1);
    }

    pub fn previous_level(&mut self) {
        self.next_level(self.shared.sharing.levels.len().saturating_sub(1));
    }

    /// Goes to another cell, as far as there are cells.
    pub fn move_by(&mut self, rows: isize, columns: isize) {
        let last = self.shared.images.len().saturating_sub(1);
        self.row = self.row.saturating_add_signed(rows).min(last);
        self.column = self.column.saturating_add_signed(columns).min(last);
    }

    /// The images of the selected cell; `None` where it is one with itself.
    pub fn pair(&self) -> Option<PairNumbers> {
        (self.row != self.column).then_some((self.row, self.column))
    }

    /// Describes how much a different assignment of store paths to layers would share, for the selected cell and for
    /// all images.
    pub fn assignment(&self) -> Option<String> {
        let found = self.shared.sharing.assignment.as_ref()?;
        let cell = |matrix: &Matrix| {
            let row = matrix.shared.get(self.row)?;
            row.get(self.column).copied()
        };
        let all = format!(
            "all images: {} instead of {} saved on one host",
            display_bytes(found.saved_then()),
            display_bytes(found.saved_today())
        );
        let most = format!("with at most {} layers per image", found.max_layers);
        match (self.row == self.column, cell(&found.then), cell(&found.today)) {
            (false, Some(then), Some(today)) => {
                let pair = format!("{} instead of {} shared", display_bytes(then), display_bytes(today));
                Some(format!("{pair}, {all}, {most}"))
            }
            _ => Some(format!("{all}, {most}")),
        }
    }

    /// Describes what the images of the selected cell share at a level: bytes, and the share of either image.
    pub fn figures(&self, matrix: &Matrix) -> String {
        let cell = |row: usize, column: usize| {
            matrix.shared.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or(0)
        };
        let shared = cell(self.row, self.column);
        if self.row == self.column {
            return format!("{} in {}", display_bytes(shared), letter(self.row));
        }
        let of = |own: usize| match cell(own, own) {
            0 => format!("none of {}", letter(own)),
            whole => format!("{:.0} % of {}", shared as f64 * 100.0 / whole as f64, letter(own)),
        };
        format!("{} shared: {}, {}", display_bytes(shared), of(self.row), of(self.column))
    }
}

/// Name of a level.
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Layers => "Layers",
        Level::StorePaths => "Store paths",
        Level::Content => "File content",
    }
}

/// Meaning of the bytes of a level.
pub fn level_meaning(level: Level) -> &'static str {
    match level {
        Level::Layers => "whole layers, unpacked bytes: shared now",
        Level::StorePaths => "store paths, tar bytes: shared with one store path per layer",
        Level::Content => "files of equal content, file bytes: upper limit of sharing",
    }
}

/// A, B, … Z, then numbers.
pub fn letter(number: usize) -> String {
    match u8::try_from(number) {
        Ok(place) if place < 26 => char::from(b'A' + place).to_string(),
        _ => number.saturating_add(1).to_string(),
    }
}
