use std::process::Command;

use proptest::prelude::*;

use super::{Long, program};
use crate::difference::Side;
use crate::{Comparison, Meaning, Section, SideBySideRow, TextDifference, UnifiedRow, compare};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::steers_terminal;

fn compared(before: &[u8], after: &[u8]) -> Comparison {
    let section = |bytes: &[u8]| Section::from_bytes(bytes.to_vec());
    compare(&section(before), &section(after), b"file", &Cancel::new()).unwrap()
}

#[test]
fn texts_are_compared_line_by_line() {
    let difference = TextDifference::of_texts("a\nb\nc\nd\n", "a\nB\nc\nd\ne");
    assert_eq!(difference.counts(), (1, 2));
    let rows = difference.unified(1);
    let lines: Vec<String> = rows.iter().map(|&row| difference.unified_line(row).text()).collect();
    assert_eq!(lines, ["@@ -1,4 +1,5 @@", " a", "-b", "+B", " c", " d", "+e (no newline at the end)"]);
    assert_eq!(difference.unified_line(rows[2]).spans[0].style.meaning, Meaning::Removed);
    let side = difference.side_by_side(0);
    assert_eq!(
        side,
        [
            SideBySideRow::Gap(1),
            SideBySideRow::Changed { before: Some(1), after: Some(1) },
            SideBySideRow::Gap(2),
            SideBySideRow::Changed { before: None, after: Some(4) },
        ]
    );
    let (left, right) = difference.side_lines(side[3]);
    assert!(left.is_none() && right.unwrap().text().starts_with('e'));
}

#[test]
fn files_that_are_no_text_say_where_they_differ_first() {
    let Comparison::Bytes { too_long, first_difference, differing_bytes, looked_at, .. } =
        compared(b"a\0bcd", b"a\0Bc")
    else {
        panic!("not bytes")
    };
    assert_eq!((too_long, first_difference, differing_bytes, looked_at), (false, 2, 2, None));
    assert!(matches!(compared(b"a\0b", b"a\0b"), Comparison::Same { bytes: 3 }));
    assert!(matches!(compared(b"text", b"text"), Comparison::Same { bytes: 4 }));
    assert!(matches!(compared(b"", b"text"), Comparison::Text(_)));
    let (long, _) =
        Long { bytes: 9 << 20, pieces: vec![(8 << 20, b"!".to_vec())], read: 0.into(), fill: b'\n' }.section();
    let (other, _) = Long { bytes: 9 << 20, pieces: vec![], read: 0.into(), fill: b'\n' }.section();
    let result = compare(&long, &other, b"file", &Cancel::new()).unwrap();
    let Comparison::Bytes { too_long: true, first_difference, differing_bytes: 1, .. } = result else {
        panic!("{result:?}")
    };
    assert_eq!(first_difference, 8 << 20);
}

proptest! {
    #[test]
    fn rows_lead_from_one_text_to_the_other(before in "([a-c]\n){0,20}[a-c]?", after in "([a-c]\n){0,20}[a-c]?", context in 0u32..4) {
        let difference = TextDifference::of_texts(&before, &after);
        let mut both = (Vec::new(), Vec::new());
        let take = |side, range: std::ops::Range<u32>, out: &mut Vec<u8>| {
            range.for_each(|number| out.extend(difference.raw_line(side, number)));
        };
        let (mut old, mut new) = (0, 0);
        for row in difference.side_by_side(context) {
            let (left, right) = match row {
                SideBySideRow::Gap(count) => (count, count),
                SideBySideRow::Both { before, after } => {
                    prop_assert_eq!((before, after), (old, new));
                    prop_assert_eq!(difference.raw_line(Side::Before, before), difference.raw_line(Side::After, after));
                    (1, 1)
                }
                SideBySideRow::Changed { before, after } => (u32::from(before.is_some()), u32::from(after.is_some())),
            };
            take(Side::Before, old..old + left, &mut both.0);
            take(Side::After, new..new + right, &mut both.1);
            (old, new) = (old + left, new + right);
        }
        prop_assert_eq!(both.0, before.as_bytes());
        prop_assert_eq!(both.1, after.as_bytes());
    }

    #[test]
    fn any_bytes_can_be_compared(before in proptest::collection::vec(any::<u8>(), 0..99), after in proptest::collection::vec(any::<u8>(), 0..99)) {
        if let Comparison::Text(difference) = compared(&before, &after) {
            for row in difference.unified(3) {
                prop_assert!(!difference.unified_line(row).text().chars().any(steers_terminal));
            }
        }
    }
}

#[test]
fn patch_accepts_the_unified_rows() {
    let Some(patch) = program("patch") else { return };
    let before: String = (0..60).map(|number| format!("line {number}\n")).collect();
    let after = before.replace("line 7\n", "").replace("line 30\n", "thirty\nand one\n").replace("line 59\n", "");
    let difference = TextDifference::of_texts(&before, &after);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, &before).unwrap();
    let rows = difference.unified(3);
    assert!(rows.iter().filter(|row| matches!(row, UnifiedRow::Header { .. })).count() == 3);
    let mut text = String::from("--- file\n+++ file\n");
    rows.iter().for_each(|&row| text += &(difference.unified_line(row).text() + "\n"));
    std::fs::write(folder.path().join("p"), text).unwrap();
    let output = Command::new(patch).arg("-i").arg(folder.path().join("p")).arg(&file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), after);
}
