//! Two images next to each other, and many.

use std::sync::Arc;

use super::screens::shows;
use super::*;
use crate::compare::{Comparing, PairPage};
use crate::{
    CompareRequest, Compared, ComparedImage, Form, Rebuilt, Request, Shared, SideProgress, Stage, Target, Transfer,
};
use nixdive_analyse::compare::{CompareOptions, PairId, SharingOutline};
use nixdive_analyse::testing::{Known, compare};
use nixdive_image::testing::archive::Written;

const APP: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-app-1.0";
const REBUILT: &str = "nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-app-1.0";
const PERL: &str = "nix/store/ffffffffffffffffffffffffffffffff-perl-5.36";

fn file(path: &str, content: &str) -> Written {
    Written::file(path, content.as_bytes())
}

fn packages(list: &[(&str, &str)]) -> Written {
    let text: String = list.iter().map(|(name, version)| format!("P:{name}\nV:{version}\nI:4096\n\n")).collect();
    file("lib/apk/db/installed", &text)
}

fn old() -> Known {
    Known::of_layers(&[
        vec![file("base/shared", "the same on both sides"), file("base/too", "as well")],
        vec![
            file("etc/config", "colour = blue\nspeed = 1\n"),
            file("etc/secret", "one"),
            Written { mode: 0o644, ..file("usr/bin/tool", "tool") },
            Written { mtime: 1, ..file("usr/share/touched", "t") },
            file("usr/share/doc/a-long-text", "a content that moves elsewhere"),
            file("var/cache/gone", &"x".repeat(5000)),
            Written::symlink("usr/bin/sh", "dash"),
            file("opt/becomes-a-directory", "f"),
            packages(&[("musl", "1.1.9-r1"), ("old", "1"), ("same", "2")]),
            file(APP, "app"),
            Written::symlink("bin/app", &format!("/{APP}")),
        ],
    ])
}

fn new() -> Known {
    Known::of_layers(&[
        vec![file("base/shared", "the same on both sides"), file("base/too", "as well")],
        vec![
            file("etc/config", "colour = red\nspeed = 1\n"),
            file("etc/secret", "two"),
            Written { mode: 0o4755, uid: 7, ..file("usr/bin/tool", "tool") },
            Written { mtime: 2, ..file("usr/share/touched", "t") },
            file("usr/lib/a-long-text", "a content that moves elsewhere"),
            file("usr/lib/new", &"y".repeat(9000)),
            Written::symlink("usr/bin/sh", "bash"),
            Written::directory("opt/becomes-a-directory"),
            file("opt/becomes-a-directory/inner", "inner"),
            packages(&[("musl", "1.1.10-r0"), ("added", "1_rc1"), ("same", "2")]),
            file(REBUILT, &format!("/{PERL}")),
            file(PERL, "perl"),
            Written::symlink("bin/app", &format!("/{REBUILT}")),
        ],
    ])
}

fn image(known: Known, name: &str) -> ComparedImage {
    let mut image = known.opened.image;
    image.identity.references = vec![name.to_owned()];
    let store = known.store.map(Arc::new);
    ComparedImage { image: Arc::new(image), packages: Arc::new(known.packages), store }
}

fn compared_with(left: Known, right: Known, options: CompareOptions) -> Arc<Compared> {
    let differences = compare(&left, &right, options).differences;
    let request = CompareRequest { pair: (0, 1), options };
    let (left, right) = (image(left, "app:1"), image(right, "app:2"));
    Arc::new(Compared::new(request, left, right, differences, Vec::new()))
}

fn names() -> Vec<String> {
    vec!["./old.tar".into(), "./new.tar".into()]
}

fn starting(size: (u16, u16)) -> Person {
    Person::starting(Start::Comparing { names: names(), options: CompareOptions::default() }, size)
}

/// A person who sees both images.
pub(super) fn seeing_both(size: (u16, u16)) -> Person {
    let mut person = starting(size);
    person.hears(Report::Compared(compared_with(old(), new(), CompareOptions::default())));
    person
}

fn after(keys: &'static str) -> impl Fn((u16, u16)) -> Person {
    move |size| {
        let mut person = seeing_both(size);
        person.presses(keys);
        person
    }
}

fn comparing(person: &Person) -> &Comparing {
    match &person.state.screen {
        Screen::Comparing(comparing) => comparing,
        other => panic!("no comparison on screen but {other:?}"),
    }
}

