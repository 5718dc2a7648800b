//! Pictures of the screen, with styles, at three sizes. `cargo insta` or `INSTA_UPDATE=always` renews them.

use std::time::Duration;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

use super::samples::{empty, nix, web};
use super::*;
use crate::theme::Theme;
use crate::{Choice, Identified, LayerOutline, LayerProgress, Progress, Traffic, Transfer};

const SIZES: [(u16, u16); 3] = [(50, 15), (80, 24), (120, 40)];

/// The screen as text; under each line that has styles, a letter for the style of each cell; what the letters mean
/// at the end.
pub(super) fn picture(buffer: &Buffer) -> String {
    let mut legend: Vec<String> = Vec::new();
    let mut picture = String::new();
    for line in buffer.content.chunks(usize::from(buffer.area.width)) {
        let text: String = line.iter().map(Cell::symbol).collect();
        let styles: String = line.iter().map(|cell| letter(cell, &mut legend)).collect();
        picture += &format!("|{}\n", text.trim_end());
        if !styles.trim().is_empty() {
            picture += &format!(":{}\n", styles.trim_end());
        }
    }
    for (index, style) in legend.iter().enumerate() {
        picture += &format!("{} = {style}\n", char::from(b'a' + index as u8));
    }
    picture
}

fn letter(cell: &Cell, legend: &mut Vec<String>) -> char {
    let mut words = Vec::new();
    if cell.fg != Color::Reset {
        words.push(format!("{:?}", cell.fg).to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on {:?}", cell.bg).to_lowercase());
    }
    for (modifier, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        if cell.modifier.contains(modifier) {
            words.push(name.to_owned());
        }
    }
    if words.is_empty()
        || (cell.symbol() == " " && words.iter().all(|word| !["underlined", "reversed"].contains(&word.as_str())))
    {
        return ' ';
    }
    let style = words.join(" ");
    let index = legend.iter().position(|known| *known == style).unwrap_or_else(|| {
        legend.push(style);
        legend.len() - 1
    });
    char::from(b'a' + index as u8)
}

pub(super) fn shows(name: &str, scene: impl Fn((u16, u16)) -> Person) {
    for size in SIZES {
        let mut person = scene(size);
        person.takes(Message::Tick);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), picture(&person.screen()));
    }
}

fn after(keys: &'static str) -> impl Fn((u16, u16)) -> Person {
    move |size| {
        let mut person = Person::seeing(web(), size);
        person.presses(keys);
        person
    }
}

pub(super) fn identified() -> Report {
    let layers = samples::COMMANDS.iter().zip(1u64..).map(|(command, index)| LayerOutline {
        command: (*command).to_owned(),
        diff_id: Some(format!("sha256:{}", "ab".repeat(32))),
        compressed_bytes: Some(index * 4_000_000),
    });
    let image = web().image;
    let (identity, config) = (image.identity.clone(), image.config.clone());
    Report::Identified(Box::new(Identified { identity, config, layers: layers.collect() }))
}

pub(super) fn progress() -> Report {
    let layer =
        |read_bytes, total_bytes, entries| LayerProgress { transfer: Transfer { read_bytes, total_bytes }, entries };
    let layers = vec![
        layer(4_000_000, Some(4_000_000), 812),
        layer(3_100_000, Some(8_000_000), 97),
        layer(0, Some(12_000_000), 0),
    ];
    Report::Progress(Progress { source: None, layers, traffic: None })
}

pub(super) fn choices() -> Vec<Choice> {
    [
        ("./result", "docker-archive, gzip, 41 MB, a minute old"),
        ("./web.tar", "docker-archive, 233 MB, yesterday"),
        ("./oci", "OCI layout, 12 MB, 3 days old"),
        ("sample", "built in, 0.4 MB"),
    ]
    .map(|(name, detail)| Choice { reference: name.into(), title: name.into(), detail: detail.into() })
    .to_vec()
}

#[test]
fn the_first_screen() {
    shows("first", after(""));
}

#[test]
fn a_layer_with_its_changes() {
    shows("layer", after("down down down tab L j j"));
}

#[test]
fn a_file_and_what_is_known_of_it() {
    shows("file", after("tab f t o o l enter tab"));
}

#[test]
fn a_filter_being_typed() {
    shows("filter", after("/ t o o"));
}

#[test]
fn nothing_matches() {
    shows("no_match", after("/ x x x"));
}

#[test]
fn a_pane_alone() {
    shows("zoomed", after("tab z"));
}

