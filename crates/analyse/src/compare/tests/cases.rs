//! Cases in which it is easy to tell the wrong thing.

use super::*;
use crate::compare::LayerChange::{Added, Moved, Removed, Shared};

fn plain(left: &Known, right: &Known) -> Vec<String> {
    told(&compare(left, right, CompareOptions::default()))
}

#[test]
fn empty_files_have_not_moved_however_many_there_are() {
    let left = Known::of_layers(&[vec![file("a/one", ""), file("a/two", "")]]);
    let right = Known::of_layers(&[vec![file("a/three", ""), file("a/four", "")]]);
    let mut lines = plain(&left, &right);
    lines.sort();
    assert_eq!(lines, ["added - /a/four +0", "added - /a/three +0", "removed /a/one - +0", "removed /a/two - +0"]);
}

#[test]
fn a_file_moves_once_and_its_copies_are_added() {
    let left = Known::of_layers(&[vec![file("a/data", "some content")]]);
    let right = Known::of_layers(&[vec![file("a/copy", "some content"), file("b/data", "some content")]]);
    let mut lines = plain(&left, &right);
    lines.sort();
    assert_eq!(
        lines,
        ["added - /a/copy +12", "added - /b +0", "renamed /a/data /b/data +0"],
        "the one of the same name"
    );
}

#[test]
fn a_mode_alone_is_metadata_and_so_is_the_time() {
    let with = |change: fn(Written) -> Written| Known::of_layers(&[vec![change(file("bin/tool", "tool"))]]);
    let left = with(|file| file);
    for (right, is_real) in
        [(with(|file| Written { mode: 0o4755, ..file }), true), (with(|file| Written { mtime: 99, ..file }), false)]
    {
        assert_eq!(plain(&left, &right), ["metadata /bin/tool /bin/tool +0"]);
        let semantic = CompareOptions { semantic: true, ..CompareOptions::default() };
        assert_eq!(!told(&compare(&left, &right, semantic)).is_empty(), is_real);
    }
}

#[test]
fn what_whiteouts_and_opaque_directories_hide_is_removed() {
    let base =
        vec![file("app/keep", "k"), file("app/old", "old"), file("var/cache/a", "aa"), file("var/cache/b", "bbb")];
    let left = Known::of_layers(std::slice::from_ref(&base));
    let upper = vec![file("app/.wh.old", ""), file("var/cache/.wh..wh..opq", ""), file("var/cache/c", "c")];
    let right = Known::of_layers(&[base, upper]);
    let mut lines = plain(&left, &right);
    lines.sort();
    let expected =
        ["added - /var/cache/c +1", "removed /app/old - -3", "removed /var/cache/a - -2", "removed /var/cache/b - -3"];
    assert_eq!(lines.iter().filter(|line| !line.starts_with("metadata")).collect::<Vec<_>>(), expected.each_ref());
}

#[test]
fn a_second_name_of_a_file_weighs_nothing_and_taking_its_place_loses_nothing() {
    let left = Known::of_layers(&[vec![file("bin/tool", "tool")]]);
    let two_names = vec![file("bin/tool", "tool"), Written::hard_link("bin/alias", "bin/tool")];
    assert_eq!(plain(&left, &Known::of_layers(&[two_names])), ["added - /bin/alias +0"]);
    // The same two names with the content under the other one: nothing that a program sees has changed.
    let one = Known::of_layers(&[vec![file("bin/a", "tool"), Written::hard_link("bin/b", "bin/a")]]);
    let other = Known::of_layers(&[vec![file("bin/b", "tool"), Written::hard_link("bin/a", "bin/b")]]);
    assert_eq!(plain(&one, &other), Vec::<String>::new());
}

fn changes(left: &Known, right: &Known) -> Vec<LayerChange> {
    compare(left, right, CompareOptions::default()).differences.layers.rows.iter().map(|row| row.change).collect()
}

