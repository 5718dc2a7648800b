use super::super::compare;
use super::super::layout::Pane;
use super::super::pages::Page;
use super::super::session::Session;
use super::super::state::{Screen, State};
use super::pages::move_on_page;

/// Distances of a movement: lines, or halves of a page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Lines(isize),
    Halves(isize),
}

impl Step {
    fn lines(self, height: u16) -> isize {
        match self {
            Self::Lines(lines) => lines,
            Self::Halves(halves) => halves * (isize::try_from(height).unwrap_or(1) / 2).max(1),
        }
    }
}

pub(super) fn move_by(state: &mut State, step: Step) {
    let full = state.size.1.saturating_sub(3);
    if let Some(picker) = &mut state.picker {
        let (cursor, length) = picker.list();
        cursor.move_by(step.lines(full), length);
        return;
    }
    if let Some(help) = &mut state.help {
        help.offset = help.offset.saturating_add_signed(step.lines(full));
        return;
    }
    let size = state.size;
    if let Some(viewer) = state.screen.viewer_mut() {
        return viewer.move_by(step.lines(super::super::draw::viewer_rows(size, viewer).height));
    }
    match &mut state.screen {
        Screen::Choosing => {
            if let Some(chooser) = state.choosers.last_mut() {
                let length = chooser.shown().count();
                chooser.cursor.move_by(step.lines(full), length);
            }
        }
        Screen::Comparing(comparing) => {
            let lines = step.lines(super::super::draw::compared_rows(comparing, size).height);
            compare::move_by(comparing, lines);
        }
        Screen::Session(session) if session.results.is_some() => {
            let lines = step.lines(super::super::draw::results_rows(state.size).height);
            if let Some(results) = &mut session.results {
                results.cursor.move_by(lines, results.hits.len());
            }
        }
        Screen::Session(session) if session.pages.current != Page::Files => {
            let lines = step.lines(super::super::draw::page_rows(session, state.size));
            move_on_page(session, state.size, lines);
        }
        Screen::Session(session) => {
            let lines = step.lines(session.areas(state.size).rows(session.focus).height);
            move_in_session(session, lines);
        }
        Screen::Failed { .. } => {}
    }
}

fn move_in_session(session: &mut Session, lines: isize) {
    match session.focus {
        Pane::Layers => move_layer(session, lines),
        Pane::Tree => {
            session.with_tree(|view, _| view.move_by(lines));
            session.details_offset = 0;
        }
        Pane::Details => session.details_offset = session.details_offset.saturating_add_signed(lines),
    }
}

pub(in super::super) fn move_layer(session: &mut Session, lines: isize) {
    let length = session.layer_rows();
    session.layers.move_by(lines, length);
    session.details_offset = 0;
    session.follow();
}
