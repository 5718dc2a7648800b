use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

use super::samples::{image, overview, tree};
use super::screens::picture;
use super::*;
use crate::{Choice, Hits, Opened, Paths, Request};
use nixdive_image::{EntryBatch, EntryFields, HistoryEntry, Kind, TreeBuilder, Warning, Xattr, compute_history};
use nixdive_source::search::{ContentHit, PathHit};

/// Characters that a terminal, or its reader, would not take for plain text.
pub(super) const POISON: &str =
    "a\u{1b}[31m\u{1b}]52;c;eA==\u{7}\r\n\t\u{0}\u{7f}\u{85}\u{9b}2J\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}z";

fn poisoned() -> Opened {
    let mut batch = EntryBatch::default();
    let mut fields = EntryFields::new(Kind::File);
    fields.xattrs = vec![Xattr { name: POISON.as_bytes().into(), value: POISON.as_bytes().into() }].into();
    fields.bytes = u64::MAX;
    fields.mtime = i64::MIN;
    let mut link = EntryFields::new(Kind::Symlink);
    link.uid = u32::MAX;
    let names: Vec<Vec<u8>> = vec![
        POISON.into(),
        [POISON.as_bytes(), b"\xff\xfe\x80"].concat(),
        "日本語".repeat(100).into_bytes(),
        vec![b'n'; 4096],
        "e\u{301}\u{301}\u{301}".repeat(50).into_bytes(),
        "👩‍👩‍👧‍👦".repeat(20).into_bytes(),
        b" ".to_vec(),
    ];
    for name in &names {
        batch.push(name, b"", fields.clone());
        batch.push(&[b"d/", name.as_slice()].concat(), POISON.as_bytes(), link.clone());
    }
    let doomed = format!("removed{POISON}");
    batch.push(format!("{doomed}/file").as_bytes(), b"", fields.clone());
    // Stored twice, so that there is waste to show, and one directory removed.
    let mut removal = EntryBatch::default();
    removal.push(format!(".wh.{doomed}").as_bytes(), b"", fields);
    let mut builder = TreeBuilder::new();
    for layer in [&batch, &batch, &removal] {
        builder.begin_layer().unwrap();
        builder.add(layer).unwrap();
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &nixdive_image::FileTree, _, _| false);
    let mut image = image(tree, &[POISON; 3]);
    image.layers[0].comment = Some(POISON.into());
    image.layers[0].media_type = POISON.into();
    image.layers[0].stored_as = POISON.into();
    image.layers[0].created = Some(POISON.into());
    image.layers[0].annotations = vec![(POISON.into(), POISON.into())];
    image.identity.requested = POISON.into();
    image.identity.source_kind = POISON.into();
    image.identity.references = vec![POISON.into(), POISON.into()];
    image.config.platform.os = POISON.into();
    image.config.author = Some(POISON.into());
    image.config.shell = vec![POISON.into()];
    image.config.user = POISON.into();
    image.config.working_directory = POISON.into();
    image.config.created = Some(POISON.into());
    for list in [&mut image.config.entrypoint, &mut image.config.cmd, &mut image.config.env, &mut image.config.volumes]
    {
        *list = vec![POISON.into(); 3];
    }
    image.config.exposed_ports = vec![POISON.into()];
    image.config.labels = vec![(POISON.into(), POISON.into())];
    let step = HistoryEntry { created_by: Some(POISON.into()), ..HistoryEntry::default() };
    image.config.history = vec![step; 3];
    image.warnings = vec![Warning { layer: None, message: POISON.into() }];
    Opened { image: Arc::new(image), overview: overview() }
}

fn is_poison(character: char) -> bool {
    character.is_control() || "\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}".contains(character)
}

pub(super) fn assert_clean(person: &Person, when: &str) {
    let screen = person.screen();
    for (index, cell) in screen.content.iter().enumerate() {
        assert!(!cell.symbol().chars().any(is_poison), "{:?} in cell {index} {when}", cell.symbol());
        let room = usize::from(screen.area.width) - index % usize::from(screen.area.width);
        assert!(cell.symbol().width() <= room, "{:?} sticks out of its line {when}", cell.symbol());
    }
    for effect in &person.effects {
        if let Effect::Copy(text) = effect {
            assert!(!text.replace('\t', "").chars().any(is_poison), "{text:?} is copied {when}");
        }
    }
}

#[test]
fn nothing_from_an_image_reaches_the_terminal_as_anything_but_text() {
    for size in [(30, 8), (50, 15), (80, 24), (120, 40), (200, 60)] {
        let mut person = Person::seeing(poisoned(), size);
        for keys in [
            "",
            "tab",
            "j",
            "ctrl-space",
            "j j j",
            "G",
            "k k",
            "tab",
            "G",
            "w",
            "w y",
            "Y",
            "shift-tab",
            "f [",
            "esc b",
            "z",
        ] {
            person.presses(keys);
            assert_clean(&person, &format!("after {keys:?} at {size:?}"));
        }
        person.presses("/");
        person.takes(Message::Paste(POISON.into()));
        assert_clean(&person, "while filtering");
        person.presses("esc shift-tab shift-tab G");
        assert_clean(&person, "with a layer selected");
    }
}

