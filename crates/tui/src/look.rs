//! Actions that look into files.

use super::action::{Action, Context};
use super::layout::Pane;
use super::message::{Effect, Transfer};
use super::pages::Page;
use super::perform::perform;
use super::picker::{Commands, PathList, Picker};
use super::prompt::{Prompt, Purpose};
use super::request::{ExtractRequest, Form, PathRequest, Request, SearchRequest, Subject, Target};
use super::results::Results;
use super::session::Session;
use super::state::{Screen, State};
use super::viewer::Viewer;
use nixdive_preview::Toward;

/// Actions that begin to look into something; returns `true` if this is one and there was something to show.
pub(super) fn begin(session: &mut Session, action: Action) -> bool {
    let Some(node) = session.opened.as_ref().and_then(|opened| {
        let (node, seen) = opened.tree.selected_seen(&opened.image.tree)?;
        let wanted = match action {
            Action::Preview => true,
            Action::Toggle => !seen.is_directory,
            _ => false,
        };
        wanted.then_some(node)
    }) else {
        return false;
    };
    if session.pages.current != Page::Files || session.focus == Pane::Layers {
        return false;
    }
    if let Some(subject) = session.subject(node) {
        session.view(subject, Form::Content);
    }
    true
}

/// Actions on the file on screen.
pub(super) fn perform_on_viewer(viewer: &mut Viewer, width: u16, action: Action) {
    match action {
        Action::ToggleBytes if viewer.form == Form::Bytes => viewer.switch(Form::Content),
        Action::ToggleBytes => viewer.switch(Form::Bytes),
        Action::ToggleDifference => viewer.next_difference(width),
        Action::ToggleWrap => viewer.toggle_wrap(),
        Action::FindNext => viewer.next_hit(Toward::Next),
        Action::FindPrevious => viewer.next_hit(Toward::Previous),
        Action::ScrollLeft => viewer.side(false),
        Action::ScrollRight => viewer.side(true),
        _ => {}
    }
}

/// Opens the prompt that an action needs: for a text, a path, a directory on disk, the name of an action.
pub(super) fn begin_asking(state: &mut State, action: Action) {
    let context = state.screen.context();
    let (purpose, text, picker) = match (&mut state.screen, action) {
        (_, Action::Palette) => (Purpose::Command, String::new(), Some(Picker::Commands(Commands::new(context)))),
        (Screen::Comparing(comparing), Action::FindWithin) => {
            let Some(viewer) = &mut comparing.viewer else { return };
            viewer.begin_find();
            (Purpose::Within, String::new(), None)
        }
        (Screen::Comparing(_), _) => return state.inform("Available only for a single image"),
        (Screen::Session(session), action) => {
            let Some(opened) = &session.opened else { return state.inform("Still reading the files") };
            match action {
                Action::FindWithin => {
                    let Some(viewer) = &mut session.viewer else { return };
                    viewer.begin_find();
                    (Purpose::Within, String::new(), None)
                }
                Action::SearchFiles => (Purpose::Search, String::new(), None),
                Action::FindPath => {
                    let layer = session.scope(&opened.image).0.layer();
                    (Purpose::Path, String::new(), Some(Picker::Paths(PathList::new(layer))))
                }
                _ if opened.tree.selected_row().is_none() => return state.inform("Nothing selected"),
                _ => (Purpose::Directory, ".".to_owned(), None),
            }
        }
        _ => return,
    };
    state.help = None;
    state.picker = picker;
    state.prompt = Some(Prompt { purpose, text });
}

/// Accepts a prompt opened by [`begin_asking`]; returns `false` for other prompts.
pub(super) fn accept(state: &mut State, prompt: &Prompt, effects: &mut Vec<Effect>) -> bool {
    let picker = state.picker.take();
    match (prompt.purpose, picker) {
        (Purpose::Filter | Purpose::Find | Purpose::Rows | Purpose::Destination, _) => return false,
        (Purpose::Within, _) => {}
        (Purpose::Command, Some(Picker::Commands(commands))) => {
            if let Some(info) = commands.selected() {
                perform(state, info.action, effects);
            }
        }
        (Purpose::Path, Some(Picker::Paths(list))) => {
            if let (Screen::Session(session), Some(node)) = (&mut state.screen, list.selected()) {
                session.reveal(node);
            }
        }
        (Purpose::Search, _) if !prompt.text.is_empty() => search(state, &prompt.text, effects),
        (Purpose::Directory, _) if !prompt.text.is_empty() => extract(state, &prompt.text, effects),
        _ => {}
    }
    true
}

fn search(state: &mut State, text: &str, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &mut state.screen else { return };
    let Some(layer) = session.opened.as_ref().map(|opened| session.scope(&opened.image).0.layer()) else { return };
    let ticket = session.next_ticket();
    session.viewer = None;
    session.results = Some(Results::new(ticket, text.to_owned()));
    let request = Request::Search(SearchRequest { ticket, text: text.to_owned(), layer });
    effects.push(Effect::Ask { opening: session.opening, request });
}

fn extract(state: &mut State, directory: &str, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &mut state.screen else { return };
    if session.copying.is_some() {
        let hint = &[(Action::Back, "stop")];
        return state.inform(state.keymap.hint("Another copy is under way", Context::Tree, hint));
    }
    let node = session.opened.as_ref().and_then(|opened| Some(opened.tree.selected_row()?.node));
    let Some(subject) = node.and_then(|node| session.subject(node)) else { return };
    session.copying = Some(Transfer::default());
    let request = ExtractRequest { node: subject.node, layer: subject.layer, directory: directory.to_owned() };
    effects.push(Effect::Ask { opening: session.opening, request: Request::Extract(request) });
    state.inform(format!("Copying to {directory}…"));
}

/// Looks into the file of the selected hit, where the hit is.
pub(super) fn open_hit(session: &mut Session) {
    let Some(results) = &session.results else { return };
    let Some(hit) = results.selected() else { return };
    let (node, entry, binary, offset) = (hit.node, hit.occurrence, hit.binary, hit.offset);
    let Some(opened) = &session.opened else { return };
    let layer = session.scope(&opened.image).0.layer();
    let text = results.text.clone();
    let form = if binary { Form::Bytes } else { Form::Content };
    session.view(Subject { node, layer, entry: Some(entry), removed: false }, form);
    if let Some(viewer) = &mut session.viewer {
        viewer.go_to_hit(offset, &text);
    }
}

/// Shows the file on screen, or the file of the selected hit, in the tree.
pub(super) fn reveal(session: &mut Session) {
    let viewed = session.viewer.as_ref().and_then(|viewer| match viewer.target {
        Target::Path(subject) => Some(subject.node),
        Target::Versions { .. } => None,
    });
    let hit = || Some(session.results.as_ref()?.selected()?.node);
    if let Some(node) = viewed.or_else(hit) {
        session.reveal(node);
    }
}

/// Requests the paths that match the prompt.
pub(super) fn ask_for_paths(state: &mut State) -> Option<Effect> {
    let (Some(Picker::Paths(list)), Some(prompt), Screen::Session(session)) =
        (&mut state.picker, &state.prompt, &mut state.screen)
    else {
        return None;
    };
    if list.asked.as_ref().map_or("", |(_, text)| text) == prompt.text {
        return None;
    }
    let (ticket, text) = (session.next_ticket(), prompt.text.clone());
    list.asked = Some((ticket, text.clone()));
    list.cursor = Default::default();
    if text.trim().is_empty() {
        list.paths = Default::default();
        return None;
    }
    let request = Request::Paths(PathRequest { ticket, text, layer: list.layer });
    Some(Effect::Ask { opening: session.opening, request })
}
