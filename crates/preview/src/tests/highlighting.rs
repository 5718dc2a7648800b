use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{Budget, Encoding, Meaning, Section, StyledLine, Syntaxes, TextPreview};

fn patient() -> Budget {
    Budget { colouring: Duration::from_secs(60), ..Budget::default() }
}

fn lines(name: &str, text: &str) -> Vec<StyledLine> {
    TextPreview::of_text(text.to_owned(), name, &Arc::new(Syntaxes::new())).lines(0..1000, patient()).lines
}

fn meaning_of(line: &StyledLine, word: &str) -> Option<Meaning> {
    line.spans.iter().find(|span| span.text.contains(word)).map(|span| span.style.meaning)
}

#[test]
fn words_have_the_meaning_that_their_language_gives_them() {
    for (name, text, word, meaning) in [
        ("Dockerfile", "FROM alpine AS base\n", "FROM", Meaning::Keyword),
        ("Containerfile", "# a remark\n", "remark", Meaning::Comment),
        ("default.nix", "let x = \"text\"; in x\n", "let", Meaning::Keyword),
        ("default.nix", "{ x = \"text\"; }\n", "text", Meaning::String),
        ("run.sh", "if true; then echo 1; fi\n", "if", Meaning::Keyword),
        ("a.json", "{\"key\": true}\n", "true", Meaning::Constant),
        ("a.json", "{\"key\": 12}\n", "12", Meaning::Number),
        ("flake.lock", "{\"key\": 12}\n", "key", Meaning::Key),
        ("a.yaml", "key: value # why\n", "key", Meaning::Key),
        ("a.yaml", "key: value # why\n", "why", Meaning::Comment),
        ("Cargo.toml", "[package]\nname = \"x\"\n", "package", Meaning::Heading),
        ("a.ini", "; why\n[section]\n", "why", Meaning::Comment),
        ("sshd.service", "[Unit]\nAfter=network.target\n", "Unit", Meaning::Heading),
        ("a.py", "def f(x): return 'a'\n", "def", Meaning::Keyword),
        ("a.py", "def go(x): return 'a'\n", "go", Meaning::Function),
        ("a.js", "const x = 1 // why\n", "why", Meaning::Comment),
        ("main.rs", "fn main() {}\n", "main", Meaning::Function),
        ("main.go", "package main\n", "package", Meaning::Keyword),
        ("a.c", "int x = 1;\n", "int", Meaning::Keyword),
        ("README.md", "# Heading\n", "Heading", Meaning::Heading),
        ("Makefile", "# why\nall:\n", "why", Meaning::Comment),
        ("nginx.conf", "# why\n", "why", Meaning::Comment),
        ("my.conf", "# why\nkey = 1\n", "why", Meaning::Comment),
        ("wrapped", "#!/usr/bin/env -S python3.12 -u\nimport os\n", "import", Meaning::Keyword),
        ("script", "#!/nix/store/abc-bash-5.2/bin/bash\nif true; then :; fi\n", "if", Meaning::Keyword),
        ("config.py.bak", "import os\n", "import", Meaning::Keyword),
    ] {
        let lines = lines(name, text);
        let found = lines.iter().find_map(|line| meaning_of(line, word));
        assert_eq!(found, Some(meaning), "{name}: {word} in {lines:?}");
        let back: Vec<String> = lines.iter().map(StyledLine::text).collect();
        assert_eq!(back.join("\n") + "\n", text);
    }
    assert_eq!(meaning_of(&lines("notes.txt", "if true\n")[0], "if"), Some(Meaning::Plain));
}

#[test]
fn colours_do_not_depend_on_where_one_looks_first() {
    let mut text = String::from("a = '''\n");
    (0..300).for_each(|number| text.push_str(&format!("inside {number}\n")));
    text.push_str("'''\nimport os\n");
    let syntaxes = Arc::new(Syntaxes::new());
    let mut once = TextPreview::of_text(text.clone(), "a.py", &syntaxes);
    let all = once.lines(0..400, patient()).lines;
    let mut jumping = TextPreview::of_text(text, "a.py", &syntaxes);
    for start in [290, 100, 0, 270, 130] {
        let window = jumping.lines(start..start + 30, patient());
        let expected: Vec<StyledLine> = all.iter().skip(start as usize).take(30).cloned().collect();
        assert_eq!(window.lines, expected, "from {start}");
    }
    assert_eq!(meaning_of(&all[150], "inside"), meaning_of(&all[1], "inside"));
    assert_eq!(meaning_of(&all[302], "import"), Some(Meaning::Keyword));
}

#[test]
fn without_time_lines_are_plain_and_come_in_colour_later() {
    let text = "x = 1\n".repeat(500);
    let mut preview = TextPreview::of_text(text, "a.py", &Arc::new(Syntaxes::new()));
    let hasty = Budget { colouring: Duration::ZERO, ..Budget::default() };
    let window = preview.lines(0..500, hasty);
    assert!(window.colours_pending && window.lines.len() == 500);
    assert_eq!(window.lines[499].text(), "x = 1");
    let window = preview.lines(0..500, patient());
    assert!(!window.colours_pending);
    assert_eq!(meaning_of(&window.lines[499], "1"), Some(Meaning::Number));
}

#[test]
fn files_that_lie_about_their_type_end_in_bearable_time() {
    let brackets = "(".repeat(2_000_000);
    let deep = "((((((((\n".repeat(20_000);
    let minified = "function(){a=[\"x\",{b:1}]};".repeat(200_000);
    let quotes = "\"'`\\".repeat(400) + "\n";
    for (name, text) in [("a.py", &brackets), ("a.rs", &deep), ("a.js", &minified), ("a.sh", &quotes.repeat(50))] {
        let start = Instant::now();
        let mut preview = TextPreview::of_text(text.clone(), name, &Arc::new(Syntaxes::new()));
        let total = preview.count_lines(patient()).unwrap();
        for at in [0, total.saturating_sub(40), total / 2] {
            preview.lines(at..at + 40, Budget::default());
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn far_into_a_long_file_colours_begin_nearby() {
    let line = b"import os\n";
    let text = String::from_utf8(line.repeat(100_000)).unwrap();
    let section = Section::from_bytes(text.into_bytes());
    let mut preview = TextPreview::new(section, Encoding::Utf8, b"a.py", &Arc::new(Syntaxes::new()));
    let window = preview.lines(90_000..90_010, patient());
    assert_eq!(meaning_of(&window.lines[0], "import"), Some(Meaning::Keyword));
    assert_eq!(preview.syntax(), Some("Python"));
}
