//! What keys do on a plan: deciding about rows, and writing what comes of it.

use std::ffi::OsStr;

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

/// Keeps what is dropped, or drops what is kept; what to tell the user.
pub(super) fn toggle(session: &mut Session) -> Option<String> {
    let unreached: Vec<RowSubject> = session.pages.store.study().map_or_else(Vec::new, |study| {
        let is_unreached =
            |id: &nixdive_nix::graph::PathId| study.paths.get(id.index()).is_some_and(|path| path.depth.is_none());
        study.ids().filter(is_unreached).map(RowSubject::StorePath).collect()
    });
    session.pages.rebuild.toggle(&unreached)
}

/// Goes to the files of the selected row; what to tell the user.
pub(super) fn reveal(session: &mut Session) -> Option<String> {
    let page = &session.pages.rebuild;
    let subject = match page.selected()? {
        PlanItem::Row(place) => page.plan()?.rows.get(place)?.subject,
        PlanItem::Class(_) | PlanItem::Cut(_) | PlanItem::Doubt(_) => {
            return Some("Its files are in many places".to_owned());
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
            return Some(format!("Files of {name}; esc shows all again"));
        }
        RowSubject::Class(_) => {}
    }
    None
}

/// Asks where the rebuilt image is to be written to.
pub(super) fn begin(state: &mut State) {
    let Screen::Session(session) = &mut state.screen else { return };
    if session.writing.is_some() {
        return state.inform("An image is being written already; esc stops that");
    }
    let page = &mut session.pages.rebuild;
    if page.plan().is_none() {
        return state.inform("There is no plan yet");
    }
    page.problem = None;
    let text = page.destination.clone();
    state.help = None;
    state.prompt = Some(Prompt { purpose: Purpose::Destination, text });
}

/// Has the image written to what was typed, or says what is wrong with that and lets it be typed on.
pub(super) fn accept(state: &mut State, prompt: Prompt, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &mut state.screen else { return };
    let page = &mut session.pages.rebuild;
    let text = prompt.text.trim().to_owned();
    page.destination.clone_from(&text);
    let destination = match Destination::parse(OsStr::new(&text)) {
        Ok(Destination::StandardOutput) => {
            page.problem = Some("the screen is on standard output: give a file");
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

/// Takes what came of the writing: what was written is compared with the image that it was made of.
pub(in super::super) fn take(state: &mut State, rebuilt: Rebuilt, effects: &mut Vec<Effect>) {
    let Screen::Session(session) = &mut state.screen else { return };
    match rebuilt {
        Rebuilt::Written { reference, told } => {
            let names = vec![session.name.clone(), reference.clone()];
            compare(state, names, reference, effects);
            state.inform(told);
        }
        Rebuilt::Occupied => {
            let page = &mut session.pages.rebuild;
            let text = page.destination.clone();
            page.told_of = Some(text.clone());
            if session.pages.current == Page::Rebuild && state.prompt.is_none() {
                page.problem = Some("it is there already: enter once more replaces it");
                state.prompt = Some(Prompt { purpose: Purpose::Destination, text });
            } else {
                let text = format!("{text} is there already, and was not replaced");
                state.notice = Some(Notice { level: Level::Error, text });
            }
        }
        Rebuilt::Failed(reason) => state.notice = Some(Notice { level: Level::Error, text: reason }),
    }
}

/// Shows an image next to the one on screen, which is shown again when one leaves.
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
