use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::tests::Long;
use crate::{Encoding, HexView, Section, Syntaxes, TextPreview};

const ALLOWANCE: Allowance = Allowance { bytes: 32 << 20, colouring: Duration::from_secs(10) };

/// Looks for one text as it stands.
struct Plain(Vec<u8>);

impl Needle for Plain {
    fn find(&self, text: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
        let at = from + memchr::memmem::find(text.get(from..)?, &self.0)?;
        Some(at..at + self.0.len())
    }
}

fn find(text: &str) -> Find {
    Find { needle: Arc::new(Plain(text.as_bytes().to_vec())), current: None }
}

fn layout(width: usize, height: usize, wrap: bool) -> Layout {
    Layout { width, height, wrap }
}

fn text(bytes: &[u8], encoding: Encoding) -> TextPreview {
    TextPreview::new(Section::from_bytes(bytes.to_vec()), encoding, b"notes", &Arc::new(Syntaxes::new()))
}

fn long(pieces: &[(u64, &str)]) -> (TextPreview, Arc<Long>) {
    let pieces = pieces.iter().map(|(at, piece)| (*at, piece.as_bytes().to_vec())).collect();
    let (section, counter) = Long { bytes: 1 << 30, pieces, read: 0.into(), fill: b'a' }.section();
    (TextPreview::new(section, Encoding::Utf8, b"log", &Arc::new(Syntaxes::new())), counter)
}

/// Asks until there is an answer.
fn shown(rows: &mut dyn Rows, place: (Place, i64), layout: Layout) -> Screenful {
    for _ in 0..1000 {
        let screen = screenful(rows, place, layout, None, ALLOWANCE);
        if !screen.rows.is_empty() || !screen.pending {
            return screen;
        }
    }
    panic!("no answer");
}

fn words(row: &Row) -> String {
    match &row.content {
        RowContent::Line(line) => line.line.text(),
        RowContent::Halves { .. } => panic!("halves"),
    }
}

fn on_screen(screen: &Screenful, height: usize) -> Vec<String> {
    screen.rows.iter().skip(screen.top).take(height).map(words).collect()
}

fn hits(rows: &[Row]) -> Vec<(String, bool)> {
    let lines = rows.iter().filter_map(|row| if let RowContent::Line(line) = &row.content { Some(line) } else { None });
    let found = lines.flat_map(|line| {
        let text = line.line.text();
        line.found.iter().map(move |found| (text[found.range.clone()].to_owned(), found.current)).collect::<Vec<_>>()
    });
    found.collect()
}

#[test]
fn the_end_of_a_gigabyte_is_shown_without_reading_what_lies_before_it() {
    let (mut preview, counter) = long(&[(10, "\n"), ((1 << 30) - 19, "\nlast but one\nlast\n")]);
    let start = Instant::now();
    let small = Allowance { bytes: 1 << 20, ..ALLOWANCE };
    let place = (Place::End, 0);
    let mut screen = screenful(&mut preview, place, layout(80, 2, false), None, small);
    let first = start.elapsed();
    assert_eq!(on_screen(&screen, 2), ["last but one", "last"]);
    assert!(screen.ends && screen.pending, "line numbers come later");
    assert!(screen.rows.iter().all(|row| row.number.is_none()));
    assert!(counter.bytes_read() < 8 << 20, "{} bytes read", counter.bytes_read());
    println!("the end of a file of 1 GB: {first:?}");
    for _ in 0..2000 {
        if !screen.pending {
            break;
        }
        screen = screenful(&mut preview, place, layout(80, 2, false), None, ALLOWANCE);
    }
    assert_eq!(screen.rows.last().and_then(|row| row.number), Some(3));
}

