//! Valid and damaged archives: images that open are consistent, errors give a reason, and neither takes long.

use std::io::{Cursor, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Keep, OpenError, OpenOptions, Opened, Progress, Verify, open_pipe, open_section};
use nixdive_analyse::analysis::assess;
use nixdive_image::testing::archive::{
    Written, any_damage, any_entries, damaged, docker_archive, docker_members, tar_of,
};
use nixdive_image::{Kind, NodeId};
use nixdive_report::{Format, InspectOptions, Inspection, write_dive_export};
use nixdive_scan::Section;

/// Maximum time for an archive of some kilobytes on a busy machine: detects hangs, not slowness.
const PATIENCE: Duration = Duration::from_secs(5);

fn options(keep: Keep) -> OpenOptions {
    OpenOptions { keep, threads: 2, ..OpenOptions::default() }
}

fn at_hand(bytes: &[u8], options: &OpenOptions) -> Result<Opened, OpenError> {
    let section = Section::new(Arc::new(Arc::<[u8]>::from(bytes)), 0, bytes.len() as u64);
    in_time(|| open_section(section, "test.tar", options, &Progress::new()))
}

fn through_pipe(bytes: &[u8], options: &OpenOptions) -> Result<Opened, OpenError> {
    in_time(|| open_pipe(Box::new(Cursor::new(bytes.to_vec())), "-", options, &Progress::new()))
}

fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < PATIENCE, "took {:?}", start.elapsed());
    result
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns everything known about an image's layers and files, as lines.
fn lines(opened: &Opened) -> Vec<String> {
    let (image, tree) = (&opened.image, &opened.image.tree);
    let mut lines: Vec<String> = image
        .layers
        .iter()
        .map(|layer| format!("{:?} {} {} {}", layer.diff_id, layer.unpacked_bytes, layer.entries, layer.file_bytes))
        .collect();
    for layer in tree.layer_indices() {
        for (node, id) in tree.stacked_paths(layer) {
            let path = String::from_utf8_lossy(&tree.path(node)).into_owned();
            let Some(id) = id else {
                lines.push(format!("{} {path} implied", layer.0));
                continue;
            };
            let occurrence = tree.occurrence(id);
            let mut content = Vec::new();
            let read = opened.contents.reader(tree, id).map_err(|error| error.to_string());
            let read = read
                .and_then(|reader| reader.take(1 << 16).read_to_end(&mut content).map_err(|error| error.to_string()));
            lines.push(format!(
                "{} {path} {:?} {:o} {} {:?} {:?} {content:?} {read:?} {:?}",
                layer.0,
                occurrence.kind,
                occurrence.mode(),
                occurrence.bytes,
                tree.owner(id),
                tree.link_target(id),
                occurrence.difference(),
            ));
        }
    }
    lines
}

/// Asserts properties of every image that opens, whatever its bytes were.
fn assert_sound(opened: &Opened) {
    let tree = &opened.image.tree;
    assert_eq!(tree.layer_indices().count(), opened.image.layers.len());
    for node in tree.all_paths() {
        let name = tree.name(node);
        assert!(!matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0), "{name:?}");
        assert_eq!(tree.lookup(&tree.path(node)), Some(node));
    }
    if let Some(top) = tree.top_layer() {
        let root = tree.visible_at(NodeId::ROOT, top);
        assert!(root.is_none_or(|id| tree.occurrence(id).kind == Kind::Directory), "the root is a directory");
        for (node, id) in tree.stacked_paths(top) {
            assert_eq!(tree.visible_at(node, top), id);
            assert!(tree.exists_at(node, top));
        }
    }
    assert_reports(opened);
}

