use super::*;
use crate::analysis::Figures;

fn snapshot(unpacked: u64) -> Snapshot {
    let layer =
        LayerRow { unpacked_bytes: Some(unpacked), compressed_bytes: Some(unpacked / 2), ..LayerRow::default() };
    Snapshot { platform: "linux/amd64".to_owned(), layers: vec![layer], has_all_files: true, ..Snapshot::default() }
}

fn rules(text: &str) -> Configuration {
    let mut rules = Configuration::new(&DiveRules::default()).unwrap();
    rules.add(RuleFile::parse(".nixdive-ci", text).unwrap());
    rules
}

/// The results of all rules but dive's.
fn own(rules: &Configuration, now: &Snapshot, against: Against<'_>) -> Vec<RuleResult> {
    let figures = Figures { efficiency: 1.0, ..Figures::default() };
    let facts =
        Facts { figures: &figures, snapshot: now, reasons: None, findings: None, differences: None, followed: None };
    judge(rules, &facts, against).rules.into_iter().filter(|rule| !rule.is_dives).collect()
}

fn statuses(text: &str, now: &Snapshot, against: Against<'_>) -> Vec<Status> {
    own(&rules(text), now, against).into_iter().map(|rule| rule.status).collect()
}

#[test]
fn growth_is_bounded_by_bytes_and_by_percent() {
    let (before, now) = (snapshot(1000), snapshot(1030));
    let against = Against::Baseline(&before);
    let grow = |grow: &str| statuses(&format!("budgets: [{{metric: unpacked, {grow}}}]"), &now, against);
    assert_eq!(grow("grow: 3%"), [Status::Pass]);
    assert_eq!(grow("grow: 2%"), [Status::Fail]);
    assert_eq!(grow("grow: 30B"), [Status::Pass]);
    assert_eq!(grow("grow: {bytes: 100, percent: 2}"), [Status::Fail]);
    assert_eq!(grow("grow: {bytes: 100, percent: 2}, require: any"), [Status::Pass]);
    assert_eq!(grow("grow: {bytes: 10, percent: 2}, require: any"), [Status::Fail]);
    assert_eq!(statuses("budgets: [{metric: unpacked, grow: 0B}]", &before, Against::Baseline(&now)), [Status::Pass]);
}

#[test]
fn what_grows_from_nothing_grows_without_bound() {
    let (before, now) = (snapshot(0), snapshot(1));
    let rules = rules("budgets: [{metric: unpacked, grow: 1000%}]");
    let result = &own(&rules, &now, Against::Baseline(&before))[0];
    assert_eq!(result.status, Status::Fail);
    assert!(result.message.contains("from nothing"), "{}", result.message);
}

#[test]
fn without_a_baseline_growth_cannot_be_judged_unless_that_is_allowed() {
    let text = "budgets: [{metric: unpacked, grow: 1%}]";
    assert_eq!(statuses(text, &snapshot(1), Against::NotGiven), [Status::Error]);
    assert_eq!(statuses(&format!("{text}\nonMissingBaseline: warn"), &snapshot(1), Against::NotGiven), [Status::Skip]);
    let other = Snapshot { platform: "linux/arm64".to_owned(), ..snapshot(1) };
    assert_eq!(statuses(text, &snapshot(1), Against::Baseline(&other)), [Status::Error]);
}

#[test]
fn a_budget_that_matches_nothing_is_a_warning_or_an_error() {
    let text = "budgets: [{path: /nowhere/**, max: 1MB}]";
    assert_eq!(statuses(text, &snapshot(1), Against::NotGiven), [Status::Skip]);
    assert_eq!(statuses(&format!("{text}\nstrict: true"), &snapshot(1), Against::NotGiven), [Status::Error]);
}

#[test]
fn packages_and_paths_are_measured_and_forbidden_by_pattern() {
    let mut now = snapshot(1);
    now.files = vec![
        PathRow { path: "/usr/lib/a".into(), bytes: 70 },
        PathRow { path: "/usr/lib/b/c".into(), bytes: 40 },
        PathRow { path: "/etc/x".into(), bytes: 500 },
    ];
    now.packages =
        vec![PackageRow { kind: "deb".into(), name: "gcc-12".into(), installed_bytes: 9, ..PackageRow::default() }];
    let budget = |text: &str| statuses(text, &now, Against::NotGiven);
    assert_eq!(budget("budgets: [{path: /usr/lib/**, max: 110}]"), [Status::Pass]);
    assert_eq!(budget("budgets: [{path: /usr/lib/**, max: 109}]"), [Status::Fail]);
    assert_eq!(budget("budgets: [{package: 'deb:gcc*', max: 8}]"), [Status::Fail]);
    assert_eq!(budget("forbid: {packages: [gcc]}"), [Status::Pass]);
    assert_eq!(budget("forbid: {packages: ['gcc-*'], paths: [/etc/*]}"), [Status::Fail, Status::Fail]);
}

#[test]
fn a_limit_given_twice_is_two_rules() {
    let text = "budgets: [{metric: unpacked, max: 5}, {metric: unpacked, max: 4}]";
    let results = own(&rules(text), &snapshot(5), Against::NotGiven);
    let told: Vec<(&str, Status)> = results.iter().map(|rule| (rule.id.as_str(), rule.status)).collect();
    assert_eq!(told, [("max-size/unpacked", Status::Pass), ("max-size/unpacked#2", Status::Fail)]);
}

