//! Speed of the terminal interface with a million entries: a frame, and the answer to a key. And of a search through
//! the files of an image in memory, opened as any other.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use nixdive::image::{
    Compression, Config, DigestCheck, EntryBatch, EntryFields, FileTree, Identity, Image, Kind, Layer, LayerIndex,
    OccurrenceId, TreeBuilder, compute_history,
};
use nixdive::open::{Keep, OpenOptions, Progress, open_section};
use nixdive::scan::Section;
use nixdive::search::{Cancel, ContentSearch, Pattern};
use nixdive::tui::{Key, Message, Opened, Opening, Options, Overview, Report, Start, State, draw, update};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SCREEN: (u16, u16) = (200, 60);
const LAYERS: u32 = 60;
const ENTRIES: u32 = 1_000_000;

fn main() {
    divan::main();
}

/// A million files in sixty layers.
fn tree() -> FileTree {
    let mut builder = TreeBuilder::new();
    for layer in 0..LAYERS {
        assert!(builder.begin_layer().is_ok());
        let mut batch = EntryBatch::default();
        for number in (layer..ENTRIES).step_by(LAYERS as usize) {
            let mut fields = EntryFields::new(Kind::File);
            fields.bytes = u64::from(number % 9973);
            batch.push(format!("usr/share/{}/{}/file{number}", number % 97, number % 1009).as_bytes(), b"", fields);
        }
        assert!(builder.add(&batch).is_ok());
    }
    let mut tree = builder.finish();
    compute_history(&mut tree, &mut |_: &FileTree, _: OccurrenceId, _: OccurrenceId| false);
    tree
}

fn layer(index: u32) -> Layer {
    Layer {
        diff_id: None,
        digest: None,
        media_type: String::new(),
        stored_as: format!("{index}/layer.tar"),
        compression: Compression::None,
        unpacked_bytes: 1 << 20,
        compressed_bytes: None,
        file_bytes: 1 << 20,
        entries: u64::from(ENTRIES / LAYERS),
        diff_id_check: DigestCheck::NotGiven,
        digest_check: DigestCheck::NotGiven,
        created_by: Some(format!("RUN step {index}")),
        comment: None,
        created: None,
        annotations: Vec::new(),
        store_paths: Vec::new(),
        contents: nixdive::image::LayerContents::Present,
        listed: false,
    }
}

/// The interface with the image open and every directory of the tree open.
fn state() -> State {
    let image = Image {
        identity: Identity::default(),
        config: Config::default(),
        layers: (0..LAYERS).map(layer).collect(),
        tree: tree(),
        warnings: Vec::new(),
        defects: Vec::new(),
        source_bytes: None,
    };
    let overview = Overview { efficiency: 1.0, wasted_bytes: 0, user_wasted_percent: 0.0 };
    let opened = Opened { image: Arc::new(image), overview };
    let mut state = State::new(Start::Loading("large.tar".into()), Options::default(), SCREEN);
    update(&mut state, Message::Report(Opening::FIRST, Report::Opened(opened)));
    press(&mut state, "tab");
    press(&mut state, "=");
    while state.has_work() {
        update(&mut state, Message::Tick);
    }
    state
}

fn press(state: &mut State, key: &str) {
    if let Some(key) = Key::parse(key) {
        update(state, Message::Key(key));
    }
}

fn screen() -> Buffer {
    Buffer::empty(Rect::new(0, 0, SCREEN.0, SCREEN.1))
}

#[divan::bench]
fn a_frame(bencher: Bencher) {
    let state = state();
    let mut buffer = screen();
    bencher.bench_local(|| {
        buffer.reset();
        draw(&state, &mut buffer);
    });
}

/// Down, a page down, to the end, to the start, the next layer: with the frame that answers.
#[divan::bench(args = ["j", "pgdn", "end", "home", "]", "["])]
fn a_key_and_its_frame(bencher: Bencher, key: &str) {
    let mut state = state();
    let mut buffer = screen();
    bencher.bench_local(|| {
        press(&mut state, key);
        buffer.reset();
        draw(&state, &mut buffer);
    });
}

/// A docker-archive of one layer with files of 64 KiB.
fn archive() -> Vec<u8> {
    let line = b"The quick brown fox jumps over the lazy dog, and then it is 12:34 o'clock in /usr/share.\n";
    let content: Vec<u8> = line.iter().copied().cycle().take(64 << 10).collect();
    let add = |archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).is_ok()
    };
    let mut layer = tar::Builder::new(Vec::new());
    for number in 0..4096 {
        assert!(add(&mut layer, &format!("usr/share/file{number}"), &content));
    }
    let mut archive = tar::Builder::new(Vec::new());
    let layer = layer.into_inner().unwrap_or_default();
    assert!(add(&mut archive, "layer.tar", &layer));
    assert!(add(&mut archive, "config.json", br#"{"rootfs":{"type":"layers","diff_ids":[]}}"#));
    assert!(add(&mut archive, "manifest.json", br#"[{"Config":"config.json","Layers":["layer.tar"]}]"#));
    archive.into_inner().unwrap_or_default()
}

#[divan::bench(args = ["literal", "regex"], sample_count = 5)]
fn content_of_an_image(bencher: Bencher, kind: &str) {
    let bytes: Arc<[u8]> = archive().into();
    let counter = BytesCount::new(bytes.len());
    let length = bytes.len() as u64;
    let options = OpenOptions { keep: Keep::AnyContent, ..OpenOptions::default() };
    let section = Section::new(Arc::new(bytes), 0, length);
    let Ok(opened) = open_section(section, "made.tar", &options, &Progress::new()) else { return };
    let pattern = match kind {
        "literal" => Pattern::literal("needle", false),
        _ => Pattern::regex(r"need[a-z]+\d", false),
    };
    let Ok(pattern) = pattern else { return };
    let search = ContentSearch::new(pattern);
    bencher.counter(counter).bench(|| {
        let done = search.run(&opened.image.tree, &opened.contents, LayerIndex(0), &Cancel::new(), &mut |_| {});
        assert!(done.bytes >= length * 9 / 10, "{done:?}");
    });
}
