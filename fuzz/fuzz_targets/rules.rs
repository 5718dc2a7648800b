//! YAML, rules (`.nixdive-ci`, `.dive-ci`), baselines and globs. The first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::ci::{DiveRules, RuleFile, from_json, parse_bytes, parse_quota};
use nixdive::glob::Glob;
use nixdive::yaml::{Node, documents};

fn nodes(node: &Node) -> usize {
    let entries: usize = node.entries().iter().map(|(_, _, inner)| nodes(inner)).sum();
    1 + entries + node.items().iter().map(nodes).sum::<usize>()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(content);
    match first % 6 {
        0 => {
            let Ok(read) = documents(&text) else { return };
            // Aliases repeat nodes, within a limit.
            assert!(read.iter().map(nodes).sum::<usize>() <= 1 << 20);
        }
        1 => {
            if let Err(error) = RuleFile::parse("rules", &text) {
                assert!(!error.to_string().is_empty());
            }
        }
        2 => {
            let _ = from_json(content);
        }
        3 => {
            let _ = (parse_bytes(&text), parse_quota(&text));
        }
        4 => {
            let figure = text.into_owned();
            let rules = DiveRules { lowest_efficiency: figure.clone(), ..DiveRules::default() };
            let _ = rules.read();
            let _ = DiveRules { highest_wasted_bytes: figure, ..DiveRules::default() }.read();
        }
        _ => {
            let (pattern, name) = text.split_once('\n').unwrap_or((&text, "a/b"));
            let Ok(glob) = Glob::parse(pattern) else { return };
            assert_eq!(glob.as_str(), pattern);
            let _ = glob.matches(name.as_bytes());
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '/';
            if pattern.chars().all(is_plain) {
                assert!(glob.matches(pattern.as_bytes()));
            }
        }
    }
});
