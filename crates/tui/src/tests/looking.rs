//! Looking into files.

mod difficult;
mod finding;
mod versions;

use std::sync::Arc;

use super::screens::shows;
use super::*;
use crate::Target;
use crate::{FindState, Form, Measure, Request, View, ViewRequest};
use nixdive_preview::{
    Allowance, Encoding, Find, Finding, Fixed, FoundLine, Hit, Layout, Needle, Place, RowContent, Rows, Section,
    StyledLine, Syntaxes, TextPreview, screenful,
};
use samples::web;

const SIZE: (u16, u16) = (80, 24);
const PATIENCE: Allowance = Allowance { bytes: u64::MAX, colouring: std::time::Duration::from_secs(60) };

fn requests(person: &Person) -> Vec<ViewRequest> {
    let requests = person.effects.iter().filter_map(|effect| match effect {
        Effect::Ask { request: Request::View(request), .. } => Some(request.clone()),
        _ => None,
    });
    requests.collect()
}

fn asked(person: &Person) -> ViewRequest {
    requests(person).pop().expect("something was asked for")
}

/// Finds a text as it stands.
struct Plain(Vec<u8>);

impl Needle for Plain {
    fn find(&self, text: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
        let at = from + memchr::memmem::find(text.get(from..)?, &self.0)?;
        Some(at..at + self.0.len())
    }
}

/// Answers a request as a thread that reads contents would.
fn answer(rows: &mut dyn Rows, request: &ViewRequest) -> View {
    let gutter = rows.gutter();
    let width = usize::from(request.width.saturating_sub(gutter));
    let layout = Layout { width, height: usize::from(request.height), wrap: request.wrap };
    let mut finding = Finding::default();
    let find = request
        .find
        .as_ref()
        .map(|find| Find { needle: Arc::new(Plain(find.text.as_bytes().to_vec())), current: find.current });
    let found = find.as_ref().map(|find| (find, &mut finding));
    let screen = screenful(rows, (request.place, request.by), layout, found, PATIENCE);
    let find = request.find.as_ref().zip(find.as_ref()).map(|(wanted, find)| {
        while finding.count_on(rows, find) {}
        let current = finding.current().or(find.current);
        FindState {
            text: Arc::clone(&wanted.text),
            current,
            index: current.and_then(|hit| finding.index_of(hit)),
            count: finding.count().0,
            counted: finding.count().1,
            nothing: finding.found_nothing(),
            wrapped: finding.wrapped(),
            ..FindState::default()
        }
    });
    View {
        ticket: request.ticket,
        form: request.form,
        place: request.place,
        by: request.by,
        kind: "text, 4 kB".into(),
        rows: screen.rows,
        top: screen.top,
        begins: screen.begins,
        ends: screen.ends,
        extent: rows.extent(),
        gutter,
        find,
        ..View::default()
    }
}

/// Answers a request for a file with `total` numbered lines.
fn numbered(total: u64, request: &ViewRequest) -> View {
    let line = |number: u64| Some(RowContent::Line(FoundLine::from(StyledLine::remark(&format!("line {number}")))));
    View { total: Some(total), ..answer(&mut Fixed::new(total, &line), request) }
}

/// Answers a request for a text.
fn of_text(content: &[u8], encoding: Encoding, name: &str, request: &ViewRequest) -> View {
    let syntaxes = Arc::new(Syntaxes::new());
    let mut text = TextPreview::new(Section::from_bytes(content.to_vec()), encoding, name.as_bytes(), &syntaxes);
    let view = answer(&mut text, request);
    text.count_lines(nixdive_preview::Budget::default());
    View { measure: Measure::Text, total: text.total_lines(), ..view }
}

/// A person who looks into `/etc/hosts`, which has `total` lines.
fn looking(size: (u16, u16), total: u64) -> Person {
    let mut person = Person::seeing(web(), size);
    person.presses("f").types("hosts").presses("enter p");
    let view = numbered(total, &asked(&person));
    person.hears(Report::View(Box::new(view)));
    person
}

/// Presses keys one after the other, each question answered at once.
fn goes(person: &mut Person, keys: &str, file: &dyn Fn(&ViewRequest) -> View) {
    for key in keys.split_whitespace() {
        let before = requests(person).len();
        person.presses(key);
        settles(person, before, file);
    }
}

/// Answers all questions but the first few.
fn settles(person: &mut Person, answered: usize, file: &dyn Fn(&ViewRequest) -> View) {
    for number in answered..answered + 20 {
        let Some(request) = requests(person).get(number).cloned() else { return };
        person.hears(Report::View(Box::new(file(&request))));
    }
    panic!("questions without end");
}

/// A person who looks into a text.
fn reading(size: (u16, u16), content: &'static [u8], encoding: Encoding, name: &'static str) -> Person {
    let mut person = Person::seeing(web(), size);
    person.presses("f").types("hosts").presses("enter");
    goes(&mut person, "p", &|request| of_text(content, encoding, name, request));
    person
}

fn first_line(person: &Person) -> String {
    line_of(person, 2)
}

