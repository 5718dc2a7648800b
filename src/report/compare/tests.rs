use serde_json::Value;

use super::*;
use crate::compare::{CompareOptions, Comparison};
use crate::image::steers_terminal;
use crate::testing::archive::Written;

const HOSTILE: &str = "x|`y`\u{1b}[2J<script>alert(1)</script>\"'&\u{202e}@owner";

fn written(comparison: &Comparison<'_>, notes: &[String], format: CompareFormat) -> String {
    let mut out = Vec::new();
    write_comparison(comparison, notes, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn with_hostile<T>(check: impl FnOnce(&Comparison<'_>) -> T) -> T {
    use crate::compare::tests::{Known, compare};
    let database = |version: &str| {
        let text = format!("P:{HOSTILE}\nV:{version}{HOSTILE}\nI:4096\n\n");
        Written::file("lib/apk/db/installed", text.as_bytes())
    };
    let long = "l".repeat(3000);
    let mut left = Known::of_layers(&[vec![Written::file(HOSTILE, b"1"), database("1")]]);
    let many = (0..500).map(|number| Written::file(&format!("{HOSTILE}{long}/{number}"), b"12"));
    let mut right = Known::of_layers(&[many.chain([Written::symlink(HOSTILE, HOSTILE), database("2")]).collect()]);
    for (known, value) in [(&mut left, "one"), (&mut right, HOSTILE)] {
        known.opened.image.config.env.push(format!("{HOSTILE}={value}"));
        known.opened.image.config.labels.push((HOSTILE.into(), value.into()));
        known.opened.image.identity.requested = HOSTILE.into();
        known.opened.image.identity.references = vec![HOSTILE.into()];
        for layer in &mut known.opened.image.layers {
            layer.created_by = Some(HOSTILE.into());
        }
    }
    check(&compare(&left, &right, CompareOptions { equivalent: true, ..CompareOptions::default() }))
}

#[test]
fn nothing_of_an_image_steers_a_terminal_or_is_markup() {
    with_hostile(|comparison| {
        let notes = [HOSTILE.to_owned()];
        for format in [CompareFormat::Text, CompareFormat::Json, CompareFormat::Markdown, CompareFormat::Html] {
            let text = written(comparison, &notes, format);
            assert!(!text.chars().any(|character| character != '\n' && steers_terminal(character)), "{format:?}");
        }
        let html = written(comparison, &notes, CompareFormat::Html);
        assert!(!html.contains("<script") && !html.contains("alert(1)</script>"), "{html}");
        assert!(html.contains("default-src 'none'") && html.contains("&lt;script&gt;"));
        let markdown = written(comparison, &notes, CompareFormat::Markdown);
        assert!(markdown.chars().count() < 60_000);
        let outside: String = markdown.split('`').step_by(2).collect();
        assert!(!markdown.is_empty() && !outside.contains("\u{1b}"));
    });
}

#[test]
fn the_document_has_integer_bytes_and_all_parts() {
    with_hostile(|comparison| {
        let document: Value = serde_json::from_str(&written(comparison, &[], CompareFormat::Json)).unwrap();
        assert_eq!(document["schema"], COMPARE_SCHEMA);
        let unpacked = &document["bytes"]["unpacked"];
        let figure = |name: &str| unpacked[name].as_i64().unwrap();
        assert_eq!(figure("right") - figure("left"), figure("delta"));
        for kind in ["added", "removed", "content", "metadata", "type", "renamed"] {
            assert!(document["files"][kind].is_array(), "{kind}");
        }
        for kind in ["shared", "rebuilt", "changed", "added", "removed"] {
            assert!(document["storePaths"][kind].is_array(), "{kind}");
        }
        assert_eq!(document["packages"]["changed"][0]["name"], HOSTILE);
        assert_eq!(document["packages"]["changed"][0]["versionOrder"], "newer");
        assert_eq!(document["categories"].as_array().unwrap().len(), 10);
    });
}
