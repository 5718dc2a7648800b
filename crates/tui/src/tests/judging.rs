//! The page of findings: what is wrong, where, and the way there.

use std::sync::Arc;

use super::samples::web;
use super::screens::shows;
use super::{Effect, Person, Report};
use crate::pages::Page;
use crate::{Insights, Request};
use nixdive_analyse::analysis::{HiddenCopies, assess};
use nixdive_analyse::findings::{Findings, Subject, find};

fn person(size: (u16, u16), keys: &str) -> Person {
    let opened = web();
    let image = Arc::clone(&opened.image);
    let mut person = Person::seeing(opened, size);
    let hidden = Some(HiddenCopies::of(&image.tree));
    person.hears(Report::Insights(Arc::new(Insights { assessment: assess(&image), hidden, ..Insights::default() })));
    person.hears(Report::Store(None));
    person.presses("7");
    let subject = Subject { image: &image, packages: None, store: None, facts: None };
    person.hears(Report::Judged(Arc::new(find(&subject))));
    person.presses(keys);
    person
}

fn asks(person: &Person) -> usize {
    let judges = |effect: &&Effect| matches!(effect, Effect::Ask { request: Request::Judge, .. });
    person.effects.iter().filter(judges).count()
}

#[test]
fn findings_are_looked_for_once_and_only_when_somebody_wants_to_see_them() {
    let mut person = Person::seeing(web(), (120, 40));
    person.hears(Report::Insights(Arc::new(Insights { hidden: Some(HiddenCopies::default()), ..Insights::default() })));
    person.hears(Report::Store(None));
    assert_eq!(asks(&person), 0);
    person.presses("7");
    assert!(person.text().contains("Reading the files…"), "{}", person.text());
    person.presses("1 7 1 7");
    assert_eq!(asks(&person), 1);
}

#[test]
fn a_finding_opens_to_its_places_and_a_place_leads_into_the_files() {
    let mut person = person((120, 40), "");
    let place = |person: &Person| {
        person.session().pages.judgement.selected().map(|finding| finding.rule.id()).unwrap_or_default()
    };
    while place(&person) != "image.set-uid" {
        let before = person.session().pages.judgement.cursor.selected;
        person.presses("j");
        assert!(person.session().pages.judgement.cursor.selected > before, "there is a set-uid program");
    }
    person.presses("enter");
    assert!(person.text().contains("/usr/bin/tool"), "{}", person.text());
    person.presses("j enter");
    assert_eq!(person.session().pages.current, Page::Files);
    assert_eq!(person.selected_path(), "/usr/bin/tool");
}

#[test]
fn the_page_of_findings_looks_like_this() {
    shows("findings", |size| person(size, "enter j"));
    shows("findings_none", |size| {
        let mut person = person(size, "");
        person.hears(Report::Judged(Arc::new(Findings::default())));
        person
    });
}
