//! What `--ci` is given and cannot judge by: said, with what to do, and never a verdict by chance.

use super::Place;
use crate::support::images::Image;
use crate::support::program::{Run, nixdive, run, run_command};
use crate::support::tar_bytes::Tar;

fn small() -> Place {
    Place::of(vec![Tar::new().file("app/data", "data").finish()])
}

/// Judges by a file of rules of our own.
fn judged(place: &Place, rules: &str, arguments: &[&str]) -> Run {
    std::fs::write(place.path(".nixdive-ci"), rules).unwrap();
    run_command(nixdive().args(["ci", place.image()]).args(arguments).current_dir(place.directory.path()))
}

#[test]
fn a_baseline_for_another_platform_is_an_error_that_says_what_to_do() {
    let of = |architecture| {
        let layer = Tar::new().file("app/data", "data").finish();
        Place::of_image(&Image::new(vec![layer]).platform(architecture, None))
    };
    let (amd, arm) = (of("amd64"), of("arm64"));
    let stored = arm.text("base.json");
    assert_eq!(run(&["ci", arm.image(), "--update-baseline", &stored]).code, Some(0));
    for baseline in [arm.image(), stored.as_str()] {
        let run = run(&["ci", amd.image(), "--baseline", baseline, "--max-growth", "5%"]);
        assert_eq!(run.code, Some(2), "{}", run.text());
        for part in ["linux/arm64", "linux/amd64", "--platform"] {
            assert!(run.text().contains(part), "{part} in {}", run.text());
        }
    }
}

