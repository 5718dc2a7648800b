//! Holds the README to what the program does.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write;
use std::path::Path;

use nixdive::tui::ACTIONS;

const BEGIN: &str = "<!-- keys: written by tests/readme.rs -->\n";
const END: &str = "<!-- end of keys -->\n";

/// The table of keys as the program defines them.
fn keys() -> String {
    let mut table = String::from("| Keys | Do | In |\n|---|---|---|\n");
    for info in ACTIONS {
        let keys: Vec<String> = info.keys.iter().map(|keys| format!("`{keys}`")).collect();
        let contexts: Vec<&str> = info.contexts.iter().map(|context| context.name()).collect();
        writeln!(table, "| {} | {} | {} |", keys.join(" "), info.description, contexts.join(", ")).unwrap();
    }
    table
}

/// With `NIXDIVE_UPDATE=1` the table is written anew.
#[test]
fn the_table_of_keys_is_the_one_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the README marks where its keys begin");
    let (table, after) = rest.split_once(END).expect("the README marks where its keys end");
    if std::env::var_os("NIXDIVE_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", keys())).unwrap();
        return;
    }
    assert_eq!(table, keys(), "renew it with NIXDIVE_UPDATE=1 cargo test --test readme");
}

/// Every option and command that the README's examples use is one that the program knows.
#[test]
fn the_commands_of_the_readme_are_understood() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let help = |words: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_nixdive")).args(words).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let known = [
        &[][..],
        &["inspect"],
        &["ls"],
        &["cat"],
        &["extract"],
        &["why"],
        &["ci"],
        &["sbom"],
        &["rebuild"],
        &["copy"],
        &["index"],
    ]
    .map(help)
    .concat();
    let examples = text.lines().filter(|line| line.starts_with("nixdive "));
    let mut looked_at = 0;
    for word in examples.flat_map(|line| line.split(['#', '|']).next().unwrap_or_default().split_whitespace()) {
        if word.starts_with("--") {
            looked_at += 1;
            assert!(known.contains(word), "{word}");
        }
    }
    assert!(looked_at > 0, "the README has no example with an option");
}
