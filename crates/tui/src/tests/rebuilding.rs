//! The plan of a rebuild: what is kept and dropped, deciding otherwise, and writing it.

use std::sync::Arc;

use super::samples::web;
use super::screens::shows;
use super::store::sample;
use super::{Effect, Message, Opening, Person, Report, Screen};
use crate::pages::Page;
use crate::{Insights, PlanRequest, Planned, RebuildRequest, Rebuilt, Request, Transfer};
use nixdive_analyse::analysis::{HiddenCopies, assess};
use nixdive_image::{Image, NodeId};
use nixdive_nix::study::StoreStudy;
use nixdive_rebuild::package_image::Granularity;
use nixdive_rebuild::plan::{ClassRow, Decision, DropClass, Plan, Row, RowSubject};
use nixdive_rebuild::session::Survey;
use nixdive_write::Destination;

fn informed(opened: crate::Opened, store: Option<Arc<StoreStudy>>, size: (u16, u16)) -> Person {
    let image = Arc::clone(&opened.image);
    let mut person = Person::seeing(opened, size);
    let hidden = Some(HiddenCopies::of(&image.tree));
    person.hears(Report::Insights(Arc::new(Insights { assessment: assess(&image), hidden, ..Insights::default() })));
    person.hears(Report::Store(store));
    person
}

/// The questions for a plan, in their order.
fn asked(person: &Person) -> Vec<&PlanRequest> {
    person.effects.iter().filter_map(plan_of).collect()
}

fn plan_of(effect: &Effect) -> Option<&PlanRequest> {
    match effect {
        Effect::Ask { request: Request::Plan(request), .. } => Some(request),
        _ => None,
    }
}

fn rebuild_of(effect: &Effect) -> Option<&RebuildRequest> {
    match effect {
        Effect::Ask { request: Request::Rebuild(request), .. } => Some(request),
        _ => None,
    }
}

fn written(person: &Person) -> Option<&RebuildRequest> {
    person.effects.iter().rev().find_map(rebuild_of)
}

fn answer(person: &mut Person, plan: Result<Plan, String>) {
    let ticket = asked(person).last().expect("a plan is asked for").ticket;
    let proposal = "./web-small.tar".to_owned();
    person.hears(Report::Planned(Box::new(Planned { ticket, plan: plan.map(Arc::new), proposal })));
}

/// Makes the plan that is asked for, as the program does.
fn plans(person: &mut Person) {
    let image: Arc<Image> = Arc::clone(&person.opened().image);
    let study = Arc::clone(person.session().pages.store.study().expect("it is a Nix image"));
    let choices = asked(person).last().expect("a plan is asked for").choices.clone();
    let survey = Survey::of_store(&image, study).unwrap();
    let basis = survey.basis(&image, Granularity::default());
    let selected = basis.select(&choices).unwrap();
    let plan = basis.plan(&selected, &choices).unwrap();
    answer(person, Ok(plan));
}

/// One who looks at the plan of an image with a store, and presses keys, each answered.
pub(super) fn planning(size: (u16, u16), keys: &str) -> Person {
    let (opened, study) = sample();
    let mut person = informed(opened, Some(study), size);
    person.presses("R");
    plans(&mut person);
    for key in keys.split_whitespace() {
        let before = asked(&person).len();
        person.presses(key);
        if asked(&person).len() > before {
            plans(&mut person);
        }
    }
    person
}