fn line_of(person: &Person, line: usize) -> String {
    person.text().lines().nth(line).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_file_opens_with_p_and_enter_and_closes_with_escape() {
    for key in ["p", "enter", "space"] {
        let mut person = Person::seeing(web(), SIZE);
        person.presses("f").types("hosts").presses("enter").presses(key);
        assert!(person.session().viewer.is_some(), "{key}");
        let request = asked(&person);
        assert_eq!((request.form, request.place), (Form::Content, Place::Start));
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
        goes(&mut person, keys, &|request| numbered(TOTAL, request));
        assert_eq!(first_line(&person), expected, "{keys}");
    }
    let mut person = looking(SIZE, TOTAL);
    let before = person.effects.len();
    goes(&mut person, "j j j k j k", &|request| numbered(TOTAL, request));
    assert_eq!(person.effects.len(), before, "available rows are not requested again");
}

#[test]
fn keys_that_outrun_the_answers_are_not_lost() {
    let mut person = looking(SIZE, 1_000_000);
    person.presses("pgdn pgdn pgdn pgdn pgdn pgdn j");
    let asked = requests(&person);
    settles(&mut person, asked.len() - 1, &|request| numbered(1_000_000, request));
    assert_eq!(first_line(&person), "line 121");
    person.presses("G");
    let late = numbered(1_000_000, &asked[asked.len() - 1]);
    person.hears(Report::View(Box::new(late)));
    assert_eq!(first_line(&person), "line 121", "an answer to an older question moves nothing");
}

#[test]
fn a_short_file_does_not_scroll() {
    let mut person = looking(SIZE, 5);
    goes(&mut person, "j j j G pgdn", &|request| numbered(5, request));
    assert_eq!(first_line(&person), "line 0");
    assert!(person.text().contains(" 1/5 "), "{}", person.text());
}

#[test]
fn bytes_and_differences_are_asked_for_and_left_again() {
    use Form::{Bytes, Content, SideBySide, Unified};
    let narrow = [("x", Bytes), ("x", Content), ("D", Unified), ("D", SideBySide), ("D", Content)];
    let wide = [("D", SideBySide), ("D", Unified), ("x", Bytes), ("D", SideBySide), ("x", Bytes), ("x", Content)];
    for (size, forms) in [(SIZE, &narrow[..]), ((120, 40), &wide[..])] {
        let mut person = looking(size, 50);
        for &(key, form) in forms {
            goes(&mut person, key, &|request| numbered(50, request));
            assert_eq!(asked(&person).form, form);
        }
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
    person.presses("G v tab G l j l j p");
    let Target::Path(subject) = asked(&person).target else { panic!("a path of one image is asked for") };
    let entry = subject.entry.expect("there is an earlier version");
    assert_eq!(person.opened().image.tree.occurrence(entry).layer.0, 0);
    assert!(subject.removed);
}

#[test]
fn long_lines_are_cut_shifted_and_wrapped_by_rows() {
    const LONG: &[u8] =
        b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijk\nnext\n\n\n\n\nend\n";
    let file = |request: &ViewRequest| of_text(LONG, Encoding::Utf8, "a", request);
    let mut person = reading((40, 12), LONG, Encoding::Utf8, "a");
    assert_eq!(
        (line_of(&person, 2).as_str(), line_of(&person, 3).as_str()),
        ("1 abcdefghijklmnopqrstuvwxyz0123456789", "2 next")
    );
    goes(&mut person, "l", &file);
    assert!(first_line(&person).starts_with("1 ijkl"), "{}", person.text());
    goes(&mut person, "w", &file);
    let lines: Vec<String> = (2..6).map(|line| line_of(&person, line)).collect();
    assert_eq!(
        lines,
        ["1 abcdefghijklmnopqrstuvwxyz0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "abcdefghijk", "2 next"]
    );
    let mut person = reading((40, 8), LONG, Encoding::Utf8, "a");
    goes(&mut person, "w j", &file);
    assert!(first_line(&person).starts_with("ABC"), "{}", person.text());
    assert!(person.text().contains("1/7 row 2"), "{}", person.text());
    goes(&mut person, "w", &file);
    assert!(first_line(&person).starts_with("1 abc"), "the line stays");
}

/// A script, coloured.
fn script(size: (u16, u16)) -> Person {
    const SCRIPT: &[u8] =
        b"#!/bin/sh\n# Starts the service.\nset -eu\nif [ -n \"$1\" ]; then\n\texec /usr/bin/tool --port 8080\nfi\n";
    reading(size, SCRIPT, Encoding::Utf8, "start.sh")
}

#[test]
fn a_script() {
    shows("preview_text", script);
}

#[test]
fn bytes() {
    shows("preview_bytes", |size| {
        let mut person = looking(size, 5);
        goes(&mut person, "x", &|request| {
            let mut hex = nixdive_preview::HexView::new(Section::from_bytes((0..=255).cycle().take(700).collect()));
            hex.fit(usize::from(request.width));
            let view = answer(&mut hex, request);
            View { measure: Measure::Bytes, total: Some(700), kind: "bytes, 700 B".into(), ..view }
        });
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
        let mut person = Person::seeing(web(), size);
        person.presses("f").types("hosts").presses("enter p");
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
