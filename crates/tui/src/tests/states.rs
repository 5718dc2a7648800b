//! Views without content, while typing, and after an error.

use super::pages::informed;
use super::samples::{empty, nix, web};
use super::screens::{choices, identified, progress, shows};
use super::*;
use crate::{Choice, Hits, Paths, Request};

/// On a screen of this size.
pub(super) type Scene = fn((u16, u16)) -> Person;

/// A person who pressed keys, and heard something after them.
fn after(mut person: Person, keys: &str) -> Person {
    person.presses(keys);
    person
}

pub(super) fn hearing(mut person: Person, report: Report) -> Person {
    person.hears(report);
    person
}

pub(super) fn seen(size: (u16, u16), keys: &str) -> Person {
    after(Person::seeing(web(), size), keys)
}

fn choosing(size: (u16, u16), keys: &str) -> Person {
    after(Person::starting(Start::Choosing(choices()), size), keys)
}

pub(super) fn loading(size: (u16, u16)) -> Person {
    let person = hearing(Person::starting(Start::Loading("./web.tar.gz".into()), size), identified());
    hearing(person, progress())
}

/// An image without layers, its findings known.
fn nothing(size: (u16, u16), keys: &str) -> Person {
    after(informed(empty(), b"", size), keys)
}

pub(super) const SCENES: &[(&str, Scene)] = &[
    ("stopped", |size| after(loading(size), "esc")),
    ("zoomed_layers", |size| seen(size, "z")),
    ("zoomed_details", |size| seen(size, "shift-tab z")),
    ("layer_alone", |size| seen(size, "G v tab L G")),
    ("notice", |size| seen(size, "tab y")),
    ("notice_error", |size| hearing(seen(size, "tab"), Report::Done(Err("./out: no room on the disk".into())))),
    ("prompt_find", |size| seen(size, "tab f")),
    ("prompt_extract", |size| seen(size, "tab e")),
    ("paths_empty", |size| seen(size, "ctrl-t")),
    ("paths_none", |size| {
        let person = seen(size, "ctrl-t x");
        let ticket = person.effects.iter().find_map(|effect| match effect {
            Effect::Ask { request: Request::Paths(request), .. } => Some(request.ticket),
            _ => None,
        });
        let ticket = ticket.expect("paths are asked for");
        hearing(person, Report::Paths(Paths { ticket, complete: true, ..Paths::default() }))
    }),
    ("palette_all", |size| seen(size, "tab :")),
    ("palette_none", |size| seen(size, ": x x")),
    ("search_problem", |size| {
        let person = seen(size, "ctrl-s ( enter");
        let ticket = person.session().results.as_ref().expect("a search was begun").ticket;
        let problem = Some("`(`: unclosed group".into());
        hearing(person, Report::Hits(Hits { ticket, complete: true, problem, ..Hits::default() }))
    }),
    ("chooser_filter", |size| choosing(size, "/ o c i")),
    ("chooser_no_match", |size| choosing(size, "/ x x")),
    ("chooser_platforms", |size| {
        let mut person = choosing(size, "j enter");
        let choice = |name: &str| Choice { reference: name.into(), title: name.into(), detail: String::new() };
        let choices = vec![choice("linux/amd64"), choice("linux/arm64")];
        person.takes(Message::Report(Opening(1), Report::Choose(choices)));
        person
    }),
    ("failed_of_several", |size| {
        let mut person = choosing(size, "enter");
        person.takes(Message::Report(Opening(1), Report::Failed("./result: no such file".into())));
        person
    }),
    ("help_chooser", |size| choosing(size, "?")),
    ("help_map", |size| seen(size, "5 ?")),
    ("help_preview", |size| seen(size, "tab l l p ?")),
    ("empty_files", |size| nothing(size, "tab")),
    ("empty_image", |size| nothing(size, "2")),
    ("empty_waste", |size| nothing(size, "3")),
    ("empty_packages", |size| nothing(size, "4")),
    ("empty_map", |size| nothing(size, "5")),
    ("nix_image", |size| after(informed(nix(), b"", size), "2")),
];

#[test]
fn states_of_the_views() {
    for (name, scene) in SCENES {
        shows(name, scene);
    }
}