/// A plan as one of an image of packages is.
fn of_packages() -> Plan {
    let row = |subject, name: &str, bytes: (u64, u64), decision, evidence: &str, doubt: Option<&str>| Row {
        subject,
        name: name.into(),
        kept_bytes: bytes.0,
        dropped_bytes: bytes.1,
        decision,
        evidence: vec![evidence.into(), "3 of 40 files stay".into()],
        doubt: doubt.map(str::to_owned),
    };
    let root = RowSubject::Files(NodeId::ROOT);
    let rows = vec![
        row(RowSubject::Package(0), "perl-base 5.36.0", (0, 7_600_000), Decision::Drop, "nothing needs it", None),
        row(
            RowSubject::Package(1),
            "libc6 2.36-9",
            (2_300_000, 4_100_000),
            Decision::Keep,
            "config Entrypoint → /usr/bin/tool → /lib/x86_64-linux-gnu/libc.so.6 (library)",
            Some("it opens plugins by names that are made up while it runs"),
        ),
        row(root, "application", (12_300, 0), Decision::Keep, "no package owns it: /opt/app/tool", None),
    ];
    let classes = vec![ClassRow { class: DropClass::Locales, files: 412, bytes: 1_300_000, is_kept: true }];
    let doubts = vec!["/usr/bin/tool needs libfoo.so.1, which is not in the image".to_owned()];
    Plan { rows, classes, cuts: Vec::new(), doubts }
}

fn with_packages(size: (u16, u16)) -> Person {
    let mut person = informed(web(), None, size);
    person.presses("8");
    answer(&mut person, Ok(of_packages()));
    person
}

#[test]
fn a_plan_is_made_when_somebody_wants_to_see_it_and_all_is_known() {
    let (opened, study) = sample();
    let mut person = Person::seeing(opened, (120, 40));
    person.presses("R");
    assert!(person.text().contains("Reading the content of the image…"), "{}", person.text());
    assert!(asked(&person).is_empty());
    person.hears(Report::Store(Some(study)));
    person.hears(Report::Insights(Arc::new(Insights { hidden: Some(HiddenCopies::default()), ..Insights::default() })));
    assert!(person.text().contains("Analysing the needs of the image…"), "{}", person.text());
    person.presses("1 8 1 8");
    assert_eq!(asked(&person).len(), 1);
    plans(&mut person);
    assert!(person.text().contains("34 MB → 33 MB"), "{}", person.text());
}

#[test]
fn a_row_is_decided_at_once_and_the_totals_follow() {
    let mut person = planning((120, 40), "j");
    let row = |person: &Person| person.text().lines().find(|line| line.contains("  script-5.36")).unwrap().to_owned();
    assert!(row(&person).contains(" keep "), "{}", row(&person));
    person.presses("space");
    assert!(row(&person).contains(" drop! "), "before there is an answer: {}", row(&person));
    let decided = &asked(&person).last().unwrap().choices.decided;
    assert_eq!(decided.values().collect::<Vec<_>>(), [&false]);
    plans(&mut person);
    let text = person.text();
    assert!(text.contains("34 MB → 21 MB"), "{text}");
    assert!(row(&person).contains(" drop!?"), "something needs it: {text}");
    assert!(text.contains("1 uncertain, 1 decided by you"), "{text}");
    assert!(text.contains("Uncertain: something that is kept refers"), "{text}");
    // The same key once more leaves it to the plan.
    person.presses("space");
    assert!(asked(&person).last().unwrap().choices.decided.is_empty());
}

#[test]
fn everything_decided_is_undone_with_one_key() {
    let mut person = planning((120, 40), "space j space u");
    assert_eq!(asked(&person).last().unwrap().choices, Default::default());
    assert!(person.text().contains("34 MB → 33 MB"), "{}", person.text());
    person.presses("u");
    assert!(person.text().contains("No decisions to undo"), "{}", person.text());
}

#[test]
fn what_nothing_refers_to_is_kept_as_a_class() {
    let person = planning((120, 40), "G space");
    let text = person.text();
    let class = text.lines().find(|line| line.contains("all unreachable")).unwrap();
    assert!(class.contains("keep"), "{text}");
    assert!(text.lines().any(|line| line.contains("left-over-0.1") && line.contains("keep!")), "{text}");
    let person = planning((120, 40), "G space space");
    assert!(person.text().lines().any(|line| line.contains("left-over-0.1") && line.contains("drop ")));
}

