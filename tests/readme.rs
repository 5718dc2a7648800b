//! Checks README.md and the pages under docs/ against the program.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use nixdive::tui::ACTIONS;

const BEGIN: &str = "<!-- keys: written by tests/readme.rs -->\n";
const END: &str = "<!-- end of keys -->\n";
const CRATES_BEGIN: &str = "<!-- crates: written by tests/readme.rs -->\n";
const CRATES_END: &str = "<!-- end of crates -->\n";
/// Largest size of README.md, in bytes: one screen of text for each of its parts. Everything else has a page in docs/.
const README_BYTES: usize = 8192;
/// Subcommands whose options the pages use.
const COMMANDS: &[&str] = &[
    "inspect", "ls", "cat", "extract", "why", "build", "compare", "share", "ci", "sbom", "rebuild", "copy", "index",
    "tags", "cache",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, CONTRIBUTING.md and every page below docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    let mut directories = vec![root().join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

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

/// With `NIXDIVE_UPDATE=1` the table is replaced.
#[test]
fn the_table_of_keys_is_the_one_of_the_program() {
    let path = root().join("docs/keys.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/keys.md marks where its keys begin");
    let (table, after) = rest.split_once(END).expect("docs/keys.md marks where its keys end");
    if std::env::var_os("NIXDIVE_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", keys())).unwrap();
        return;
    }
    assert_eq!(table, keys(), "renew it with NIXDIVE_UPDATE=1 cargo test --test readme");
}

/// Crates of the workspace in alphabetical order: name, description, and the crates of the workspace that it uses.
fn crates() -> Vec<(String, String, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let short = |name: &str| name.strip_prefix("nixdive-").unwrap_or(name).to_owned();
    let mut crates: Vec<_> = metadata["packages"].as_array().unwrap().iter().collect();
    crates.sort_by_key(|package| package["name"].as_str());
    crates
        .into_iter()
        .map(|package| {
            let used = package["dependencies"].as_array().unwrap().iter();
            let used = used.filter(|used| used["kind"].is_null() && used["optional"] == false);
            let used = used.filter_map(|used| used["name"].as_str()?.strip_prefix("nixdive-"));
            let name = short(package["name"].as_str().unwrap());
            (name, package["description"].as_str().unwrap().to_owned(), used.map(str::to_owned).collect())
        })
        .collect()
}

/// The picture and the table of the crates as cargo knows them. The picture leaves out arrows that follow from others.
fn crate_list() -> String {
    let crates = crates();
    let uses: BTreeMap<&str, &BTreeSet<String>> = crates.iter().map(|(name, _, used)| (&**name, used)).collect();
    let mut picture = String::from("```mermaid\nflowchart TD\n");
    let mut table = String::from("| Crate | Owns | Uses |\n|---|---|---|\n");
    for (name, description, used) in &crates {
        let is_indirect = |target: &String| used.iter().any(|other| other != target && reaches(&uses, other, target));
        for target in used.iter().filter(|target| !is_indirect(target)) {
            writeln!(picture, "    {name} --> {target}").unwrap();
        }
        let folder = if name == "nixdive" { "../src" } else { &format!("../crates/{name}") };
        let list = used.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        writeln!(table, "| [{name}]({folder}) | {description} | {list} |").unwrap();
    }
    format!("{picture}```\n\n{table}")
}

/// Whether a crate uses another one, directly or not.
fn reaches(uses: &BTreeMap<&str, &BTreeSet<String>>, from: &str, target: &str) -> bool {
    uses.get(from).is_some_and(|used| used.iter().any(|next| next == target || reaches(uses, next, target)))
}

/// With `NIXDIVE_UPDATE=1` the list is replaced.
#[test]
fn the_list_of_crates_is_the_one_of_cargo() {
    let path = root().join("docs/architecture.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(CRATES_BEGIN).expect("docs/architecture.md marks where its crates begin");
    let (list, after) = rest.split_once(CRATES_END).expect("docs/architecture.md marks where its crates end");
    if std::env::var_os("NIXDIVE_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{CRATES_BEGIN}{}{CRATES_END}{after}", crate_list())).unwrap();
        return;
    }
    assert_eq!(list, crate_list(), "renew it with NIXDIVE_UPDATE=1 cargo test --test readme");
}

#[test]
fn every_crate_has_a_readme_and_a_description() {
    for (name, description, _) in crates().into_iter().filter(|(name, ..)| name != "nixdive") {
        let readme = std::fs::read_to_string(root().join("crates").join(&name).join("README.md")).unwrap_or_default();
        assert!(readme.contains("**Start reading:**"), "crates/{name}/README.md does not say where to start reading");
        assert!(description.len() > 40, "crates/{name}/Cargo.toml: the description says too little: {description}");
    }
}

/// Every file and folder of the source that a page names in backticks exists.
#[test]
fn the_files_that_pages_name_exist() {
    const ROOTS: &[&str] = &[
        "assets/",
        "benches/",
        "ci/",
        "crates/",
        "docs/",
        "examples/",
        "fuzz/",
        "sample-images/",
        "src/",
        "tests/",
        "tools/",
    ];
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let is_path = ROOTS.iter().any(|root| word.starts_with(root)) && !word.contains(['*', ' ', '…']);
            assert!(!is_path || root().join(word).exists(), "{}: {word} does not exist", page.display());
        }
    }
}

/// Every option that an example in README.md or docs/ uses exists.
#[test]
fn the_commands_of_the_readme_are_understood() {
    let help = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_nixdive")).args(words).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let known: String = std::iter::once(help(&[])).chain(COMMANDS.iter().map(|command| help(&[command]))).collect();
    for (page, least) in [("README.md", 5), ("docs/usage.md", 5), ("docs/ci.md", 5), ("docs/rebuild.md", 5)] {
        assert!(examined_options(&root().join(page), &known) >= least, "{page} has too few examples with an option");
    }
    for page in pages() {
        examined_options(&page, &known);
    }
}

/// Checks the options of a page's examples, and counts them.
fn examined_options(page: &Path, known: &str) -> usize {
    let text = std::fs::read_to_string(page).unwrap();
    let examples = text.lines().filter(|line| line.starts_with("nixdive "));
    let words = examples.flat_map(|line| line.split(['#', '|']).next().unwrap_or_default().split_whitespace());
    let options: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    for option in &options {
        assert!(known.contains(option), "{}: {option}", page.display());
    }
    options.len()
}

#[test]
fn the_readme_is_short() {
    let length = std::fs::read(root().join("README.md")).unwrap().len();
    assert!(length <= README_BYTES, "README.md has {length} bytes, at most {README_BYTES} are allowed");
}

/// Every relative link and picture of a page leads to a file, and every fragment to a heading.
#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {target}", page.display());
            assert!(
                fragment.is_empty() || anchors(&file).contains(&fragment.to_owned()),
                "{}: {target}",
                page.display()
            );
        }
    }
}

/// The fragments by which GitHub links the headings of a page.
fn anchors(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let lower = heading.to_lowercase();
            let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
