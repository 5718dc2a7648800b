//! Whiteouts: OCI image specification, "Whiteouts" and "Opaque Whiteout"; the marks of AUFS.

use nixdive::image::Kind;

use super::{exists, in_every_way};
use crate::support::program::{content, paths};
use crate::support::tar_bytes::Tar;

fn base() -> Vec<u8> {
    Tar::new()
        .directory("etc")
        .file("etc/keep", "1")
        .file("etc/gone", "2")
        .directory("var")
        .file("var/one", "3")
        .directory("var/deep")
        .file("var/deep/two", "4")
        .finish()
}

#[test]
fn a_whiteout_removes_a_file_or_a_whole_directory() {
    let upper = Tar::new().file("etc/.wh.gone", "").file(".wh.var", "").file(".wh.missing", "").finish();
    in_every_way(&[base(), upper], |opened, how| {
        assert_eq!(paths(opened), ["/etc/", "/etc/keep"], "{how}");
        let tree = &opened.image.tree;
        let summary = tree.layer_summary(tree.top_layer().unwrap());
        assert_eq!(summary.removed, 5, "{how}");
        assert_eq!(summary.removed_bytes, 3, "{how}");
    });
}

#[test]
fn an_opaque_directory_hides_what_lies_below_and_nothing_of_its_own_layer() {
    let before = Tar::new().directory("var").file("var/.wh..wh..opq", "").file("var/new", "5").file("var/one", "6");
    let after = Tar::new().directory("var").file("var/new", "5").file("var/one", "6").file("var/.wh..wh..opq", "");
    let implied = Tar::new().file("var/new", "5").file("var/.wh..wh..opq", "").file("var/one", "6");
    for upper in [before, after, implied] {
        in_every_way(&[base(), upper.finish()], |opened, how| {
            assert_eq!(paths(opened), ["/etc/", "/etc/gone", "/etc/keep", "/var/", "/var/new", "/var/one"], "{how}");
            assert_eq!(content(opened, "/var/one"), b"6", "{how}");
            assert!(!exists(opened, "/var/deep"), "{how}");
        });
    }
}

#[test]
fn a_whiteout_hides_only_lower_layers_wherever_it_stands() {
    let before = Tar::new().file("etc/.wh.gone", "").file("etc/gone", "back");
    let after = Tar::new().file("etc/gone", "back").file("etc/.wh.gone", "");
    let directory = Tar::new().file(".wh.etc", "").directory("etc").file("etc/gone", "back");
    // Overlay engines replace the whiteout by the directory, which then merges with the one below.
    for (upper, kept) in [(before, true), (after, true), (directory, true)] {
        in_every_way(&[base(), upper.finish()], |opened, how| {
            assert_eq!(content(opened, "/etc/gone"), b"back", "{how}");
            assert_eq!(exists(opened, "/etc/keep"), kept, "{how}");
        });
    }
}

#[test]
fn a_file_in_the_place_of_a_directory_hides_it_and_the_other_way_round() {
    let file = Tar::new().file("var", "now a file").finish();
    let again = Tar::new().directory("var").file("var/fresh", "").finish();
    in_every_way(&[base(), file, again], |opened, how| {
        assert_eq!(paths(opened), ["/etc/", "/etc/gone", "/etc/keep", "/var/", "/var/fresh"], "{how}");
    });
}

#[test]
fn the_marks_of_aufs_name_nothing_in_the_image() {
    let upper = Tar::new()
        .file(".wh..wh.aufs", "")
        .directory(".wh..wh.orph")
        .directory(".wh..wh.plnk")
        .file(".wh..wh.plnk/12.34", "")
        .file("etc/.wh.gone", "")
        .finish();
    in_every_way(&[base(), upper], |opened, how| {
        let shown = ["/etc/", "/etc/keep", "/var/", "/var/deep/", "/var/deep/two", "/var/one"];
        assert_eq!(paths(opened), shown, "{how}");
    });
}

#[test]
fn a_whiteout_in_the_base_layer_shows_nothing() {
    let tar = Tar::new().file(".wh.nothing", "").file("a/.wh..wh..opq", "").file("a/b", "x").finish();
    in_every_way(&[tar], |opened, how| {
        assert_eq!(paths(opened), ["/a/", "/a/b"], "{how}");
        let tree = &opened.image.tree;
        let whiteout = tree.lookup(b"/nothing").unwrap();
        let kinds: Vec<Kind> = tree.occurrences_of(whiteout).map(|id| tree.occurrence(id).kind).collect();
        assert_eq!(kinds, [Kind::Whiteout], "{how}");
    });
}
