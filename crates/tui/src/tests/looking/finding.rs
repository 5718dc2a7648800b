//! Finding something in the file that is looked at.

use super::*;

const LOG: &[u8] = b"start\nlisten on 80\nopen a\nopen b\nopen c\nopen d\nopen e\nopen f\nopen g\nopen h\nopen i\nopen j\n\
    open k\nopen l\nopen m\nopen n\nopen o\nopen p\nopen q\nopen r\nopen s\nopen t\nopen u\nlisten on 81, listen on 82\nend\n";

fn log(request: &ViewRequest) -> View {
    of_text(LOG, Encoding::Utf8, "log", request)
}

/// A person who looks for a text in a log, each question answered at once.
fn finding(size: (u16, u16), text: &str) -> Person {
    let mut person = reading(size, LOG, Encoding::Utf8, "log");
    goes(&mut person, "/", &log);
    for letter in text.chars() {
        let before = requests(&person).len();
        person.types(&letter.to_string());
        settles(&mut person, before, &log);
    }
    person
}

fn current(person: &Person) -> Option<Hit> {
    person.session().viewer.as_ref()?.found()?.current
}

#[test]
fn typing_leads_to_the_first_hit_and_n_to_the_next() {
    let mut person = finding((80, 12), "listen");
    assert_eq!(current(&person), Some(Hit { at: 6, start: 0 }));
    assert!(person.text().contains("Find in the file"), "{}", person.text());
    goes(&mut person, "enter", &log);
    assert!(person.text().contains("hit 1/3"), "{}", person.text());
    for (key, at, said) in [
        ("n", 166, "hit 2/3"),
        ("n", 180, "hit 3/3"),
        ("n", 6, "from the other end: hit 1/3"),
        ("N", 180, "from the other end: hit 3/3"),
        ("N", 166, "hit 2/3"),
    ] {
        goes(&mut person, key, &log);
        assert_eq!((current(&person).map(|hit| hit.at), key), (Some(at), key));
        assert!(person.text().contains(said), "{key}: {}", person.text());
    }
    goes(&mut person, "esc", &log);
    assert!(person.session().viewer.as_ref().is_some_and(|viewer| viewer.find.is_none()), "the search is ended first");
    person.presses("esc");
    assert!(person.session().viewer.is_none());
}

#[test]
fn the_next_hit_is_seen_from_where_one_looks() {
    let mut person = finding((80, 12), "open");
    goes(&mut person, "enter G", &log);
    goes(&mut person, "N", &log);
    assert!(current(&person).is_some_and(|hit| hit.at > 100), "not from the first hit, which is out of sight");
}

#[test]
fn more_letters_are_looked_for_from_where_one_began() {
    let mut person = finding((80, 12), "listen on 8");
    assert_eq!(current(&person), Some(Hit { at: 6, start: 0 }));
    let before = requests(&person).len();
    person.types("2");
    settles(&mut person, before, &log);
    assert_eq!(current(&person), Some(Hit { at: 180, start: 0 }));
    let before = requests(&person).len();
    person.presses("backspace");
    settles(&mut person, before, &log);
    assert_eq!(current(&person), Some(Hit { at: 6, start: 0 }), "and back again");
    person.presses("esc");
    assert!(person.session().viewer.as_ref().is_some_and(|viewer| viewer.find.is_none()));
}

#[test]
fn what_is_not_there_is_said() {
    let person = finding(SIZE, "nowhere");
    assert!(person.text().contains("no hit"), "{}", person.text());
    assert!(first_line(&person).ends_with("start"), "one stays where one was");
}

#[test]
fn how_far_a_long_search_is_stands_at_the_foot() {
    let mut person = reading(SIZE, LOG, Encoding::Utf8, "log");
    goes(&mut person, "/", &log);
    person.types("x");
    let request = asked(&person);
    let state = FindState { text: "x".into(), percent: 42, ..FindState::default() };
    let searching = View {
        ticket: request.ticket,
        place: request.place,
        by: request.by,
        find: Some(state),
        pending: true,
        ..View::default()
    };
    person.hears(Report::View(Box::new(searching)));
    assert!(person.text().contains("looking, 42%"), "{}", person.text());
    assert!(first_line(&person).ends_with("start"), "what was there stays");
    person.presses("esc");
    assert!(asked(&person).find.is_none(), "nothing is looked for any more");
}

#[test]
fn a_hit_to_the_right_is_brought_into_sight() {
    const WIDE: &[u8] =
        b"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 needle";
    let file = |request: &ViewRequest| of_text(WIDE, Encoding::Utf8, "a", request);
    let mut person = reading((50, 12), WIDE, Encoding::Utf8, "a");
    goes(&mut person, "/", &file);
    for letter in ["n", "e", "e", "d"] {
        goes(&mut person, letter, &file);
    }
    assert!(person.text().contains("needle"), "{}", person.text());
}

#[test]
fn a_search_within_a_file() {
    shows("preview_find", |size| finding(size, "listen"));
    shows("preview_found", |size| {
        let mut person = finding(size, "listen");
        goes(&mut person, "enter n", &log);
        person
    });
    shows("preview_found_without_colours", |size| {
        let mut person = finding(size, "listen");
        goes(&mut person, "enter", &log);
        person.state.options.colours = false;
        person
    });
}