#[test]
fn wrapped_rows_follow_each_other_and_are_numbered_once() {
    let mut preview = text(b"0123456789\nab\n\n", Encoding::Utf8);
    let screen = shown(&mut preview, (Place::Start, 0), layout(4, 3, true));
    let spots: Vec<(u64, u64)> = screen.rows.iter().map(|row| (row.spot.at, row.spot.part)).collect();
    assert_eq!(spots, [(0, 0), (0, 1), (0, 2), (11, 0), (14, 0)]);
    assert_eq!(screen.rows.iter().map(words).collect::<Vec<_>>(), ["0123", "4567", "89", "ab", ""]);
    let moved = shown(&mut preview, (Place::At(Spot { at: 0, part: 1 }), 1), layout(4, 3, true));
    assert_eq!(on_screen(&moved, 3), ["89", "ab", ""]);
    let end = shown(&mut preview, (Place::End, 0), layout(4, 3, true));
    assert_eq!(on_screen(&end, 3), ["89", "ab", ""]);
}

#[test]
fn a_line_of_ten_megabytes_is_gone_through_by_wrapped_rows() {
    let line: String = (0..1_000_000).map(|number| format!("{number:09} ")).collect();
    let mut preview = text(line.as_bytes(), Encoding::Utf8);
    let layout = layout(100, 20, true);
    let mut spot = Spot::default();
    for rows in [1, 1, 18, 500, 20_000, -3, -1] {
        let screen = shown(&mut preview, (Place::At(spot), rows), layout);
        spot = screen.rows[screen.top].spot;
    }
    assert_eq!(spot, Spot { at: 0, part: 20_516 });
    let start = Instant::now();
    let screen = shown(&mut preview, (Place::At(spot), 1), layout);
    println!("one row further in a line of 10 MB: {:?}", start.elapsed());
    assert!(on_screen(&screen, 1)[0].starts_with("000205170"));
    let end = shown(&mut preview, (Place::End, 0), layout);
    assert!(on_screen(&end, 20)[19].ends_with("000999999 "));
    assert_eq!(end.rows[end.top].spot.part, 100_000 - 20);
    let byte = shown(&mut preview, (Place::Byte(5_000_005), 0), layout);
    assert!(on_screen(&byte, 1)[0].starts_with("000500000"));
}

#[test]
fn hits_are_gone_to_one_after_the_other_and_beyond_the_end() {
    let mut preview = text(b"one two\n\ttwo\nthree two", Encoding::Utf8);
    let find = find("two");
    let mut finding = Finding::default();
    let mut go = |from: u64, toward| {
        let place = Place::Hit { from: Hit { at: from, start: 0 }, toward };
        let screen = screenful(&mut preview, (place, 0), layout(80, 3, false), Some((&find, &mut finding)), ALLOWANCE);
        (finding.current().map(|hit| hit.at), finding.wrapped(), hits(&screen.rows))
    };
    let two = |current| ("two".to_owned(), current);
    assert_eq!(go(0, Toward::Here), (Some(4), false, vec![two(true), two(false), two(false)]));
    assert_eq!(go(4, Toward::Next), (Some(9), false, vec![two(false), two(true), two(false)]));
    assert_eq!(go(9, Toward::Next).0, Some(19));
    assert_eq!(go(19, Toward::Next), (Some(4), true, vec![two(true), two(false), two(false)]));
    assert_eq!(go(4, Toward::Previous), (Some(19), true, vec![two(false), two(false), two(true)]));
    assert_eq!(go(19, Toward::Previous).0, Some(9));
    while finding.count_on(&mut preview, &find) {}
    assert_eq!((finding.count(), finding.index_of(Hit { at: 9, start: 0 })), ((3, true), Some(1)));
}

#[test]
fn what_is_nowhere_is_looked_for_once_and_said() {
    for bytes in [&b"one\ntwo\n"[..], b"x"] {
        let mut preview = text(bytes, Encoding::Utf8);
        let mut finding = Finding::default();
        for toward in [Toward::Here, Toward::Next, Toward::Previous] {
            let place = Place::Hit { from: Hit { at: 4, start: 0 }, toward };
            let find = find("four");
            let found = Some((&find, &mut finding));
            let screen = screenful(&mut preview, (place, 0), layout(80, 3, false), found, ALLOWANCE);
            assert!(!screen.rows.is_empty(), "one stays where one is");
            assert!(finding.found_nothing() && !finding.seeks());
        }
    }
}

