//! Speed of previews and searches on made-up input in memory.

use std::io::Read;
use std::sync::Arc;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use nixdive::image::{EntryBatch, EntryFields, FileTree, Kind, LayerIndex, TreeBuilder};
use nixdive::preview::{Budget, Encoding, Section, Syntaxes, TextPreview};
use nixdive::search::{Cancel, ContentSearch, PathQuery, PathSearch, Pattern};

fn main() {
    divan::main();
}

/// A million paths as a large Nix image has them.
fn tree() -> FileTree {
    let mut builder = TreeBuilder::new();
    assert!(builder.begin_layer().is_ok());
    let mut batch = EntryBatch::default();
    for number in 0..1_000_000u32 {
        let package = number / 50;
        let path = format!("nix/store/{:08x}-package-{package}/lib/file{number}.so", package.wrapping_mul(7919));
        batch.push(path.as_bytes(), b"", EntryFields::new(Kind::File));
    }
    assert!(builder.add(&batch).is_ok());
    builder.finish()
}

const QUERIES: &[&str] = &["libfile", "nix", "so", "f1so", "zzz"];

#[divan::bench(args = QUERIES, sample_count = 5)]
fn all_of_a_million_paths(bencher: Bencher, text: &str) {
    let (tree, query) = (tree(), PathQuery::new(text));
    bencher.bench(|| {
        let mut matched = 0;
        let search = PathSearch::everywhere();
        search.search(&tree, &query, 200, &Cancel::new(), &mut |results| matched = results.matched);
        matched
    });
}

#[divan::bench(args = QUERIES, sample_count = 5)]
fn first_hits_of_a_million_paths(bencher: Bencher, text: &str) {
    let (tree, query) = (tree(), PathQuery::new(text));
    bencher.bench(|| {
        let cancel = Cancel::new();
        PathSearch::everywhere().search(&tree, &query, 200, &cancel, &mut |_| cancel.cancel());
    });
}

#[divan::bench(sample_count = 5)]
fn what_a_layer_leaves_of_a_million_paths(bencher: Bencher) {
    let tree = tree();
    bencher.bench(|| PathSearch::stacked(&tree, LayerIndex(0)));
}

#[divan::bench(args = ["literal", "ignoring case", "regex"], sample_count = 5)]
fn content(bencher: Bencher, kind: &str) {
    let line = b"The quick brown fox jumps over the lazy dog, and then it is 12:34 o'clock in /usr/share.\n";
    let bytes = line.repeat((256 << 20) / line.len());
    let pattern = match kind {
        "literal" => Pattern::literal("needle", false),
        "ignoring case" => Pattern::literal("needle", true),
        _ => Pattern::regex(r"need[a-z]+\d", false),
    };
    let Ok(pattern) = pattern else { return };
    let search = ContentSearch::new(pattern);
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| {
        let mut stream: &[u8] = &bytes;
        let stream: &mut dyn Read = &mut stream;
        search.places(stream, &Cancel::new()).map(|places| places.len())
    });
}

#[divan::bench(args = [("a.rs", "fn main() { let x = \"text\"; } // why\n"), ("a.py", "def f(x): return 'a' + str(12)\n")])]
fn a_screen_in_colour(bencher: Bencher, (name, line): (&str, &str)) {
    let syntaxes = Arc::new(Syntaxes::new());
    let section = Section::from_bytes(line.repeat(10_000).into_bytes());
    let mut start = 0;
    let mut preview = TextPreview::new(section, Encoding::Utf8, name.as_bytes(), &syntaxes);
    bencher.bench_local(|| {
        start = (start + 50) % 9_000;
        black_box(preview.lines(start..start + 50, Budget::default()))
    });
}

#[divan::bench]
fn opening_a_text_with_its_first_screen(bencher: Bencher) {
    let section = Section::from_bytes(b"fn main() {}\n".repeat(10_000));
    bencher.bench(|| {
        let mut preview = TextPreview::new(section.clone(), Encoding::Utf8, b"a.rs", &Arc::new(Syntaxes::new()));
        preview.lines(0..50, Budget::default())
    });
}
