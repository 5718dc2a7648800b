use std::io::Read;
use std::ops::ControlFlow;

use proptest::prelude::*;

use crate::open::{Keep, OpenOptions, Opened, Progress, open};
use crate::search::scan::Scanner;
use crate::search::{Cancel, ContentHit, ContentSearch, Pattern, SearchEvent, SearchSummary};
use nixdive_base::text::steers_terminal;
use nixdive_image::LayerIndex;
use nixdive_image::reference::Reference;

/// Returns few bytes per read.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(self.1).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn places(pattern: &Pattern, bytes: &[u8], step: usize) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    Scanner::new(pattern)
        .search(
            &mut Drip(bytes, step),
            &mut 0,
            &mut |hit| {
                assert!(!hit.excerpt.text.chars().any(steers_terminal));
                found.push((hit.offset, hit.line));
                ControlFlow::Continue(())
            },
            &|| true,
        )
        .unwrap();
    found
}

/// Searches at every position: matches that begin at least 256 bytes, or a line, after the previous hit.
fn naive(needle: &[u8], bytes: &[u8], fold: bool) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 0);
    let mut next = 0;
    while at < bytes.len() {
        let piece = bytes.get(at..at + needle.len()).unwrap_or_default();
        let same = if fold { piece.eq_ignore_ascii_case(needle) } else { piece == needle };
        if at >= next && same {
            found.push((at as u64, line));
            let rest = &bytes[at..];
            let line_end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            next = at + line_end.min(256).max(needle.len());
        }
        line += u64::from(bytes[at] == b'\n');
        at += 1;
    }
    found
}

#[test]
fn hits_show_their_line_with_the_matches_in_it() {
    let pattern = Pattern::literal("key", true).unwrap();
    let mut hits = Vec::new();
    let text = format!("a Key and a\tkEY\r\nnothing\n{}key{}\n", "é".repeat(40), "z".repeat(300));
    let mut stream = text.as_bytes();
    Scanner::new(&pattern)
        .search(
            &mut stream,
            &mut 0,
            &mut |hit| {
                hits.push(hit);
                ControlFlow::Continue(())
            },
            &|| true,
        )
        .unwrap();
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0].excerpt.text, "a Key and a\\tkEY");
    assert_eq!(hits[0].excerpt.matches, [2..5, 13..16]);
    assert_eq!((hits[0].excerpt.cut, hits[0].line), ((false, false), 0));
    assert_eq!(hits[1].excerpt.text, format!("{}key{}", "é".repeat(32), "z".repeat(253)));
    assert_eq!((hits[1].excerpt.cut, hits[1].line), ((true, true), 2));
}

#[test]
fn regular_expressions_match_within_a_line() {
    for (pattern, text, expected) in [
        ("^b", "a\nb\n", vec![(2, 1)]),
        ("a$", "a\r\nba\n", vec![(0, 0), (4, 1)]),
        ("a[^x]b", "a\nb a.b\n", vec![(4, 1)]),
        (r"a\sb", "a\nb a b\n", vec![(4, 1)]),
        (r"\Ab", "a\nb\n", vec![(2, 1)]),
        ("(?-m)^b$", "a\nb\n", vec![(2, 1)]),
        ("[^x]+", "\n\n\nyy\n", vec![(3, 3)]),
        (r"(?-u:\xff)", "", vec![]),
    ] {
        let found = places(&Pattern::regex(pattern, false).unwrap(), text.as_bytes(), 100);
        assert_eq!(found, expected, "{pattern} in {text:?}");
    }
    assert_eq!(places(&Pattern::regex(r"(?-u:\xff)+", false).unwrap(), b"a\xff\xff\nb", 9), [(1, 0)]);
}