#[test]
fn what_is_outside_a_store_cannot_be_dropped_at_once() {
    let mut person = planning((120, 40), "");
    let mut plan = Plan::clone(person.session().pages.rebuild.plan().unwrap());
    plan.rows.insert(0, Row { subject: RowSubject::Files(NodeId::ROOT), ..plan.rows[0].clone() });
    person.presses("space");
    answer(&mut person, Ok(plan));
    person.presses("u g g");
    let before = asked(&person).len();
    person.presses("space");
    assert!(person.text().contains("Files outside the store are always kept"), "{}", person.text());
    assert_eq!(asked(&person).len(), before);
    // Without a store, files outside all packages are one row among the others.
    let mut person = with_packages((120, 40));
    person.presses("j j space");
    assert_eq!(asked(&person).last().unwrap().choices.decided.get(&RowSubject::Files(NodeId::ROOT)), Some(&false));
}

#[test]
fn a_class_of_files_is_dropped() {
    let mut person = with_packages((120, 40));
    person.presses("/").types("local").presses("enter space");
    assert!(asked(&person).last().unwrap().choices.classes.contains(&DropClass::Locales));
    assert!(person.text().lines().any(|line| line.contains("all locales") && line.contains("drop!")));
}

#[test]
fn an_answer_that_came_too_late_changes_nothing() {
    let mut person = with_packages((120, 40));
    let ticket = asked(&person).last().unwrap().ticket;
    person.presses("space");
    let plan = Ok(Arc::new(Plan::default()));
    person.hears(Report::Planned(Box::new(Planned { ticket, plan, proposal: String::new() })));
    assert!(person.text().contains("perl-base"), "{}", person.text());
}

#[test]
fn an_image_that_starts_nothing_is_told_and_not_asked_about_again() {
    let mut person = informed(web(), None, (80, 24));
    person.presses("R");
    answer(&mut person, Err("the image has neither an entry point nor a command".into()));
    assert!(person.text().contains("neither an entry point"), "{}", person.text());
    person.presses("w 1 R space u");
    assert_eq!(asked(&person).len(), 1);
    assert!(person.state.prompt.is_none());
}

#[test]
fn what_is_written_opens_in_a_comparison_and_leads_back() {
    let mut person = planning((120, 40), "j space");
    person.presses("w");
    assert!(person.text().contains("Write to: ./web-small.tar"), "{}", person.text());
    person.presses("ctrl-u").types("oci:small:web:2").presses("enter");
    let request = written(&person).expect("it is to be written");
    assert_eq!(request.destination, Destination::parse("oci:small:web:2".as_ref()).unwrap());
    assert_eq!((request.choices.decided.len(), request.replaces), (1, false));
    assert!(person.text().contains("preparing the image (esc: stop)"), "{}", person.text());
    person.hears(Report::Writing(Transfer { read_bytes: 1_000_000, total_bytes: Some(21_000_000) }));
    assert!(person.text().contains("1.0 MB of 21 MB written"), "{}", person.text());
    // What is written is what was decided before.
    person.presses("space");
    assert_eq!(person.session().pages.rebuild.choices.decided.len(), 1);
    let (reference, told) = ("oci:small:web:2".to_owned(), "written".to_owned());
    person.hears(Report::Rebuilt(Rebuilt::Written { reference: reference.clone(), told }));
    let begun = |effect: &Effect| matches!(effect, Effect::Compare { opening: Opening(1), with: Opening::FIRST, reference: new, .. } if *new == reference);
    assert!(person.effects.iter().any(begun));
    assert!(matches!(person.state.screen, Screen::Comparing(_)));
    person.presses("x esc");
    assert_eq!(person.session().pages.current, Page::Rebuild);
    assert!(person.session().writing.is_none());
}

