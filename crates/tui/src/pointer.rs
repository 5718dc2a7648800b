//! Effects of the mouse.

use super::compare;
use super::input::{Mouse, MouseAction};
use super::layout::Pane;
use super::message::Effect;
use super::pages::Page;
use super::perform::move_layer;
use super::rows::RowFlags;
use super::state::{Screen, State};
use super::update::open_choice;

/// Lines that one step of the wheel moves.
const WHEEL: isize = 3;

pub(super) fn take(state: &mut State, mouse: Mouse, effects: &mut Vec<Effect>) {
    let lines = match mouse.action {
        MouseAction::WheelUp => Some(-WHEEL),
        MouseAction::WheelDown => Some(WHEEL),
        _ => None,
    };
    if let Some(help) = &mut state.help {
        match lines {
            Some(lines) => help.offset = help.offset.saturating_add_signed(lines),
            None if mouse.action == MouseAction::Press => state.help = None,
            None => {}
        }
        return;
    }
    if let Some(viewer) = state.screen.viewer_mut() {
        if let Some(lines) = lines {
            viewer.move_by(lines);
        }
        return;
    }
    let size = state.size;
    match &mut state.screen {
        Screen::Comparing(comparing) => {
            let rows = super::draw::compared_rows(comparing, size);
            if let Some(lines) = lines {
                compare::scroll(comparing, lines, usize::from(rows.height));
            } else if mouse.action == MouseAction::Press && rows.contains((mouse.column, mouse.row).into()) {
                compare::press(comparing, usize::from(mouse.row - rows.y));
            }
        }
        Screen::Session(session) if session.results.is_some() => {
            let Some(results) = &mut session.results else { return };
            let rows = super::draw::results_rows(state.size);
            if let Some(lines) = lines {
                results.cursor.scroll_by(lines, results.hits.len(), usize::from(rows.height));
            } else if mouse.action == MouseAction::Press && rows.contains((mouse.column, mouse.row).into()) {
                let index = results.cursor.offset + usize::from(mouse.row - rows.y);
                results.cursor.select(index, results.hits.len());
            }
        }
        Screen::Choosing => take_in_chooser(state, mouse, lines, effects),
        Screen::Session(session) if session.opened.is_some() && session.pages.current != Page::Files => {
            take_on_page(state, mouse, lines);
        }
        Screen::Session(_) => take_in_session(state, mouse, lines),
        Screen::Failed { .. } => {}
    }
}

fn take_in_chooser(state: &mut State, mouse: Mouse, lines: Option<isize>, effects: &mut Vec<Effect>) {
    let height = usize::from(state.size.1.saturating_sub(3));
    let Some(chooser) = state.choosers.last_mut() else { return };
    let length = chooser.shown().count();
    if let Some(lines) = lines {
        return chooser.cursor.scroll_by(lines, length, height);
    }
    let Some(line) = mouse.row.checked_sub(2).map(usize::from).filter(|_| mouse.action == MouseAction::Press) else {
        return;
    };
    let index = chooser.cursor.offset + line;
    if line >= height || index >= length {
        return;
    }
    if chooser.cursor.selected == index {
        return open_choice(state, effects);
    }
    chooser.cursor.select(index, length);
}

fn take_on_page(state: &mut State, mouse: Mouse, lines: Option<isize>) {
    let size = state.size;
    let Screen::Session(session) = &mut state.screen else { return };
    let rows = super::draw::page_rows_area(session, size);
    if let Some(lines) = lines {
        if let Some((cursor, length)) = session.pages.list() {
            cursor.scroll_by(lines, length, usize::from(rows.height));
        }
        return;
    }
    if mouse.action != MouseAction::Press || !rows.contains((mouse.column, mouse.row).into()) {
        return;
    }
    if session.pages.current == Page::Map {
        let Some(opened) = &session.opened else { return };
        let at = (mouse.column, mouse.row).into();
        let tiles = super::draw::map_tiles(session, opened, size);
        if let Some(tile) = tiles.iter().rfind(|tile| tile.area.contains(at)) {
            session.pages.map.selected = tile.key;
        }
        return;
    }
    if session.pages.current == Page::Store && session.pages.store.press(rows, (mouse.column, mouse.row)) {
        return;
    }
    let line = usize::from(mouse.row - rows.y);
    if let Some((cursor, length)) = session.pages.list() {
        cursor.select(cursor.offset + line, length);
    }
}

fn take_in_session(state: &mut State, mouse: Mouse, lines: Option<isize>) {
    let size = state.size;
    let Screen::Session(session) = &mut state.screen else { return };
    let areas = session.areas(size);
    match mouse.action {
        MouseAction::Release => {
            state.dragging = false;
            return;
        }
        MouseAction::Drag if state.dragging => {
            let share = u32::from(mouse.column) * 100 / u32::from(size.0.max(1));
            session.preferences.share = (share as u16).clamp(16, 80);
            return;
        }
        MouseAction::Press if areas.separator.contains((mouse.column, mouse.row).into()) => {
            state.dragging = true;
            return;
        }
        _ => {}
    }
    let Some(pane) = areas.pane_at(mouse.column, mouse.row) else { return };
    let rows = areas.rows(pane);
    if let Some(lines) = lines {
        let height = usize::from(rows.height);
        match pane {
            Pane::Layers => {
                let length = session.layer_rows();
                session.layers.scroll_by(lines, length, height);
                session.follow();
            }
            Pane::Tree => {
                session.with_tree(|view, _| view.scroll_by(lines, height));
            }
            Pane::Details => session.details_offset = session.details_offset.saturating_add_signed(lines),
        }
        return;
    }
    if mouse.action != MouseAction::Press {
        return;
    }
    session.focus = pane;
    if !rows.contains((mouse.column, mouse.row).into()) {
        return;
    }
    let line = usize::from(mouse.row - rows.y);
    match pane {
        Pane::Layers => {
            let index = session.layers.offset + line;
            if index < session.layer_rows() {
                let by = index as isize - session.layers.selected as isize;
                move_layer(session, by);
            }
        }
        Pane::Tree => {
            session.details_offset = 0;
            session.with_tree(|view, tree| {
                let index = view.offset() + line;
                let Some(row) = view.rows().get(index) else { return };
                let again = view.selected() == index && row.flags.contains(RowFlags::DIRECTORY);
                view.select(index);
                if again {
                    view.toggle(tree);
                }
            });
        }
        Pane::Details => {}
    }
}
