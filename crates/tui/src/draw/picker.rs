use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::picker::{Commands, PathList, Picker};
use super::super::state::{Screen, State};
use super::painter::{Canvas, Pen, fit_end};
use super::{selection, title};
use nixdive_base::text::display_name;
use nixdive_source::search::PathQuery;

/// Area of the list: at the bottom of the screen, above the prompt.
pub(super) fn area(size: (u16, u16)) -> Rect {
    let height = size.1.saturating_sub(2).min(18);
    Rect::new(0, size.1.saturating_sub(1 + height), size.0, height)
}

/// Area of its rows.
pub(in super::super) fn rows(size: (u16, u16)) -> Rect {
    let area = area(size);
    Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area }
}

/// Draws a list that follows the prompt.
pub(super) fn draw(canvas: &mut Canvas, state: &State, picker: &Picker) {
    let area = area(state.size);
    for y in area.top()..area.bottom() {
        let mut pen = canvas.line(Rect { y, height: 1, ..area }, 0);
        let style = ratatui::style::Style::reset();
        pen.fill(" ", style);
    }
    match picker {
        Picker::Commands(commands) => draw_commands(canvas, state, commands),
        Picker::Paths(list) => draw_paths(canvas, state, list),
    }
}

fn draw_commands(canvas: &mut Canvas, state: &State, commands: &Commands) {
    let theme = canvas.theme;
    let rows = rows(state.size);
    let place = format!("{}", commands.shown.len());
    title(canvas, area(state.size), "Actions", commands.context.name(), &place, true);
    let shown = commands.shown.iter().enumerate().skip(commands.cursor.offset).take(usize::from(rows.height));
    for (line, (index, info)) in (0..).zip(shown) {
        let keys = state.keymap.keys(commands.context, info.action).join("  ");
        let mut pen = canvas.line(rows, line);
        pen.skip(1).left(info.name, 20, theme.strong).skip(1);
        let room = pen.room().saturating_sub(keys.width() + 2);
        pen.left(info.description, room, theme.plain).skip(1).text(&keys, theme.key);
        if index == commands.cursor.selected {
            let style = selection(canvas, true);
            canvas.overlay(rows, line, style);
        }
    }
    if commands.shown.is_empty() {
        canvas.line(rows, 0).skip(1).fitted("No matches", theme.dim);
    }
}

fn draw_paths(canvas: &mut Canvas, state: &State, list: &PathList) {
    let theme = canvas.theme;
    let Screen::Session(session) = &state.screen else { return };
    let Some(opened) = &session.opened else { return };
    let rows = rows(state.size);
    let text = list.asked.as_ref().map_or("", |(_, text)| text);
    let more = if list.paths.complete || text.is_empty() { "" } else { canvas.glyphs.ellipsis };
    let place = match list.paths.matched {
        _ if text.is_empty() => String::new(),
        1 => format!("1 match{more}"),
        matched => format!("{matched} matches{more}"),
    };
    title(canvas, area(state.size), "Paths", "", &place, true);
    let query = PathQuery::new(text);
    let shown = list.paths.hits.iter().enumerate().skip(list.cursor.offset).take(usize::from(rows.height));
    for (line, (index, hit)) in (0..).zip(shown) {
        let mut pen = canvas.line(rows, line);
        pen.skip(1);
        draw_path(&mut pen, &opened.image.tree.path(hit.node), &query);
        if index == list.cursor.selected {
            let style = selection(canvas, true);
            canvas.overlay(rows, line, style);
        }
    }
    if list.paths.hits.is_empty() {
        let text = match (text.is_empty(), list.paths.complete) {
            (true, _) => "Type some letters of a path",
            (false, true) => "No matches",
            (false, false) => "Searching…",
        };
        canvas.line(rows, 0).skip(1).fitted(text, theme.dim);
    }
}

/// A path with the letters set off that were typed, where it fits and shows as it is.
fn draw_path(pen: &mut Pen, path: &[u8], query: &PathQuery) {
    let theme = pen.theme();
    let shown = display_name(path);
    if shown.width() > pen.room() || shown.as_bytes() != path {
        let ellipsis = pen.glyphs().ellipsis;
        let room = pen.room();
        pen.text(&fit_end(&shown, room, ellipsis), theme.plain);
        return;
    }
    let positions = query.positions(path);
    let mut from = 0;
    for position in positions {
        let Some(letter) = shown.get(position..).and_then(|rest| rest.chars().next()) else { continue };
        if position < from {
            continue;
        }
        let end = position + letter.len_utf8();
        pen.text(shown.get(from..position).unwrap_or_default(), theme.plain);
        pen.text(shown.get(position..end).unwrap_or_default(), theme.hit);
        from = end;
    }
    pen.text(shown.get(from..).unwrap_or_default(), theme.plain);
}