#[test]
fn a_stored_baseline_that_is_none_is_an_error_also_where_it_may_be_missing() {
    let place = small();
    let file = place.text("base.json");
    let table = [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("{", "not a baseline"),
        ("{}", "names no schema"),
        (r#"{"schema": "nixdive.baseline/0"}"#, "nixdive.baseline/0"),
        (r#"{"schema": "nixdive.baseline/1"}"#, "incomplete or malformed"),
        (r#"{"schema": "nixdive.baseline/1", "layers": 3}"#, "incomplete or malformed"),
    ];
    for (content, part) in table {
        std::fs::write(&file, content).unwrap();
        let arguments =
            ["ci", place.image(), "--baseline", &file, "--max-growth", "5%", "--on-missing-baseline", "warn"];
        let refusal = run(&arguments).refused();
        assert!(refusal.contains(part) && refusal.contains("base.json"), "{content}: {refusal}");
        assert!(refusal.contains("--update-baseline"), "{content}: {refusal}");
    }
}

#[test]
fn a_budget_of_nothing_is_a_warning_and_with_strict_an_error() {
    let place = small();
    for budget in [
        "{path: /absent/**, max: 1MB}",
        "{package: gcc, max: 1MB}",
        "{storePath: '*-perl-*', max: 1MB}",
        "{layer: 7, max: 1MB}",
    ] {
        let rules = format!("budgets: [{budget}]\n");
        let warned = judged(&place, &rules, &[]);
        assert_eq!(warned.code, Some(0), "{}", warned.text());
        assert!(warned.stderr.contains("warning") && warned.stderr.contains("matches nothing"), "{}", warned.stderr);
        let strict = judged(&place, &rules, &["--strict"]);
        assert_eq!(strict.code, Some(2), "{budget}: {}", strict.text());
        assert!(strict.text().contains("matches nothing"), "{}", strict.text());
        assert_eq!(judged(&place, &format!("strict: true\n{rules}"), &[]).code, Some(2), "{budget}");
    }
}

#[test]
fn keys_and_amounts_that_mean_nothing_are_refused_with_their_line() {
    let place = small();
    let table = [
        ("budgts: []\n", ".nixdive-ci:1: unknown key `budgts`"),
        ("budgets:\n  - {metric: unpacked, mx: 3MB}\n", ".nixdive-ci:2: unknown key `mx`"),
        ("budgets:\n  - {metric: speed, max: 3}\n", ".nixdive-ci:2: unknown metric `speed`"),
        ("budgets:\n  - {metric: unpacked, max: 12bananas}\n", ".nixdive-ci:2: unknown unit in `12bananas`"),
        ("budgets:\n  - {metric: unpacked, max: -3MB}\n", "does not begin with a number"),
        ("budgets:\n  - {metric: unpacked, max: 5%}\n", "unknown unit"),
        ("budgets:\n  - {metric: unpacked, max: 99999999999EB}\n", "too large"),
        ("budgets:\n  - {metric: unpacked, grow: {percent: -1}}\n", "not a percentage"),
        ("budgets:\n  - {metric: unpacked, grow: 5%%}\n", "not a percentage"),
        ("budgets:\n  - {metric: layers, max: 3MB}\n", "not a whole number"),
        ("budgets:\n  - {metric: layers, grow: 3MB}\n", "not a whole number"),
        ("budgets:\n  - {metric: layers, grow: {bytes: 3}}\n", "write count"),
        ("budgets:\n  - {metric: unpacked, grow: {count: 3}}\n", "write bytes"),
        ("forbid: {package: [gcc]}\n", "unknown key `package`"),
        ("findings: {fail: bad}\n", "severity"),
        ("onMissingBaseline: pass\n", "fail or warn"),
        ("strict: perhaps\n", "true or false"),
        ("budgets: [\n", ".nixdive-ci:"),
    ];
    for (rules, part) in table {
        let refusal = judged(&place, rules, &[]).refused();
        assert!(refusal.contains(part), "{rules}: {refusal}");
    }
    std::fs::remove_file(place.path(".nixdive-ci")).unwrap();
    let flags: [(&[&str], &str); 5] = [
        (&["--max-size", "99999999999EB"], "too large"),
        (&["--max-size=-3MB"], "does not begin with a number"),
        (&["--max-size", "5%"], "unknown unit"),
        (&["--max-growth", "layers=3MB"], "whole number"),
        (&["--max-growth=-5%"], "not a percentage"),
    ];
    for (flag, part) in flags {
        let refusal = run(&[&["ci", place.image()], flag].concat()).refused();
        assert!(refusal.contains(part), "{flag:?}: {refusal}");
    }
}

#[test]
fn without_any_rule_there_is_no_verdict() {
    let place = small();
    let off = ["--lowestEfficiency", "off", "--highestUserWastedPercent", "off"];
    assert!(run(&[&["ci", place.image()][..], &off].concat()).refused().contains("no rules configured"));
    for rules in ["budgets: []\n", "", "~\n", "forbid: {paths: []}\n", "baseline: {image: absent.tar}\n"] {
        let refusal = judged(&place, rules, &off).refused();
        assert!(refusal.contains("no rules configured") || refusal.contains("absent.tar"), "{rules}: {refusal}");
    }
}

/// Anchors in a file of rules stand for what they name, as in dive.
#[test]
fn rules_may_use_anchors() {
    let place = small();
    let rules = "budgets:\n  - &limit {metric: unpacked, max: 1kB}\n  - *limit\n";
    let run = judged(&place, rules, &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.text().contains("max-size/unpacked#2"), "{}", run.text());
}

/// More files than a stored baseline holds, so that a pattern that it was not made with cannot be judged by it.
#[test]
fn paths_are_held_against_a_stored_baseline_by_the_patterns_that_it_was_made_with() {
    let image = |small: usize| {
        let mut tar = Tar::new();
        for number in 0..1100 {
            tar = tar.file(format!("many/{number}"), vec![1; 100]);
        }
        Place::of(vec![tar.file("etc/small", vec![2; small]).finish()])
    };
    let (before, after) = (image(10), image(60));
    let grow = |place: &Place, pattern: &str, baseline: &str, more: &[&str]| {
        let rules = format!("budgets: [{{path: '{pattern}', grow: {{bytes: 20}}}}]\n");
        judged(place, &rules, &[&["--baseline", baseline], more].concat())
    };
    let stored = before.text("base.json");
    assert_eq!(grow(&before, "/etc/**", before.image(), &["--update-baseline", &stored]).code, Some(0));
    for baseline in [before.image(), stored.as_str()] {
        let grown = grow(&after, "/etc/**", baseline, &[]);
        assert_eq!(grown.code, Some(1), "{}{}", grown.text(), grown.stderr);
        assert!(grown.text().contains("10 bytes → 60 bytes"), "{}", grown.text());
        assert_eq!(grow(&before, "/etc/**", baseline, &[]).code, Some(0));
    }
    let other = grow(&after, "/many/**", &stored, &[]);
    assert_eq!(other.code, Some(2), "{}", other.text());
    assert!(other.text().contains("without this pattern") && other.text().contains("--update-baseline"));
    assert_eq!(grow(&after, "/many/**", before.image(), &[]).code, Some(0));
    // What matches nothing in either is said to hold nothing, whatever the baseline.
    let absent = before.text("absent.json");
    assert!(grow(&before, "/absent/**", before.image(), &["--update-baseline", &absent]).stderr.contains("nothing"));
    assert!(grow(&after, "/absent/**", &absent, &[]).stderr.contains("matches nothing"));
    // A file that the baseline does not tell of may have been there: it is not called new.
    let whole = ["--baseline", &stored, "--max-growth", "0B"];
    let told = judged(&after, "", &whole);
    assert!(!told.text().contains("/etc/small is new"), "{}", told.text());
}
