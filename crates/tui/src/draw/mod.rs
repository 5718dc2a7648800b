//! Drawing: pure functions of the state.

mod chooser;
mod compare;
mod details;
mod files;
mod findings;
mod footer;
mod header;
mod help;
mod layers;
mod loading;
mod pages;
mod painter;
mod picker;
mod rebuild;
mod results;
mod store;
mod time;
mod viewer;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::action::{Action, Context};
use super::compare::Comparing;
use super::layout::{Pane, SMALLEST, fits};
use super::pages::{Page, Tile};
use super::session::{Exploration, Session};
use super::state::{Screen, State};
use super::theme::{Glyphs, strip_colours};
use super::viewer::Viewer;
pub(super) use compare::SUMMARY_INDENT;
use nixdive_image::NodeId;
use painter::Canvas;
pub(super) use time::time;

/// Draws the state into an empty buffer. Right after a resize, the buffer's size differs from the state's: the common
/// part is drawn.
pub fn draw(state: &State, buffer: &mut Buffer) {
    let known = Rect::new(0, 0, state.size.0, state.size.1);
    if buffer.area == known {
        return draw_whole(state, buffer);
    }
    let mut whole = Buffer::empty(known);
    draw_whole(state, &mut whole);
    for position in buffer.area.intersection(known).positions() {
        buffer[position] = whole[position].clone();
    }
}

/// Draws the state into an empty buffer of the state's own dimensions.
fn draw_whole(state: &State, buffer: &mut Buffer) {
    let glyphs = Glyphs::new(state.options.unicode);
    let mut canvas = Canvas { buffer, theme: &state.theme, glyphs, keymap: &state.keymap };
    let screen = canvas.buffer.area;
    if !fits((screen.width, screen.height)) {
        too_small(&mut canvas, screen);
    } else if let Some(help) = &state.help {
        help::draw(&mut canvas, screen, state, help.offset);
        footer::draw(&mut canvas, screen, state);
    } else {
        match &state.screen {
            Screen::Choosing => chooser::draw(&mut canvas, screen, state),
            Screen::Session(session) => draw_session(&mut canvas, session, state),
            Screen::Comparing(comparing) => compare::draw(&mut canvas, comparing, state),
            Screen::Failed { name, reason } => loading::draw_failure(&mut canvas, screen, name, reason),
        }
        if let Some(picker) = &state.picker {
            picker::draw(&mut canvas, state, picker);
        }
        footer::draw(&mut canvas, screen, state);
    }
    if !state.options.colours {
        strip_colours(buffer);
    }
}

fn draw_session(canvas: &mut Canvas, session: &Session, state: &State) {
    let areas = session.areas(state.size);
    header::draw(canvas, areas.header, session, &state.keymap);
    if let Some(viewer) = &session.viewer {
        return viewer::draw(canvas, body(state.size), viewer);
    }
    if let (Some(results), Some(opened)) = (&session.results, &session.opened) {
        return results::draw(canvas, body(state.size), results, opened);
    }
    if let Some(opened) = session.opened.as_ref().filter(|_| session.pages.current != Page::Files) {
        return pages::draw(canvas, body(state.size), session, opened);
    }
    layers::draw(canvas, areas.layers, session);
    details::draw(canvas, areas.details, session);
    match &session.opened {
        Some(opened) => files::draw(canvas, areas.tree, session, opened),
        None => loading::draw(canvas, areas.tree, session),
    }
    for line in 0..areas.separator.height {
        let style = canvas.theme.dim;
        let symbol = canvas.glyphs.separator;
        canvas.line(areas.separator, line).text(symbol, style);
    }
}

