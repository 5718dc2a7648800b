use serde_json::Value;

use super::*;
use nixdive_analyse::compare::{CompareOptions, Comparison};
use nixdive_base::text::steers_terminal;
use nixdive_image::testing::archive::Written;

const HOSTILE: &str = "x|`y`\u{1b}[2J<script>alert(1)</script>\"'&\u{202e}@owner";

fn written(comparison: &Comparison<'_>, notes: &[String], format: CompareFormat) -> String {
    let mut out = Vec::new();
    write_comparison(comparison, notes, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn with_hostile<T>(check: impl FnOnce(&Comparison<'_>) -> T) -> T {
    use nixdive_analyse::testing::{Known, compare};
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
        assert_eq!(html.matches("<script").count(), html.matches("</script").count());
        assert!(!html.contains("<script>alert") && !html.contains("alert(1)</script>"));
        assert!(html.contains("default-src &#39;none&#39;") && html.contains("&lt;script&gt;"));
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

/// The characters of a Markdown document that are outside code spans: none of them comes from an image.
fn outside_spans(markdown: &str) -> String {
    let mut outside = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find('`') {
        outside.push_str(&rest[..start]);
        let fence = rest[start..].chars().take_while(|&character| character == '`').count();
        let after = &rest[start + fence..];
        // A span ends at the next run of exactly as many backticks.
        let mut at = 0;
        loop {
            let run = at + after[at..].find('`').expect("a span without an end");
            let length = after[run..].chars().take_while(|&character| character == '`').count();
            at = run + length;
            if length == fence {
                break;
            }
        }
        rest = &after[at..];
    }
    outside + rest
}

#[test]
fn a_pull_requests_comment_is_short_enough_whatever_the_images() {
    use nixdive_analyse::testing::{Known, compare};
    let long = HOSTILE.repeat(700);
    let package = |number: usize, version: &str| format!("P:{HOSTILE}{number}\nV:{version}\nI:{}\n\n", number + 1);
    let database = |version: &str| (0..400).map(|number| package(number, version)).collect::<String>();
    let many = (0..1_500).map(|number| Written::file(&format!("{HOSTILE}{number}/{HOSTILE}"), b"content"));
    let left = Known::of_layers(&[vec![Written::file("lib/apk/db/installed", database("1").as_bytes())]]);
    let changed = Written::file("lib/apk/db/installed", database(&HOSTILE.repeat(20)).as_bytes());
    let mut right = Known::of_layers(&[many.collect(), vec![changed]]);
    let config = &mut right.opened.image.config;
    config.env = (0..2_000).map(|number| format!("{number}{HOSTILE}={HOSTILE}")).collect();
    config.labels = (0..2_000).map(|number| (format!("{number}{HOSTILE}"), HOSTILE.repeat(9))).collect();
    config.entrypoint = vec![long.clone(); 10];
    right.opened.image.identity.references = vec![long.clone()];
    right.opened.image.layers.iter_mut().for_each(|layer| layer.created_by = Some(long.clone()));
    let notes = vec![long; 50];
    let comparison = compare(&left, &right, CompareOptions { equivalent: true, ..CompareOptions::default() });
    let markdown = written(&comparison, &notes, CompareFormat::Markdown);
    assert!(markdown.chars().count() < 60_000, "{}", markdown.chars().count());
    let outside = outside_spans(&markdown);
    assert!(!outside.contains("script") && !outside.contains("@owner"), "{outside}");
    let place = |text: &str| markdown.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(place("## ") < place("The right image adds"));
    assert!(place("The right image adds") < place("### Why it grew"));
    assert!(place("### Why it grew") < place("<details>"));
    let html = written(&comparison, &notes, CompareFormat::Html);
    assert!(html.len() < 4_000_000, "{} bytes", html.len());
}