#[test]
fn a_gigabyte_is_searched_in_pieces() {
    let (mut preview, counter) = long(&[(1000, "\nneedle\n"), ((1 << 30) - 30, "\nneedle\n")]);
    let find = find("needle");
    let mut finding = Finding::default();
    let layout = layout(80, 10, false);
    let place = Place::Hit { from: Hit::default(), toward: Toward::Here };
    screenful(&mut preview, (place, 0), layout, Some((&find, &mut finding)), ALLOWANCE);
    assert_eq!(finding.current(), Some(Hit { at: 1001, start: 0 }), "a near hit is there at once");
    let place = Place::Hit { from: Hit { at: 1001, start: 0 }, toward: Toward::Next };
    let mut before = counter.bytes_read();
    let mut steps = 0;
    loop {
        let screen = screenful(&mut preview, (place, 0), layout, Some((&find, &mut finding)), ALLOWANCE);
        let read = counter.bytes_read() - before;
        assert!(read < 128 << 20, "{read} bytes in one step");
        before = counter.bytes_read();
        if !finding.seeks() {
            assert!(!screen.rows.is_empty() || screen.pending);
            break;
        }
        assert!(finding.percent(preview.extent()) < 100);
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
    assert_eq!(finding.current(), Some(Hit { at: (1 << 30) - 29, start: 0 }));
    let back = Place::Hit { from: Hit { at: (1 << 30) - 29, start: 0 }, toward: Toward::Previous };
    let mut steps = 0;
    while steps == 0 || finding.seeks() {
        screenful(&mut preview, (back, 0), layout, Some((&find, &mut finding)), ALLOWANCE);
        steps += 1;
    }
    assert_eq!(finding.current(), Some(Hit { at: 1001, start: 0 }));
}

#[test]
fn hits_in_any_encoding_stand_where_they_are_shown() {
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("é\tneedle\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let latin: &[u8] = b"\xe9\x9b\tneedle\xff needle";
    let broken: &[u8] = b"\xff\xfe\x1b[31m needle needle\n";
    for (bytes, encoding, count) in
        [(&utf16[..], Encoding::Utf16Le, 1), (latin, Encoding::Latin1, 2), (broken, Encoding::Utf8, 2)]
    {
        for wrap in [false, true] {
            let mut preview = text(bytes, encoding);
            let mut finding = Finding::default();
            let find = find("needle");
            let place = Place::Hit { from: Hit::default(), toward: Toward::Here };
            let found = Some((&find, &mut finding));
            let screen = screenful(&mut preview, (place, 0), layout(80, 3, wrap), found, ALLOWANCE);
            let found = hits(&screen.rows);
            assert_eq!(found.len(), count, "{encoding:?}: {found:?}");
            assert!(found.iter().all(|(text, _)| text == "needle"), "{encoding:?}: {found:?}");
            assert!(found[0].1);
        }
    }
}

#[test]
fn a_hit_far_into_a_long_line_is_shown_in_its_wrapped_row() {
    let line = format!("{}needle{}", "0123456789".repeat(30_000), "x".repeat(20_000));
    let mut preview = text(line.as_bytes(), Encoding::Utf8);
    let mut finding = Finding::default();
    let find = find("needle");
    let place = Place::Hit { from: Hit::default(), toward: Toward::Here };
    let found = Some((&find, &mut finding));
    let screen = screenful(&mut preview, (place, 0), layout(99, 3, true), found, ALLOWANCE);
    let row = &screen.rows[screen.top];
    assert_eq!(row.spot.part, 300_000 / 99);
    // The row ends within it.
    assert_eq!(hits(&screen.rows).iter().map(|(text, _)| text.as_str()).collect::<String>(), "needle");
}

#[test]
fn bytes_are_found_and_set_off_as_digits_and_as_text() {
    let mut hex = HexView::with_columns(Section::from_bytes(b"0123456789abcdefneedle".to_vec()), 8);
    let mut finding = Finding::default();
    let find = Find { needle: Arc::new(Plain(b"efne".to_vec())), current: None };
    let place = Place::Hit { from: Hit::default(), toward: Toward::Here };
    let found = Some((&find, &mut finding));
    let screen = screenful(&mut hex, (place, 0), layout(80, 1, false), found, ALLOWANCE);
    assert_eq!(finding.current(), Some(Hit { at: 14, start: 0 }));
    let texts: Vec<String> = hits(&screen.rows).into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, ["65 66", "ef", "6e 65", "ne"]);
}

#[test]
fn lines_of_a_listing_are_found_and_wrapped() {
    let line = |number: u64| Some(RowContent::Line(StyledLine::remark(&format!("entry {number:07}")).into()));
    let mut rows = Fixed::new(50_000, &line);
    let find = find("y 0049");
    let mut finding = Finding::default();
    let place = Place::Hit { from: Hit::default(), toward: Toward::Here };
    loop {
        let found = Some((&find, &mut finding));
        let screen = screenful(&mut rows, (place, 0), layout(8, 3, true), found, ALLOWANCE);
        if !finding.seeks() {
            assert_eq!(screen.rows[screen.top].spot, Spot { at: 49_000, part: 0 });
            break;
        }
    }
    let end = shown(&mut rows, (Place::End, 0), layout(8, 3, true));
    assert_eq!(on_screen(&end, 3), ["49998", "entry 00", "49999"]);
}

proptest! {
    #[test]
    fn going_down_and_up_again_leads_back(
        text in "([a-zé日\t]{0,30}\n){1,30}[a-z]{0,3}",
        width in 3usize..20,
        wrap: bool,
        by in 0i64..60,
    ) {
        let mut preview = self::text(text.as_bytes(), Encoding::Utf8);
        let layout = layout(width, 3, wrap);
        let all = shown(&mut preview, (Place::Start, 0), Layout { height: 1000, ..layout });
        let rows: Vec<Spot> = all.rows.iter().map(|row| row.spot).collect();
        let down = shown(&mut preview, (Place::Start, by), layout);
        let expected = (by as usize).min(rows.len().saturating_sub(3));
        prop_assert_eq!(down.rows[down.top].spot, rows[expected]);
        let up = shown(&mut preview, (Place::At(down.rows[down.top].spot), -by), layout);
        prop_assert_eq!(up.rows[up.top].spot, rows[expected.saturating_sub(by as usize)]);
    }

    #[test]
    fn no_bytes_and_no_place_do_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        at in prop_oneof![0u64..2500, any::<u64>()],
        part: u64,
        by in -100i64..100,
        width in 0usize..40,
        wrap: bool,
    ) {
        for encoding in [Encoding::Utf8, Encoding::Latin1, Encoding::Utf16Le, Encoding::Utf16Be] {
            let mut preview = text(&bytes, encoding);
            let mut hex = HexView::new(Section::from_bytes(bytes.clone()));
            let find = Find { needle: Arc::new(Plain(vec![0x61])), current: Some(Hit { at, start: part }) };
            for rows in [&mut preview as &mut dyn Rows, &mut hex] {
                let hit = |toward| Place::Hit { from: Hit { at, start: part }, toward };
                let places = [Place::At(Spot { at, part }), Place::Byte(at), hit(Toward::Next), hit(Toward::Previous)];
                for place in places {
                    let found = &mut Finding::default();
                    let screen = screenful(rows, (place, by), layout(width, 5, wrap), Some((&find, found)), ALLOWANCE);
                    prop_assert!(screen.top <= screen.rows.len());
                    for row in &screen.rows {
                        prop_assert!(!words(row).chars().any(char::is_control));
                    }
                }
            }
        }
    }
}