/// The title line of a pane: a rule, heavier where the keys go, with the place in a list at its right end.
fn title(canvas: &mut Canvas, area: Rect, name: &str, rest: &str, place: &str, focused: bool) {
    let theme = canvas.theme;
    let (style, symbol) =
        if focused { (theme.title_focused, canvas.glyphs.rule_focused) } else { (theme.title, canvas.glyphs.rule) };
    let mut pen = canvas.line(area, 0);
    pen.text(symbol, style).text(" ", style);
    pen.text(name, if focused { style } else { theme.strong });
    let place_width = if place.is_empty() { 0 } else { place.width() + 3 };
    if !rest.is_empty() && pen.room() > place_width + 4 {
        pen.text(" ", style);
        let room = pen.room().saturating_sub(place_width + 2);
        let rest = painter::fit(rest, room, pen.glyphs().ellipsis);
        pen.text(&rest, theme.dim);
    }
    pen.text(" ", style);
    let rule = pen.room().saturating_sub(place_width);
    pen.text(&symbol.repeat(rule), style);
    if !place.is_empty() {
        pen.text(" ", style).text(place, theme.dim).text(" ", style);
    }
    pen.fill(symbol, style);
}

fn too_small(canvas: &mut Canvas, screen: Rect) {
    let (width, height) = SMALLEST;
    let style = canvas.theme.strong;
    canvas.line(screen, 0).text("Too small", style);
    canvas.line(screen, 1).text(&format!("needs {width}x{height}"), Style::new());
    if let Some(key) = canvas.keymap.key(Context::Everywhere, Action::Quit) {
        canvas.line(screen, 2).text(&format!("{key}: quit"), Style::new());
    }
}

/// All between header and footer.
fn body(size: (u16, u16)) -> Rect {
    Rect::new(0, 1, size.0, size.1.saturating_sub(2))
}

/// Area of the rows of a preview.
pub(super) fn viewer_rows(size: (u16, u16), viewer: &Viewer) -> Rect {
    viewer::rows(body(size), viewer)
}

/// Area of the rows of a comparison.
pub(super) fn compared_rows(comparing: &Comparing, size: (u16, u16)) -> Rect {
    compare::rows(comparing, body(size))
}

/// Area of the hits of a content search.
pub(super) fn results_rows(size: (u16, u16)) -> Rect {
    results::rows(body(size))
}

/// Area of the rows of a picker.
pub(super) fn picker_rows(size: (u16, u16)) -> Rect {
    picker::rows(size)
}

/// Number of list rows on the current page.
pub(super) fn page_rows(session: &Session, size: (u16, u16)) -> u16 {
    page_rows_area(session, size).height
}

/// Area of the rows on the current page.
pub(super) fn page_rows_area(session: &Session, size: (u16, u16)) -> Rect {
    pages::rows(body(size), session.pages.current)
}

/// The tiles of the map as they stand on the screen.
pub(super) fn map_tiles(session: &Session, opened: &Exploration, size: (u16, u16)) -> Vec<Tile<NodeId>> {
    pages::map_tiles(session, opened, page_rows_area(session, size))
}

/// Number of lines of the help.
pub(super) fn help_length(screen: &Screen) -> usize {
    help::length(screen)
}

/// Lines of the details in a pane so wide.
pub(super) fn details_length(session: &Session, width: u16, unicode: bool) -> usize {
    details::lines(session, usize::from(width), Glyphs::new(unicode)).len()
}

/// The selected row as it stands on screen, its columns apart by tabulators.
pub(super) fn row_as_text(state: &State) -> Option<String> {
    let session = match &state.screen {
        Screen::Session(session) => session,
        Screen::Comparing(comparing) => return compare::row_as_text(comparing),
        Screen::Choosing | Screen::Failed { .. } => return None,
    };
    match session.focus {
        Pane::Layers => Some(layers::row_as_text(session)),
        Pane::Tree | Pane::Details => files::row_as_text(session),
    }
}

/// Laid over the selected row.
fn selection(canvas: &Canvas, focused: bool) -> Style {
    if focused { canvas.theme.selected.remove_modifier(Modifier::DIM) } else { canvas.theme.remembered }
}