#[test]
fn what_led_to_a_result_is_of_its_subject() {
    let (mut before, mut now) = (snapshot(1), snapshot(1));
    before.files = vec![PathRow { path: "/usr/a".into(), bytes: 1 }];
    now.files = vec![PathRow { path: "/etc/b".into(), bytes: 900 }, PathRow { path: "/usr/a".into(), bytes: 50 }];
    let results = own(&rules("budgets: [{path: /usr/**, grow: 1B}]"), &now, Against::Baseline(&before));
    let texts: Vec<&str> = results[0].evidence.iter().map(|found| found.text.as_str()).collect();
    assert_eq!(texts, ["/usr/a grew by 49 B"]);
}

#[test]
fn findings_that_nobody_looked_for_cannot_be_judged() {
    let rules = rules("findings: {fail: warning, allow: [known]}");
    assert_eq!(own(&rules, &snapshot(1), Against::NotGiven)[0].status, Status::Error);
    let fact = |id: &str, severity| FindingFact { id: id.into(), severity, title: "t".into(), bytes: 0 };
    let found = [fact("known", Severity::Problem), fact("small", Severity::Information)];
    let figures = Figures::default();
    let now = snapshot(1);
    let mut facts = Facts {
        figures: &figures,
        snapshot: &now,
        reasons: None,
        findings: Some(&found),
        differences: None,
        followed: None,
    };
    let status = |facts: &Facts<'_>| judge(&rules, facts, Against::NotGiven).rules.last().unwrap().status;
    assert_eq!(status(&facts), Status::Pass);
    let worse = [fact("new", Severity::Warning)];
    facts.findings = Some(&worse);
    assert_eq!(status(&facts), Status::Fail);
}

#[test]
fn the_base_image_is_told_apart_from_what_is_built_on_it() {
    let layer = |bytes| LayerRow { unpacked_bytes: Some(bytes), ..LayerRow::default() };
    let image = |base, own| Snapshot { layers: vec![layer(base), layer(own)], base_layers: Some(1), ..snapshot(0) };
    let (before, now) = (image(100, 50), image(130, 51));
    let text = "budgets: [{metric: unpacked, grow: 5B}, {metric: ownUnpacked, grow: 5B}]";
    let results = own(&rules(text), &now, Against::Baseline(&before));
    assert_eq!(results.iter().map(|rule| rule.status).collect::<Vec<_>>(), [Status::Fail, Status::Pass]);
    assert!(results[0].evidence[0].text.contains("+30 B"), "{:?}", results[0].evidence);
}

#[test]
fn a_file_of_rules_is_refused_with_its_line() {
    let cases = [
        ("rules:\n  highestWastedBytes: 12 bananas\n", 2),
        ("rules:\n  lowestEfficiency: 2\n", 2),
        ("budgets:\n  - {metric: unpacked}\n", 2),
        ("budgets:\n  - {max: 1MB}\n", 2),
        ("budgets:\n  - metric: unpacked\n    max: 5\n    limit: 3\n", 4),
        ("budgets:\n  - {metric: speed, max: 1}\n", 2),
        ("budgets:\n  - {metric: layers, max: 1MB}\n", 2),
        ("forbid:\n  files: [a]\n", 2),
        ("onMissingBaseline: maybe\n", 1),
        ("baseline: {image: a, file: b}\n", 1),
        ("- a\n", 1),
    ];
    for (text, line) in cases {
        let error = RuleFile::parse(".nixdive-ci", text).unwrap_err();
        assert_eq!(error.line, line, "{text}{error}");
    }
    let file = RuleFile::parse(".dive-ci", "rules: {lowestEfficiency: off}\nplugins: [x]\n").unwrap();
    assert_eq!(file.unknown, [("plugins".to_owned(), 2)]);
    assert_eq!(file.dive.unwrap().lowest_efficiency, "off");
}

#[test]
fn the_example_in_the_repository_is_a_file_of_rules() {
    let file = RuleFile::parse("example", include_str!("../../../../ci/example.nixdive-ci")).unwrap();
    assert_eq!((file.budgets.len(), file.forbidden_packages.len(), file.unknown.len()), (7, 2, 0));
}

#[test]
fn a_stored_baseline_reads_back_and_another_schema_does_not() {
    let mut image = snapshot(1234);
    image.schema = BASELINE_SCHEMA.to_owned();
    image.files = vec![PathRow { path: "/a".into(), bytes: 3 }];
    let bytes = to_json(&image).unwrap();
    assert_eq!(from_json(&bytes), Ok(image));
    for (text, part) in [("", "empty"), ("{}", "schema"), (r#"{"schema": "nixdive.baseline/0"}"#, "nixdive.baseline/0")]
    {
        let error = from_json(text.as_bytes()).unwrap_err();
        assert!(error.contains(part) && error.contains("--update-baseline"), "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_file_of_rules_or_an_error(text in "(rules|budgets|forbid|findings|baseline|grow|max|metric|path|: |\n|  |- |[{}\\[\\],]|a|1|MB|%){0,30}") {
        let _ = RuleFile::parse("x", &text);
    }

    #[test]
    fn any_json_is_a_baseline_or_an_error(text in "\\PC{0,60}") {
        let _ = from_json(format!(r#"{{"schema": "nixdive.baseline/1", {text}}}"#).as_bytes());
    }
}
