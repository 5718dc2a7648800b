//! Leaving out of sight what is not asked for, and going to the layers that changed a path.

use std::sync::Arc;

use super::samples::{COMMANDS, web};
use super::{Person, Report};
use crate::{Insights, Opened};
use nixdive_analyse::analysis::{HiddenCopies, assess};
use nixdive_image::{HistoryEntry, Image};

fn step(command: &str, empty_layer: bool) -> HistoryEntry {
    HistoryEntry { created_by: Some(command.into()), empty_layer, ..HistoryEntry::default() }
}

/// The web image, whose first layer came with an image that runs a shell, and what is wasted in it.
fn person() -> Person {
    let Opened { image, overview } = web();
    let mut image = Image::clone(&image);
    image.config.history = vec![
        step(COMMANDS[0], false),
        step("/bin/sh -c #(nop)  CMD [\"sh\"]", true),
        step(COMMANDS[1], false),
        step(COMMANDS[2], false),
    ];
    let image = Arc::new(image);
    let hidden = Some(HiddenCopies::of(&image.tree));
    let findings = Insights { assessment: assess(&image), hidden, ..Insights::default() };
    let mut person = Person::seeing(Opened { image, overview }, (120, 40));
    person.hears(Report::Insights(Arc::new(findings)));
    person
}

#[test]
fn only_what_is_wasted_is_shown_with_the_bytes_of_the_hidden_copies() {
    let mut person = person();
    person.presses("tab W");
    assert_eq!(
        person.rows(),
        ["~var", "~  cache", "-    packages.db", "~usr", "~  bin", "~    tool", "~etc", "~  passwd", "~  hosts"]
    );
    assert!(person.text().contains("only waste"), "{}", person.text());
    person.presses("W");
    assert_eq!(person.rows(), ["~usr", "~etc", "+opt", "~var", " bin"].map(str::to_owned));
}

#[test]
fn the_waste_of_a_layer_is_what_it_holds_in_vain() {
    let mut person = person();
    person.presses("down down W");
    assert_eq!(person.rows(), Vec::<String>::new());
    assert!(person.text().contains("No waste"), "{}", person.text());
    person.presses("up");
    assert!(person.rows().iter().any(|row| row.ends_with("packages.db")), "{:?}", person.rows());
}

#[test]
fn from_the_list_of_waste_one_key_leads_to_its_tree() {
    let mut person = person();
    person.presses("3 W");
    assert!(person.rows().iter().any(|row| row.ends_with("packages.db")), "{:?}", person.rows());
}

#[test]
fn the_base_image_goes_out_of_sight_with_what_it_brings() {
    let mut person = person();
    person.presses("B");
    assert_eq!(person.rows(), ["~usr", "~etc", "+opt", "~var"].map(str::to_owned));
    assert_eq!(person.session().layer_rows(), 3, "the whole image and two layers");
    person.presses("down");
    assert_eq!(person.session().selected_layer_index(), Some(1));
    assert_eq!(person.rows(), ["~etc", "+opt"].map(str::to_owned), "of what the first layer above the base did");
    person.presses("B");
    assert_eq!(person.session().selected_layer_index(), Some(1), "the same layer stays selected");
    assert_eq!(person.session().layer_rows(), 4);
}

#[test]
fn an_image_whose_history_names_no_base_hides_nothing() {
    let mut person = Person::seeing(web(), (120, 40));
    person.presses("B");
    assert_eq!(person.session().layer_rows(), 4);
    assert!(person.text().contains("Base image unknown"), "{}", person.text());
}

#[test]
fn a_path_leads_to_the_layers_that_changed_it() {
    let mut person = person();
    person.presses("tab l j j");
    assert_eq!(person.selected_path(), "/usr/bin");
    let mut visited = Vec::new();
    for key in ["c", "c", "c", "C"] {
        person.presses(key);
        visited.push(person.session().selected_layer_index());
        assert_eq!(person.selected_path(), "/usr/bin");
    }
    assert_eq!(visited, [Some(2), Some(0), Some(0), Some(2)]);
}

#[test]
fn the_settings_say_which_columns_there_are_and_in_which_order() {
    let settings = crate::Settings::parse("[view]\ncolumns = [\"bytes\", \"layer\", \"modified\"]\n").unwrap();
    let start = crate::Start::Loading("image.tar".into());
    let options = crate::Options::default();
    let mut person =
        Person { state: crate::State::with_settings(start, options, (160, 40), settings), effects: Vec::new() };
    person.hears(Report::Opened(web()));
    let text = person.text();
    let head = text.lines().find(|line| line.contains("Modified")).unwrap_or_default();
    assert!(head.contains("Bytes▼ Layer Modified   Name"), "{text}");
    assert!(text.contains("1970-01-01"), "{text}");
    assert!(!text.contains("drwxr-xr-x "), "{text}");
}

#[test]
fn a_copy_to_disk_shows_how_far_it_is_and_escape_stops_it() {
    use crate::{Effect, Request, Transfer};
    let mut person = person();
    person.presses("tab e enter");
    let asked = |person: &Person, wanted: fn(&Request) -> bool| {
        person.effects.iter().any(|effect| matches!(effect, Effect::Ask { request, .. } if wanted(request)))
    };
    assert!(asked(&person, |request| matches!(request, Request::Extract(_))));
    person.hears(Report::Copying(Transfer { read_bytes: 2_000_000, total_bytes: Some(9_000_000) }));
    assert!(person.text().contains("copied 2.0 MB of 9.0 MB (esc: stop)"), "{}", person.text());
    person.presses("e enter");
    assert!(person.text().contains("Another copy is under way"), "{}", person.text());
    person.presses("esc");
    assert!(asked(&person, |request| matches!(request, Request::StopExtract)));
    person.hears(Report::Copied(Err("cancelled after 3 files".into())));
    assert!(person.text().contains("cancelled after 3 files"), "{}", person.text());
}
