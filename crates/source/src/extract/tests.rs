use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::extract;
use crate::open::{Keep, OpenOptions, Opened, Progress, open_section};
use nixdive_image::NodeId;
use nixdive_image::testing::archive::{Written, any_damage, any_entries, damaged, docker_archive, tar_of};
use nixdive_scan::Section;

fn open(bytes: &[u8]) -> Option<Opened> {
    let section = Section::new(Arc::new(Arc::<[u8]>::from(bytes)), 0, bytes.len() as u64);
    let options = OpenOptions { keep: Keep::Content, threads: 1, ..OpenOptions::default() };
    open_section(section, "test.tar", &options, &Progress::new()).ok()
}

/// A directory with a file that must not change, a directory of the user, and the destination.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.0.path().join("outside"), "untouched").unwrap();
        fs::create_dir(place.0.path().join("etc")).unwrap();
        place
    }

    fn destination(&self) -> std::path::PathBuf {
        self.0.path().join("destination")
    }

    /// Asserts that nothing outside the destination was created or changed.
    fn assert_untouched(&self) {
        let mut names: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert!(names == ["destination", "etc", "outside"] || names == ["etc", "outside"], "{names:?}");
        let outside = self.0.path().join("outside");
        assert_eq!(fs::read(&outside).unwrap(), b"untouched");
        assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o111, 0);
        assert_eq!(fs::read_dir(self.0.path().join("etc")).unwrap().count(), 0);
    }
}

fn extract_all(bytes: &[u8], place: &Place) {
    let Some(opened) = open(bytes) else { return };
    let tree = &opened.image.tree;
    for layer in tree.layer_indices() {
        // An obstacle is an error, and so is a name that the disk does not allow.
        let _ = extract(tree, &opened.contents, NodeId::ROOT, layer, &place.destination(), &mut |_| {
            ControlFlow::Continue(())
        });
        place.assert_untouched();
    }
}

/// Returns links that lead out of the destination, under the names that [`any_entries`] prefers.
fn ways_out() -> Vec<Written> {
    ["a", "b", "c", "etc"]
        .into_iter()
        .zip(["..", "../outside", "/tmp/../../..", "../etc"])
        .map(|(path, target)| Written::symlink(path, target))
        .collect()
}

#[test]
fn a_directory_of_an_image_is_not_written_through_a_link_that_was_there_before() {
    let place = Place::new();
    fs::create_dir(place.destination()).unwrap();
    std::os::unix::fs::symlink("../etc", place.destination().join("a")).unwrap();
    let bytes = docker_archive(&[tar_of(&[Written::file("a/passwd", b"x")])]);
    let opened = open(&bytes).unwrap();
    let top = opened.image.tree.top_layer().unwrap();
    let result = extract(&opened.image.tree, &opened.contents, NodeId::ROOT, top, &place.destination(), &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(result.unwrap_err().to_string().contains("not a directory"));
    place.assert_untouched();
}

#[test]
fn a_path_deeper_than_the_system_takes_is_left_out_at_little_cost() {
    let deep = "d/".repeat(16_000);
    let bytes = docker_archive(&[tar_of(&[Written::file(&deep, b""), Written::file("a", b"kept")])]);
    let (place, opened) = (Place::new(), open(&bytes).unwrap());
    let top = opened.image.tree.top_layer().unwrap();
    let done = extract(&opened.image.tree, &opened.contents, NodeId::ROOT, top, &place.destination(), &mut |_| {
        ControlFlow::Continue(())
    });
    // The error would contain the whole path.
    let Ok(done) = done else { panic!("it is an error") };
    assert_eq!(fs::read(place.destination().join("a")).unwrap(), b"kept");
    assert_eq!(done.skipped.len(), 1, "{:?}", done.skipped);
}

/// Counts the entries of a directory without following links.
fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.file_type().unwrap().is_dir() { 1 + count(&entry.path()) } else { 1 }).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn extraction_stays_in_its_destination(
        layers in prop::collection::vec(any_entries(10), 1..4), links_at in 0usize..4,
        damage in prop::option::weighted(0.3, any_damage()), mend in any::<bool>(),
    ) {
        let mut layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        layers.insert(links_at.min(layers.len()), tar_of(&ways_out()));
        let mut bytes = docker_archive(&layers);
        if let Some(damage) = damage {
            bytes = damaged(&bytes, &damage, mend);
        }
        let place = Place::new();
        extract_all(&bytes, &place);
    }

    #[test]
    fn all_that_the_top_layer_shows_is_extracted(layers in prop::collection::vec(any_entries(10), 1..4)) {
        let layers: Vec<Vec<u8>> = layers.iter().map(|entries| tar_of(entries)).collect();
        let (place, opened) = (Place::new(), open(&docker_archive(&layers)).unwrap());
        let tree = &opened.image.tree;
        let top = tree.top_layer().unwrap();
        let done = extract(tree, &opened.contents, NodeId::ROOT, top, &place.destination(), &mut |_| ControlFlow::Continue(())).unwrap();
        // Nothing can be created below a name that no disk allows.
        let has_place = |node| {
            let mut above = std::iter::successors(tree.parent(node), |&node| tree.parent(node));
            above.all(|node| tree.name(node).len() <= 255)
        };
        let expected = tree.stacked_paths(top).filter(|&(node, _)| has_place(node)).count();
        prop_assert_eq!(count(&place.destination()) + done.skipped.len(), expected);
        place.assert_untouched();
    }
}

#[test]
fn it_tells_how_far_it_is_and_stops_when_asked() {
    let entries: Vec<Written> = (0..5).map(|number| Written::file(&format!("file{number}"), &[7; 100_000])).collect();
    let opened = open(&docker_archive(&[tar_of(&entries)])).unwrap();
    let tree = &opened.image.tree;
    let top = tree.top_layer().unwrap();
    let place = Place::new();
    let mut reported = Vec::new();
    let mut watch = |progress: super::ExtractProgress| {
        reported.push(progress.bytes);
        assert_eq!(progress.total_bytes, 500_000);
        if progress.bytes < 250_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let stopped = extract(tree, &opened.contents, NodeId::ROOT, top, &place.destination(), &mut watch);
    assert!(matches!(stopped, Err(super::ExtractError::Stopped(2))), "{stopped:?}");
    assert!(reported.is_sorted() && reported.len() > 4, "{reported:?}");
    for entry in fs::read_dir(place.destination()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().len(), 100_000, "files are complete");
    }
}
