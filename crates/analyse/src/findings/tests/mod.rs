//! Small images, one for each rule; every rule is raised by one of them at least.

mod files;
mod hostile;
mod real;
mod secrets;
mod start;
mod store;

use std::collections::BTreeSet;

use super::{Location, RULES, Rule};
use crate::testing::{Judged, Made, big, bulk, file, layers, one};
use nixdive_image::testing::archive::Written;
use nixdive_image::{Image, LayerIndex};
use nixdive_nix::study::RecordedStore;

/// An image that one rule has something to say of, and one that it has not, though it is much like it.
struct Case {
    rule: Rule,
    bad: Made,
    good: Made,
}

fn case(rule: Rule, bad: Made, good: Made) -> Case {
    Case { rule, bad, good }
}

fn cases() -> Vec<Case> {
    [files::cases(), secrets::cases(), start::cases(), store::cases()].into_iter().flatten().collect()
}

#[test]
fn each_rule_tells_the_bad_image_from_the_good_one() {
    for case in cases() {
        let id = case.rule.id();
        let bad = case.bad.judge();
        let finding = bad.of(case.rule).unwrap_or_else(|| panic!("{id} is not raised: {:?}", bad.found));
        assert!(finding.count > 0 && !finding.evidence.is_empty(), "{id}");
        assert!(!finding.remedy.is_empty() && !finding.title.is_empty(), "{id}");
        let good = case.good.judge();
        assert_eq!(good.of(case.rule), None, "{id}");
    }
}

#[test]
fn every_rule_has_a_case_and_an_id_of_its_own() {
    let raised: BTreeSet<Rule> = cases().into_iter().map(|case| case.rule).collect();
    let missing: Vec<&str> = RULES.iter().filter(|info| !raised.contains(&info.rule)).map(|info| info.id).collect();
    assert!(missing.is_empty(), "rules without a case: {missing:?}");
    let ids: BTreeSet<&str> = RULES.iter().map(|info| info.id).collect();
    assert_eq!(ids.len(), RULES.len());
}

#[test]
fn every_rule_is_documented_with_its_severity() {
    let documentation = include_str!("../../../../../docs/findings.md");
    for info in RULES {
        let heading = format!("### {} ({})\n", info.id, info.severity.name());
        assert!(documentation.contains(&heading), "docs/findings.md has no heading `{}`", heading.trim());
    }
    let headings = documentation.lines().filter(|line| line.starts_with("### ")).count();
    assert_eq!(headings, RULES.len(), "docs/findings.md explains rules that there are not");
}
