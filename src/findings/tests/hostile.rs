use proptest::prelude::*;

use super::*;
use crate::findings::MOST_EVIDENCE;
use crate::image::steers_terminal;
use crate::report::{Format, InspectOptions, Inspection};
use crate::testing::archive::any_entries;

fn shown(judged: &Judged) -> Vec<String> {
    let report = |format| {
        let mut out = Vec::new();
        let inspection = Inspection::new(&judged.opened.image, InspectOptions::default());
        let inspection = inspection.with_store(judged.store.as_ref()).with_findings(Some(&judged.found));
        inspection.write(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    [Format::Text, Format::Json, Format::Markdown].map(report).to_vec()
}

#[test]
fn many_hits_are_counted_and_few_are_kept() {
    let entries = (0..5000).map(|number| Written { mode: 0o4777, ..file(&format!("bin/p{number}"), "x") });
    let judged = one(entries.collect()).judge();
    for rule in [Rule::SetUid, Rule::WorldWritable] {
        let finding = judged.of(rule).unwrap();
        assert_eq!((finding.count, finding.evidence.len()), (5000, MOST_EVIDENCE));
    }
    assert!(shown(&judged)[0].lines().count() < 200);
}

#[test]
fn names_that_would_steer_a_terminal_are_spelled_out() {
    let evil = "\u{1b}[2J\u{202e}|`x`\n";
    let judged = one(vec![
        Written { mode: 0o4777, ..file(&format!("bin/{evil}"), "x") },
        big(&format!("opt/{evil}a"), 20_000),
        Written::file(&format!("opt/{evil}b"), &big(&format!("opt/{evil}a"), 20_000).content),
    ])
    .configured(|image| {
        image.config.user = "0\u{1b}[2J".to_owned();
        image.config.env = vec!["X\u{1b}[2J_PASSWORD=correct-horse-battery".to_owned()];
    })
    .judge();
    for text in shown(&judged) {
        let bad = text.chars().find(|&letter| letter != '\n' && steers_terminal(letter));
        assert_eq!(bad, None, "{text}");
    }
}

#[test]
fn a_file_behind_very_many_directories_costs_nothing() {
    let deep = format!("{}x", "d/".repeat(10_000));
    let judged = one(vec![big(&deep, 20_000), big("var/log/a", 20_000)]).judge();
    assert!(judged.of(Rule::Temporary).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Nothing panics, no sum is larger than what there is, and evidence is bounded.
    #[test]
    fn any_image_is_judged(layers in proptest::collection::vec(any_entries(30), 1..4)) {
        let written: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        let section = Section::from_bytes(docker_archive(&written));
        prop_assume!(open_section(section, "test.tar", &OpenOptions::default(), &Progress::new()).is_ok());
        let judged = super::layers(layers).judge();
        prop_assert!(judged.found.reclaimable_bytes <= judged.opened.image.file_bytes());
        for finding in &judged.found.list {
            prop_assert!(finding.evidence.len() <= MOST_EVIDENCE);
        }
        shown(&judged);
    }
}