#[test]
fn layers_that_only_change_places_cost_nothing_to_fetch() {
    let (a, b, c) = (vec![file("a", "aaa")], vec![file("b", "bbb")], vec![file("c", "ccc")]);
    let left = Known::of_layers(&[a.clone(), b.clone(), c.clone()]);
    let right = Known::of_layers(&[b, c, a]);
    let comparison = compare(&left, &right, CompareOptions::default());
    assert_eq!(comparison.differences.bytes.pull_delta, Some(0));
    assert_eq!(comparison.differences.bytes.shared_unpacked, left.opened.image.unpacked_bytes());
    assert_eq!(told(&comparison), Vec::<String>::new());
    let rows = changes(&left, &right);
    assert_eq!(rows.iter().filter(|change| **change == Moved).count(), 2, "on each side once: {rows:?}");
    assert_eq!(rows.iter().filter(|change| **change == Shared).count(), 2);
}

#[test]
fn a_layer_that_is_there_twice_is_fetched_once() {
    let (a, b) = (vec![file("a", "aaa")], vec![file("b", "bbb")]);
    let left = Known::of_layers(std::slice::from_ref(&a));
    let right = Known::of_layers(&[a.clone(), b.clone(), a.clone(), b]);
    let comparison = compare(&left, &right, CompareOptions::default());
    let new = right.opened.image.layers[1].compressed_bytes.unwrap().bytes();
    assert_eq!(comparison.differences.bytes.pull_delta, Some(new));
    assert_eq!(comparison.differences.bytes.shared_unpacked, left.opened.image.layers[0].unpacked_bytes);
    let rows = changes(&left, &right);
    assert_eq!(rows.iter().filter(|change| **change == Shared).count(), 1);
    assert_eq!(rows.iter().filter(|change| matches!(change, Added | Moved)).count(), 3, "{rows:?}");
    assert!(!rows.contains(&Removed));
}

/// A root directory has neither layers of its own nor a configuration.
#[test]
fn a_side_without_a_configuration_is_compared_by_its_files() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("app")).unwrap();
    std::fs::write(place.path().join("app/same"), "same").unwrap();
    std::fs::write(place.path().join("app/other"), "left").unwrap();
    let left = Known::of_file(std::path::Path::new(&format!("rootfs:{}", place.path().display())));
    let right = Known::of_layers(&[vec![file("app/same", "same"), file("app/other", "righ")]]);
    let semantic = CompareOptions { semantic: true, ..CompareOptions::default() };
    let comparison = compare(&left, &right, semantic);
    let lines = told(&comparison);
    assert!(lines.contains(&"content /app/other /app/other +0".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("content /app/same")), "{lines:?}");
    assert!(check_platforms(&left.opened.image, &right.opened.image).is_ok(), "nothing says that they differ");
}

/// nix2container's file only names the store paths of the same server.
#[test]
fn what_a_side_only_names_is_not_said_to_be_gone() {
    let Some(here) = corpus_file("nix/web-nix.tar.gz") else { return };
    let Some(named) = corpus_file("nix2container/web-nix.image-4.json") else { return };
    let (here, named) = (Known::of_file(&here), Known::of_file(&named));
    for (left, right) in [(&here, &named), (&named, &here)] {
        let comparison = compare(left, right, CompareOptions::default());
        let in_store = |line: &String| line.contains("/nix/store/") && !line.contains("customisation");
        let lines: Vec<String> = told(&comparison).into_iter().filter(in_store).collect();
        assert_eq!(lines, Vec::<String>::new());
        assert_eq!(comparison.differences.store.shared.len(), 9);
        assert!(comparison.differences.store.shared_nar_bytes() > 30_000_000);
        assert!(comparison.differences.store.shared.iter().all(|pair| pair.delta() == 0));
        let told: u64 =
            comparison.differences.categories.iter().map(|row| row.bytes.left.abs_diff(row.bytes.right)).sum();
        assert!(told < 1000, "{told} bytes of categories");
    }
}
