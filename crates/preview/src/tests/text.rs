use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::Long;
use crate::{Budget, Encoding, HexView, LINE_BYTES, Section, Syntaxes, TextPreview};
use nixdive_base::text::steers_terminal;

fn open(bytes: &[u8], encoding: Encoding, name: &str) -> TextPreview {
    TextPreview::new(Section::from_bytes(bytes.to_vec()), encoding, name.as_bytes(), &Arc::new(Syntaxes::new()))
}

fn texts(preview: &mut TextPreview, range: std::ops::Range<u64>) -> Vec<String> {
    preview.lines(range, Budget::default()).lines.iter().map(|line| line.text()).collect()
}

#[test]
fn lines_are_served_by_number() {
    let mut preview = open(b"one\r\n\n\tthree\nf\xffour\x1b[2J\xe2\x80\xae", Encoding::Utf8, "notes");
    assert_eq!(texts(&mut preview, 0..9), ["one", "", "        three", "f\\xffour\\x1b[2J\\u{202e}"]);
    assert_eq!(texts(&mut preview, 1..2), [""]);
    assert_eq!(texts(&mut preview, 4..9), [""; 0]);
    assert_eq!(preview.total_lines(), Some(4));
    assert_eq!(preview.problem(), None);
}

#[test]
fn other_encodings_are_read_as_text() {
    let utf16 = |read: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        let mut bytes = mark.to_vec();
        // U+0A0A holds the byte of a line end twice and is none.
        bytes.extend("é\n\u{a0a}b\n".encode_utf16().flat_map(read));
        bytes
    };
    let mut little = open(&utf16(u16::to_le_bytes, [0xff, 0xfe]), Encoding::Utf16Le, "a.txt");
    assert_eq!(texts(&mut little, 0..9), ["é", "\u{a0a}b"]);
    let mut big = open(&utf16(u16::to_be_bytes, [0xfe, 0xff]), Encoding::Utf16Be, "a.txt");
    assert_eq!(texts(&mut big, 0..9), ["é", "\u{a0a}b"]);
    assert_eq!(texts(&mut open(b"caf\xe9\x9b31m\n", Encoding::Latin1, "a.txt"), 0..9), ["café\\u{9b}31m"]);
    assert_eq!(texts(&mut open(b"\xef\xbb\xbfa\nb", Encoding::Utf8, "a.txt"), 0..9), ["a", "b"]);
}

#[test]
fn a_long_line_is_cut_and_says_so() {
    let mut bytes = "é".repeat(LINE_BYTES).into_bytes();
    bytes.extend(b"\nnext\n");
    let mut preview = open(&bytes, Encoding::Utf8, "a.min.js");
    let window = preview.lines(0..2, Budget::default());
    assert_eq!(window.lines[0].text(), "é".repeat(LINE_BYTES / 2));
    assert!(window.lines[0].cut && !window.lines[1].cut);
    assert_eq!(window.lines[1].text(), "next");
}

#[test]
fn a_file_of_a_gigabyte_opens_at_once_and_little_of_it_is_read() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 30).unwrap();
    let start = Instant::now();
    let section = Section::new(Arc::new(file), 0, 1 << 30);
    let mut preview = TextPreview::new(section.clone(), Encoding::Utf8, b"log", &Arc::new(Syntaxes::new()));
    let window = preview.lines(0..1, Budget::default());
    let rows = HexView::new(section).rows(0..50).unwrap();
    // Far below what reading it would take, also on a busy machine.
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    assert_eq!((window.lines.len(), window.lines[0].cut, rows.len()), (1, true, 50));

    let pieces = vec![(10, b"\n".to_vec()), ((1 << 30) - 3, b"\nz".to_vec())];
    let (section, counter) = Long { bytes: 1 << 30, pieces, read: 0.into(), fill: b'a' }.section();
    let mut preview = TextPreview::new(section, Encoding::Utf8, b"log", &Arc::new(Syntaxes::new()));
    assert_eq!(texts(&mut preview, 0..1), ["a".repeat(10)]);
    assert!(counter.bytes_read() < 1 << 20, "{} bytes read", counter.bytes_read());
}