/// The path of the selected row, on the right side if it is there.
fn selected(person: &Person) -> String {
    let pair = comparing(person).pair.as_ref().unwrap();
    let node = pair.compared.tree.get(pair.files.selected_row().unwrap().id).unwrap();
    let path = match (node.right, node.left) {
        (Some(id), _) => pair.compared.right.image.tree.path(id),
        (None, Some(id)) => pair.compared.left.image.tree.path(id),
        (None, None) => panic!("a row of neither side"),
    };
    String::from_utf8(path).unwrap()
}

fn page(person: &Person) -> PairPage {
    comparing(person).pair.as_ref().unwrap().page
}

fn row_count(person: &Person) -> usize {
    comparing(person).pair.as_ref().unwrap().files.rows().len()
}

fn shared(count: usize) -> Arc<Shared> {
    let all: Vec<Known> = (0..count).map(|number| if number % 2 == 0 { old() } else { new() }).collect();
    let outline = SharingOutline::new(all.iter().map(Known::side).collect());
    let sharing = outline.finish(&[]);
    let images = all.into_iter().zip(1..).map(|(known, number)| image(known, &format!("app:{number}"))).collect();
    Arc::new(Shared { images, sharing, notes: Vec::new() })
}

fn seeing_many(size: (u16, u16), count: usize) -> Person {
    let names = (1..=count).map(|number| format!("./{number}.tar")).collect();
    let mut person = Person::starting(Start::Comparing { names, options: CompareOptions::default() }, size);
    person.hears(Report::Shared(shared(count)));
    person
}

#[test]
fn every_page_of_a_comparison() {
    shows("both_files", after(""));
    shows("both_all_files", after("a s"));
    shows("both_filter", after("/ t e x t"));
    shows("both_summary", after("2"));
    shows("both_store", after("3"));
    shows("both_packages", after("4"));
    shows("both_config", after("5"));
    shows("both_layers", after("6"));
    shows("both_help", after("?"));
}

#[test]
fn images_that_are_the_same() {
    shows("both_same", |size| {
        let mut person = starting(size);
        person.hears(Report::Compared(compared_with(old(), old(), CompareOptions::default())));
        person
    });
}

#[test]
fn images_being_read() {
    shows("both_loading", |size| {
        let mut person = starting(size);
        let transfer = Transfer { read_bytes: 3_100_000, total_bytes: Some(8_000_000) };
        person.hears(Report::Gathering(vec![
            SideProgress { transfer, entries: 97, stage: Stage::Reading },
            SideProgress { stage: Stage::Read, ..SideProgress::default() },
        ]));
        person
    });
}

#[test]
fn a_side_that_cannot_be_opened() {
    shows("both_failed", |size| {
        let mut person = starting(size);
        person.hears(Report::Failed("The right image, ./new.tar: no such file or directory".into()));
        person
    });
}

#[test]
fn what_many_images_share() {
    shows("matrix", |size| seeing_many(size, 3));
    shows("matrix_content", |size| {
        let mut person = seeing_many(size, 12);
        person.presses("3 l l l l l l l j j");
        person
    });
}

#[test]
fn each_kind_of_change_says_what_it_is() {
    for (name, expected) in [
        ("secret", "changed content of the same length"),
        ("tool", "only mode, owner changed"),
        ("touched", "only time changed"),
        ("a-long-text", "moved: the same content under another path"),
        ("becomes-a-directory", "changed type"),
        ("usr/bin/sh", "only link changed"),
        ("gone", "removed: on the left side only"),
        ("usr/lib/new", "added: on the right side only"),
    ] {
        let mut person = seeing_both((120, 40));
        person.presses("/").types(name).presses("enter");
        assert!(person.text().contains(expected), "{name}: {}", person.text());
    }
}

#[test]
fn details_tell_old_and_new_of_what_differs() {
    let mut person = seeing_both((120, 40));
    person.presses("/").types("usr/bin/tool").presses("enter");
    for expected in ["0644 → -rwsr-xr-x 4755", "0:0 → 7:0"] {
        assert!(person.text().contains(expected), "{expected}: {}", person.text());
    }
}

#[test]
fn only_differences_are_shown_until_one_wants_all() {
    let mut person = seeing_both((120, 40));
    let differing = row_count(&person);
    assert!(!person.text().contains("shared "), "{}", person.text());
    person.presses("a");
    assert!(row_count(&person) > differing);
    person.presses("a");
    assert_eq!(row_count(&person), differing);
}