#[test]
fn nothing_from_a_file_name_or_an_error_does_either() {
    let choice = Choice { reference: POISON.into(), title: POISON.into(), detail: POISON.into() };
    let mut person = Person::starting(Start::Choosing(vec![choice.clone()]), (80, 24));
    assert_clean(&person, "in the chooser");
    person.presses("y");
    assert_clean(&person, "after copying");
    person.presses("enter");
    assert_clean(&person, "while loading");
    person.takes(Message::Report(Opening(1), Report::Choose(vec![choice])));
    assert_clean(&person, "in the second chooser");
    person.presses("enter");
    person.takes(Message::Report(Opening(2), Report::Failed(POISON.into())));
    assert_clean(&person, "after a failure");
    let mut person = Person::seeing(samples::web(), (80, 24));
    person.hears(Report::Failed(POISON.into()));
    assert_clean(&person, "in a banner");
}

/// A package database whose every field is hostile.
fn database() -> Vec<u8> {
    let poison = POISON.replace(['\n', '\r'], "");
    format!("P:{poison}\nV:{poison}\nA:{poison}\nI:4096\nF:d\nR:{poison}\nR: \n\n").into_bytes()
}

#[test]
fn nor_does_anything_on_the_other_pages() {
    for size in [(30, 8), (50, 15), (80, 24), (120, 40)] {
        let mut person = pages::informed(poisoned(), &database(), size);
        for keys in [
            "2",
            "y",
            "G",
            "y",
            "3",
            "y",
            "G y",
            "enter",
            "y",
            "3 g g enter",
            "4",
            "y",
            "enter",
            "y",
            "esc 5",
            "down",
            "y",
            "c",
            "c",
            "enter",
            "down y",
            "minus",
            "o",
            "?",
            "esc : d",
            "esc",
        ] {
            person.presses(keys);
            assert_clean(&person, &format!("after {keys:?} on the pages at {size:?}"));
        }
    }
}

#[test]
fn nor_does_any_path_that_is_looked_into_or_found() {
    for size in [(30, 8), (50, 15), (80, 24), (120, 40)] {
        let mut person = Person::seeing(poisoned(), size);
        let tree = person.opened().image.tree.clone();
        let nodes = || tree.node_ids().filter(|&node| tree.occurrences_of(node).next().is_some());
        for node in nodes() {
            let Screen::Session(session) = &mut person.state.screen else { unreachable!() };
            session.reveal(node);
            person.presses("tab tab tab tab p y");
            assert_clean(&person, "over a file that is looked into");
            person.presses("esc e");
            assert_clean(&person, "while copying to disk");
            person.presses("esc");
        }
        person.presses("ctrl-t d");
        let ticket = person.effects.iter().rev().find_map(|effect| match effect {
            Effect::Ask { request: Request::Paths(request), .. } => Some(request.ticket),
            _ => None,
        });
        let ticket = ticket.expect("paths are asked for");
        let hits = nodes().map(|node| PathHit { node, score: 1 }).collect();
        person.hears(Report::Paths(Paths { ticket, hits, matched: 1, complete: true }));
        assert_clean(&person, "among paths");
        person.presses("G esc ctrl-s d enter");
        let ticket = person.session().results.as_ref().unwrap().ticket;
        let hit = |node| ContentHit {
            node,
            occurrence: tree.occurrences_of(node).next().unwrap(),
            offset: u64::MAX,
            line: u64::MAX,
            excerpt: "found".into(),
            matches: std::iter::once(0..5).collect(),
            cut: (true, true),
            binary: false,
        };
        person.hears(Report::Hits(Hits {
            ticket,
            hits: nodes().map(hit).collect(),
            complete: true,
            ..Hits::default()
        }));
        for _ in nodes() {
            person.presses("y j");
            assert_clean(&person, "among hits");
        }
    }
}

#[test]
fn hostile_names_are_told_apart_on_every_screen() {
    let seen = |keys: &str| {
        let mut person = pages::informed(poisoned(), &database(), (80, 24));
        person.presses(keys);
        picture(&person.screen())
    };
    for (name, keys) in [
        ("files", "tab L"),
        ("details", "tab G k k shift-tab shift-tab z"),
        ("image", "2"),
        ("waste", "3 j"),
        ("packages", "4"),
        ("map", "5 down"),
        ("preview", "tab j p"),
        ("notice", "tab j y"),
    ] {
        insta::assert_snapshot!(format!("hostile_{name}"), seen(keys));
    }
    let choice = |text: &str| Choice { reference: text.into(), title: text.into(), detail: text.into() };
    let long = "日本語".repeat(500);
    let person = Person::starting(Start::Choosing(vec![choice(POISON), choice(&long), choice("e\u{301}")]), (80, 24));
    insta::assert_snapshot!("hostile_chooser", picture(&person.screen()));
}

#[test]
fn a_path_is_copied_as_it_is_shown() {
    let mut person = Person::seeing(poisoned(), (80, 24));
    person.presses("f [").presses("enter y");
    let Some(Effect::Copy(text)) = person.effects.last() else { panic!("{:?}", person.effects) };
    assert!(!text.chars().any(is_poison), "{text:?}");
}

#[test]
fn ten_thousand_directories_in_each_other_are_walked_through() {
    let path = vec!["d"; 10_000].join("/");
    let opened =
        Opened { image: Arc::new(image(tree(&[&[&format!("f 1 {path}/end")]]), &["deep"])), overview: overview() };
    for size in [(50, 15), (120, 40)] {
        let mut person = Person::seeing(opened.clone(), size);
        person.presses("tab L G");
        assert!(person.selected_path().ends_with("/d/end"));
        assert!(person.text().contains("end"), "{}", person.text());
        person.presses("h h h ctrl-space / e n d enter n N esc");
    }
}
