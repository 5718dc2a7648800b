//! Looking into files.

use super::hostile::{POISON, assert_clean};
use super::screens::shows;
use super::*;
use crate::preview::{Encoding, Meaning, Section, Span, StyledLine, Syntaxes, TextPreview};
use crate::tui::{Form, Place, Request, View, ViewRequest};
use samples::web;

const SIZE: (u16, u16) = (80, 24);

fn asked(person: &Person) -> ViewRequest {
    let request = person.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask { request: Request::View(request), .. } => Some(*request),
        _ => None,
    });
    request.expect("something was asked for")
}

fn numbered(total: u64, request: &ViewRequest) -> View {
    let height = u64::from(request.height);
    let (at, found) = match request.place {
        Place::Row(row) => (row, None),
        Place::Byte(byte) => (byte / 10, Some(byte / 10)),
        Place::End => (total.saturating_sub(height), Some(total.saturating_sub(height))),
    };
    let range = at.saturating_sub(2 * height).min(total)..(at + 3 * height).min(total);
    View {
        ticket: request.ticket,
        form: request.form,
        kind: "text, 4 kB".into(),
        first: range.start,
        lines: range.map(|number| plain(&format!("line {number}"))).collect(),
        total: Some(total),
        known: total,
        at: found,
        ..View::default()
    }
}

fn plain(text: &str) -> StyledLine {
    StyledLine { spans: vec![Span { text: text.into(), style: Meaning::Plain.into() }], cut: false }
}

/// A person who looks into `/etc/hosts`, which has so many lines.
fn looking(size: (u16, u16), total: u64) -> Person {
    let mut person = Person::seeing(web(), size);
    person.presses("f").types("hosts").presses("enter p");
    answered(&mut person, total);
    person
}

fn answered(person: &mut Person, total: u64) {
    let view = numbered(total, &asked(person));
    person.hears(Report::View(Box::new(view)));
}

/// Presses keys one after the other, each question answered at once.
fn goes(person: &mut Person, keys: &str, total: u64) {
    for key in keys.split_whitespace() {
        let before = person.effects.len();
        person.presses(key);
        if person.effects.len() > before {
            answered(person, total);
        }
    }
}

fn first_line(person: &Person) -> String {
    person.text().lines().nth(2).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_file_opens_with_p_and_enter_and_closes_with_escape() {
    for key in ["p", "enter", "space"] {
        let mut person = Person::seeing(web(), SIZE);
        person.presses("f").types("hosts").presses("enter").presses(key);
        assert!(person.session().viewer.is_some(), "{key}");
        let request = asked(&person);
        assert_eq!((request.form, request.place), (Form::Content, Place::Row(0)));
        person.presses("esc");
        assert!(person.session().viewer.is_none());
        assert_eq!(person.selected_path(), "/etc/hosts");
    }
}

#[test]
fn enter_on_a_directory_opens_it_in_the_tree_and_p_sums_it_up() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("tab j enter");
    assert!(person.session().viewer.is_none());
    assert!(person.rows().contains(&"~  hosts".to_owned()));
    person.presses("p");
    assert!(person.session().viewer.is_some());
}

#[test]
fn one_moves_through_a_long_file_and_only_what_is_seen_is_asked_for() {
    const TOTAL: u64 = 1_000_000;
    for (keys, expected) in [
        ("", "line 0"),
        ("j j", "line 2"),
        ("j j k", "line 1"),
        ("pgdn", "line 20"),
        ("ctrl-d", "line 10"),
        ("pgdn pgdn pgdn pgup", "line 40"),
        ("G", "line 999979"),
        ("end k k", "line 999977"),
        ("G g g", "line 0"),
        ("G home j", "line 1"),
        ("k k", "line 0"),
    ] {
        let mut person = looking(SIZE, TOTAL);
        goes(&mut person, keys, TOTAL);
        assert_eq!(first_line(&person), expected, "{keys}");
    }
    let mut person = looking(SIZE, TOTAL);
    let before = person.effects.len();
    goes(&mut person, "j j j k j k", TOTAL);
    assert_eq!(person.effects.len(), before, "what is at hand is not asked for again");
}

#[test]
fn a_short_file_does_not_scroll() {
    let mut person = looking(SIZE, 5);
    goes(&mut person, "j j j G pgdn", 5);
    assert_eq!(first_line(&person), "line 0");
    assert!(person.text().contains(" 1/5 "), "{}", person.text());
}

#[test]
fn bytes_and_differences_are_asked_for_and_left_again() {
    let mut person = looking(SIZE, 50);
    for (key, form) in [("x", Form::Bytes), ("x", Form::Content), ("D", Form::Difference), ("D", Form::Content)] {
        person.presses(key);
        assert_eq!(asked(&person).form, form);
        answered(&mut person, 50);
    }
}