#[test]
fn a_comparison_that_cannot_be_made_leads_back_with_the_reason() {
    let mut person = planning((120, 40), "w enter");
    let (reference, told) = ("./web-small.tar".to_owned(), "written".to_owned());
    person.hears(Report::Rebuilt(Rebuilt::Written { reference, told }));
    person.takes(Message::Report(Opening(1), Report::Failed("The right image: gone".into())));
    assert_eq!(person.session().pages.current, Page::Rebuild);
    assert!(person.text().contains("The right image: gone"), "{}", person.text());
}

#[test]
fn writing_is_stopped_with_escape() {
    let mut person = planning((120, 40), "w enter esc");
    assert!(person.effects.iter().any(|effect| matches!(effect, Effect::Ask { request: Request::StopRebuild, .. })));
    person.presses("w");
    assert!(person.state.prompt.is_none(), "one at a time");
    person.hears(Report::Rebuilt(Rebuilt::Failed("Stopped: nothing was written".into())));
    assert!(person.text().contains("Stopped: nothing was written"), "{}", person.text());
    assert!(person.session().writing.is_none());
}

#[test]
fn a_place_that_nothing_can_be_opened_from_is_refused_while_it_is_typed() {
    let mut person = planning((120, 40), "w ctrl-u - enter");
    assert!(person.text().contains("standard output is the screen"), "{}", person.text());
    assert!(written(&person).is_none());
    person.types("x").presses("enter");
    assert_eq!(written(&person).unwrap().destination, Destination::parse("-x".as_ref()).unwrap());
    let person = planning((120, 40), "w ctrl-u d o c k e r : a enter");
    assert!(person.text().contains("cannot write to `docker:` here"), "{}", person.text());
    assert!(written(&person).is_none());
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_that_is_said_twice() {
    let mut person = planning((120, 40), "w enter");
    person.hears(Report::Rebuilt(Rebuilt::Occupied));
    assert!(person.text().contains("the file exists (enter: replace it)"), "{}", person.text());
    person.presses("enter");
    assert!(written(&person).unwrap().replaces);
    // Another name is another question.
    person.hears(Report::Rebuilt(Rebuilt::Occupied));
    person.types("x").presses("enter");
    assert!(!written(&person).unwrap().replaces);
}

#[test]
fn rows_lead_into_the_files() {
    let mut person = planning((120, 40), "j o");
    assert_eq!(person.session().pages.current, Page::Files);
    assert!(person.selected_path().contains("script-5.36"), "{}", person.selected_path());
    person.presses("R y");
    assert!(
        person.effects.iter().any(|effect| matches!(effect, Effect::Copy(text) if text.starts_with("/nix/store/")))
    );
}

#[test]
fn every_key_can_be_pressed_on_a_plan_at_any_size() {
    for size in [(30, 8), (50, 15), (120, 40), (200, 60)] {
        for info in crate::ACTIONS {
            let mut person = with_packages(size);
            for keys in info.keys {
                person.presses(keys);
                person.screen();
            }
        }
    }
}

#[test]
fn the_plan_looks_like_this() {
    shows("rebuild_store", |size| planning(size, "j space"));
    shows("rebuild_packages", with_packages);
    shows("rebuild_note", |size| {
        let mut person = with_packages(size);
        person.presses("G");
        person
    });
    shows("rebuild_waiting", |size| {
        let mut person = informed(web(), None, size);
        person.presses("R");
        person
    });
    shows("rebuild_impossible", |size| {
        let mut person = informed(web(), None, size);
        person.presses("R");
        answer(
            &mut person,
            Err("the image starts `tool`, which is not in it: say with --entrypoint what it is to start".into()),
        );
        person
    });
    shows("rebuild_destination", |size| planning(size, "w ctrl-u - enter"));
    shows("rebuild_writing", |size| {
        let mut person = planning(size, "w enter");
        person.hears(Report::Writing(Transfer { read_bytes: 1_000_000, total_bytes: Some(21_000_000) }));
        person
    });
}