#[test]
fn n_goes_through_all_differences_and_back() {
    let mut person = seeing_both((120, 40));
    person.presses("= g g");
    let change = |person: &Person| {
        let pair = comparing(person).pair.as_ref().unwrap();
        pair.compared.tree.get(pair.files.selected_row().unwrap().id).unwrap().change
    };
    let mut seen: Vec<String> = Vec::from_iter(change(&person).map(|_| selected(&person)));
    loop {
        let before = selected(&person);
        person.presses("n");
        if selected(&person) == before {
            break;
        }
        assert!(change(&person).is_some(), "{} does not differ", selected(&person));
        seen.push(selected(&person));
    }
    for path in ["/etc/config", "/etc/secret", "/usr/bin/tool", "/usr/lib", "/var"] {
        assert!(seen.iter().any(|known| known == path), "{path} is not among {seen:?}");
    }
    let mut back = vec![selected(&person)];
    loop {
        let before = selected(&person);
        person.presses("N");
        if selected(&person) == before {
            break;
        }
        back.push(selected(&person));
    }
    back.reverse();
    assert!(seen.iter().all(|path| back.contains(path)), "{seen:?} {back:?}");
}

#[test]
fn enter_asks_for_the_difference_of_both_versions() {
    for (width, form) in [(140, Form::SideBySide), (80, Form::Unified)] {
        let mut person = seeing_both((width, 40));
        person.presses("/").types("etc/config").presses("enter enter");
        let asked = person.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask { request: Request::View(request), .. } => Some(request.clone()),
            _ => None,
        });
        let asked = asked.expect("the file is looked into");
        assert_eq!(asked.form, form);
        let Target::Versions { left: Some((0, _)), right: Some((1, _)) } = asked.target else {
            panic!("both versions: {asked:?}")
        };
        person.presses("esc");
        assert!(comparing(&person).viewer.is_none());
    }
}

#[test]
fn what_has_no_meaning_is_left_out_by_a_key() {
    let mut person = seeing_both((120, 40));
    person.presses("M");
    let options = CompareOptions { semantic: true, ..CompareOptions::default() };
    let request = CompareRequest { pair: (0, 1), options };
    let wanted = Effect::Ask { opening: Opening::FIRST, request: Request::Compare(request) };
    assert!(person.effects.contains(&wanted), "{:?}", person.effects);
    assert!(person.text().contains("comparing"), "{}", person.text());
    person.presses("/").types("touched").presses("enter");
    assert_eq!(row_count(&person), 3);
    person.hears(Report::Compared(compared_with(old(), new(), options)));
    assert_eq!(row_count(&person), 0, "{}", person.text());
    person.presses("esc 5");
    assert!(!person.text().contains("created"), "{}", person.text());
}

#[test]
fn a_list_leads_to_the_files() {
    let mut person = seeing_both((120, 40));
    person.presses("3 /").types("perl").presses("enter enter");
    assert_eq!(page(&person), PairPage::Files);
    assert_eq!(selected(&person), format!("/{PERL}"));
}

#[test]
fn a_filter_that_is_left_gives_the_selection_back() {
    let mut person = seeing_both((120, 40));
    person.presses("j j j");
    let before = selected(&person);
    person.presses("/").types("secret");
    assert_eq!(selected(&person), "/etc/secret");
    person.presses("esc");
    assert_eq!(selected(&person), before);
}

#[test]
fn a_cell_of_the_matrix_opens_the_comparison_and_esc_returns() {
    let mut person = seeing_many((120, 40), 3);
    person.presses("l enter");
    let request = CompareRequest { pair: (0, 2), options: CompareOptions::default() };
    assert!(person.effects.contains(&Effect::Ask { opening: Opening::FIRST, request: Request::Compare(request) }));
    let (left, right) = (old(), new());
    let differences = compare(&left, &right, CompareOptions::default()).differences;
    let compared = Compared::new(request, image(left, "a"), image(right, "b"), differences, Vec::new());
    person.hears(Report::Compared(Arc::new(compared)));
    assert!(comparing(&person).pair.is_some());
    person.presses("2 esc esc");
    assert!(comparing(&person).pair.is_none());
    person.presses("h l h h enter");
    assert!(person.text().contains("Pick two different images"), "{}", person.text());
}

