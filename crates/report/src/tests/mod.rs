mod findings;

use serde_json::{Value, json};

use super::listing::{Listed, Lister};
use super::*;
use nixdive_analyse::analysis::assess;
use nixdive_base::text::steers_terminal;
use nixdive_image::testing::{Layers, corpus_file, image, orderless};
use nixdive_image::{Digest, Image, Kind, LayerIndex, Warning};
use nixdive_source::testing::corpus_image;

const HOSTILE: &str = "\u{1b}[2Jevil|`x`\n@owner <b>\u{202e}";

fn report(image: &Image, format: Format) -> String {
    let mut out = Vec::new();
    Inspection::new(image, InspectOptions::default()).write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn inspect(image: &Image) -> Value {
    serde_json::from_str(&report(image, Format::Json)).unwrap()
}

fn export(image: &Image) -> String {
    let mut out = Vec::new();
    write_dive_export(image, &assess(image), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_export_of_a_real_image_is_dives_own_byte_for_byte() {
    let Some(image) = corpus_image("dive/test-docker-image.tar") else { return };
    let Some(expected) = corpus_file("dive/test-docker-image.export.json") else { return };
    let expected = std::fs::read_to_string(expected).unwrap();
    for (number, (ours, theirs)) in export(&image).lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", number + 1);
    }
    assert_eq!(export(&image).trim_end(), expected.trim_end());
}

fn listed(layers: Layers<'_>) -> Vec<String> {
    let image = image(layers);
    let tree = &image.tree;
    let rows = Lister::new(tree).layer(LayerIndex(0));
    let name = |id| nixdive_image::testing::path(tree, tree.occurrence(id).node());
    let shown = rows.into_iter().map(|row| match row {
        Listed::Implied => "(implied)".to_owned(),
        Listed::Entry(id) => name(id),
        Listed::Whiteout(id) => format!("{} removed", name(id)),
    });
    shown.collect()
}

#[test]
fn a_layer_is_listed_children_first_with_whiteouts_where_their_names_put_them() {
    let layer: Layers<'_> = &[&["f b/c/x 1", "d b", "w b/+", "w b/c/z", "f b/-a 1", "f b/+x 1", "w b", "w a", "f a 3"]];
    let expected = [
        "/b removed",
        "/a removed",
        "/a",
        "/b/+x",
        "/b/-a",
        "/b/+ removed",
        "/b/c/z removed",
        "/b/c/x",
        "(implied)",
        "/b",
    ];
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.swap(0, 1); // `.wh.a` comes before `.wh.b`
    assert_eq!(listed(layer), expected);
}

#[test]
fn whiteouts_at_the_head_of_nested_directories_keep_their_order() {
    let layer: Layers<'_> = &[&["w b/c/d/e", "w b/c/a", "w b/a", "w a", "d b"]];
    let expected = ["/a removed", "/b/a removed", "/b/c/a removed", "/b/c/d/e removed", "(implied)", "(implied)", "/b"];
    assert_eq!(listed(layer), expected);
}

proptest::proptest! {
    /// The oracle is dive's way: a tree of names as they stand in the archive, visited children first.
    #[test]
    fn any_layer_is_listed_as_dive_would(names in proptest::collection::vec("(w|f|d) ([-+a.]{1,2}/){0,3}[-+a]{1,2}", 1..12)) {
        let valid = |name: &&String| !name.contains("./") && !name.contains("/.") && !name.contains(" .");
        let names: Vec<String> = names.iter().filter(valid).cloned().collect();
        let lines = orderless(&names);
        let mut model = Vec::new();
        for line in &lines {
            let (kind, path) = line.split_once(' ').unwrap();
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            let name = if kind == "w" { format!(".wh.{name}") } else { name.to_owned() };
            let parts = directory.split('/').filter(|part| !part.is_empty()).chain([name.as_str()]);
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            for depth in 1..=parts.len() {
                // Children first is the order of paths that end with something larger than any name.
                let key: Vec<String> = parts[..depth].iter().cloned().chain(["\u{ffff}".into()]).collect();
                model.push(key);
            }
        }
        model.sort();
        model.dedup();
        let expected: Vec<String> = model.iter().map(|key| key[..key.len() - 1].join("/")).collect();
        let image = image(&[&lines]);
        let tree = &image.tree;
        let rows = Lister::new(tree).layer(LayerIndex(0));
        proptest::prop_assert_eq!(rows.len(), expected.len());
        for (row, expected) in rows.into_iter().zip(expected) {
            let (Listed::Entry(id) | Listed::Whiteout(id)) = row else { continue };
            let path = nixdive_image::testing::path(tree, tree.occurrence(id).node())[1..].to_owned();
            let path = match (row, path.rsplit_once('/')) {
                (Listed::Whiteout(_), Some((directory, name))) => format!("{directory}/.wh.{name}"),
                (Listed::Whiteout(_), None) => format!(".wh.{path}"),
                _ => path,
            };
            proptest::prop_assert_eq!(path, expected);
        }
    }
}

#[test]
fn the_export_writes_modes_numbers_and_text_as_go_does() {
    let mut image = image(&[&["d tmp mode=1777", "f su 5 mode=4755", "l link -> <&>\u{2028}", "c null", "p pipe"]]);
    image.layers[0].stored_as = "blobs/sha256/abc".into();
    let text = export(&image);
    assert!(text.contains(r#""linkName": "\u003c\u0026\u003e\u2028""#), "{text}");
    assert!(text.contains(r#""efficiencyScore": 1,"#), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    let layer = &value["layer"][0];
    assert_eq!(
        (&layer["id"], &layer["command"], &layer["digestId"]),
        (&json!("blobs"), &json!("(missing)"), &json!(""))
    );
    let modes =
        layer["fileList"].as_array().unwrap().iter().map(|file| (file["path"].as_str().unwrap(), &file["fileMode"]));
    let expected = [
        ("link", json!(0o644 | 1 << 27)),
        ("null", json!(0o644 | 1 << 26 | 1 << 21)),
        ("pipe", json!(0o644 | 1 << 25)),
        ("su", json!(0o755 | 1 << 23)),
        ("tmp", json!(0o777u32 | 1 << 31 | 1 << 20)),
    ];
    assert_eq!(modes.collect::<Vec<_>>(), expected.iter().map(|(path, mode)| (*path, mode)).collect::<Vec<_>>());
}

#[test]
fn the_json_report_has_its_schema_and_integer_bytes() {
    let mut image = image(&[&["d d", "f d/a 1000 content=1"], &["f d/a 1000 content=2", "f b 7"], &["w d"]]);
    image.layers[0].diff_id = Digest::parse(&format!("sha256:{}", "ab".repeat(32)));
    image.layers[1].compressed_bytes = None;
    let value = inspect(&image);
    assert_eq!(value["schema"], INSPECT_SCHEMA);
    assert_eq!(value["layers"][0]["diffId"], format!("sha256:{}", "ab".repeat(32)));
    assert_eq!(value["layers"][1]["diffId"], Value::Null);
    assert_eq!(value["layers"][1]["compressedBytes"], Value::Null);
    assert_eq!(value["figures"]["compressedBytes"], Value::Null);
    assert_eq!(value["figures"]["fileBytes"], 2007);
    assert_eq!(value["figures"]["visibleFileBytes"], 7);
    assert_eq!(value["figures"]["wastedBytes"], 2000);
    let counts = ["added", "modified", "removed"].map(|name| value["layers"][1][name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 0]);
    assert_eq!(value["layers"][2]["removed"], 2);
    assert_eq!(value["largestFiles"], json!([{ "path": "/b", "bytes": 7, "layer": 1 }]));
    let waste = json!([{
        "path": "/d/a", "bytes": 2000, "hiddenBytes": 2000, "count": 2,
        "cause": "deletedLater", "remedy": "deleteWhereWritten",
        "copies": [
            { "layer": 0, "bytes": 1000, "whiteout": false, "changed": ["added"] },
            { "layer": 1, "bytes": 1000, "whiteout": false, "changed": ["content"] },
        ],
    }]);
    assert_eq!(value["waste"], waste);
}

#[test]
fn infinite_waste_is_null_in_json_and_words_in_text() {
    let image = image(&[&["f a 1000"], &["w a"]]);
    assert_eq!(inspect(&image)["figures"]["userWastedPercent"], Value::Null);
    assert!(report(&image, Format::Text).contains("the layers above the base hold no file bytes"));
}

#[test]
fn a_path_that_is_not_utf_8_is_given_whole_in_hexadecimal() {
    let mut batch = nixdive_image::EntryBatch::default();
    let mut fields = nixdive_image::EntryFields::new(Kind::File);
    fields.bytes = 5;
    batch.push(b"a\xe2\x82z", b"", fields);
    let mut builder = nixdive_image::TreeBuilder::new();
    builder.begin_layer().unwrap();
    builder.add(&batch).unwrap();
    let mut image = image(&[&[]]);
    image.tree = builder.finish();
    nixdive_image::compute_history(&mut image.tree, &mut |_: &nixdive_image::FileTree, _, _| true);
    let file = &inspect(&image)["largestFiles"][0];
    assert_eq!(*file, json!({ "path": "/a\u{fffd}\u{fffd}z", "pathBytes": "2f61e2827a", "bytes": 5, "layer": 0 }));
    assert!(report(&image, Format::Text).contains("/a\\xe2\\x82z"));
    let value: Value = serde_json::from_str(&export(&image)).unwrap();
    assert_eq!(value["layer"][0]["fileList"][0]["path"], "a\u{fffd}\u{fffd}z");
}

fn hostile_image() -> Image {
    let mut image = image(&[&["f a 1000"], &["f a 1000 mode=600"]]);
    image.identity.requested = HOSTILE.into();
    image.identity.references = vec![HOSTILE.into()];
    image.identity.source_kind = HOSTILE.into();
    image.config.platform.os = HOSTILE.into();
    image.config.created = Some(HOSTILE.into());
    image.config.env = vec![HOSTILE.into(), "\u{9b}31m".into()];
    image.config.labels = vec![(HOSTILE.into(), HOSTILE.into())];
    image.config.entrypoint = vec![HOSTILE.into(), String::new()];
    image.config.user = HOSTILE.into();
    image.layers[0].created_by = Some(HOSTILE.into());
    image.layers[1].comment = Some(HOSTILE.into());
    image.warnings = vec![Warning { layer: Some(LayerIndex(1)), message: HOSTILE.into() }];
    image
}

#[test]
fn nothing_from_an_image_steers_a_terminal_in_any_report() {
    for format in [Format::Text, Format::Markdown, Format::Json] {
        let text = report(&hostile_image(), format);
        let found = text.chars().find(|&character| character != '\n' && steers_terminal(character));
        assert_eq!(found, None, "{format:?}: {text}");
    }
    assert_eq!(inspect(&hostile_image())["layers"][0]["command"], HOSTILE);
}

#[test]
fn what_an_image_says_is_never_markup() {
    let text = report(&hostile_image(), Format::Markdown);
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
        let counts: Vec<usize> = table.lines().filter(|line| line.starts_with('|')).map(columns).collect();
        assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
    }
}

/// Texts that would be markup, a link, a mention or a reference on GitHub and GitLab.
const MARKUP: &str =
    "![x](http://evil.example/p.png) @everyone <img src=x> [a](b) www.evil.example #1 !2 GH-3 ~l **b**";

#[test]
fn nothing_from_any_field_of_an_image_is_markup_a_link_or_a_mention() {
    let mut image = hostile_image();
    let text = || MARKUP.to_owned();
    let identity = &mut image.identity;
    (identity.requested, identity.source_kind, identity.references) = (text(), text(), vec![text()]);
    let config = &mut image.config;
    let platform = &mut config.platform;
    (platform.os, platform.architecture, platform.variant) = (text(), text(), Some(text()));
    (config.created, config.author, config.stop_signal) = (Some(text()), Some(text()), Some(text()));
    (config.user, config.working_directory) = (text(), text());
    for list in [
        &mut config.entrypoint,
        &mut config.cmd,
        &mut config.env,
        &mut config.exposed_ports,
        &mut config.volumes,
        &mut config.shell,
        &mut config.on_build,
    ] {
        *list = vec![text(), text()];
    }
    config.labels = vec![(text(), text())];
    for layer in &mut image.layers {
        (layer.created_by, layer.comment, layer.created) = (Some(text()), Some(text()), Some(text()));
        (layer.media_type, layer.stored_as) = (text(), text());
        layer.annotations = vec![(text(), text())];
    }
    image.warnings = vec![Warning { layer: None, message: text() }];
    let page = report(&image, Format::Markdown);
    assert!(page.contains("`![x](http://evil.example/p.png)"), "{page}");
    let outside = super::page::tests::outside_code_spans(&page).replace("<details>", "").replace("</details>", "");
    let outside = outside.replace("<summary>", "").replace("</summary>", "");
    for markup in ["![", "](", "@", "<", "http", "www.", "#1", "!2", "GH-3", "~l", "**"] {
        assert!(!outside.contains(markup), "{markup} in:\n{outside}");
    }
}

#[test]
fn long_values_are_cut_with_their_length_and_json_keeps_them() {
    let mut image = image(&[&["f a 1"]]);
    let long = "x".repeat(58_000);
    image.config.labels = vec![("org.example.long".into(), long.clone()), ("short".into(), "value".into())];
    image.config.env = vec![format!("LONG={long}")];
    image.config.user = long.clone();
    image.config.created = Some(long.clone());
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let text = report(&image, format);
        let longest = text.split(|letter| letter != 'x').map(str::len).max().unwrap();
        assert!((100..=400).contains(&longest), "{format:?}: {longest}");
        assert!(text.matches("… (58 kB)").count() >= 4, "{format:?}");
        assert!(text.contains("short=value"), "{format:?}");
    }
    assert_eq!(inspect(&image)["config"]["labels"]["org.example.long"], long.as_str());
}

#[test]
fn letters_that_nobody_sees_are_spelled_in_every_report() {
    let mut image = image(&[&["f a 1"]]);
    let hidden = "a\u{3164}b\u{a0}c\u{fe0f}d\u{2003}e\u{e0100}f\u{3000}g\u{34f}h\u{110bd}i\u{fffc}j";
    image.config.labels = vec![(hidden.into(), hidden.into())];
    image.config.env = vec![format!("X={hidden}")];
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let text = report(&image, format);
        assert!(text.contains("a\\u{3164}b\\u{a0}c\\u{fe0f}d\\u{2003}e\\u{e0100}f\\u{3000}g\\u{34f}h"), "{format:?}");
    }
    assert_eq!(inspect(&image)["config"]["labels"][hidden], hidden);
}

#[test]
fn the_text_report_begins_with_what_the_image_is() {
    let Some(image) = corpus_image("dive/test-docker-image.tar") else { return };
    let text = report(&image, Format::Text);
    let first: Vec<&str> = text.lines().take(9).collect();
    assert!(first[0].ends_with("  linux/amd64"), "{text}");
    assert!(first.iter().any(|line| line.starts_with("Efficiency   98.44 %")), "{text}");
    assert!(
        first.contains(&"Wasted       32 kB (32,025 bytes), 48.35 % of the file bytes above the base layer"),
        "{text}"
    );
    assert!(text.contains("changed mode or owner only") && text.contains("/root/example/somefile1.txt"), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
}

#[test]
fn an_image_without_layers_has_every_report() {
    for format in [Format::Text, Format::Markdown, Format::Json] {
        assert!(report(&image(&[]), format).contains("ayers"), "{format:?}");
    }
    assert_eq!(export(&image(&[])).lines().nth(1), Some("  \"layer\": [],"));
}

#[test]
fn a_format_is_read_by_its_name() {
    assert_eq!(Format::parse("json"), Some(Format::Json));
    assert_eq!(Format::parse("yaml"), None);
}
