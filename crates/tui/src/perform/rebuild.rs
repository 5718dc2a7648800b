//! Actions on a plan: decisions about rows, and writing the result.

use std::ffi::OsStr;

use super::super::action::{Action, Context, Keymap};
use super::super::compare::Comparing;
use super::super::message::{Effect, Opening, Rebuilt, Transfer};
use super::super::pages::{Page, PlanItem};
use super::super::prompt::{Prompt, Purpose};
use super::super::request::{RebuildRequest, Request};
use super::super::session::Session;
use super::super::state::{Level, Notice, Screen, State};
use nixdive_analyse::compare::CompareOptions;
use nixdive_packages::PackageIndex;
use nixdive_rebuild::plan::RowSubject;
use nixdive_write::Destination;

/// Hint for work that can be stopped.
pub(super) const STOP: &[(Action, &str)] = &[(Action::Back, "stop")];

/// Message for a tree that shows only the files of a package.
pub(super) fn only_files_of(name: &str, keymap: &Keymap) -> String {
    keymap.hint(&format!("Files of {name}"), Context::Tree, &[(Action::Back, "show all")])
}

/// Keeps a dropped row, or drops a kept one; returns a message for the user.
pub(super) fn toggle(session: &mut Session) -> Option<String> {
    let unreached: Vec<RowSubject> = session.pages.store.study().map_or_else(Vec::new, |study| {
        let is_unreached =
            |id: &nixdive_nix::graph::PathId| study.paths.get(id.index()).is_some_and(|path| path.depth.is_none());
        study.ids().filter(is_unreached).map(RowSubject::StorePath).collect()
    });
    session.pages.rebuild.toggle(&unreached)
}

/// Goes to the files of the selected row; returns a message for the user.
pub(super) fn reveal(session: &mut Session, keymap: &Keymap) -> Option<String> {
    let page = &session.pages.rebuild;
    let subject = match page.selected()? {
        PlanItem::Row(place) => page.plan()?.rows.get(place)?.subject,
        PlanItem::Class(_) | PlanItem::Cut(_) | PlanItem::Doubt(_) => {
            return Some("Its files are in several directories".to_owned());
        }
    };
    match subject {
        RowSubject::StorePath(id) => {
            let node = session.pages.store.study()?.store.get(id)?.node;
            session.reveal(node);
        }
        RowSubject::Files(node) => session.reveal(node),
        RowSubject::Package(index) => {
            let known = std::sync::Arc::clone(&session.pages.findings);
            let index = PackageIndex(index);
            let place = index.0 as usize;
            let name = known.packages.packages.packages().get(place)?.name.clone();
            session.show_only(&name, known.packages.ownership.files(index));
            return Some(only_files_of(&name, keymap));
        }
        RowSubject::Class(_) => {}
    }
    None
}

/// Asks for the destination of the rebuilt image.
pub(super) fn begin(state: &mut State) {
    let Screen::Session(session) = &mut state.screen else { return };
    if session.writing.is_some() {
        return state.inform(state.keymap.hint("An image is already being written", Context::Rebuild, STOP));
    }
    let page = &mut session.pages.rebuild;
    if page.plan().is_none() {
        return state.inform("No plan yet");
    }
    page.problem = None;
    let text = page.destination.clone();
    state.help = None;
    state.prompt = Some(Prompt { purpose: Purpose::Destination, text });
}

/// Starts writing the image to the typed destination, or reports what is wrong with it and keeps the prompt.
pub(super) fn accept(state: &mut State, prompt: Prompt, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &mut state.screen else { return };
    let page = &mut session.pages.rebuild;
    let text = prompt.text.trim().to_owned();
    page.destination.clone_from(&text);
    let destination = match Destination::parse(OsStr::new(&text)) {
        Ok(Destination::StandardOutput) => {
            page.problem = Some("standard output is the screen: expected a file".to_owned());
            state.prompt = Some(prompt);
            return;
        }
        Ok(destination) => destination,
        Err(error) => {
            state.notice = Some(Notice { level: Level::Error, text: error.to_string() });
            return;
        }
    };
    let replaces = page.told_of.take().is_some_and(|told_of| told_of == text);
    let choices = page.choices.clone();
    session.writing = Some(Transfer::default());
    let request = Request::Rebuild(Box::new(RebuildRequest { choices, destination, replaces }));
    effects.push(Effect::Ask { opening: session.opening, request });
}

/// Takes the result of the writing, and compares the new image with the one that it was made from.
pub(in super::super) fn take(state: &mut State, rebuilt: Rebuilt, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &mut state.screen else { return };
    match rebuilt {
        Rebuilt::Written { reference, told } => {
            let names = vec![session.name.clone(), reference.clone()];
            compare(state, names, reference, effects);
            state.inform(state.keymap.hint(&told, Context::Everywhere, &[(Action::Back, "back")]));
        }
        Rebuilt::Occupied => {
            let page = &mut session.pages.rebuild;
            let text = page.destination.clone();
            page.told_of = Some(text.clone());
            if session.pages.current == Page::Rebuild && state.prompt.is_none() {
                let replace = &[(Action::Accept, "replace it")];
                page.problem = Some(state.keymap.hint("the file exists", Context::Prompt, replace));
                state.prompt = Some(Prompt { purpose: Purpose::Destination, text });
            } else {
                let text = format!("{text}: the file exists and was not replaced");
                state.notice = Some(Notice { level: Level::Error, text });
            }
        }
        Rebuilt::Failed(reason) => state.notice = Some(Notice { level: Level::Error, text: reason }),
    }
}

/// Compares an image with the one on screen, which is shown again afterwards.
fn compare(state: &mut State, names: Vec<String>, reference: String, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &state.screen else { return };
    let (with, opening) = (session.opening, Opening(state.latest_opening.0.wrapping_add(1)));
    let options = CompareOptions::default();
    effects.push(Effect::Compare { opening, with, reference, options });
    let above = Screen::Comparing(Box::new(Comparing::new(opening, names, options)));
    let beneath = std::mem::replace(&mut state.screen, above);
    if let Screen::Comparing(comparing) = &mut state.screen {
        comparing.beneath = Some(Box::new(beneath));
    }
    state.latest_opening = opening;
    state.prompt = None;
    state.picker = None;
}