#[test]
fn a_nix_image() {
    shows("nix", |size| Person::seeing(nix(), size));
}

#[test]
fn an_image_without_layers() {
    shows("empty", |size| Person::seeing(empty(), size));
}

#[test]
fn before_anything_is_known() {
    shows("opening", |size| Person::starting(Start::Loading("./web.tar.gz".into()), size));
}

#[test]
fn layers_that_come_over_the_network() {
    let traffics = [
        ("arriving", Traffic { bytes_per_second: 1_500_000, ..Traffic::default() }),
        ("silent", Traffic { silent: Duration::from_secs(12), ..Traffic::default() }),
        ("waiting", Traffic { waiting: Duration::from_millis(6_200), ..Traffic::default() }),
    ];
    for (name, traffic) in traffics {
        shows(name, |size| {
            let mut person = Person::starting(Start::Loading("docker://registry.example/web:1".into()), size);
            person.hears(identified());
            let Report::Progress(known) = progress() else { return person };
            person.hears(Report::Progress(Progress { traffic: Some(traffic), ..known }));
            person
        });
    }
}

#[test]
fn a_layer_that_is_fetched_for_its_content_is_told() {
    let mut person = after("")((80, 24));
    let transfer = Transfer { read_bytes: 12_000_000, total_bytes: Some(52_000_000) };
    person.hears(Report::Fetching(Some((transfer, Traffic { bytes_per_second: 1_500_000, ..Traffic::default() }))));
    assert!(person.text().contains("fetching 12 MB of 52 MB · 1.5 MB/s, 26 s left"), "{}", person.text());
    person.hears(Report::Fetching(None));
    assert!(!person.text().contains("fetching"));
}

#[test]
fn layers_being_read() {
    shows("loading", |size| {
        let mut person = Person::starting(Start::Loading("./web.tar.gz".into()), size);
        person.hears(identified());
        person.hears(progress());
        person.presses("j");
        person
    });
}

#[test]
fn a_stream_being_read() {
    shows("stream", |size| {
        let mut person = Person::starting(Start::Loading("-".into()), size);
        let transfer = Transfer { read_bytes: 61_000_000, total_bytes: None };
        person.hears(Report::Progress(Progress { source: Some(transfer), ..Progress::default() }));
        person
    });
}

#[test]
fn what_cannot_be_opened() {
    shows("failed", |size| {
        let mut person = Person::starting(Start::Loading("./cut.tar".into()), size);
        let reason = "./cut.tar: the archive ends at byte 1000000, in the middle of layer 1 \
                      (8c3ab3e1/layer.tar). Was the download complete?";
        person.hears(Report::Failed(reason.into()));
        person
    });
}

#[test]
fn an_error_while_browsing() {
    shows("banner", |size| {
        let mut person = Person::seeing(web(), size);
        person.hears(Report::Failed("layer 2: the compressed data is corrupt at byte 77312".into()));
        person
    });
}

#[test]
fn the_chooser() {
    shows("chooser", |size| Person::starting(Start::Choosing(choices()), size));
}

#[test]
fn an_empty_chooser() {
    shows("chooser_empty", |size| Person::starting(Start::Choosing(Vec::new()), size));
}

#[test]
fn the_help() {
    shows("help_layers", after("?"));
    shows("help_files", after("tab ?"));
}

#[test]
fn a_screen_too_small() {
    let person = Person::seeing(web(), (20, 5));
    insta::assert_snapshot!("too_small", picture(&person.screen()));
}

#[test]
fn plain_ascii_and_no_colours() {
    for (name, options) in [
        ("ascii", Options { unicode: false, ..Options::default() }),
        ("no_colour", Options { colours: false, ..Options::default() }),
    ] {
        let mut person = Person::seeing(web(), (80, 24));
        person.state.options = options;
        person.presses("tab L j");
        let screen = person.screen();
        let (plain, all) = (|cell: &Cell| cell.symbol().is_ascii(), &screen.content);
        assert!(options.unicode || all.iter().all(plain), "{}", person.text());
        assert!(options.colours || all.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
        insta::assert_snapshot!(name, picture(&screen));
    }
}

#[test]
fn every_theme() {
    for (name, theme) in Theme::NAMED {
        let mut person = Person::seeing(web(), (80, 24));
        person.state.theme = *theme;
        person.presses("down down down tab L j j");
        insta::assert_snapshot!(format!("theme_{name}"), picture(&person.screen()));
    }
}
