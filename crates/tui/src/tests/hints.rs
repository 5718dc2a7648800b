//! Keys that messages and screens name, after the user has assigned other ones.

use super::comparing::seeing_both;
use super::rebuilding::planning;
use super::states::{SCENES, hearing, loading, seen};
use super::*;
use crate::action::{ACTIONS, Keymap};
use crate::message::{Rebuilt, Transfer};
use crate::{Hits, Settings};

const KEYS: &str = "[keys]\nback = \"f5\"\nquit = \"f6\"\nonly-wasted = \"f7\"\ntoggle-base = \"f8\"\n\
    toggle-added = \"f9\"\ntoggle-modified = \"f10\"\ntoggle-removed = \"f11\"\ntoggle-unmodified = \"f12\"\n\
    find = \"Q\"\nsearch-files = \"Z\"\naccept = \"f4\"\ntoggle-equal = \"X\"\n";

/// Gives a person other keys.
fn remapped(mut person: Person) -> Person {
    person.state.keymap = Settings::parse(KEYS).unwrap().keymap;
    person
}

fn pressing(person: Person, keys: &str) -> Person {
    let mut person = remapped(person);
    person.presses(keys);
    person
}

fn searched(size: (u16, u16)) -> Person {
    let person = pressing(seen(size, ""), "Z n o n e f4");
    let ticket = person.session().results.as_ref().expect("a search was begun").ticket;
    hearing(person, Report::Hits(Hits { ticket, complete: true, ..Hits::default() }))
}

fn writing(size: (u16, u16)) -> Person {
    let person = pressing(planning(size, ""), "w f4");
    hearing(person, Report::Writing(Transfer { read_bytes: 1, total_bytes: Some(2) }))
}

#[test]
fn hints_name_the_keys_that_the_user_has_assigned() {
    let size = (120, 40);
    let failed = || Report::Done(Err("./out: no room on the disk".into()));
    for (hint, person) in [
        ("Reading stopped (f6: quit)", pressing(loading(size), "f5")),
        ("No matches for “xxx” (f5: clear the filter)", pressing(seen(size, ""), "/ x x x")),
        (
            "All hidden (f9: added, f10: modified, f11: removed, f12: unmodified)",
            pressing(seen(size, "tab"), "f9 f10 f11 f12"),
        ),
        ("Nothing to find yet (Q: find)", pressing(seen(size, "tab"), "n")),
        ("./out: no room on the disk  (f5: dismiss)", hearing(remapped(seen(size, "tab")), failed())),
        ("No matches in files (Z: search again)", searched(size)),
        ("No matches (f5: show all)", pressing(planning(size, ""), "/ x x x x")),
        ("1 B of 2 B written (f5: stop)", writing(size)),
        ("An image is already being written (f5: stop)", pressing(writing(size), "w")),
        ("the file exists (f4: replace it)", hearing(writing(size), Report::Rebuilt(Rebuilt::Occupied))),
        ("No differences match “xxx” (f5: clear the filter)", pressing(seeing_both(size), "/ x x x")),
        ("No matches (f5: show all)", pressing(seeing_both(size), "4 / x x x")),
        ("f6: quit", remapped(Person::starting(Start::Loading("image.tar".into()), (12, 3)))),
    ] {
        let text = person.text();
        assert!(text.contains(hint), "{hint}\n{text}");
        assert!(!text.contains("esc"), "{hint}\n{text}");
    }
}

#[test]
fn without_keys_screens_name_none() {
    let mut keymap = Keymap::default();
    for info in ACTIONS {
        keymap.unbind(info.action);
    }
    for (name, scene) in SCENES {
        let mut person = scene((120, 40));
        person.state.keymap = keymap.clone();
        let text = person.text();
        let words: Vec<&str> = text.split([' ', '(', ',', ';', ':', '.', '\n']).collect();
        for key in ["esc", "Esc", "enter", "space", "ctrl-s", "q", "W"] {
            assert!(!words.contains(&key), "{name}: {key}\n{text}");
        }
    }
}
