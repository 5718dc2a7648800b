use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::search::{Cancel, PathQuery, PathResults, PathSearch};
use nixdive_image::testing::{path, tree};
use nixdive_image::{EntryBatch, EntryFields, FileTree, Kind, LayerIndex, TreeBuilder};

fn search(search: &PathSearch, tree: &FileTree, text: &str, most: usize) -> PathResults {
    let mut last = PathResults::default();
    search.search(tree, &PathQuery::new(text), most, &Cancel::new(), &mut |results| last = results);
    assert!(last.complete);
    last
}

fn best(tree: &FileTree, text: &str) -> Vec<String> {
    search(&PathSearch::everywhere(), tree, text, 100).hits.iter().map(|hit| path(tree, hit.node)).collect()
}

#[test]
fn what_people_mean_comes_first() {
    for (text, better, worse) in [
        ("nginx", "etc/nginx/nginx.conf", "usr/lib/sing/index"),
        ("nginx", "usr/bin/nginx", "usr/share/nginx-doc/readme"),
        ("passwd", "etc/passwd", "usr/share/passwords/d"),
        ("libc", "lib/libc.so.6", "lib/libncurses.so"),
        ("sshc", "etc/ssh/ssh_config", "usr/share/swish/cat"),
        ("conf", "etc/my.conf", "usr/conformance/x"),
        ("pm", "lib/PackageManager", "lib/upper_mode"),
        ("etc host", "etc/hosts", "etc/other/ghost"),
        ("bash", "bin/bash", "usr/share/doc/bash/changelog"),
    ] {
        let lines = [format!("f {worse}"), format!("f {better}")];
        let tree = tree(&[&[&lines[0], &lines[1]]]);
        let found = best(&tree, text);
        let place = |wanted: &str| found.iter().position(|path| path[1..] == *wanted);
        assert!(place(better).is_some(), "{text}: {better} is not in {found:?}");
        assert!(place(worse).is_none_or(|at| at > place(better).unwrap()), "{text}: {found:?}");
    }
}

#[test]
fn a_query_without_capitals_ignores_case() {
    let tree = tree(&[&["f README", "f readme"]]);
    assert_eq!(best(&tree, "read").len(), 2);
    assert_eq!(best(&tree, "READ"), ["/README"]);
    assert_eq!(best(&tree, "zz"), [""; 0]);
    assert_eq!(best(&tree, "").len(), 2);
}

#[test]
fn only_what_a_layer_leaves_is_found() {
    let tree = tree(&[&["f a/one", "f a/two"], &["w a/one", "f a/three"]]);
    let found = |layer: u16| -> Vec<String> {
        let results = search(&PathSearch::stacked(&tree, LayerIndex(layer)), &tree, "a/", 9);
        results.hits.iter().map(|hit| path(&tree, hit.node)).collect()
    };
    assert_eq!(found(0), ["/a/one", "/a/two"]);
    assert_eq!(found(1), ["/a/two", "/a/three"]);
}

#[test]
fn positions_are_where_the_letters_stand() {
    let query = PathQuery::new("ngc");
    assert_eq!(query.positions(b"/etc/nginx/nginx.conf"), [11, 12, 17]);
    assert_eq!(PathQuery::new("x").positions(b"/etc"), [0; 0]);
    assert_eq!(PathQuery::new("etc conf").positions(b"/etc/conf"), [1, 2, 3, 5, 6, 7, 8]);
}

#[test]
fn a_million_paths_are_searched_at_once() {
    let mut builder = TreeBuilder::new();
    builder.begin_layer().unwrap();
    let mut batch = EntryBatch::default();
    let count = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    for number in 0..count {
        let path = format!("nix/store/{:08x}-package-{}/lib/file{number}.so", number / 50 * 7919, number / 50);
        batch.push(path.as_bytes(), b"", EntryFields::new(Kind::File));
    }
    builder.add(&batch).unwrap();
    let tree = builder.finish();
    for text in ["libfile", "nix", "package-7", "so", "zzz", "f1so"] {
        let start = Instant::now();
        let (mut first, mut answers) = (None, 0);
        PathSearch::everywhere().search(&tree, &PathQuery::new(text), 200, &Cancel::new(), &mut |results| {
            first.get_or_insert(start.elapsed());
            answers += 1;
            assert!(results.hits.is_sorted_by(|a, b| a.score >= b.score));
        });
        println!("{text}: first {first:?}, all {:?}, {answers} answers", start.elapsed());
        assert!(first.unwrap() < Duration::from_secs(2));
    }
    let start = Instant::now();
    let _ = PathSearch::stacked(&tree, LayerIndex(0));
    println!("stacked: {:?}", start.elapsed());
}

#[test]
fn a_cancelled_search_gives_no_last_answer() {
    let tree = tree(&[&["f a"]]);
    let cancel = Cancel::new();
    cancel.cancel();
    PathSearch::everywhere().search(&tree, &PathQuery::new("a"), 1, &cancel, &mut |_| panic!("answered"));
}

proptest! {
    #[test]
    fn exactly_the_paths_that_have_the_letters_are_found(
        names in proptest::collection::vec("[abA]{1,3}(/[abA-]{1,3}){0,3}", 1..20),
        text in "[abA/]{0,3}( [ab]{1,2})?",
    ) {
        let mut builder = TreeBuilder::new();
        builder.begin_layer().unwrap();
        let mut batch = EntryBatch::default();
        names.iter().for_each(|name| batch.push(name.as_bytes(), b"", EntryFields::new(Kind::File)));
        builder.add(&batch).unwrap();
        let tree = builder.finish();
        let query = PathQuery::new(&text);
        let results = search(&PathSearch::everywhere(), &tree, &text, 1000);
        let mut found: Vec<Vec<u8>> = results.hits.iter().map(|hit| tree.path(hit.node)).collect();
        let fold = |byte: u8| if text.bytes().any(|byte| byte.is_ascii_uppercase()) { byte } else { byte.to_ascii_lowercase() };
        let has = |path: &[u8], word: &str| {
            let mut rest = path.iter();
            word.bytes().all(|letter| rest.any(|&byte| fold(byte) == letter))
        };
        let all = tree.all_paths().map(|node| tree.path(node));
        let mut expected: Vec<Vec<u8>> = all.filter(|path| text.split(' ').all(|word| has(path, word))).collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(results.matched, expected.len() as u64);
        for path in &found {
            let letters: String = text.split(' ').collect();
            for position in query.positions(path) {
                prop_assert!(letters.bytes().any(|letter| fold(path[position]) == letter));
            }
        }
        // A smaller limit returns the best of all.
        let few = search(&PathSearch::everywhere(), &tree, &text, 3);
        prop_assert_eq!(&few.hits[..], &results.hits[..results.hits.len().min(3)]);
    }

    #[test]
    fn any_text_can_be_scored(path in proptest::collection::vec(any::<u8>(), 0..1500), text in ".{0,20}") {
        let query = PathQuery::new(&text);
        prop_assert_eq!(query.score(&path).is_some(), query.matches(&path));
        let _ = query.positions(&path);
    }
}
