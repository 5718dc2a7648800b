use crate::testing::{Layers, tree};
use crate::{Baseline, Change, Difference, LayerIndex, Scope};

fn change(layers: Layers<'_>, path: &str, scope: Scope, baseline: Baseline) -> Option<Change> {
    let tree = tree(layers);
    let node = tree.lookup(path.as_bytes()).unwrap();
    tree.see_alone(node, scope, baseline).map(|seen| seen.change)
}

fn stacked(layers: Layers<'_>, path: &str) -> Option<Change> {
    let top = LayerIndex(layers.len() as u16 - 1);
    change(layers, path, Scope::Stacked(top), Baseline::Below)
}

fn from_base(layers: Layers<'_>, path: &str) -> Option<Change> {
    let top = LayerIndex(layers.len() as u16 - 1);
    change(layers, path, Scope::Stacked(top), Baseline::Since(LayerIndex(0)))
}

#[test]
fn a_stacked_view_marks_what_the_layer_did() {
    let layers: Layers<'_> = &[
        &["d d", "f d/same 1", "f d/gone 1", "f d/other 1", "f d/late 1 time=1", "d quiet", "f quiet/a 1"],
        &["f d/new 1", "w d/gone", "f d/other 2", "f d/late 1 time=2"],
    ];
    let expected = [
        ("d", Change::Modified(Difference::CONTENT)),
        ("d/same", Change::Unmodified),
        ("d/gone", Change::Removed),
        ("d/other", Change::Modified(Difference::CONTENT)),
        ("d/late", Change::Touched),
        ("d/new", Change::Added),
        ("quiet", Change::Unmodified),
    ];
    for (path, change) in expected {
        assert_eq!(stacked(layers, path), Some(change), "{path}");
    }
    let marks: String = expected.iter().map(|(_, change)| change.mark()).collect();
    assert_eq!(marks, "~ -~ + ");
}

#[test]
fn a_removed_path_is_shown_by_the_layer_that_removes_it_and_no_longer() {
    let layers: Layers<'_> = &[&["f a 1"], &["w a"], &["f b 1"]];
    let at = |layer| change(layers, "a", Scope::Stacked(LayerIndex(layer)), Baseline::Below);
    assert_eq!([at(0), at(1), at(2)], [Some(Change::Added), Some(Change::Removed), None]);
    assert_eq!(from_base(layers, "a"), Some(Change::Removed));
}

#[test]
fn a_directory_that_was_emptied_is_modified() {
    assert_eq!(stacked(&[&["d d", "f d/a 1"], &["w d/a"]], "d"), Some(Change::Modified(Difference::CONTENT)));
}

#[test]
fn a_directory_whose_content_was_hidden_and_put_back_is_unmodified() {
    let layers: Layers<'_> = &[&["d d", "f d/a 1"], &["d d", "o d", "f d/a 1"]];
    assert_eq!(stacked(layers, "d"), Some(Change::Unmodified));
    assert_eq!(stacked(layers, "d/a"), Some(Change::Unmodified));
}

#[test]
fn a_view_from_the_base_tells_what_all_layers_did_together() {
    let layers: Layers<'_> =
        &[&["f a 1", "f b 1 content=1", "f c 1"], &["f a 1 mode=600", "w b", "f new 1"], &["f b 1 content=2", "w new"]];
    assert_eq!(from_base(layers, "a"), Some(Change::Modified(Difference::MODE)));
    assert_eq!(from_base(layers, "b"), Some(Change::Modified(Difference::CONTENT)));
    assert_eq!(from_base(layers, "c"), Some(Change::Unmodified));
    assert_eq!(from_base(layers, "new"), None);
    assert_eq!(stacked(layers, "a"), Some(Change::Unmodified));
}

#[test]
fn a_layers_own_view_holds_its_entries_and_marks_alone() {
    let layers: Layers<'_> =
        &[&["d d", "f d/a 1", "d d/s", "f d/s/x 1", "f e/a 7"], &["f d/b 5", "w d/a", "w q/missing", "o e", "d o/s"]];
    let own = |path| change(layers, path, Scope::Layer(LayerIndex(1)), Baseline::Below);
    assert_eq!(own("d"), Some(Change::Modified(Difference::CONTENT)));
    assert_eq!(own("d/a"), Some(Change::Removed));
    assert_eq!(own("d/b"), Some(Change::Added));
    assert_eq!(own("d/s"), None);
    assert_eq!(own("q"), Some(Change::Added));
    assert_eq!(own("q/missing"), Some(Change::Removed));
    assert_eq!(own("e"), Some(Change::Modified(Difference::CONTENT)));
    assert_eq!(own("e/a"), None);
    let tree = tree(layers);
    let seen = tree.see_alone(tree.lookup(b"d").unwrap(), Scope::Layer(LayerIndex(1)), Baseline::Below).unwrap();
    assert_eq!((seen.totals.bytes, seen.totals.entries), (5, 1));
}

#[test]
fn a_directory_of_which_a_mark_hid_the_content_is_not_taken_for_one_of_the_layer() {
    let layers: Layers<'_> = &[&["d d/s", "f d/s/x 1"], &["d d", "o d"]];
    assert_eq!(change(layers, "d/s", Scope::Layer(LayerIndex(1)), Baseline::Below), None);
}

#[test]
fn what_lies_below_a_link_can_be_reached() {
    let tree = tree(&[&["l lib -> usr/lib"], &["f lib/a 3"]]);
    let lib = tree.lookup(b"lib").unwrap();
    for scope in [Scope::Stacked(LayerIndex(1)), Scope::Layer(LayerIndex(1))] {
        assert!(tree.see_alone(lib, scope, Baseline::Below).unwrap().is_directory, "{scope:?}");
    }
}