#[test]
fn patterns_that_cannot_be_searched_for_say_why() {
    let message = |text: &str| Pattern::regex(text, false).unwrap_err().to_string();
    assert_eq!(message("a*"), "matches everywhere; enter a more specific pattern");
    assert_eq!(message(""), "matches everywhere; enter a more specific pattern");
    assert!(message("(").contains("unclosed group"));
    assert!(message("(a{1000}){1000}").contains("size limit"));
    assert_eq!(Pattern::literal(&"x".repeat(2000), false).unwrap_err().to_string(), "more than 1024 bytes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn nothing_is_missed_across_borders(
        runs in proptest::collection::vec((0usize..4, 0usize..90_000, any::<bool>()), 1..14),
        step in prop::sample::select(vec![1000usize, 4096, 70_000, 1 << 20]),
        fold in any::<bool>(),
    ) {
        let mut bytes = Vec::new();
        for (kind, length, newline) in runs {
            match kind {
                0 => bytes.extend(b"needle"),
                1 => bytes.extend(b"NeedleneEdle"),
                2 => bytes.extend(b"needleneedl"),
                _ => bytes.extend(b"\0"),
            }
            bytes.resize(bytes.len() + length, b'.');
            if newline { bytes.push(b'\n'); }
        }
        // One match exactly at the border of the first piece.
        let border = (256 << 10) - 3;
        if bytes.len() > border + 6 { bytes[border..border + 6].copy_from_slice(b"needle"); }
        let expected = naive(b"needle", &bytes, fold);
        prop_assert_eq!(places(&Pattern::literal("needle", fold).unwrap(), &bytes, step), expected.clone());
        let insensitive = if fold { "(?i)needle" } else { "needle" };
        prop_assert_eq!(places(&Pattern::regex(insensitive, false).unwrap(), &bytes, step), expected);
    }

    #[test]
    fn small_texts_are_searched_as_by_hand(text in "[ab\n]{0,60}", needle in "[ab]{1,3}") {
        let expected = naive(needle.as_bytes(), text.as_bytes(), false);
        prop_assert_eq!(places(&Pattern::literal(&needle, false).unwrap(), text.as_bytes(), 7), expected.clone());
        prop_assert_eq!(places(&Pattern::regex(&needle, false).unwrap(), text.as_bytes(), 7), expected);
    }

    #[test]
    fn a_regular_expression_finds_the_lines_that_it_matches_alone(
        text in "[ab \n]{0,40}",
        pattern in prop::sample::select(vec!["a[^b]a", r"a\s*b", "^a.*b$", r"\ba\b", "(a|b )+b", "[^a]b", r"b\z", "a$"]),
    ) {
        let regex = regex::bytes::RegexBuilder::new(pattern).multi_line(true).crlf(true).build().unwrap();
        let mut expected = Vec::new();
        let mut offset = 0;
        for (number, line) in (0u64..).zip(text.split('\n')) {
            if let Some(found) = regex.find(line.as_bytes()) {
                expected.push(((offset + found.start()) as u64, number));
            }
            offset += line.len() + 1;
        }
        prop_assert_eq!(places(&Pattern::regex(pattern, false).unwrap(), text.as_bytes(), 9), expected);
    }

    #[test]
    fn any_bytes_can_be_searched(bytes in proptest::collection::vec(any::<u8>(), 0..500), needle in ".{1,2}") {
        places(&Pattern::literal(&needle, true).unwrap(), &bytes, 50);
        places(&Pattern::regex(r"\w+[^x]", false).unwrap(), &bytes, 50);
    }
}

