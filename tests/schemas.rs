//! Validates the JSON that the program prints against the schemas in `docs/schemas`.
#![allow(clippy::disallowed_methods, clippy::panic)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::Value;

const NIX: &str = "sample-images/lighttpd-nix.tar.gz";
const DOCKER: &str = "sample-images/lighttpd-docker.tar.zst";
const EMBEDDED: &str = "embedded:sample";

/// Names of the schemas, each with a command whose output it describes. `OUT` is an empty directory.
const REPORTS: &[(&str, &[&str])] = &[
    ("inspect", &["inspect", "--format", "json", "--findings", NIX]),
    ("inspect", &["inspect", "--format", "json", DOCKER]),
    ("inspect", &["inspect", "--format", "json", "--findings", EMBEDDED]),
    ("compare", &["compare", "--format", "json", DOCKER, NIX]),
    ("compare", &["compare", "--format", "json", NIX, NIX]),
    ("share", &["share", "--format", "json", DOCKER, NIX, EMBEDDED]),
    ("why", &["why", "--format", "json", "--precise", NIX, "glibc"]),
    ("ci", &["ci", "--format", "json", "--baseline", NIX, "--max-growth", "5%", "--forbid-path", "/etc/**", DOCKER]),
    ("ci", &["ci", "--format", "json", NIX]),
    ("plan", &["rebuild", "--format", "json", NIX]),
    ("plan", &["rebuild", "--format", "json", DOCKER]),
    ("copy", &["copy", "--format", "json", NIX, "oci:OUT/layout:x"]),
    ("index", &["index", "--format", "json", "oci:OUT/index:x", NIX]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(name: &str) -> Value {
    let path = root().join("docs/schemas").join(name).with_extension("json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What a command prints. Exit code 1 means that a rule failed, which is reported as JSON too.
fn report(arguments: &[&str]) -> Value {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().to_str().unwrap();
    let arguments = arguments.iter().map(|argument| argument.replace("OUT", place));
    let mut command = Command::new(env!("CARGO_BIN_EXE_nixdive"));
    command.args(arguments).current_dir(root()).env("XDG_CACHE_HOME", out.path()).env_remove("CI");
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{command:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Where a value breaks a schema. Knows the keywords that the schemas use, and panics at any other.
fn violations(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" => true,
            "type" => has_type(rule, value),
            "const" => value == rule,
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
            "required" => value.as_object().is_none_or(|fields| {
                rule.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        violations(rule, field, &format!("{place}.{name}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    if schema["properties"].get(name).is_none() {
                        violations(rule, field, &format!("{place}.{name}"), found);
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    violations(rule, item, &format!("{place}[{index}]"), found);
                }
                true
            }
            other => panic!("{place}: the validator does not know the keyword {other}"),
        };
        if !holds {
            found.push(format!("{place}: {keyword} {rule}"));
        }
    }
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    match rule {
        Value::String(name) => is(name),
        names => names.as_array().unwrap().iter().any(|name| is(name.as_str().unwrap())),
    }
}

fn check(name: &str, report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    violations(&schema(name), report, "", &mut found);
    found
}

#[test]
fn what_is_printed_follows_the_schemas() {
    for (name, arguments) in REPORTS {
        let found = check(name, &report(arguments));
        assert!(found.is_empty(), "{arguments:?} breaks docs/schemas/{name}.json: {found:#?}");
    }
}

#[test]
fn stored_baselines_follow_their_schema() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("baseline.json");
    for image in [NIX, DOCKER] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nixdive"));
        command.args(["ci", image, "--update-baseline"]).arg(&path).current_dir(root());
        command.output().unwrap();
        let stored = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(check("baseline", &stored), Vec::<String>::new(), "{image}");
    }
}

/// A report without one of its fields, or with a field of another type, breaks its schema.
#[test]
fn a_field_that_vanishes_breaks_the_schema() {
    for (name, arguments) in REPORTS {
        let report = report(arguments);
        let required = schema(name)["required"].clone();
        assert!(required.as_array().unwrap().len() >= 3, "{name}: {required}");
        for field in required.as_array().unwrap().iter().map(|field| field.as_str().unwrap()) {
            let mut less = report.clone();
            less.as_object_mut().unwrap().shift_remove(field);
            assert!(!check(name, &less).is_empty(), "{name} without {field}");
        }
        let mut other = report.clone();
        other["schema"] = Value::from("nixdive.other/1");
        assert!(!check(name, &other).is_empty(), "{name} with another schema");
    }
}

/// Python's jsonschema agrees about the schemas, and about what is printed.
#[test]
fn another_validator_agrees() {
    const PROGRAM: &str = "import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(json.load(sys.stdin))";
    let found = Command::new("python3").args(["-c", "import jsonschema; jsonschema.Draft202012Validator"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        assert_ne!(std::env::var("NIXDIVE_LIVE").as_deref(), Ok("1"), "python3-jsonschema is missing");
        println!("skipped: python3-jsonschema is missing");
        return;
    }
    for (name, arguments) in REPORTS {
        let mut command = Command::new("python3");
        command.args(["-c", PROGRAM]).arg(root().join("docs/schemas").join(name).with_extension("json"));
        let mut python = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let text = serde_json::to_vec(&report(arguments)).unwrap();
        python.stdin.take().unwrap().write_all(&text).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
