use ratatui::layout::Rect;

use super::super::super::action::{Action, Context};
use super::super::super::compare::{Column, Mark, PairPage, PairScreen};
use super::super::super::wrap::wrap;
use super::super::painter::Canvas;
use super::super::{selection, title};
use nixdive_base::text::display_name;

const LABEL: usize = 11;

/// Height of the details of the selected row, below a list.
pub(super) fn lines_below(height: u16) -> u16 {
    match height {
        0..=13 => 0,
        14..=20 => 4,
        21..=30 => 6,
        _ => 9,
    }
}

/// A list with its heads, and details of the selected row.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, rows: Rect, pair: &PairScreen) {
    let (Some(table), Some(view)) = (pair.compared.table(pair.page), pair.table()) else { return };
    let theme = canvas.theme;
    let place = if view.shown.is_empty() {
        String::new()
    } else {
        format!("{}/{}", view.cursor.selected + 1, view.shown.len())
    };
    let words = match view.filter.as_str() {
        "" => table.words.clone(),
        text => format!("matching “{}”", display_name(text.as_bytes())),
    };
    title(canvas, body, name(pair.page), &words, &place, true);
    let columns: Vec<(usize, &Column)> =
        table.columns.iter().enumerate().filter(|(_, column)| body.width >= column.from).collect();
    let mut pen = canvas.line(body, 1);
    pen.skip(2);
    for (_, column) in &columns {
        match (column.width, column.right) {
            (0, _) => pen.fitted(column.head, theme.head),
            (width, true) => pen.right(column.head, width, theme.head).skip(1),
            (width, false) => pen.left(column.head, limited(width, body.width), theme.head).skip(1),
        };
    }
    if view.shown.is_empty() {
        let (text, actions) = nothing(pair, !table.rows.is_empty());
        canvas.message(rows, text, (Context::Comparison, actions), theme.plain);
    }
    for line in 0..rows.height {
        let index = view.cursor.offset + usize::from(line);
        let Some(row) = pair.row(index) else { break };
        let style = match row.mark {
            Mark::Added => theme.added,
            Mark::Removed => theme.removed,
            Mark::Changed => theme.modified,
            Mark::Same => theme.dim,
        };
        let mut pen = canvas.line(rows, line);
        pen.text(row.mark.as_str(), style).skip(1);
        for &(place, column) in &columns {
            let Some(cell) = row.cells.get(place) else { continue };
            match (column.width, column.right) {
                (0, _) => pen.fitted(cell, style),
                (width, true) => pen.right(cell, width, theme.plain).skip(1),
                (width, false) => pen.left(cell, limited(width, body.width), theme.plain).skip(1),
            };
        }
        if index == view.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
    let below = Rect { y: rows.bottom(), height: body.bottom().saturating_sub(rows.bottom()), ..body };
    details(canvas, below, pair);
}

/// Wide columns of words give way on a narrow screen.
fn limited(width: usize, screen: u16) -> usize {
    width.min(usize::from(screen) / 3)
}

fn name(page: PairPage) -> &'static str {
    match page {
        PairPage::Store => "Store paths",
        page => page.name(),
    }
}

/// Explains why a list is empty, with the action that shows more.
fn nothing(pair: &PairScreen, is_hidden: bool) -> (&'static str, &'static [(Action, &'static str)]) {
    let is_filtered = pair.table().is_some_and(|table| !table.filter.is_empty());
    match pair.page {
        _ if is_filtered => ("No matches", &[(Action::Back, "show all")]),
        PairPage::Store if is_hidden => ("All store paths are shared", &[(Action::ToggleEqual, "show them")]),
        PairPage::Store => ("No Nix store on either side", &[]),
        PairPage::Packages if is_hidden => ("All packages are the same", &[(Action::ToggleEqual, "show them")]),
        PairPage::Packages => ("No package database on either side", &[]),
        PairPage::Config => ("The configurations are the same", &[]),
        _ => ("No layers on either side", &[]),
    }
}

fn details(canvas: &mut Canvas, area: Rect, pair: &PairScreen) {
    if area.height == 0 || pair.details.facts.is_empty() {
        return;
    }
    let theme = canvas.theme;
    title(canvas, area, "Details", "", "", false);
    let room = usize::from(area.width).saturating_sub(LABEL + 2);
    let mut line = 1;
    for (label, value) in &pair.details.facts {
        let mut label = *label;
        for piece in wrap(value, room) {
            canvas.line(area, line).skip(1).left(std::mem::take(&mut label), LABEL, theme.dim).text(piece, theme.plain);
            line = line.saturating_add(1);
            if line >= area.height {
                return;
            }
        }
    }
}