#[test]
fn a_comparison_above_an_image_leads_back_to_it() {
    let mut person = Person::seeing(samples::web(), (120, 40));
    let options = CompareOptions::default();
    let (reference, told) = ("./app-2.tar".to_owned(), "written".to_owned());
    person.hears(Report::Rebuilt(Rebuilt::Written { reference: reference.clone(), told }));
    let begun = Effect::Compare { opening: Opening(1), with: Opening::FIRST, reference, options };
    assert!(person.effects.contains(&begun));
    let compared = compared_with(old(), new(), options);
    person.takes(Message::Report(Opening(1), Report::Compared(compared)));
    assert!(person.text().contains("app:2"), "{}", person.text());
    // What is found out about the image meanwhile is not lost.
    person.hears(Report::Store(None));
    person.presses("esc");
    assert!(person.session().pages.is_store_known);
    assert!(person.effects.contains(&Effect::Cancel(Opening(1))));
}

#[test]
fn stopping_what_is_being_read() {
    let mut person = starting((80, 24));
    person.presses("esc");
    assert!(person.effects.contains(&Effect::Cancel(Opening::FIRST)));
    assert!(person.text().contains("stopped"), "{}", person.text());
    let mut person = starting((80, 24));
    person.presses("q");
    assert!(person.effects.contains(&Effect::Quit));
}

#[test]
fn every_action_of_a_comparison_can_be_done_anywhere_at_any_size() {
    for size in [(30, 8), (50, 15), (120, 40), (200, 60)] {
        for start in ["", "2", "3", "4", "5", "6", "a", "/ x enter"] {
            let mut person = seeing_both(size);
            person.presses(start);
            for info in crate::ACTIONS.iter().filter(|info| info.name != "quit") {
                let keys = info.keys.first().copied().unwrap_or_default();
                person.presses(keys).screen();
                person.presses("esc");
            }
        }
        let mut person = seeing_many(size, 40);
        person.presses("G 2 l l l j j j 3 tab shift-tab ? ? : esc").screen();
    }
}

#[test]
fn hostile_names_are_spelled_out() {
    let hostile = "etc/\u{1b}[2J\u{202e}name\nx";
    let left = Known::of_layers(&[vec![file(hostile, "one"), Written::symlink("etc/l", "\u{1b}]0;x\u{7}")]]);
    let right = Known::of_layers(&[vec![file(hostile, "other"), Written::symlink("etc/l", "\u{9b}31m")]]);
    let mut person = starting((120, 40));
    person.hears(Report::Compared(compared_with(left, right, CompareOptions::default())));
    for keys in ["", "j", "j", "j", "2", "6"] {
        person.presses(keys);
        let steers = |character: char| character != '\n' && nixdive_base::text::steers_terminal(character);
        assert!(!person.text().contains(steers), "{keys}: {}", person.text());
    }
}

/// A key is answered within a frame also where there is very much to show.
#[test]
fn many_paths_are_flattened_a_part_at_a_time() {
    let paths: Vec<Written> = (0..3000).map(|number| file(&format!("d{}/f{number}", number % 7), "x")).collect();
    let right: Vec<Written> = (0..3000).map(|number| file(&format!("d{}/f{number}", number % 7), "yy")).collect();
    let mut person = starting((120, 40));
    let (left, right) = (Known::of_layers(&[paths]), Known::of_layers(&[right]));
    person.hears(Report::Compared(compared_with(left, right, CompareOptions::default())));
    assert_eq!(row_count(&person), 7 + 429, "the directory with most of the difference is open");
    person.presses("= =");
    assert_eq!(row_count(&person), 3007);
    let root = comparing(&person).pair.as_ref().unwrap().compared.tree.get(PairId::ROOT).copied().unwrap();
    assert_eq!((root.differing, root.changed_bytes), (3000, 3000));
}

#[test]
fn images_of_one_name_are_told_apart_by_what_was_typed() {
    let (left, right) = (old(), new());
    let differences = compare(&left, &right, CompareOptions::default()).differences;
    let request = CompareRequest { pair: (0, 1), options: CompareOptions::default() };
    let compared = Compared::new(request, image(left, "same:1"), image(right, "same:1"), differences, Vec::new());
    let mut person = starting((120, 40));
    person.hears(Report::Compared(Arc::new(compared)));
    assert!(person.text().contains("./old.tar → ./new.tar"), "{}", person.text());
}
