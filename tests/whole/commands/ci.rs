use std::path::Path;

use serde_json::Value;

use super::Place;
use crate::support::images::Image;
use crate::support::program::{Run, nixdive, run, run_command};
use crate::support::tar_bytes::{Entry, Tar};

/// A file of so many bytes.
fn image(bytes: usize) -> Place {
    Place::of(vec![Tar::new().file("app/data", vec![1; bytes]).finish()])
}

fn verdict(run: &Run) -> (Option<i32>, &str) {
    (run.code, run.text().lines().last().unwrap_or_default())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn dives_rules_are_judged_and_the_flag_and_the_command_are_the_same() {
    let wasteful =
        Place::of(vec![Tar::new().file("a", vec![1; 5000]).finish(), Tar::new().file("a", vec![2; 5000]).finish()]);
    let run_flag = run(&["--ci", wasteful.image()]);
    assert_eq!(verdict(&run_flag), (Some(1), "FAIL [fail:2 skip:1]"));
    assert_eq!(run_flag.text(), run(&["ci", wasteful.image()]).text());
    let relaxed = ["--lowestEfficiency", "0.1", "--highestUserWastedPercent", "off", "--highestWastedBytes", "10KB"];
    let relaxed = [&["ci", wasteful.image()][..], &relaxed].concat();
    assert_eq!(verdict(&run(&relaxed)), (Some(0), "PASS [pass:2 skip:1]"));
    let in_ci = run_command(nixdive().arg(wasteful.image()).env("CI", "true"));
    assert_eq!(in_ci.text(), run_flag.text());
    let not_in_ci = run_command(nixdive().arg(wasteful.image()).env("CI", "false"));
    assert_eq!(not_in_ci.code, Some(0));
    assert_eq!(run(&["ci", wasteful.image(), "--exit-zero"]).code, Some(0));
}

#[test]
fn findings_fail_by_severity_or_by_name_unless_they_are_allowed() {
    // With what its configuration starts, so that it has no problem.
    let place = Place::of(vec![Tar::new().add(Entry::file("bin/tool", "#!/bin/tool\n").mode(0o755)).finish()]);
    let judged = |rules: &str| {
        std::fs::write(place.path(".nixdive-ci"), rules).unwrap();
        run_command(nixdive().args(["--ci", place.image()]).current_dir(place.directory.path()))
    };
    let found = judged("findings: {forbid: [image.root-user]}\n");
    assert_eq!(found.code, Some(1), "{}{}", found.text(), found.stderr);
    assert!(found.text().contains("image.root-user"), "{}", found.text());
    assert_eq!(judged("findings: {forbid: [image.private-key]}\n").code, Some(0));
    assert_eq!(judged("findings: {fail: warning}\n").code, Some(1));
    let allowed = judged("findings: {fail: problem}\n");
    assert_eq!(allowed.code, Some(0), "{}", allowed.text());
}

#[test]
fn a_file_of_dives_rules_replaces_the_flags() {
    let place = image(10);
    std::fs::write(place.path(".dive-ci"), "rules:\n  lowestEfficiency: 1\nplugins: [x]\n").unwrap();
    let run = run_command(
        nixdive().args(["--ci", place.image(), "--lowestEfficiency", "2"]).current_dir(place.directory.path()),
    );
    assert_eq!(verdict(&run), (Some(0), "PASS [pass:2 skip:1]"));
    assert!(run.text().contains("PASS  lowestEfficiency (1)"), "{}", run.text());
    assert!(run.stderr.contains(".dive-ci:3: unknown key `plugins`"), "{}", run.stderr);
}

#[test]
fn growth_against_an_image_and_against_what_was_stored_of_it() {
    let (small, large) = (image(10_000), image(40_000));
    let stored = small.text("base.json");
    assert_eq!(run(&["ci", small.image(), "--update-baseline", &stored]).code, Some(0));
    assert_eq!(json(Path::new(&stored))["schema"], "nixdive.baseline/1");
    for baseline in [small.image(), stored.as_str()] {
        let grown = run(&["ci", large.image(), "--baseline", baseline, "--max-growth", "5%"]);
        assert_eq!(grown.code, Some(1));
        assert!(grown.text().contains("/app/data grew by 30 kB"), "{}", grown.text());
        let allowed = run(&["ci", large.image(), "--baseline", baseline, "--max-growth", "40kB"]);
        assert_eq!(allowed.code, Some(0), "{}", allowed.text());
        let both = ["ci", large.image(), "--baseline", baseline, "--max-growth", "40kB", "--max-growth", "5%"];
        assert_eq!(run(&both).code, Some(1));
        assert_eq!(run(&["ci", small.image(), "--baseline", baseline, "--max-growth", "0B"]).code, Some(0));
    }
}

#[test]
fn every_form_tells_the_same_verdict_and_files_are_written_beside_it() {
    let place = image(50_000);
    let forms = ["json", "junit", "sarif", "markdown", "github", "gitlab", "html", "text"];
    let outputs: Vec<String> = forms.iter().map(|form| format!("--output={form}={}", place.text(form))).collect();
    let mut arguments = vec!["ci", place.image(), "--max-size", "10kB", "--format", "json"];
    arguments.extend(outputs.iter().map(String::as_str));
    let run = run(&arguments);
    assert_eq!(run.code, Some(1));
    let report: Value = serde_json::from_str(run.text()).unwrap();
    assert_eq!(report, json(&place.path("json")));
    assert_eq!((&report["schema"], &report["verdict"]), (&"nixdive.ci/1".into(), &"fail".into()));
    let rule = report["rules"].as_array().unwrap().iter().find(|rule| rule["status"] == "fail").unwrap();
    assert_eq!((&rule["id"], &rule["limit"]), (&"max-size/unpacked".into(), &10_000.into()));
    assert_eq!((&rule["unit"], rule["actual"].as_u64() > Some(50_000)), (&"bytes".into(), true));
    assert_eq!(json(&place.path("sarif"))["runs"][0]["results"][0]["ruleId"], "max-size/unpacked");
    assert_eq!(json(&place.path("gitlab"))[0]["check_name"], "max-size/unpacked");
    let text = |form| std::fs::read_to_string(place.path(form)).unwrap();
    assert!(text("github").starts_with("::error title=nixdive max-size/unpacked::"), "{}", text("github"));
    assert!(text("junit").contains("<failure "), "{}", text("junit"));
    assert!(text("markdown").starts_with("## ❌ FAIL"), "{}", text("markdown"));
    assert!(text("html").contains("max-size/unpacked") && text("html").ends_with("</html>\n"));
    assert!(text("text").ends_with("FAIL [pass:2 fail:1 skip:1]\n"), "{}", text("text"));
}

#[test]
fn in_github_actions_there_are_annotations_and_a_summary() {
    let place = image(50_000);
    let command = ["ci", place.image(), "--max-size", "10kB"];
    let run = run_command(
        nixdive().args(command).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", place.path("summary")),
    );
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("::error title=nixdive max-size/unpacked::unpacked layers"), "{}", run.stderr);
    assert!(run.text().starts_with("Analysis:"), "{}", run.text());
    assert!(std::fs::read_to_string(place.path("summary")).unwrap().starts_with("## ❌"));
}