#[test]
fn answers_to_what_is_looked_at_no_more_are_dropped() {
    let mut person = looking(SIZE, 50);
    let old = numbered(50, &asked(&person));
    person.presses("esc k p");
    person.hears(Report::View(Box::new(old)));
    assert!(person.text().contains("Reading"), "{}", person.text());
}

#[test]
fn a_removed_file_is_looked_at_as_it_was() {
    let mut person = Person::seeing(web(), SIZE);
    person.presses("G v tab G l j p");
    let request = asked(&person);
    let entry = request.subject.entry.expect("there is an earlier version");
    assert_eq!(person.opened().image.tree.occurrence(entry).layer.0, 0);
}

#[test]
fn long_lines_are_cut_wrapped_and_shifted() {
    let mut person = looking(SIZE, 5);
    let mut view = numbered(5, &asked(&person));
    view.lines[0] = plain(&(0..300).map(|number| char::from(b'a' + (number % 26) as u8)).collect::<String>());
    person.hears(Report::View(Box::new(view)));
    assert!(person.text().lines().nth(3).unwrap().starts_with("line 1"));
    person.presses("l");
    assert!(first_line(&person).starts_with("ijkl"));
    person.presses("w");
    assert!(first_line(&person).starts_with("abcd"));
    assert!(person.text().lines().nth(6).unwrap().starts_with("line 1"), "{}", person.text());
}

#[test]
fn no_content_steers_the_terminal() {
    let mut person = looking(SIZE, 5);
    let syntaxes = std::sync::Arc::new(Syntaxes::new());
    let content = Section::from_bytes(format!("#!/bin/sh\necho '{POISON}'\n{POISON}").into_bytes());
    let mut text = TextPreview::new(content, Encoding::Utf8, b"/a.sh", &syntaxes);
    let lines = text.lines(0..20, crate::preview::Budget::default()).lines;
    let mut view = numbered(5, &asked(&person));
    (view.total, view.lines) = (Some(lines.len() as u64), lines);
    (view.kind, view.problem) = (POISON.into(), Some(POISON.into()));
    person.hears(Report::View(Box::new(view)));
    assert!(person.text().contains("52;c;eA=="), "{}", person.text());
    assert_clean(&person, "in a preview");
    person.presses("w");
    assert_clean(&person, "in a wrapped preview");
}

/// A script, coloured.
fn script(size: (u16, u16)) -> Person {
    let mut person = looking(size, 5);
    let syntaxes = std::sync::Arc::new(Syntaxes::new());
    let content =
        "#!/bin/sh\n# Starts the service.\nset -eu\nif [ -n \"$1\" ]; then\n\texec /usr/bin/tool --port 8080\nfi\n";
    let mut text = TextPreview::of_text(content.into(), "start.sh", &syntaxes);
    let budget = crate::preview::Budget { colouring: std::time::Duration::from_secs(60), ..Default::default() };
    let lines = text.lines(0..20, budget).lines;
    let request = asked(&person);
    let view = View {
        ticket: request.ticket,
        kind: "Bash, text, 104 B".into(),
        total: Some(lines.len() as u64),
        known: lines.len() as u64,
        lines,
        ..View::default()
    };
    person.hears(Report::View(Box::new(view)));
    person
}

#[test]
fn a_script() {
    shows("preview_text", script);
}

#[test]
fn bytes() {
    shows("preview_bytes", |size| {
        let mut person = looking(size, 5);
        person.presses("x");
        let request = asked(&person);
        let mut hex = crate::preview::HexView::new(Section::from_bytes((0..=255).cycle().take(700).collect()));
        hex.fit(usize::from(request.width));
        let lines: Vec<_> = hex.rows(0..hex.total_rows()).unwrap().iter().map(|row| hex.line(row)).collect();
        person.hears(Report::View(Box::new(View {
            ticket: request.ticket,
            form: request.form,
            kind: "bytes, 700 B".into(),
            total: Some(lines.len() as u64),
            known: lines.len() as u64,
            row_bytes: Some(hex.columns()),
            lines,
            ..View::default()
        })));
        person
    });
}

#[test]
fn a_file_that_cannot_be_read_and_one_that_is_awaited() {
    shows("preview_waiting", |size| {
        let mut person = Person::seeing(web(), size);
        person.presses("f").types("hosts").presses("enter p");
        person
    });
    shows("preview_problem", |size| {
        let mut person = looking(size, 5);
        let request = asked(&person);
        person.hears(Report::View(Box::new(View {
            ticket: request.ticket,
            problem: Some("came through a pipe and was not kept; open the image from a file".into()),
            total: Some(0),
            ..View::default()
        })));
        person
    });
}
