use std::sync::Arc;

use super::samples::{image, overview, tree};
use super::*;
use crate::image::{EntryBatch, EntryFields, Kind, TreeBuilder, Warning, Xattr, compute_history};
use crate::tui::{Choice, Opened};

/// What a terminal, or its reader, would take for something else than text.
pub(super) const POISON: &str =
    "a\u{1b}[31m\u{1b}]52;c;eA==\u{7}\r\n\t\u{0}\u{7f}\u{85}\u{9b}2J\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}z";

fn poisoned() -> Opened {
    let mut builder = TreeBuilder::new();
    builder.begin_layer().unwrap();
    let mut batch = EntryBatch::default();
    let mut fields = EntryFields::new(Kind::File);
    fields.xattrs = vec![Xattr { name: POISON.as_bytes().into(), value: POISON.as_bytes().into() }];
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
    builder.add(&batch).unwrap();
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &crate::image::FileTree, _, _| false);
    let mut image = image(tree, &[POISON]);
    image.layers[0].comment = Some(POISON.into());
    image.layers[0].media_type = POISON.into();
    image.layers[0].stored_as = POISON.into();
    image.layers[0].created = Some(POISON.into());
    image.layers[0].annotations = vec![(POISON.into(), POISON.into())];
    image.identity.requested = POISON.into();
    image.identity.source_kind = POISON.into();
    image.identity.references = vec![POISON.into(), POISON.into()];
    image.config.platform.os = POISON.into();
    image.config.user = POISON.into();
    image.config.working_directory = POISON.into();
    image.config.created = Some(POISON.into());
    for list in [&mut image.config.entrypoint, &mut image.config.cmd, &mut image.config.env, &mut image.config.volumes]
    {
        *list = vec![POISON.into(); 3];
    }
    image.config.exposed_ports = vec![POISON.into()];
    image.config.labels = vec![(POISON.into(), POISON.into())];
    image.warnings = vec![Warning { layer: None, message: POISON.into() }];
    Opened { image: Arc::new(image), overview: overview() }
}

fn is_poison(character: char) -> bool {
    character.is_control() || "\u{202e}\u{2066}\u{200b}\u{feff}\u{ad}".contains(character)
}

pub(super) fn assert_clean(person: &Person, when: &str) {
    for (index, cell) in person.screen().content.iter().enumerate() {
        assert!(!cell.symbol().chars().any(is_poison), "{:?} in cell {index} {when}", cell.symbol());
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