fn assert_reports(opened: &Opened) {
    let inspection = Inspection::new(&opened.image, InspectOptions::default());
    for format in [Format::Text, Format::Markdown, Format::Json] {
        let mut report = Vec::new();
        inspection.write(format, &mut report).unwrap();
        let text = String::from_utf8(report).unwrap();
        let steering = text.chars().find(|&character| character != '\n' && character.is_control());
        assert_eq!(steering, None, "{format:?}");
        if format == Format::Json {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }
    let mut export = Vec::new();
    write_dive_export(&opened.image, &assess(&opened.image), &mut export).unwrap();
    serde_json::from_slice::<serde_json::Value>(&export).unwrap();
}

/// Opens bytes in every way; asserts that the result is consistent or an error gives a reason.
fn open_every_way(bytes: &[u8]) {
    let ways = [
        at_hand(bytes, &options(Keep::Trees)),
        at_hand(bytes, &OpenOptions { verify: Verify::All, ..options(Keep::AnyContent) }),
        through_pipe(bytes, &options(Keep::AnyContent)),
        at_hand(&gzip(bytes), &options(Keep::Content)),
    ];
    for opened in ways {
        match opened {
            Ok(opened) => {
                in_time(|| {
                    assert_sound(&opened);
                    lines(&opened);
                });
            }
            Err(error) => assert!(error.to_string().contains(": "), "{error}"),
        }
    }
}

#[test]
fn an_empty_layer_file_is_an_empty_layer_in_every_way_of_reading() {
    let bytes = docker_archive(&[tar_of(&[Written::file("a", b"1")]), Vec::new()]);
    let opened = at_hand(&bytes, &options(Keep::Trees)).unwrap();
    assert_eq!(opened.image.layers.len(), 2);
    assert_eq!(lines(&opened), lines(&through_pipe(&bytes, &options(Keep::Content)).unwrap()));
}

#[test]
fn a_layer_that_an_image_has_many_times_is_read_once() {
    let zeros = gzip(&tar_of(&[Written::file("zeros", &vec![0; 8 << 20]), Written::file("a", b"1")]));
    let mut members = docker_members(&[zeros]);
    let manifest = serde_json::json!([{"Config": "config.json", "Layers": vec!["0/layer.tar"; 2000]}]);
    members.last_mut().unwrap().content = manifest.to_string().into_bytes();
    let bytes = tar_of(&members);
    for opened in [at_hand(&bytes, &options(Keep::Trees)), through_pipe(&bytes, &options(Keep::Trees))] {
        let opened = opened.unwrap();
        assert_eq!(opened.image.layers.len(), 2000);
        assert!(opened.image.layers.iter().all(|layer| layer.entries == 2));
        let top = opened.image.tree.top_layer().unwrap();
        assert_eq!(opened.image.tree.stacked_paths(top).count(), 2);
    }
}

#[test]
fn an_entry_for_the_root_that_is_no_directory_hides_nothing() {
    let files = [Written::file("a", b"1"), Written::file("./", b"2"), Written::symlink(".", "/etc")];
    let opened = at_hand(&docker_archive(&[tar_of(&files)]), &options(Keep::Trees)).unwrap();
    let top = opened.image.tree.top_layer().unwrap();
    assert!(opened.image.tree.visible_at(NodeId::ROOT, top).is_none());
    assert_eq!(opened.image.tree.stacked_paths(top).count(), 1);
}

#[test]
fn a_whiteout_of_the_directory_itself_or_the_one_above_is_none() {
    let files = [Written::file("a/.wh..", b""), Written::file("a/.wh...", b""), Written::file("a/b", b"")];
    assert_sound(&at_hand(&docker_archive(&[tar_of(&files)]), &options(Keep::Trees)).unwrap());
}

#[test]
fn an_empty_source_says_so() {
    for opened in [at_hand(b"", &options(Keep::Trees)), through_pipe(b"", &options(Keep::Trees))] {
        assert!(opened.unwrap_err().to_string().ends_with("is empty"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_archive_opens_alike_in_every_way(
        layers in prop::collection::vec(any_entries(10), 1..4), order in any::<u64>(), keep_content in any::<bool>(),
    ) {
        let layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        let mut members = docker_members(&layers);
        // Members may come in any order.
        let first = order as usize % members.len();
        members.rotate_left(first);
        let bytes = tar_of(&members);
        let plain = at_hand(&bytes, &options(Keep::Content)).unwrap();
        assert_sound(&plain);
        let expected = lines(&plain);
        let keep = if keep_content { Keep::Content } else { Keep::AnyContent };
        for opened in [
            at_hand(&bytes, &OpenOptions { verify: Verify::All, threads: 1, ..options(keep) }),
            through_pipe(&bytes, &options(keep)),
            through_pipe(&gzip(&bytes), &options(keep)),
            at_hand(&gzip(&bytes), &options(keep)),
        ] {
            let opened = opened.unwrap();
            prop_assert_eq!(&lines(&opened), &expected);
            prop_assert_eq!(opened.image.warnings.len(), plain.image.warnings.len());
        }
    }

    #[test]
    fn any_bytes_open_or_say_why(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        open_every_way(&bytes);
    }

    #[test]
    fn a_damaged_archive_opens_or_says_why(
        layers in prop::collection::vec(any_entries(8), 1..4), damage in any_damage(), mend in any::<bool>(),
    ) {
        let layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        open_every_way(&damaged(&docker_archive(&layers), &damage, mend));
    }

    #[test]
    fn an_archive_that_was_cut_off_opens_or_says_why(
        layers in prop::collection::vec(any_entries(8), 1..3), at in any::<prop::sample::Index>(),
    ) {
        let layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        let mut members = docker_members(&layers);
        members.reverse();
        let bytes = tar_of(&members);
        open_every_way(&bytes[..at.index(bytes.len())]);
    }

    #[test]
    fn damaged_layers_are_shown_as_far_as_they_go(
        layers in prop::collection::vec((any_entries(8), any_damage(), any::<bool>()), 1..3),
    ) {
        let layers: Vec<Vec<u8>> =
            layers.iter().map(|(entries, damage, mend)| damaged(&tar_of(entries), damage, *mend)).collect();
        open_every_way(&docker_archive(&layers));
    }
}
