//! `nixdive why` and the store in `nixdive inspect`, on the Nix image among the samples.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use assert_cmd::Command;
use serde_json::Value;

const IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-images/lighttpd-nix.tar.gz");

fn nixdive(arguments: &[&str]) -> std::process::Output {
    Command::cargo_bin("nixdive").unwrap().args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = nixdive(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn store_paths() -> Vec<Value> {
    json(&["inspect", IMAGE, "--format", "json"])["storePaths"].as_array().unwrap().clone()
}

#[test]
fn every_store_path_of_a_clean_image_is_reachable_and_has_a_chain() {
    let paths = store_paths();
    assert!(paths.len() > 3);
    for path in &paths {
        let text = path["path"].as_str().unwrap();
        assert_eq!(path["reachable"], true, "{text}");
        let answer = json(&["why", IMAGE, text, "--format", "json"]);
        let chain = answer["matches"][0]["chains"][0]["paths"].as_array().unwrap().clone();
        assert_eq!(chain.last().unwrap()["path"], text);
        assert_eq!(chain.len() as u64, path["depth"].as_u64().unwrap() + 1);
    }
}

#[test]
fn precise_shows_files_and_bytes_without_control_characters() {
    let paths = store_paths();
    let deep = paths.iter().max_by_key(|path| path["depth"].as_u64()).unwrap();
    let output = nixdive(&["why", IMAGE, deep["path"].as_str().unwrap(), "--precise", "--all"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(": …"), "{text}");
    assert_eq!(text.chars().find(|character| character.is_control() && *character != '\n'), None);
}

#[test]
fn a_hash_that_is_too_short_and_a_name_that_is_not_there_are_errors_that_help() {
    let output = nixdive(&["why", IMAGE, "no-such-package"]);
    assert_eq!(output.status.code(), Some(2));
    let output = nixdive(&["why", IMAGE, "lighttp"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("lighttpd"), "{message}");
}

#[test]
fn an_image_without_a_store_has_nothing_to_explain() {
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-images/lighttpd-docker.tar.zst");
    let output = nixdive(&["why", image, "perl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no store paths"));
    let inspected = json(&["inspect", image, "--format", "json"]);
    assert_eq!((inspected["storePaths"].as_array().unwrap().len(), &inspected["builder"]), (0, &Value::Null));
}
