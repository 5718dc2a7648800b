use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthChar;

use super::super::request::Form;
use super::super::viewer::Viewer;
use super::painter::{Canvas, Pen, fit_end};
use super::title;
use crate::preview::StyledLine;

/// Where the rows of a preview are.
pub(in super::super) fn rows(body: Rect) -> Rect {
    Rect { y: body.y + 1.min(body.height), height: body.height.saturating_sub(1), ..body }
}

/// A file with its title.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, viewer: &Viewer) {
    let place = place(viewer);
    let kind = if viewer.is_current() { viewer.view.kind.as_str() } else { "" };
    let room = usize::from(body.width).saturating_sub(place.len() + kind.len().min(24) + 12);
    let path = fit_end(&viewer.path, room.max(8), canvas.glyphs.ellipsis).into_owned();
    title(canvas, body, &path, kind, &place, true);
    let rows = rows(body);
    let theme = canvas.theme;
    let problem = viewer.view.problem.as_deref().filter(|_| viewer.is_current());
    let below = u16::from(problem.is_some());
    let area = Rect { height: rows.height.saturating_sub(below), ..rows };
    if let Some(problem) = problem {
        let style = theme.error;
        canvas.line(rows, area.height).skip(1).fitted(problem, style);
    }
    if !viewer.is_current() {
        let ellipsis = canvas.glyphs.ellipsis;
        canvas.line(area, 0).skip(1).text("Reading", theme.dim).text(ellipsis, theme.dim);
        return;
    }
    if viewer.wrap { wrapped(canvas, area, viewer) } else { cut(canvas, area, viewer) }
}

/// Where one is.
fn place(viewer: &Viewer) -> String {
    let view = &viewer.view;
    if !viewer.is_current() {
        return String::new();
    }
    if let (Some(columns), Some(total)) = (view.row_bytes, view.total) {
        let columns = u64::from(columns);
        return format!("{:#x}/{:#x}", viewer.offset.saturating_mul(columns), total.saturating_mul(columns));
    }
    match view.total {
        Some(0) => String::new(),
        Some(total) => format!("{}/{total}", viewer.offset.saturating_add(1).min(total)),
        None => format!("{}/{}+", viewer.offset.saturating_add(1), viewer.known()),
    }
}

fn cut(canvas: &mut Canvas, area: Rect, viewer: &Viewer) {
    for row in 0..area.height {
        let number = viewer.offset.saturating_add(u64::from(row));
        let Some(content) = viewer.line(number) else { continue };
        let mut pen = canvas.line(area, row);
        line(&mut pen, content, viewer.left);
        mark(canvas, area, row, viewer, number);
    }
}

/// One line from column `left` on.
pub(super) fn line(pen: &mut Pen, content: &StyledLine, left: usize) {
    let theme = pen.theme();
    let mut hidden = left;
    for span in &content.spans {
        let style = theme.text(span.style);
        let mut start = 0;
        for character in span.text.chars() {
            if hidden == 0 {
                break;
            }
            hidden = hidden.saturating_sub(character.width().unwrap_or(0));
            start += character.len_utf8();
        }
        pen.text(span.text.get(start..).unwrap_or_default(), style);
        if pen.room() == 0 {
            return;
        }
    }
    if content.cut {
        pen.text(pen.glyphs().ellipsis, theme.dim);
    }
}

/// Lines over as many rows as they take.
fn wrapped(canvas: &mut Canvas, area: Rect, viewer: &Viewer) {
    let mut row = 0;
    let mut number = viewer.offset;
    while row < area.height {
        let Some(content) = viewer.line(number) else { return };
        for piece in pieces(content, usize::from(area.width), canvas) {
            if row >= area.height {
                return;
            }
            let mut pen = canvas.line(area, row);
            for (text, style) in &piece {
                pen.text(text, *style);
            }
            mark(canvas, area, row, viewer, number);
            row += 1;
        }
        number = number.saturating_add(1);
    }
}

/// A line in pieces of at most so many columns; at least one.
fn pieces(content: &StyledLine, width: usize, canvas: &Canvas) -> Vec<Vec<(String, Style)>> {
    let mut pieces = vec![Vec::new()];
    let mut used = 0;
    for span in &content.spans {
        let style = canvas.theme.text(span.style);
        let mut text = String::new();
        for character in span.text.chars() {
            let columns = character.width().unwrap_or(0);
            if used + columns > width && used > 0 {
                if let Some(piece) = pieces.last_mut() {
                    piece.push((std::mem::take(&mut text), style));
                }
                pieces.push(Vec::new());
                used = 0;
            }
            used += columns;
            text.push(character);
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push((text, style));
        }
    }
    pieces
}

/// Sets off the row that was come for.
fn mark(canvas: &mut Canvas, area: Rect, row: u16, viewer: &Viewer, number: u64) {
    if viewer.mark == Some(number) && viewer.form != Form::Difference {
        canvas.overlay(area, row, Style::new().add_modifier(Modifier::REVERSED));
    }
}
