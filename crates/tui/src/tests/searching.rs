//! Searching in files and for paths, copying to disk, and choosing an action by name.

use super::hostile::{POISON, assert_clean};
use super::screens::shows;
use super::*;
use crate::{Form, Hits, Paths, Request, Ticket};
use nixdive_preview::{Hit, Place};
use nixdive_source::search::{ContentHit, PathHit, SearchSummary};
use samples::web;

const SIZE: (u16, u16) = (80, 24);

fn last_request(person: &Person) -> Request {
    let request = person.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask { request, .. } => Some(request.clone()),
        _ => None,
    });
    request.expect("something was asked for")
}

fn hit(person: &Person, path: &str, line: u64, excerpt: &str, found: &str, binary: bool) -> ContentHit {
    let tree = &person.opened().image.tree;
    let node = tree.lookup(path.as_bytes()).unwrap();
    let start = excerpt.find(found).unwrap();
    ContentHit {
        node,
        occurrence: tree.occurrences_of(node).next().unwrap(),
        offset: line * 100,
        line,
        excerpt: excerpt.into(),
        matches: std::iter::once(start..start + found.len()).collect(),
        cut: (false, false),
        binary,
    }
}

/// A person who searches for `listen`, with two hits so far.
fn searching(size: (u16, u16), complete: bool) -> Person {
    let mut person = Person::seeing(web(), size);
    person.presses("ctrl-s").types("listen").presses("enter");
    let Request::Search(request) = last_request(&person) else { panic!("no search") };
    assert_eq!(request.text, "listen");
    let hits = vec![
        hit(&person, "/etc/hosts", 41, "    listen 8080; # all of them", "listen", false),
        hit(&person, "/usr/bin/tool", 3, "cannot listen on %s", "listen", true),
    ];
    let summary = SearchSummary {
        files: 4,
        total_files: 9,
        bytes: 20_000_000,
        total_bytes: if complete { 20_000_000 } else { 90_000_000 },
        hits: 2,
        handed_out: 2,
        files_with_hits: 2,
        ..SearchSummary::default()
    };
    person.hears(Report::Hits(Hits { ticket: request.ticket, hits, summary, complete, problem: None }));
    person
}

#[test]
fn hits_come_in_and_lead_to_their_places() {
    let mut person = searching(SIZE, false);
    person.presses("enter");
    let Request::View(request) = last_request(&person) else { panic!("nothing is looked at") };
    assert_eq!((request.form, request.place), (Form::Content, Place::Byte(4100)));
    assert!(request.by < 0, "some lines above the hit are shown");
    let find = request.find.expect("the hit is set off");
    assert_eq!((&*find.text, find.current), ("listen", Some(Hit { at: 4100, start: 0 })));
    person.presses("esc esc j enter");
    let Request::View(request) = last_request(&person) else { panic!("nothing is looked at") };
    assert_eq!((request.form, request.place), (Form::Bytes, Place::Byte(300)), "binary files are shown as bytes");
    person.presses("o");
    assert_eq!(person.selected_path(), "/usr/bin/tool");
    assert!(person.session().viewer.is_none() && person.session().results.is_none());
}

#[test]
fn escape_stops_a_search_and_then_leaves_it() {
    let mut person = searching(SIZE, false);
    person.presses("esc");
    assert_eq!(last_request(&person), Request::StopSearch);
    assert!(person.session().results.is_some());
    person.presses("esc");
    assert!(person.session().results.is_none());
    let mut person = searching(SIZE, true);
    person.presses("esc");
    assert!(person.session().results.is_none(), "one that has ended is left at once");
}

#[test]
fn hits_of_an_earlier_search_are_dropped() {
    let mut person = searching(SIZE, false);
    person.presses("ctrl-s").types("other").presses("enter");
    let late = hit(&person, "/etc/hosts", 1, "listen", "listen", false);
    person.hears(Report::Hits(Hits { ticket: Ticket(1), hits: vec![late], ..Hits::default() }));
    assert!(person.session().results.as_ref().unwrap().hits.is_empty());
}

#[test]
fn an_empty_text_searches_nothing_and_a_broken_pattern_is_said() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("ctrl-s enter");
    assert!(person.session().results.is_none());
    person.presses("ctrl-s").types("re:(").presses("enter");
    let Request::Search(request) = last_request(&person) else { panic!("no search") };
    let problem = Some(format!("unclosed group{POISON}"));
    person.hears(Report::Hits(Hits { ticket: request.ticket, complete: true, problem, ..Hits::default() }));
    assert!(person.text().contains("unclosed group"), "{}", person.text());
    assert_clean(&person, "with a broken pattern");
}

/// A person who typed some letters of a path, and sees what fits.
fn going(size: (u16, u16)) -> Person {
    let mut person = Person::seeing(web(), size);
    person.presses("ctrl-t").types("too");
    let Request::Paths(request) = last_request(&person) else { panic!("no paths are asked for") };
    assert_eq!(request.text, "too");
    let tree = &person.opened().image.tree;
    let hits = ["/usr/bin/tool", "/opt/app/tool"].map(|path| tree.lookup(path.as_bytes()).unwrap());
    let hits = hits.into_iter().map(|node| PathHit { node, score: 1 }).collect();
    person.hears(Report::Paths(Paths { ticket: request.ticket, hits, matched: 2, complete: true }));
    person
}

