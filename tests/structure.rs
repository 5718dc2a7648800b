//! Holds the direction in which data flows: which room may use which, read off the `crate::` paths in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("reference", &[]),
    ("http", &["image", "scan"]),
    ("beneath", &[]),
    ("execution", &["image", "reference"]),
    ("registry", &["execution", "go_json", "http", "image", "reference", "scan"]),
    ("cache", &["image", "scan"]),
    ("engines", &["http", "image", "reference"]),
    ("glob", &[]),
    ("go_json", &[]),
    ("index", &["go_json", "image", "transfer"]),
    ("image", &[]),
    ("sqlite", &[]),
    ("yaml", &["image"]),
    ("build", &["beneath", "execution", "image"]),
    ("manifest", &["image", "yaml"]),
    ("scan", &["image"]),
    ("store", &["image", "nix", "scan"]),
    ("source", &["beneath", "execution", "go_json", "image", "nix", "reference", "scan", "store"]),
    (
        "open",
        &[
            "beneath",
            "cache",
            "engines",
            "execution",
            "http",
            "image",
            "nix",
            "reference",
            "registry",
            "scan",
            "source",
            "store",
        ],
    ),
    ("analysis", &["image"]),
    ("nix", &["image", "sqlite"]),
    ("study", &["image", "scan", "open", "nix"]),
    ("packages", &["image", "sqlite"]),
    ("findings", &["image", "nix", "packages"]),
    ("examine", &["image", "scan", "open", "findings"]),
    ("extract", &["beneath", "image", "open"]),
    ("preview", &["image", "scan"]),
    ("search", &["image", "scan", "open"]),
    ("identify", &["image", "scan", "open"]),
    ("compare", &["image", "nix", "packages"]),
    ("ci", &["glob", "image", "yaml", "analysis", "nix", "packages"]),
    (
        "rebuild",
        &["beneath", "glob", "go_json", "image", "findings", "study", "scan", "open", "nix", "packages", "store"],
    ),
    (
        "transfer",
        &[
            "beneath",
            "cache",
            "engines",
            "go_json",
            "http",
            "image",
            "open",
            "rebuild",
            "reference",
            "registry",
            "scan",
            "source",
            "store",
        ],
    ),
    ("report", &["image", "analysis", "nix", "packages", "findings", "compare", "ci", "rebuild"]),
    ("tui", &["image", "analysis", "findings", "nix", "packages", "preview", "search", "compare", "rebuild"]),
    (
        "cli",
        &[
            "beneath",
            "glob",
            "cache",
            "engines",
            "execution",
            "http",
            "image",
            "build",
            "manifest",
            "reference",
            "registry",
            "scan",
            "source",
            "open",
            "analysis",
            "nix",
            "packages",
            "extract",
            "preview",
            "search",
            "study",
            "findings",
            "examine",
            "identify",
            "compare",
            "ci",
            "index",
            "rebuild",
            "store",
            "report",
            "transfer",
            "tui",
        ],
    ),
];

#[test]
fn every_room_uses_only_rooms_before_it() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (room, allowed) in ARROWS {
        for file in files_of(&sources, room) {
            for used in rooms_used(&fs::read_to_string(&file).unwrap()) {
                // `testing` holds what the tests of several rooms share.
                if used != *room && used != "testing" && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point back:\n{}", wrong.join("\n"));
}

/// Who may start a program is said by a permission, and `execution` alone turns one into a command.
#[test]
fn commands_are_made_in_one_place() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut places = Vec::new();
    for file in fs::read_dir(&sources).unwrap().flatten().flat_map(|entry| {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        files_of(&sources, &name)
    }) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_of_tests =
            ["nix/live.rs", "live_tests", "testing"].iter().any(|part| file.to_string_lossy().contains(part));
        if code.contains("Command::new(") && !is_of_tests {
            places.push(file.strip_prefix(&sources).unwrap().display().to_string());
        }
    }
    assert_eq!(places, ["execution.rs"]);
}

#[test]
fn every_room_is_in_the_table() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rooms = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let known: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let unknown: Vec<&str> = rooms.filter(|room| !known.contains(room)).collect();
    assert!(unknown.is_empty(), "rooms without arrows: {unknown:?}");
}

fn files_of(sources: &Path, room: &str) -> Vec<PathBuf> {
    let file = sources.join(format!("{room}.rs"));
    if file.is_file() {
        return vec![file];
    }
    let mut found = Vec::new();
    let mut directories = vec![sources.join(room)];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            let is_test = path.components().any(|part| part.as_os_str() == "tests")
                || path.to_string_lossy().ends_with("tests.rs");
            if path.is_dir() {
                directories.push(path);
            } else if is_source && !is_test {
                found.push(path);
            }
        }
    }
    found
}

/// The rooms behind `crate::` in a source, its test module left out.
fn rooms_used(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let name = |rest: &str| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    source.split("crate::").skip(1).map(name).filter(|name: &String| name.starts_with(char::is_lowercase)).collect()
}