#[test]
fn an_image_is_held_against_one_that_it_is_to_equal() {
    let of = |mode, content: &str, time| {
        let file = Entry::file("app/run", content).mode(mode).mtime(time);
        Place::of(vec![Tar::new().add(file).file("same", "s").finish()])
    };
    let first = of(0o644, "one", 5);
    assert_eq!(run(&["ci", first.image(), "--reproducible", of(0o644, "one", 5).image()]).code, Some(0));
    for (other, part) in [
        (of(0o755, "one", 5), "/app/run: mode 0644 instead of 0755"),
        (of(0o644, "two", 5), "/app/run: content"),
        (of(0o644, "one", 6), "/app/run: time 5 instead of 6"),
        (of(0o644, "longer", 5), "/app/run: 3 bytes instead of 6"),
    ] {
        let run = run(&["ci", first.image(), "--reproducible", other.image()]);
        assert_eq!(run.code, Some(1));
        assert!(run.text().contains(part), "{part} in {}", run.text());
        assert!(!run.text().contains("/same"), "{}", run.text());
    }
}

#[test]
fn what_cannot_be_judged_is_said_once_and_is_no_verdict() {
    let place = image(10);
    let (image, absent, empty, old) = (place.image(), place.text("absent"), place.text("empty"), place.text("old"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&old, r#"{"schema": "nixdive.baseline/0"}"#).unwrap();
    let off = ["--lowestEfficiency", "off", "--highestUserWastedPercent", "off"];
    let cases: [(&[&str], &str); 12] = [
        (&["--max-size", "12bananas"], "unknown unit"),
        (&["--max-size", "speed=3"], "unknown metric"),
        (&["--max-growth", "x%"], "not a percentage"),
        (&["--max-size", "layers=3MB"], "whole number"),
        (&["--ci-config", &absent], "absent"),
        (&["--rules", &absent], "absent"),
        (&["--lowestEfficiency", "2"], "not a ratio"),
        (&["--baseline", &absent, "--max-growth", "5%"], "baseline cannot be read"),
        (&["--baseline", &empty, "--max-growth", "5%"], "it is empty"),
        (&["--baseline", &old, "--max-growth", "5%"], "nixdive.baseline/0"),
        (&["--reproducible", &absent], "absent"),
        (&off, "no rules configured"),
    ];
    for (arguments, part) in cases {
        let message = run(&[&["ci", image][..], arguments].concat()).refused();
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(run(&["ci", &absent, "--max-size", "1MB"]).refused().contains("absent"));
    assert!(run(&[image, "--max-size", "1MB"]).refused().contains("--ci"));
    let without_baseline = run(&["ci", image, "--max-growth", "5%"]);
    assert_eq!(verdict(&without_baseline), (Some(2), "ERROR [pass:2 error:1 skip:1]"));
    let passed_over = ["ci", image, "--baseline", &absent, "--max-growth", "5%", "--on-missing-baseline", "warn"];
    assert_eq!(run(&passed_over).code, Some(0));
}

#[test]
fn names_in_an_image_are_no_markup_and_steer_nothing() {
    let name = "a\u{1b}[31m</failure>`|%0A<img src=x>";
    let place = Place::of(vec![Tar::new().file(name, vec![1; 9000]).finish()]);
    for form in ["text", "json", "junit", "sarif", "markdown", "github", "gitlab"] {
        let run = run(&["ci", place.image(), "--max-size", "1kB", "--format", form]);
        assert_eq!(run.code, Some(1));
        assert!(!run.text().contains('\u{1b}'), "{form}: {}", run.text());
        if form == "junit" {
            assert_eq!(run.text().matches("</failure>").count(), 1, "{}", run.text());
        }
        if form == "github" {
            assert_eq!(run.text().lines().count(), 1, "{}", run.text());
        }
    }
}

#[test]
fn nothing_is_written_where_one_output_cannot_be() {
    let place = image(10);
    std::fs::write(place.path("old.html"), "before").unwrap();
    let outputs = [("html", "old.html"), ("sarif", "new.sarif"), ("json", "missing/directory/r.json")];
    let outputs = outputs.map(|(form, file)| format!("--output={form}={}", place.text(file)));
    let baseline = place.text("baseline.json");
    let mut arguments = vec!["ci", place.image(), "--update-baseline", &baseline];
    arguments.extend(outputs.iter().map(String::as_str));
    let message = run(&arguments).refused();
    assert!(message.contains("missing/directory"), "{message}");
    assert_eq!(std::fs::read_to_string(place.path("old.html")).unwrap(), "before");
    let mut left: Vec<_> =
        std::fs::read_dir(place.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["image.tar", "old.html"], "nothing else is there");
    arguments.pop();
    assert_eq!(run(&arguments).code, Some(0));
    assert!(std::fs::read_to_string(place.path("old.html")).unwrap().starts_with("<!DOCTYPE html>"));
    let twice = [&arguments[..], &[outputs[0].as_str()]].concat();
    assert!(run(&twice).refused().contains("old.html: two outputs name this file"));
}

/// An archive in a directory of its own with one tag, or none, and a file of so many bytes.
fn tagged(name: &str, tag: Option<&str>, bytes: usize) -> Place {
    let mut image = Image::new(vec![Tar::new().file("app/data", vec![1; bytes]).finish()]);
    image.names.extend(tag.map(str::to_owned));
    let place = Place::of_image(&image);
    std::fs::rename(&place.image, place.path(name)).unwrap();
    place
}

/// The fingerprints of GitLab's report, which are those of SARIF too.
fn fingerprints(place: &Place, name: &str) -> Vec<String> {
    let report = |format: &str| {
        let image = place.text(name);
        let arguments = ["ci", &image, "--max-size", "1kB", "--forbid-path", "/app/**", "--format", format];
        let run = run_command(nixdive().args(arguments).current_dir("/"));
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        serde_json::from_slice::<Value>(&run.stdout).unwrap()
    };
    let list = |values: Vec<Value>, key: &dyn Fn(&Value) -> Value| -> Vec<String> {
        values.iter().map(|value| key(value).as_str().unwrap().to_owned()).collect()
    };
    let gitlab = list(report("gitlab").as_array().unwrap().clone(), &|issue| issue["fingerprint"].clone());
    let results = report("sarif")["runs"][0]["results"].as_array().unwrap().clone();
    let sarif = list(results, &|result| result["partialFingerprints"]["imageRule/v1"].clone());
    assert_eq!(gitlab, sarif);
    assert!(gitlab.len() >= 2, "{gitlab:?}");
    let different: std::collections::BTreeSet<&String> = gitlab.iter().collect();
    assert_eq!(different.len(), gitlab.len(), "one of each rule");
    gitlab
}

#[test]
fn fingerprints_tell_images_apart_and_stay_the_same_from_commit_to_commit() {
    let of = |name: &str, tag: Option<&str>, bytes| fingerprints(&tagged(name, tag, bytes), name);
    let app = of("a.tar", Some("team/app:1"), 2000);
    assert_eq!(app, of("b-2f3c.tar", Some("team/app:2"), 3000), "another tag, file, directory and size");
    assert_eq!(app, of("a.tar", Some("team/app:latest"), 2000));
    let worker = of("a.tar", Some("team/worker:1"), 2000);
    assert!(app.iter().all(|one| !worker.contains(one)), "two images in files of one name");
    let untagged = of("app.tar", None, 2000);
    assert_eq!(untagged, of("app.tar", None, 3000), "the directory of a job is no part of the name");
    assert!(untagged.iter().all(|one| !of("worker.tar", None, 2000).contains(one)));
}
