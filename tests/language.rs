//! Wording of help, messages, comments and pages. CONTRIBUTING.md describes the style; the patterns here are wordings
//! that read as translated. Lower an allowance whenever the number of lines falls below it.
#![allow(clippy::disallowed_methods)]
// clippy.toml allows them in test functions; here all functions serve tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// Wordings to avoid: “is not a” for the sixth, “verify”, “report”, “contains” and “someone” for others.
const PHRASES: &str = r"(?i)\bheld against\b|\bholds? (it |them |this |that )?against\b|\b(is|are) told\b|\btells? of\b|\bso many\b|\bat hand\b|\banew\b|\b(is|are) no\b|\blies? in no\b|\bstands for\b|\bsomebody\b|\bby way of\b";
/// Comments that begin with a question word or with “Of” in place of a noun.
const OPENERS: &str = r"^\s*//[/!] (What|Whether|Of|Where|Those|The same\.)(\b|$)";
/// Comments, and lines with a string.
const SPOKEN: &str = r#"^\s*//[/!]?|""#;

/// Lines of comments and strings that may contain one of the phrases.
const PHRASES_ALLOWED: usize = 75;
/// Lines of comments that may begin with one of the openers.
const OPENERS_ALLOWED: usize = 256;
/// Lines of source and pages that may contain a guillemet: quotation marks are “these”, code is in backticks.
const GUILLEMETS_ALLOWED: usize = 14;
/// Lines of pages and help that may contain one of the phrases.
const PAGE_PHRASES_ALLOWED: usize = 0;

const COMMANDS: &[&str] = &[
    "inspect", "ls", "cat", "extract", "why", "build", "compare", "share", "rebuild", "ci", "sbom", "copy", "index",
    "tags", "cache",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below the named folders and files whose names end with `ending`, with their text.
fn texts(places: &[&str], ending: &str) -> Vec<(PathBuf, String)> {
    let mut waiting: Vec<PathBuf> = places.iter().map(|place| root().join(place)).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
        }
    }
    assert!(!found.is_empty(), "{places:?} contain no {ending}");
    found
}

fn source() -> Vec<(PathBuf, String)> {
    texts(&["src", "crates"], ".rs")
}

fn pages() -> Vec<(PathBuf, String)> {
    texts(&["README.md", "CONTRIBUTING.md", "docs", "crates"], ".md")
}

/// Fails if more lines than allowed match, with the number of each folder and the first lines.
fn at_most(allowed: usize, what: &str, texts: &[(PathBuf, String)], matches: impl Fn(&str) -> bool) {
    let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut shown = String::new();
    let mut total = 0;
    for (path, text) in texts {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| matches(line)) {
            *folders.entry(path.components().take(2).collect()).or_default() += 1;
            total += 1;
            if total <= 40 {
                writeln!(shown, "{}:{}: {}", path.display(), number + 1, line.trim()).unwrap();
            }
        }
    }
    assert!(total <= allowed, "{total} lines with {what}, at most {allowed} are allowed\n{folders:?}\n{shown}");
}

/// Whether a line contains one of the phrases; “is no longer” is English.
fn has_phrase(phrases: &Regex, line: &str) -> bool {
    phrases.find_iter(line).any(|found| {
        let is_no_longer = line.get(found.end()..).is_some_and(|rest| rest.starts_with(" longer"));
        !(found.as_str().ends_with(" no") && is_no_longer)
    })
}

#[test]
fn comments_and_strings_are_plain_english() {
    let (phrases, spoken) = (Regex::new(PHRASES).unwrap(), Regex::new(SPOKEN).unwrap());
    at_most(PHRASES_ALLOWED, "a phrase to avoid", &source(), |line| {
        spoken.is_match(line) && has_phrase(&phrases, line)
    });
}

#[test]
fn comments_begin_with_a_noun_or_a_verb() {
    let openers = Regex::new(OPENERS).unwrap();
    at_most(OPENERS_ALLOWED, "an opener to avoid", &source(), |line| openers.is_match(line));
}

#[test]
fn quotation_marks_are_english() {
    let texts: Vec<_> = source().into_iter().chain(pages()).collect();
    at_most(GUILLEMETS_ALLOWED, "a guillemet", &texts, |line| line.contains(['«', '»']));
}

#[test]
fn pages_and_help_are_plain_english() {
    let phrases = Regex::new(PHRASES).unwrap();
    let mut texts = pages();
    for command in std::iter::once(None).chain(COMMANDS.iter().copied().map(Some)) {
        let output = Command::new(env!("CARGO_BIN_EXE_nixdive")).args(command).arg("--help").output().unwrap();
        let place = PathBuf::from(format!("help of {}", command.unwrap_or("nixdive")));
        texts.push((place, String::from_utf8(output.stdout).unwrap()));
    }
    at_most(PAGE_PHRASES_ALLOWED, "a phrase to avoid", &texts, |line| has_phrase(&phrases, line));
}

#[test]
fn the_patterns_find_what_they_are_for() {
    let phrases = Regex::new(PHRASES).unwrap();
    for (line, expected) in [
        ("the file is no image", true),
        ("the file is no longer there", false),
        ("it is no longer so, and that is no loss", true),
        ("Each digest is held against the manifest", true),
        ("each digest is verified", false),
        ("so many bytes", true),
    ] {
        assert_eq!(has_phrase(&phrases, line), expected, "{line}");
    }
    let openers = Regex::new(OPENERS).unwrap();
    assert!(openers.is_match("    /// Whether it is open.") && !openers.is_match("    /// The same file."));
}
