//! Files as people write them, and unrelated files.

use proptest::prelude::*;

use super::interpolate::{InterpolationError, interpolate};
use super::*;

fn set(name: &str) -> Option<String> {
    match name {
        "TAG" => Some("1.27".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn manifest(text: &str) -> Manifest {
    read(text, &set).unwrap().unwrap()
}

/// Returns lines of the form `reference: users`.
fn images(manifest: &Manifest) -> Vec<String> {
    let line = |image: &NamedImage| {
        let reference = image.reference.as_deref().or(image.why_none.as_deref()).unwrap_or("-");
        format!("{reference}: {}", image.users.join(" "))
    };
    manifest.images.iter().map(line).collect()
}

#[test]
fn services_name_images_with_variables_anchors_and_builds() {
    let manifest = manifest(
        r#"
x-common: &common
  image: registry.example/app:${TAG:-latest}
services:
  web:
    image: "nginx:${TAG}"
    depends_on: [db]
  worker:
    <<: *common
    command: work
  api:
    <<: [*common]
  db:
    image: postgres:${MAJOR:-16}-$EMPTY${FLAVOUR}
    profiles: [storage]
  site:
    build: ./site
  docs:
    build:
      context: ./docs
"#,
    );
    assert_eq!(manifest.kind, ManifestKind::Compose);
    let expected = [
        "nginx:1.27: web",
        "registry.example/app:1.27: worker api",
        "postgres:16-: db",
        "is built from ./site: site",
        "is built from ./docs: docs",
    ];
    assert_eq!(images(&manifest), expected);
    assert_eq!(manifest.notes.len(), 2, "{:?}", manifest.notes);
    assert!(manifest.notes[0].contains("profiles") && manifest.notes[1].contains("`FLAVOUR` is not set"));
}

#[test]
fn what_compose_takes_from_elsewhere_is_said_not_to_be_followed() {
    let manifest = manifest(
        "include: [other.yaml]\nservices:\n  a: {extends: {file: x.yaml, service: b}}\n  b: {image: i, extends: {service: a}}\n",
    );
    assert_eq!(images(&manifest), ["extends another service, which is not followed: a", "i: b"]);
    assert!(manifest.notes.iter().any(|note| note.contains("include")));
    assert!(manifest.notes.iter().any(|note| note.contains("`extends` of `b`")));
}

#[test]
fn pods_are_found_in_all_kinds_of_objects() {
    let pod = "containers: [{name: main, image: app:1}], initContainers: [{name: setup, image: setup:1}]";
    let template = format!("template: {{spec: {{{pod}}}}}");
    let mut text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: bare}}\nspec: {{{pod}}}\n");
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"] {
        text.push_str(&format!(
            "---\napiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{{template}}}\n"
        ));
    }
    text.push_str(&format!(
        "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec: {{jobTemplate: {{spec: {{{template}}}}}}}\n"
    ));
    text.push_str("---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: []}\n");
    text.push_str(
        "---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: l}, spec: {ephemeralContainers: [{name: e, image: shell}]}}]\n",
    );
    let manifest = manifest(&text);
    assert_eq!(manifest.kind, ManifestKind::Kubernetes);
    let main = manifest.images.iter().find(|image| image.reference.as_deref() == Some("app:1")).unwrap();
    let users = ["Pod/bare", "Deployment/x", "StatefulSet/x", "DaemonSet/x", "ReplicaSet/x", "Job/x", "CronJob/c"];
    assert_eq!(main.users, users.map(|user| format!("{user}/main")));
    assert!(main.is_called("main") && main.is_called("Job/x/main") && main.is_called("app:1"));
    assert!(!main.is_called("app") && !main.is_called("x/main"));
    assert!(images(&manifest).contains(&"shell: Pod/l/e".to_owned()));
    assert_eq!(manifest.images.len(), 3);
}

#[test]
fn json_is_read_and_other_files_are_ignored() {
    let text = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}"#;
    assert_eq!(images(&manifest(text)), ["i: Pod/p/c"]);
    for other in [
        r#"{"schemaVersion": 2, "layers": []}"#,
        "rules:\n  lowestEfficiency: 0.9\n",
        "",
        "services:\n  - a list\n",
        "apiVersion: 3\n",
        "\u{1}binary\n",
        "[Unit]\nservices: x\n[",
    ] {
        assert!(matches!(read(other, &set), Ok(None) | Err(_)), "{other}");
    }
    assert_eq!(read("rules: [\n", &set), Ok(None), "broken, and unrelated");
}

#[test]
fn errors_name_the_line() {
    assert_eq!(read("services:\n  a: {image: [\n", &set).unwrap_err().line, 3);
    assert_eq!(read("services:\n  a: {image: x}\n  a: {image: y}\n", &set).unwrap_err().line, 3);
    assert_eq!(read("services:\n  a:\n", &set).unwrap_err().line, 2);
    let missing = read("services:\n  a:\n    image: app:${NONE:?set it}\n", &set).unwrap_err();
    assert_eq!((missing.line, missing.reason.as_str()), (3, "the variable `NONE` must be set: set it"));
}

/// The forms in the specification's table, with the results of Compose.
#[test]
fn variables_have_the_forms_of_compose() {
    let table = [
        ("${TAG}", "1.27"),
        ("$TAG-x", "1.27-x"),
        ("$$TAG", "$TAG"),
        ("${NONE:-a}", "a"),
        ("${NONE-a}", "a"),
        ("${EMPTY:-a}", "a"),
        ("${EMPTY-a}", ""),
        ("${TAG:+b}", "b"),
        ("${EMPTY:+b}", ""),
        ("${EMPTY+b}", "b"),
        ("${TAG:?no}", "1.27"),
        ("${NONE:-${TAG:-c}}/d", "1.27/d"),
        ("${NONE:-${NONE:-c}}", "c"),
        ("${NONE:-}", ""),
    ];
    for (text, expected) in table {
        assert_eq!(interpolate(text, &set).map(|filled| filled.text), Ok(expected.to_owned()), "{text}");
    }
    for wrong in ["${", "${}", "$", "$-", "${A", "${A!b}", "${A:}"] {
        assert!(matches!(interpolate(wrong, &set), Err(InterpolationError::NotAVariable(_))), "{wrong}");
    }
    assert!(matches!(interpolate("${EMPTY:?x}", &set), Err(InterpolationError::Required(..))));
    let deep = format!("{}x{}", "${N:-".repeat(100), "}".repeat(100));
    assert_eq!(interpolate(&deep, &set), Err(InterpolationError::TooDeep));
}

#[test]
fn an_environment_file_is_lines_of_names_and_values() {
    let file = EnvironmentFile::parse("# c\nA=1\nexport B = two # c\nC='x # y'\nD=\"q\"\nno line\n=x\nE=a#b\n");
    let values: Vec<_> = ["A", "B", "C", "D", "E", "F"].iter().map(|name| file.get(name)).collect();
    assert_eq!(values, [Some("1"), Some("two"), Some("x # y"), Some("q"), Some("a#b"), None]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(services|apiVersion|kind|image|a|\\$\\{|\\}|:|-|\\?|\n| |\\[|\\{|&x|\\*x|<<|\"|,){0,40}") {
        let _ = read(&format!("services:\n {text}"), &set);
        let _ = interpolate(&text, &set);
        let _ = EnvironmentFile::parse(&text);
    }
}
