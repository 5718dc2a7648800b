//! Effects of each action: movement, panes and files, and the other pages.

mod files;
mod movement;
mod pages;
mod rebuild;

use super::action::{Action, Context};
use super::compare::{self, PairPage};
pub(super) use movement::move_layer;
pub(super) use pages::{map_out, selected_on_page};
pub(super) use rebuild::take as take_rebuilt;

use files::{perform_on_session, perform_on_tree};
use movement::{Step, move_by};
use pages::{go, page_of, perform_on_page};

use super::layout::Pane;
use super::list::ListCursor;
use super::look;
use super::message::Effect;
use super::pages::{Heading, Page};
use super::prompt::{Prompt, Purpose};
use super::state::{Screen, State};
use super::update::{apply_prompt, back, name_of_selection, open_choice};

/// Does what an action says.
pub(super) fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Quit | Action::QuitAnyway => effects.push(Effect::Quit),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Help => state.help = if state.help.is_some() { None } else { Some(ListCursor::default()) },
        Action::Back => back(state, effects),
        Action::Open => open_choice(state, effects),
        Action::Filter if matches!(state.context(), Context::Store | Context::Packages | Context::Rebuild) => {
            begin_prompt(state, Purpose::Rows);
        }
        Action::Filter => begin_prompt(state, Purpose::Filter),
        Action::Find => begin_prompt(state, Purpose::Find),
        Action::Palette | Action::SearchFiles | Action::FindPath | Action::Extract | Action::FindWithin => {
            look::begin_asking(state, action);
        }
        Action::WriteImage => rebuild::begin(state),
        Action::Accept => accept_prompt(state, effects),
        Action::Abandon => abandon_prompt(state),
        Action::ToggleMouse => {
            state.mouse = !state.mouse;
            effects.push(Effect::Mouse(state.mouse));
            state.inform(if state.mouse { "Mouse on" } else { "Mouse off: the terminal selects text" });
        }
        Action::CopyPath => copy(state, name_of_selection(state), effects),
        Action::CopyRow => copy(state, super::draw::row_as_text(state), effects),
        Action::MoveDown | Action::PromptDown => move_by(state, Step::Lines(1)),
        Action::MoveUp | Action::PromptUp => move_by(state, Step::Lines(-1)),
        Action::HalfPageDown => move_by(state, Step::Halves(1)),
        Action::HalfPageUp => move_by(state, Step::Halves(-1)),
        Action::PageDown => move_by(state, Step::Halves(2)),
        Action::PageUp | Action::PlanPageUp => move_by(state, Step::Halves(-2)),
        Action::First => move_by(state, Step::Lines(isize::MIN)),
        Action::Last => move_by(state, Step::Lines(isize::MAX)),
        _ => {
            let size = state.size;
            if let Screen::Comparing(comparing) = &mut state.screen {
                if let Some(text) = compare::perform(comparing, size, action, effects) {
                    state.inform(text);
                }
                return;
            }
            let Screen::Session(session) = &mut state.screen else { return };
            if let Some(page) = page_of(session, action) {
                if session.opened.is_none() {
                    return state.inform("Still reading the image");
                }
                session.pages.current = page;
                if page == Page::Map && session.pages.map.selected.is_none() {
                    go(session, size, Heading::Down);
                }
                return;
            }
            match action {
                Action::OpenHit => return look::open_hit(session),
                Action::RevealHit => return look::reveal(session),
                _ if session.viewer.is_some() => {
                    if let Some(viewer) = &mut session.viewer {
                        look::perform_on_viewer(viewer, size.0, action);
                    }
                    return;
                }
                _ if session.results.is_some() => return,
                Action::OnlyWasted => {
                    let text = session.toggle_wasted();
                    return state.inform(text);
                }
                _ => {}
            }
            if look::begin(session, action) {
                return;
            }
            if session.pages.current != Page::Files {
                if let Some(text) = perform_on_page(session, size, action, &state.keymap) {
                    state.inform(text);
                }
                return;
            }
            let said = perform_on_session(session, action);
            let said = said.or_else(|| perform_on_tree(session, action, &state.keymap));
            if let Some(text) = said {
                state.inform(text);
            }
        }
    }
}

fn copy(state: &mut State, text: Option<String>, effects: &mut Vec<Effect>) {
    match text {
        Some(text) => {
            state.inform(format!("Copied {text}"));
            effects.push(Effect::Copy(text));
        }
        None => state.inform("Nothing to copy here"),
    }
}

fn begin_prompt(state: &mut State, purpose: Purpose) {
    let text = match (&mut state.screen, purpose) {
        (Screen::Choosing, _) => state.choosers.last().map(|chooser| chooser.filter.clone()).unwrap_or_default(),
        (Screen::Session(session), purpose) => {
            let Some(opened) = &session.opened else {
                return state.inform("Still reading the files");
            };
            if purpose == Purpose::Rows {
                let text = session.pages.filter().to_owned();
                state.prompt = Some(Prompt { purpose, text });
                return;
            }
            // What is typed is about the files, so they had better be in sight.
            session.focus = Pane::Tree;
            match purpose {
                Purpose::Filter => opened.tree.filter.as_ref().map(|filter| filter.text.clone()).unwrap_or_default(),
                _ => String::new(),
            }
        }
        (Screen::Comparing(comparing), _) => {
            if comparing.pair.as_ref().is_some_and(|pair| pair.page == PairPage::Summary) {
                return state.inform("Nothing to filter here");
            }
            comparing.filter().to_owned()
        }
        (Screen::Failed { .. }, _) => return,
    };
    state.help = None;
    state.prompt = Some(Prompt { purpose, text });
}

fn accept_prompt(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(prompt) = state.prompt.take() else { return };
    if prompt.purpose == Purpose::Destination {
        return rebuild::accept(state, prompt, effects);
    }
    if look::accept(state, &prompt, effects) {
        return;
    }
    match &mut state.screen {
        Screen::Choosing => open_choice(state, effects),
        Screen::Session(session) if prompt.purpose == Purpose::Find && !prompt.text.is_empty() => {
            let found = session.search.as_ref().is_some_and(|search| search.marks.count > 0);
            if !found {
                state.inform(format!("No match for “{}”", prompt.text));
            }
        }
        Screen::Session(session) => {
            session.with_tree(|view, _| view.stay());
        }
        Screen::Comparing(_) | Screen::Failed { .. } => {}
    }
}

fn abandon_prompt(state: &mut State) {
    if let Some(prompt) = &mut state.prompt {
        prompt.text.clear();
        if matches!(prompt.purpose, Purpose::Filter | Purpose::Rows | Purpose::Within) {
            apply_prompt(state);
        }
    }
    state.prompt = None;
    state.picker = None;
}
