//! Differences between two layers' versions of a file.

use super::*;
use nixdive_preview::{SideBySideRow, Sign, TextDifference};

const BEFORE: &str = "listen 80\nroot /srv/www\nuser www\nlog off\nworkers 2\ncache on\ntls off\n";
const AFTER: &str = "listen 8080\nroot /srv/www\nuser www\nlog on\nworkers 2\ntls off\nlimits 4096 of everything that there is to be limited here\n";

fn versions(request: &ViewRequest) -> View {
    let difference = TextDifference::of_texts(BEFORE, AFTER);
    let named = |view: View| View {
        kind: "layer 0 to layer 2, -3 +3".into(),
        halves: Some(("layer 0".into(), "layer 2".into())),
        ..view
    };
    if request.form == Form::Unified {
        let rows = difference.unified(3);
        let line = |number: u64| Some(RowContent::Line(difference.unified_line(*rows.get(number as usize)?).into()));
        let view = answer(&mut Fixed::new(rows.len() as u64, &line), request);
        return named(View { total: Some(rows.len() as u64), ..view });
    }
    let rows = difference.side_by_side(3);
    let line = |number: u64| {
        let row = *rows.get(number as usize)?;
        let (left, right) = difference.side_lines(row);
        let (sign, before, after) = match row {
            SideBySideRow::Gap(_) => return None,
            SideBySideRow::Both { before, after } => (Sign::Same, Some(before), Some(after)),
            SideBySideRow::Changed { before, after: None } => (Sign::Removed, before, None),
            SideBySideRow::Changed { before: None, after } => (Sign::Added, None, after),
            SideBySideRow::Changed { before, after } => (Sign::Changed, before, after),
        };
        let half = |number: Option<u32>, line: Option<StyledLine>| Some((u64::from(number?), line?.into()));
        Some(RowContent::Halves { sign, before: half(before, left), after: half(after, right) })
    };
    let view = answer(&mut Fixed::new(rows.len() as u64, &line), request);
    named(View { total: Some(rows.len() as u64), ..view })
}

fn comparing(size: (u16, u16), keys: &str) -> Person {
    let mut person = looking(size, 5);
    goes(&mut person, keys, &versions);
    person
}

#[test]
fn changed_lines_stand_next_to_each_other_with_their_signs() {
    let person = comparing((120, 40), "D");
    let text = person.text();
    assert!(line_of(&person, 2).starts_with("- layer 0") && line_of(&person, 2).contains("+ layer 2"), "{text}");
    let halves = |line: usize| {
        let line = line_of(&person, line);
        let (left, right) = line.split_once('│').unwrap_or((&line, ""));
        (left.trim().to_owned(), right.trim().to_owned())
    };
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    assert_eq!(halves(3), pair("~   1 listen 80", "~   1 listen 8080"), "{text}");
    assert_eq!(halves(4), pair("2 root /srv/www", "2 root /srv/www"));
    assert_eq!(halves(8), pair("-   6 cache on", ""));
}

#[test]
fn a_screen_that_is_too_narrow_shows_them_one_below_the_other_and_says_so() {
    let person = comparing((50, 15), "D D");
    assert_eq!(asked(&person).form, Form::Unified);
    assert!(person.text().contains("side"), "{}", person.text());
    let mut person = comparing((100, 24), "D D");
    assert_eq!(asked(&person).form, Form::SideBySide);
    let before = requests(&person).len();
    person.takes(Message::Resize { width: 50, height: 15 });
    settles(&mut person, before, &versions);
    assert_eq!(asked(&person).form, Form::Unified, "also when it becomes so");
    let before = requests(&person).len();
    person.takes(Message::Resize { width: 100, height: 15 });
    settles(&mut person, before, &versions);
    assert_eq!(asked(&person).form, Form::SideBySide);
}

#[test]
fn both_halves_are_searched() {
    let mut person = comparing((120, 40), "D /");
    for letter in "log o".chars() {
        let before = requests(&person).len();
        person.types(&letter.to_string());
        settles(&mut person, before, &versions);
    }
    assert!(person.text().contains("hit 1/2"), "{}", person.text());
}

#[test]
fn versions_of_a_file() {
    shows("preview_versions", |size| comparing(size, "D"));
    shows("preview_versions_other", |size| comparing(size, "D D"));
}