/// Builds an image of one directory per layer as a docker-archive.
fn image(folder: &std::path::Path, layers: &[&[(&str, &[u8])]], gzip: bool) -> Opened {
    let mut outer = tar::Builder::new(std::fs::File::create(folder.join("image.tar")).unwrap());
    let mut names = Vec::new();
    for (number, files) in layers.iter().enumerate() {
        let mut inner = tar::Builder::new(Vec::new());
        for (name, content) in *files {
            let mut header = tar::Header::new_gnu();
            if let Some(target) = content.strip_prefix(b"=>") {
                header.set_entry_type(tar::EntryType::Link);
                header.set_size(0);
                inner.append_link(&mut header, name, std::str::from_utf8(target).unwrap()).unwrap();
                continue;
            }
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            inner.append_data(&mut header, name, *content).unwrap();
        }
        let mut bytes = inner.into_inner().unwrap();
        if gzip {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        names.push(format!("\"{number}.tar\""));
        outer.append_data(&mut header, format!("{number}.tar"), &bytes[..]).unwrap();
    }
    let manifest = format!("[{{\"Config\":\"config.json\",\"RepoTags\":[],\"Layers\":[{}]}}]", names.join(","));
    for (name, content) in
        [("manifest.json", manifest.as_bytes()), ("config.json", b"{\"architecture\":\"amd64\",\"os\":\"linux\"}")]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        outer.append_data(&mut header, name, content).unwrap();
    }
    outer.finish().unwrap();
    drop(outer);
    let reference = Reference::parse(folder.join("image.tar").as_os_str()).unwrap();
    let options = OpenOptions { keep: Keep::Content, ..OpenOptions::default() };
    open(&reference, &options, &Progress::new()).unwrap()
}

fn run(opened: &Opened, search: &ContentSearch) -> (Vec<ContentHit>, SearchSummary, Vec<String>) {
    let (mut hits, mut unreadable) = (Vec::new(), Vec::new());
    let tree = &opened.image.tree;
    let top = tree.top_layer().unwrap();
    let summary = search.run(tree, &opened.contents, top, &Cancel::new(), &mut |event| match event {
        SearchEvent::Hit(hit) => hits.push(hit),
        SearchEvent::Unreadable { reason, .. } => unreadable.push(reason),
        SearchEvent::Progress(_) => {}
    });
    (hits, summary, unreadable)
}

#[test]
fn the_visible_files_of_an_image_are_searched_once_each() {
    for gzip in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let opened = image(
            folder.path(),
            &[
                &[("b", b"key one\n"), ("gone", b"key"), ("changed", b"key"), ("name", b"=>b")],
                &[(".wh.gone", b""), ("changed", b"x\nno\nkey!"), ("binary", b"\0key")],
            ],
            gzip,
        );
        let tree = &opened.image.tree;
        let search = ContentSearch::new(Pattern::literal("key", false).unwrap());
        let (hits, summary, unreadable) = run(&opened, &search);
        let found: Vec<(String, u64, u64, bool)> = hits
            .iter()
            .map(|hit| (nixdive_image::testing::path(tree, hit.node), hit.offset, hit.line, hit.binary))
            .collect();
        assert_eq!(
            found,
            [("/b".into(), 0, 0, false), ("/changed".into(), 5, 2, false), ("/binary".into(), 1, 0, true)]
        );
        assert_eq!((summary.files, summary.total_files, summary.hits, summary.unreadable), (3, 3, 3, 0));
        assert_eq!(summary.bytes, summary.total_bytes);
        assert_eq!(unreadable, [""; 0]);

        let few = ContentSearch { most_hits: 2, ..search };
        let (hits, summary, _) = run(&opened, &few);
        assert_eq!((hits.len(), summary.hits, summary.handed_out), (2, 3, 2));
        let top = tree.top_layer().unwrap();
        assert!(opened.contents.random_access(tree, tree.visible_at(hits[0].node, top).unwrap()).is_ok());
        let content = opened.contents.random_access(tree, hits[1].occurrence).unwrap();
        let mut bytes = [0; 4];
        assert_eq!(content.read_full_at(&mut bytes, 5).unwrap(), 4);
        assert_eq!(&bytes, b"key!");
        assert_eq!(LayerIndex(1), top);
    }
}

#[test]
fn unreadable_files_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let opened = image(folder.path(), &[&[("a", b"key"), ("b", &[b'x'; 5000]), ("c", b"key")]], false);
    let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("image.tar")).unwrap();
    file.set_len(512 + 512 + 512 + 512 + 1000).unwrap();
    let (hits, summary, unreadable) = run(&opened, &ContentSearch::new(Pattern::literal("key", false).unwrap()));
    assert_eq!(hits.len(), 1);
    assert_eq!((summary.files, summary.unreadable, unreadable.len()), (1, 2, 2));
    assert!(unreadable[0].contains("cut off"), "{unreadable:?}");
}
