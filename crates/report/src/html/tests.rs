use serde_json::Value;

use super::*;
use crate::{Format, InspectOptions, Inspection};
use nixdive_image::Image;
use nixdive_image::testing::{Layers, image};

fn page(image: &Image) -> String {
    let mut out = Vec::new();
    Inspection::new(image, InspectOptions::default()).write(Format::Html, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Returns the text between the first `start` and the next `end`.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

fn data(page: &str) -> Value {
    serde_json::from_str(between(page, "id=\"data\">", "</script>")).unwrap()
}

#[test]
fn the_policy_names_the_style_and_the_scripts_of_the_page_and_nothing_else() {
    let page = page(&image(&[&["f a 1"]]));
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
    let digest = |text: &str| format!("'{}'", Sha256Hash::of(text.as_bytes()).to_sri());
    let style = digest(between(&page, "<style>", "</style>"));
    let scripts: Vec<String> =
        page.split("<script>").skip(1).map(|rest| digest(rest.split_once("</script>").unwrap().0)).collect();
    assert_eq!(scripts.len(), SCRIPTS.len());
    let expected = format!(
        "default-src 'none'; style-src {style}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        scripts.join(" ")
    );
    assert_eq!(policy, expected);
}

#[test]
fn the_script_and_the_style_are_plain_and_short() {
    for text in SCRIPTS {
        assert!(
            text.is_ascii()
                || text.chars().all(|character| !nixdive_base::text::steers_terminal(character) || character == '\n')
        );
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "Function(",
            "fetch(",
            "http:",
            "https:",
            "</script",
        ] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }
    for text in SCRIPTS.into_iter().chain([STYLE]) {
        assert!(text.lines().count() < 600);
        assert!(!text.contains("url("));
    }
}

#[test]
fn the_paths_of_an_image_are_a_tree_of_columns() {
    let layers: Layers<'_> =
        &[&["d etc", "f etc/motd 10", "f usr/bin/tool 3000", "f old 5"], &["f etc/motd 20", "w old"]];
    let paths = &data(&page(&image(layers)))["paths"];
    assert_eq!(paths["names"], "etc/motd/usr/bin/tool");
    assert_eq!(paths["depths"], serde_json::json!([1, 2, 1, 2, 3]));
    assert_eq!(paths["kinds"], "dfddf");
    assert_eq!(paths["bytes"], serde_json::json!([20, 20, 3000, 3000, 3000]));
    assert_eq!(paths["layers"], serde_json::json!([0, 1, null, null, 0]));
    assert_eq!(paths["all"], serde_json::json!([null, 3020]));
    assert_eq!(paths["folded"], serde_json::json!([]));
}

/// Returns an image with `count` files of growing length, a thousand in each directory.
fn many(count: usize) -> Image {
    let entries: Vec<String> = (0..count)
        .map(|number| {
            format!(
                "f usr/lib/python3/site-packages/package-{}/module-{number}.cpython-311.pyc {}",
                number / 1000,
                number * 37
            )
        })
        .collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    image(&[&entries])
}

#[test]
fn sixteen_thousand_entries_fit_whole_in_one_and_a_half_megabytes() {
    let page = page(&many(16_000));
    assert!(page.len() <= 1_500_000, "{} bytes", page.len());
    assert_eq!(data(&page)["paths"]["folded"], serde_json::json!([]));
    assert!(!page.contains("too many for this file"));
}

#[test]
fn of_more_entries_the_smallest_are_counted_and_the_page_says_so() {
    let count = paths::MOST_PATHS + 5_000;
    let page = page(&many(count));
    assert!(page.len() <= 2_500_000, "{} bytes", page.len());
    let document = data(&page);
    let paths = &document["paths"];
    let carried = paths["depths"].as_array().unwrap().len();
    let folded: u64 = paths["folded"].as_array().unwrap().iter().map(|pair| pair[1].as_u64().unwrap()).sum();
    // 30 directories of packages, and four above them.
    assert_eq!(carried as u64 + folded, count as u64 + 30 + 4);
    assert_eq!(paths["names"].as_str().unwrap().split('/').count(), carried);
    let sentence = format!("The {} smallest paths are too many for this file", crate::names::grouped(folded));
    assert!(page.contains(&sentence), "{sentence}");
}

#[test]
fn deep_and_long_names_do_not_make_the_page_long() {
    let long = "n".repeat(60_000);
    let deep = "d/".repeat(3_000);
    let mut entries = vec![format!("f {deep}end 7000")];
    entries.extend((0..50).map(|number| format!("f {number}{long} {number}")));
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let page = page(&image(&[&entries]));
    assert!(page.len() < 300_000, "{} bytes", page.len());
    let depths = data(&page)["paths"]["depths"].as_array().unwrap().iter().map(|depth| depth.as_u64().unwrap()).max();
    assert!(depths < Some(60), "{depths:?}");
}

const HOSTILE: &str = "</script><script>alert(1)</script>\"'&<!--\u{2028}\u{202e}\u{1b}[2J";

#[test]
fn nothing_of_an_image_is_markup_or_ends_the_data() {
    let mut image = image(&[&["f a 1"]]);
    let entry = nixdive_image::EntryFields { bytes: 9, ..nixdive_image::EntryFields::new(nixdive_image::Kind::File) };
    let mut batch = nixdive_image::EntryBatch::default();
    batch.push(HOSTILE.replace('/', "-").as_bytes(), b"", entry.clone());
    batch.push(b"\xff<img src=x onerror=alert(1)>", b"", entry);
    let mut builder = nixdive_image::TreeBuilder::new();
    builder.begin_layer().unwrap();
    builder.add(&batch).unwrap();
    image.tree = builder.finish();
    nixdive_image::compute_history(&mut image.tree, &mut |_: &nixdive_image::FileTree, _, _| true);
    image.identity.references = vec![HOSTILE.into()];
    image.identity.requested = HOSTILE.into();
    image.config.env = vec![HOSTILE.into()];
    image.config.labels = vec![(HOSTILE.into(), HOSTILE.into())];
    for layer in &mut image.layers {
        layer.created_by = Some(HOSTILE.into());
    }
    let page = page(&image);
    assert_eq!(page.matches("<script").count(), 1 + SCRIPTS.len());
    assert_eq!(page.matches("</script").count(), 1 + SCRIPTS.len());
    assert!(!page.contains("<img") && !page.contains("<!--"));
    assert!(!page.chars().any(|character| character != '\n' && nixdive_base::text::steers_terminal(character)));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let names = data(&page)["paths"]["names"].as_str().unwrap().to_owned();
    assert!(names.contains("\\xff<img src=x onerror=alert(1)>"), "{names}");
}
