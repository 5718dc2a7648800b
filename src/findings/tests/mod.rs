//! Small images, one for each rule; every rule is raised by one of them at least.

mod files;
mod hostile;
mod real;
mod secrets;
mod start;
mod store;

use std::collections::BTreeSet;

use super::{Finding, Findings, Location, RULES, Rule, Subject, find};
use crate::examine::examine;
use crate::image::{Image, LayerIndex};
use crate::nix::study::{RecordedStore, StoreStudy};
use crate::open::{OpenOptions, Opened, Progress, open_section};
use crate::packages::CapturedFile;
use crate::scan::{Cancel, Section};
use crate::study::{StudyOptions, study};
use crate::testing::archive::{Written, docker_archive, tar_of};

/// An image in the making.
#[derive(Default)]
struct Made {
    layers: Vec<Vec<Written>>,
    configure: Option<fn(&mut Image)>,
    recorded: Option<RecordedStore>,
}

/// What came of it.
struct Judged {
    opened: Opened,
    store: Option<StoreStudy>,
    found: Findings,
}

fn layers(layers: Vec<Vec<Written>>) -> Made {
    Made { layers, ..Made::default() }
}

fn one(entries: Vec<Written>) -> Made {
    layers(vec![entries])
}

impl Made {
    fn configured(self, configure: fn(&mut Image)) -> Self {
        Self { configure: Some(configure), ..self }
    }

    fn judge(self) -> Judged {
        let written: Vec<Vec<u8>> = self.layers.iter().map(|entries| tar_of(entries)).collect();
        let section = Section::from_bytes(docker_archive(&written));
        let mut opened = open_section(section, "test.tar", &OpenOptions::default(), &Progress::new()).unwrap();
        if let Some(configure) = self.configure {
            configure(&mut opened.image);
        }
        let options = StudyOptions { recorded: self.recorded.as_ref(), ..StudyOptions::default() };
        let store = study(&opened, &options).unwrap();
        let entries = self.layers.iter().zip(0u16..).flat_map(|(layer, number)| layer.iter().map(move |e| (number, e)));
        let captured: Vec<CapturedFile<'_>> = entries
            .filter(|(_, entry)| crate::packages::wanted(&entry.path).is_some())
            .map(|(number, entry)| CapturedFile {
                layer: LayerIndex(number),
                path: &entry.path,
                content: &entry.content,
            })
            .collect();
        let top = opened.image.tree.top_layer().unwrap();
        let packages = crate::packages::find(&opened.image.tree, top, &captured);
        let facts = examine(&opened.image, &opened.contents, 2, &Cancel::new()).unwrap();
        let found = find(&Subject {
            image: &opened.image,
            packages: Some(&packages),
            store: store.as_ref(),
            facts: Some(&facts),
        });
        Judged { opened, store, found }
    }
}

impl Judged {
    fn of(&self, rule: Rule) -> Option<&Finding> {
        self.found.list.iter().find(|finding| finding.rule == rule)
    }

    /// The paths, store paths' names and other places of a finding.
    fn places(&self, rule: Rule) -> Vec<String> {
        let evidence = self.of(rule).map_or(&[][..], |finding| &finding.evidence);
        let name = |id| self.store.as_ref().unwrap().get_path(id).unwrap().name().to_owned();
        let place = |location: &Location| match location {
            Location::Path { node, .. } => crate::testing::path(&self.opened.image.tree, *node),
            Location::StorePath { path, .. } => name(*path),
            Location::Absent { path, .. } => path.name().to_owned(),
            other => format!("{other:?}"),
        };
        evidence.iter().map(|evidence| place(&evidence.location)).collect()
    }
}

fn file(path: &str, content: &str) -> Written {
    Written::file(path, content.as_bytes())
}

/// Bytes that are like no others.
fn bulk(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn big(path: &str, length: usize) -> Written {
    let seed = path.bytes().fold(0u8, u8::wrapping_add);
    Written::file(path, &bulk(seed, length))
}

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
    let documentation = include_str!("../../../docs/findings.md");
    for info in RULES {
        let heading = format!("### {} ({})\n", info.id, info.severity.name());
        assert!(documentation.contains(&heading), "docs/findings.md has no heading «{}»", heading.trim());
    }
    let headings = documentation.lines().filter(|line| line.starts_with("### ")).count();
    assert_eq!(headings, RULES.len(), "docs/findings.md explains rules that there are not");
}
