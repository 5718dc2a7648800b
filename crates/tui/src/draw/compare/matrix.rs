use ratatui::layout::Rect;

use super::super::super::compare::{MatrixView, letter, level_meaning, level_name};
use super::super::painter::Canvas;
use super::super::{selection, title};
use nixdive_base::text::{display_bytes, display_name};

const CELL: usize = 9;

/// Content that several images share at one level, and all figures of the selected cell.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, view: &MatrixView) {
    let theme = canvas.theme;
    let Some(matrix) = view.matrix() else { return };
    let images = &view.shared.images;
    let levels: Vec<String> = view
        .shared
        .sharing
        .levels
        .iter()
        .enumerate()
        .map(|(number, own)| {
            let name = level_name(own.level);
            if own.level == matrix.level {
                format!("[{} {name}]", number + 1)
            } else {
                format!("{} {name}", number + 1)
            }
        })
        .collect();
    title(canvas, body, "Shared", &levels.join("  "), "", true);
    canvas.line(body, 1).skip(1).fitted(level_meaning(matrix.level), theme.dim);
    let saved = matrix.sum_bytes.saturating_sub(matrix.together_bytes);
    let mut pen = canvas.line(body, 2);
    pen.skip(1).text(&display_bytes(matrix.together_bytes), theme.strong).text(" together on one host, ", theme.plain);
    pen.text(&display_bytes(matrix.sum_bytes), theme.strong).text(" each for itself: ", theme.plain);
    pen.text(&display_bytes(saved), theme.strong).fitted(" shared", theme.plain);
    let told = view.shared.sharing.levels.len() + 2 + usize::from(view.shared.sharing.assignment.is_some());
    let told = u16::try_from(told).unwrap_or(u16::MAX);
    let below = told.min(body.height.saturating_sub(6));
    let grid = Rect { y: body.y + 4.min(body.height), height: body.height.saturating_sub(4 + below), ..body };
    let label = label_width(body.width, images.len());
    draw_grid(canvas, grid, view, label);
    let area = Rect { y: body.bottom().saturating_sub(below), height: below, ..body };
    if area.height < 2 {
        return;
    }
    let names = (letter(view.row), letter(view.column));
    match view.pair() {
        Some(_) => title(canvas, area, &format!("{} and {}", names.0, names.1), "", "", false),
        None => title(canvas, area, &names.0, "", "", false),
    }
    for (line, own) in (1..area.height).zip(&view.shared.sharing.levels) {
        let mut pen = canvas.line(area, line);
        pen.skip(1).left(level_name(own.level), 13, theme.dim).fitted(&view.figures(own), theme.plain);
    }
    if let Some(words) = view.assignment() {
        let line = u16::try_from(view.shared.sharing.levels.len() + 1).unwrap_or(u16::MAX);
        canvas.line(area, line).skip(1).left("Assigned", 13, theme.dim).fitted(&words, theme.plain);
    }
    if let Some(note) = view.shared.notes.first() {
        let line = area.height.saturating_sub(1);
        canvas.line(area, line).skip(1).fitted(&display_name(note.as_bytes()), theme.warning);
    }
}

/// Cells for the names of the rows: what the columns leave, within bounds.
fn label_width(width: u16, columns: usize) -> usize {
    usize::from(width).saturating_sub(columns.saturating_mul(CELL + 1) + 2).clamp(8, 48)
}

fn draw_grid(canvas: &mut Canvas, area: Rect, view: &MatrixView, label: usize) {
    let (theme, ellipsis) = (canvas.theme, canvas.glyphs.ellipsis);
    let Some(matrix) = view.matrix() else { return };
    if area.height < 2 {
        return;
    }
    let room = (usize::from(area.width).saturating_sub(label + 2) / (CELL + 1)).max(1);
    let first_column = (view.column + 1).saturating_sub(room);
    let lines = usize::from(area.height - 1);
    let first_row = (view.row + 1).saturating_sub(lines);
    let columns = first_column..view.shared.images.len().min(first_column + room);
    let mut pen = canvas.line(area, 0);
    pen.skip(label + 2);
    for column in columns.clone() {
        let style = if column == view.column { theme.strong } else { theme.head };
        pen.right(&letter(column), CELL, style).skip(1);
    }
    if columns.end < view.shared.images.len() {
        pen.text(ellipsis, theme.head);
    }
    let images = view.shared.images.iter().enumerate().skip(first_row);
    for (line, (row, image)) in (1..area.height).zip(images) {
        let style = if row == view.row { theme.strong } else { theme.plain };
        let mut pen = canvas.line(area, line);
        pen.skip(1).left(&format!("{} {}", letter(row), image.title()), label, style).skip(1);
        for column in columns.clone() {
            let bytes = matrix.shared.get(row).and_then(|cells| cells.get(column)).copied().unwrap_or(0);
            let style = if row == column || bytes == 0 { theme.dim } else { theme.plain };
            pen.right(&display_bytes(bytes), CELL, style).skip(1);
        }
        if row == view.row {
            let before = label + 2 + (view.column - first_column) * (CELL + 1);
            let x = area.x.saturating_add(u16::try_from(before).unwrap_or(u16::MAX));
            let cell = Rect { x, width: CELL as u16, ..area }.intersection(area);
            canvas.overlay(cell, line, selection(canvas, true));
        }
    }
}