#[test]
fn a_request_reads_no_more_than_its_budget_and_the_next_one_gets_further() {
    let pieces = vec![(100 << 20, b"\nlast".to_vec())];
    let (section, counter) = Long { bytes: (100 << 20) + 5, pieces, read: 0.into(), fill: b'a' }.section();
    let mut preview = TextPreview::new(section, Encoding::Utf8, b"log", &Arc::new(Syntaxes::new()));
    let budget = Budget { index_bytes: 10 << 20, ..Budget::default() };
    let first = preview.lines(1..2, budget);
    assert!(first.pending && first.lines.is_empty());
    assert!(counter.bytes_read() <= 11 << 20, "{} bytes read", counter.bytes_read());
    let mut requests = 1;
    let last = loop {
        requests += 1;
        let window = preview.lines(1..2, budget);
        if !window.pending {
            break window;
        }
    };
    assert_eq!(last.lines[0].text(), "last");
    assert_eq!(requests, 11);
    assert_eq!(preview.line_at((100 << 20) + 3, budget), Some(1));
    assert_eq!(preview.line_at(5, budget), Some(0));
}

#[test]
fn a_file_that_is_shorter_than_it_claims_shows_what_is_there() {
    let section = Section::new(Arc::new(b"a\nb".to_vec()), 0, 50);
    let mut preview = TextPreview::new(section, Encoding::Utf8, b"x", &Arc::new(Syntaxes::new()));
    assert_eq!(texts(&mut preview, 0..5), ["a", "b"]);
    assert_eq!(preview.count_lines(Budget::default()), Some(2));
    assert_eq!(preview.problem(), Some("the last 47 bytes are missing"));
}

#[test]
fn bytes_are_shown_in_rows_that_fit() {
    let bytes: Vec<u8> = (0..40).map(|number| number + 40).collect();
    let mut view = HexView::new(Section::from_bytes(bytes));
    let rows = view.rows(1..9).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        view.line(&rows[0]).text(),
        "00000010  38 39 3a 3b 3c 3d 3e 3f  40 41 42 43 44 45 46 47  89:;<=>?@ABCDEFG"
    );
    assert_eq!(
        view.line(&rows[1]).text().trim_end(),
        "00000020  48 49 4a 4b 4c 4d 4e 4f                           HIJKLMNO"
    );
    for (width, columns) in [(10, 8), (50, 8), (75, 8), (76, 16), (109, 24), (142, 32), (200, 32)] {
        view.fit(width);
        assert_eq!(view.columns(), columns, "{width}");
        assert!(columns == 8 || view.line(&view.rows(0..1).unwrap()[0]).text().len() <= width);
    }
    assert_eq!(view.row_at(33), 1);
    assert_eq!(view.rows(u64::MAX - 1..u64::MAX).unwrap(), []);
}

proptest! {
    #[test]
    fn lines_are_those_of_plain_splitting(
        pieces in proptest::collection::vec(("[a-z ]{0,12}", 0usize..3, any::<bool>()), 0..60),
        start in 0u64..80,
        count in 0u64..40,
    ) {
        // Long runs put line ends on both sides of the borders of blocks.
        let mut text = String::new();
        for (word, newlines, long) in pieces {
            text.push_str(&word);
            if long { text.push_str(&"x".repeat(15_000)); }
            text.push_str(&"\n".repeat(newlines));
        }
        let expected: Vec<&str> = text.lines().collect();
        let mut preview = open(text.as_bytes(), Encoding::Utf8, "plain");
        let lines = preview.lines(start..start + count, Budget::default()).lines;
        let expected: Vec<&&str> = expected.iter().skip(start as usize).take(count as usize).collect();
        prop_assert_eq!(lines.len(), expected.len());
        for (line, expected) in lines.iter().zip(expected) {
            prop_assert_eq!(line.cut, expected.len() > LINE_BYTES);
            prop_assert_eq!(line.text(), &expected[..expected.len().min(LINE_BYTES)]);
        }
    }

    #[test]
    fn the_line_of_an_offset_begins_before_it(text in "([a-c]{0,5}\n){0,20}[a-c]{0,3}", offset in 0usize..100) {
        let offset = offset.min(text.len().saturating_sub(1));
        let mut preview = open(text.as_bytes(), Encoding::Utf8, "plain");
        let expected = text.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() as u64;
        prop_assert_eq!(preview.line_at(offset as u64, Budget::default()), Some(expected));
    }

    #[test]
    fn no_bytes_do_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        name in prop::sample::select(vec!["a.py", "Dockerfile", "x.md", "b.rs", "c.html", "d.yaml", "e.sh", "f.nix", "g"]),
        encoding in prop::sample::select(vec![Encoding::Utf8, Encoding::Latin1, Encoding::Utf16Le, Encoding::Utf16Be]),
    ) {
        let mut preview = open(&bytes, encoding, name);
        for line in preview.lines(0..1000, Budget::default()).lines {
            prop_assert!(!line.text().chars().any(steers_terminal));
        }
        preview.line_at(bytes.len() as u64 / 2, Budget::default());
    }
}
