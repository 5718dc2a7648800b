//! Runs the programs of `examples/` as a reader of their first lines does.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

const NIX: &str = "sample-images/lighttpd-nix.tar.gz";
const DOCKER: &str = "sample-images/lighttpd-docker.tar.zst";

/// The program of an example. `cargo test` builds them all; `cargo test --test examples` does not.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    if !program.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--offline", "--example", name]).status().unwrap();
        assert!(built.success(), "{name} does not compile");
    }
    program
}

/// Standard output of an example, run in the root of the repository.
fn run(name: &str, arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(example(name)).args(arguments).current_dir(root).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_largest_files_come_first() {
    let said = run("largest_files", &[NIX, "3"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[0].ends_with("in 11 layers"), "{said}");
    assert!(lines[1..].iter().all(|line| line.contains("/nix/store/")), "{said}");
    assert_eq!(run("largest_files", &[]).lines().count(), 11);
}

#[test]
fn two_images_are_compared() {
    let said = run("compare_images", &[DOCKER, NIX]);
    assert!(said.starts_with("unpacked: ") && said.contains(" -> "), "{said}");
    let counts: Vec<&str> = said.lines().skip(1).collect();
    assert!(counts[0].starts_with("added: ") && !counts[0].contains(" 0 files"), "{said}");
    let same = run("compare_images", &[NIX, NIX]);
    assert!(same.lines().skip(1).all(|line| line.ends_with(": 0 files")), "{same}");
}