#[test]
fn a_path_is_gone_to_by_some_of_its_letters() {
    let mut person = going(SIZE);
    person.presses("down enter");
    assert_eq!(person.selected_path(), "/opt/app/tool");
    assert!(person.state.picker.is_none());
    let mut person = going(SIZE);
    person.presses("esc");
    assert_eq!(person.selected_path(), "/usr", "nothing is chosen");
    assert!(person.state.picker.is_none());
}

#[test]
fn each_letter_asks_anew_and_older_answers_are_dropped() {
    let mut person = going(SIZE);
    let Request::Paths(before) = last_request(&person) else { panic!("no paths are asked for") };
    person.types("l");
    let Request::Paths(after) = last_request(&person) else { panic!("no paths are asked for") };
    assert!(after.text == "tool" && after.ticket != before.ticket);
    person.hears(Report::Paths(Paths { ticket: before.ticket, complete: true, ..Paths::default() }));
    person.presses("enter");
    assert_eq!(person.selected_path(), "/usr/bin/tool", "what was there stays until the new answer comes");
}

#[test]
fn a_path_is_copied_to_a_directory_on_disk() {
    for key in ["e", "ctrl-e"] {
        let mut person = Person::seeing(web(), SIZE);
        person.presses("f").types("hosts").presses("enter").presses(key).types("/out").presses("enter");
        let Request::Extract(request) = last_request(&person) else { panic!("nothing is copied") };
        assert_eq!(request.directory, "./out");
        assert_eq!(person.opened().image.tree.path(request.node), b"/etc/hosts");
        person.hears(Report::Done(Ok("Copied 1 file, 250 B, to ./out".into())));
        assert!(person.text().contains("Copied 1 file, 250 B"));
        person.hears(Report::Done(Err(format!("./out: no room{POISON}"))));
        person.presses("j");
        assert!(person.text().contains("no room"), "an error stays until escape");
        assert_clean(&person, "with an error");
    }
}

#[test]
fn any_action_is_done_by_its_name() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses(":").types("map").presses("enter");
    assert_eq!(person.session().pages.current, crate::pages::Page::Map);
    assert!(person.state.picker.is_none() && person.state.prompt.is_none());
    let mut person = Person::seeing(web(), SIZE);
    person.presses(":").types("quit").presses("enter");
    assert_eq!(person.effects.last(), Some(&Effect::Quit));
    let mut person = Person::seeing(web(), SIZE);
    person.presses(": esc");
    assert!(person.state.picker.is_none() && person.effects.is_empty());
    let mut person = Person::starting(Start::Choosing(Vec::new()), SIZE);
    person.presses(":").types("help").presses("enter");
    assert!(person.state.help.is_some(), "in the chooser too");
}

#[test]
fn an_action_that_asks_for_something_is_begun_by_its_name() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("tab :").types("search-files").presses("enter");
    assert!(person.text().contains("Search in files"), "{}", person.text());
    person.types("x").presses("enter");
    assert!(matches!(last_request(&person), Request::Search(_)));
}

#[test]
fn hits_cannot_steer_the_terminal() {
    let mut person = searching(SIZE, false);
    let Some(Effect::Ask { .. }) = person.effects.last() else { panic!("nothing was asked") };
    person.state.prompt = None;
    let excerpt = nixdive_base::text::display_name(POISON.as_bytes()).into_owned();
    let ticket = person.session().results.as_ref().unwrap().ticket;
    let hits = vec![hit(&person, "/etc/hosts", 1, &excerpt, "z", false)];
    person.hears(Report::Hits(Hits { ticket, hits, ..Hits::default() }));
    assert!(person.text().contains("\\u{ad}z"), "{}", person.text());
    assert_clean(&person, "with hits");
    person.presses("ctrl-s");
    person.takes(Message::Paste(POISON.into()));
    person.presses("enter");
    assert_clean(&person, "with a poisoned search");
}

#[test]
fn a_search_in_files() {
    shows("search_hits", |size| searching(size, false));
    shows("search_none", |size| {
        let mut person = Person::seeing(web(), size);
        person.presses("ctrl-s").types("nowhere").presses("enter");
        let ticket = person.session().results.as_ref().unwrap().ticket;
        person.hears(Report::Hits(Hits { ticket, complete: true, ..Hits::default() }));
        person
    });
    shows("search_prompt", |size| {
        let mut person = Person::seeing(web(), size);
        person.presses("ctrl-s").types("listen");
        person
    });
}

#[test]
fn a_path_and_an_action_being_chosen() {
    shows("paths", going);
    shows("palette", |size| {
        let mut person = Person::seeing(web(), size);
        person.presses("tab :").types("show").presses("down");
        person
    });
}
