use crate::testing::{Layers, path, tree};
use crate::{Difference, FileTree, Kind, LayerIndex, NodeId};

const TOP: LayerIndex = LayerIndex(9);

/// The paths with an entry that are to be seen at the top.
fn visible(layers: Layers<'_>) -> Vec<String> {
    let tree = tree(layers);
    let found = tree.stacked_paths(TOP).filter(|(_, id)| id.is_some());
    found.map(|(node, _)| path(&tree, node)).collect()
}

fn node(tree: &FileTree, path: &str) -> NodeId {
    tree.lookup(path.as_bytes()).unwrap()
}

fn difference(layers: Layers<'_>, path: &str) -> Difference {
    let tree = tree(layers);
    let newest = tree.occurrences_of(node(&tree, path)).next().unwrap();
    tree.occurrence(newest).difference()
}

#[test]
fn a_whiteout_hides_a_file_or_a_whole_directory() {
    let base = &["d a", "f a/b 1", "f a/c/d 1", "f ab 1"][..];
    assert_eq!(visible(&[base, &["w a/b"]]), ["/a", "/a/c/d", "/ab"]);
    assert_eq!(visible(&[base, &["w a"]]), ["/ab"]);
    assert_eq!(visible(&[base, &["w a/c"]]), ["/a", "/a/b", "/ab"]);
}

#[test]
fn a_whiteout_hides_nothing_of_its_own_layer_wherever_it_stands() {
    for layer in [["w a", "f a 2"], ["f a 2", "w a"]] {
        let layers: Layers<'_> = &[&["d a", "f a/b 1"], &layer];
        assert_eq!(visible(layers), ["/a"]);
        assert_eq!(tree(layers).totals_at(NodeId::ROOT, TOP).bytes, 2);
    }
    for layer in [["f a/c 1", "d a", "w a"], ["d a", "w a", "f a/c 1"]] {
        assert_eq!(visible(&[&["d a", "f a/b 1"], &layer]), ["/a", "/a/c"]);
    }
    // Overlay engines make a character device of the whiteout and then replace it by a directory, which merges.
    assert_eq!(visible(&[&["d a", "f a/b 1"], &["w a", "d a", "f a/c 1"]]), ["/a", "/a/b", "/a/c"]);
}

#[test]
fn an_opaque_directory_hides_what_lies_lower_before_or_after_its_siblings() {
    let base = &["d a", "f a/old 1", "d a/sub", "f a/sub/old 1"][..];
    for layer in [["d a", "o a", "f a/new 1"], ["f a/new 1", "d a", "o a"], ["o a", "f a/new 1", "d a"]] {
        assert_eq!(visible(&[base, &layer]), ["/a", "/a/new"]);
        let tree = tree(&[base, &layer]);
        let newest = tree.occurrences_of(node(&tree, "a")).next().unwrap();
        assert!(tree.occurrence(newest).is_opaque());
        assert_eq!(tree.layer_summary(LayerIndex(1)).removed, 3);
    }
}

#[test]
fn an_opaque_mark_without_an_entry_leaves_the_directory_as_it_was() {
    let layers: Layers<'_> = &[&["d a mode=700", "f a/old 1"], &["f a/new 1", "o a"]];
    assert_eq!(visible(layers), ["/a", "/a/new"]);
    let tree = tree(layers);
    let shown = tree.visible_at(node(&tree, "a"), TOP).unwrap();
    assert_eq!((tree.occurrence(shown).layer, tree.occurrence(shown).mode()), (LayerIndex(0), 0o700));
}

#[test]
fn an_opaque_root_hides_all_lower_layers() {
    assert_eq!(visible(&[&["d a", "f a/b 1", "f c 1"], &["o /", "f d 1"]]), ["/d"]);
}

#[test]
fn a_whiteout_and_an_opaque_mark_of_one_path_remove_it() {
    for layer in [["w a", "o a"], ["o a", "w a"]] {
        assert!(visible(&[&["d a", "f a/b 1"], &layer]).is_empty());
    }
}

#[test]
fn an_opaque_mark_holds_as_long_as_its_directory() {
    let base = &["d a", "f a/old 1"][..];
    assert_eq!(visible(&[base, &["d a", "o a", "d a"]]), ["/a"]);
    // A file takes the marked directory's place, and a directory without a mark that of the file.
    for layer in [["o a", "f a 1", "d a"], ["f a 1", "o a", "d a"]] {
        assert_eq!(visible(&[base, &layer]), ["/a", "/a/old"], "{layer:?}");
    }
}

/// Layers and what podman's overlay storage and containerd show of them.
#[test]
fn the_tree_is_what_an_overlay_engine_shows() {
    let usr = &["d usr", "d usr/lib", "f usr/lib/q 1", "l lib -> usr/lib"][..];
    let cases: [(Layers<'_>, &[&str]); 21] = [
        (&[usr, &["f lib/z 1"]], &["/lib", "/lib/z", "/usr", "/usr/lib", "/usr/lib/q"]),
        (&[usr, &["w lib/q"]], &["/lib", "/usr", "/usr/lib", "/usr/lib/q"]),
        (&[usr, &["o lib"]], &["/lib", "/usr", "/usr/lib", "/usr/lib/q"]),
        (&[usr, &["d lib", "f lib/z 1"]], &["/lib", "/lib/z", "/usr", "/usr/lib", "/usr/lib/q"]),
        (&[usr, &["f lib/z 1"], &["f lib/y 1"]], &["/lib", "/lib/y", "/lib/z", "/usr", "/usr/lib", "/usr/lib/q"]),
        (&[usr, &["w lib"], &["f lib/y 1"]], &["/lib/y", "/usr", "/usr/lib", "/usr/lib/q"]),
        (&[&["f lib 1"], &["f lib/z 1"]], &["/lib", "/lib/z"]),
        (&[&["f b 1"], &["w a/x"]], &["/a", "/b"]),
        (&[&["f b 1"], &["o a"]], &["/a", "/b"]),
        (&[&["d d", "l l -> d", "f l/x 1"]], &["/d", "/d/x", "/l"]),
        (&[&["d d", "f d/x 1"], &["d d", "l l -> d", "w l/x", "f l/y 1"]], &["/d", "/d/y", "/l"]),
        (&[&["d d", "l l -> d", "w l/x", "f l/x 1"]], &["/d", "/d/x", "/l"]),
        (&[&["d d", "f d/x 1"], &["d d", "l l -> d", "o l"]], &["/d", "/l"]),
        (&[&["d a/b", "l a/l -> /a/b", "l a/m -> ../a/l", "f a/m/x 1"]], &["/a/b", "/a/b/x", "/a/l", "/a/m"]),
        (&[&["d d", "l up -> ../../d", "f up/x 1"]], &["/d", "/d/x", "/up"]),
        (&[&["d usr/lib", "f lib/a 1", "l lib -> usr/lib"]], &["/lib", "/usr/lib"]),
        (&[&["f a/b/c 1", "w a/x", "f a 2"], &["d a"]], &["/a"]),
        (&[&["d a", "f a/x 1"], &["w a", "w a/x", "o a"]], &[]),
        (&[&["f a 1", "w a/x"], &["f b 1", "o b"]], &["/a", "/b"]),
        (&[&["f f 1", "l a -> f", "w a/x"]], &["/a", "/f"]),
        (&[&["d a", "f a/x 1"], &["w a", "d a", "o a", "f a/y 1"]], &["/a", "/a/y"]),
    ];
    for (layers, expected) in cases {
        assert_eq!(visible(layers), expected, "{layers:?}");
    }
}

/// Names that podman, Docker and umoci refuse: nothing of them is hidden, and nothing has children but directories.
#[test]
fn names_that_engines_refuse_are_shown_below_directories() {
    let cases: [(Layers<'_>, &[&str], u64); 4] = [
        (&[&["f a 1", "f a/x 1"]], &["/a", "/a/x"], 1),
        (&[&["l a -> a", "f a/x 1"]], &["/a", "/a/x"], 1),
        (&[&["f f 1", "l a -> f", "f a/x 1"]], &["/a", "/f", "/f/x"], 1),
        (&[&["d usr/lib"], &["l lib -> usr/lib", "f lib/z 1"]], &["/lib", "/usr/lib", "/usr/lib/z"], 0),
    ];
    for (layers, expected, refused) in cases {
        assert_eq!(visible(layers), expected, "{layers:?}");
        assert_eq!(tree(layers).refused_names(), refused, "{layers:?}");
    }
}

#[test]
fn links_of_lower_layers_that_names_pass_through_are_told() {
    let usr = &["d usr/lib", "l lib -> usr/lib"][..];
    let hidden = |layers: Layers<'_>| {
        let tree = tree(layers);
        let links = tree.hidden_links();
        links.map(|hidden| path(&tree, tree.occurrence(hidden.directory).node())).collect::<Vec<_>>()
    };
    assert_eq!(hidden(&[usr, &["f lib/x 1", "f lib/y 1"]]), ["/lib"]);
    assert_eq!(hidden(&[usr, &["w lib/x"]]), ["/lib"]);
    assert_eq!(hidden(&[usr, &["o lib"]]), ["/lib"]);
    assert_eq!(hidden(&[usr, &["f lib/x 1", "d lib"]]), ["/lib"]);
    let none: Vec<String> = Vec::new();
    assert_eq!(hidden(&[usr, &["d lib", "f lib/x 1"]]), none);
    assert_eq!(hidden(&[usr, &["w lib"], &["f lib/x 1"]]), none);
    assert_eq!(hidden(&[usr, &["o /", "f lib/x 1"]]), none);
    assert_eq!(hidden(&[&["d usr/lib", "l lib -> usr/lib", "f lib/x 1"]]), none);
}

#[test]
fn the_other_reading_follows_links_of_lower_layers() {
    let followed = |layers: Layers<'_>| {
        let tree = tree(layers).with_links_followed().unwrap().unwrap();
        tree.stacked_paths(TOP).map(|(node, _)| path(&tree, node)).collect::<Vec<_>>()
    };
    let usr = &["d usr/bin", "f usr/bin/sh 1", "l bin -> usr/bin"][..];
    assert_eq!(followed(&[usr, &["f bin/nc 1"]]), ["/bin", "/usr", "/usr/bin", "/usr/bin/nc", "/usr/bin/sh"]);
    assert_eq!(followed(&[usr, &["w bin/sh"]]), ["/bin", "/usr", "/usr/bin"]);
    assert_eq!(followed(&[usr, &["f bin/nc 1", "d bin"]]), ["/bin", "/usr", "/usr/bin", "/usr/bin/nc", "/usr/bin/sh"]);
    let twice: Layers<'_> = &[usr, &["f bin/nc 1"], &["f bin/nd 1", "w bin/sh"]];
    assert_eq!(followed(twice), ["/bin", "/usr", "/usr/bin", "/usr/bin/nc", "/usr/bin/nd"]);
    assert_eq!(tree(&[usr, &["f x 1"]]).with_links_followed().unwrap().map(|tree| tree.node_count()), None);
}

#[test]
fn marks_of_aufs_name_nothing() {
    let layers: Layers<'_> = &[&["f a 1", "r .wh..wh.aufs", "r .wh..wh.plnk", "r .wh..wh.orph", "r b/.wh..wh.plnk"]];
    assert_eq!(visible(layers), ["/a"]);
    assert_eq!(tree(layers).occurrence_count(), 1);
}

#[test]
fn a_name_that_is_only_the_prefix_of_a_whiteout_is_a_file() {
    assert_eq!(visible(&[&["r .wh. 1"]]), ["/.wh."]);
}

#[test]
fn of_one_name_twice_in_a_layer_the_last_holds() {
    let layers: Layers<'_> = &[&["f a 1 content=1", "f b 2", "f a 3 mode=600"]];
    let tree = tree(layers);
    let shown = tree.visible_at(node(&tree, "a"), TOP).unwrap();
    assert_eq!((tree.occurrence(shown).bytes, tree.occurrence(shown).mode()), (3, 0o600));
    assert_eq!(tree.content_hash(shown), None);
    assert_eq!((tree.occurrence_count(), tree.layer_summary(LayerIndex(0)).added), (2, 2));
}

#[test]
fn a_directory_that_only_its_children_imply_is_there_without_an_entry() {
    let tree = tree(&[&["f a/b/c 5"], &["w a/b/c"]]);
    let implied = node(&tree, "a/b");
    assert_eq!(tree.visible_at(implied, LayerIndex(0)), None);
    assert!(tree.exists_at(implied, LayerIndex(0)));
    assert_eq!(tree.totals_at(node(&tree, "a"), LayerIndex(0)).bytes, 5);
    // A whiteout takes what is in the directory, not the directory.
    assert!(tree.exists_at(implied, LayerIndex(1)));
    assert_eq!(tree.totals_at(implied, LayerIndex(1)).entries, 0);
}

#[test]
fn a_file_may_become_a_directory_and_a_file_again() {
    let layers: Layers<'_> = &[&["f a 1"], &["d a", "f a/b 2"], &["f a 4"]];
    let tree = tree(layers);
    let at = |layer| tree.totals_at(NodeId::ROOT, LayerIndex(layer)).bytes;
    assert_eq!([at(0), at(1), at(2)], [1, 2, 4]);
    assert_eq!(visible(layers), ["/a"]);
    assert!(difference(layers, "a").contains(Difference::TYPE));
    assert_eq!(tree.layer_summary(LayerIndex(2)).removed, 1);
}

#[test]
fn an_entry_differs_in_what_was_changed_and_in_nothing_else() {
    let cases = [
        ("f a 5 content=1", "f a 5 content=1", Difference::empty()),
        ("f a 5 content=1", "f a 5 content=2", Difference::CONTENT),
        ("f a 5 content=1", "f a 6 content=1", Difference::CONTENT),
        ("f a 5", "f a 5 time=7", Difference::MTIME),
        ("f a 5", "f a 5 mode=600", Difference::MODE),
        ("f a 5", "f a 5 owner=1:0", Difference::OWNER),
        ("f a 5", "f a 5 xattr=x", Difference::XATTRS),
        ("l a -> b", "l a -> c", Difference::LINK),
        ("l a -> b", "f a 5", Difference::TYPE.union(Difference::LINK)),
        ("d a", "p a mode=755", Difference::TYPE),
    ];
    for (older, newer, expected) in cases {
        assert_eq!(difference(&[&[older], &[newer]], "a"), expected, "{older} → {newer}");
    }
    assert_eq!(difference(&[&["f b 1"], &["f a 1"]], "a"), Difference::ADDED);
    assert_eq!(difference(&[&["f a 1"], &["w a"], &["f a 1"]], "a"), Difference::ADDED);
}

#[test]
fn a_leaf_has_nothing_below_it_in_its_own_layer() {
    let tree = tree(&[&["d a", "f a/b 1", "d c", "d e", "w e/f", "d g", "o g"], &["d a"]]);
    let is_leaf = |path: &str, layer| {
        let id = tree.occurrence_in(node(&tree, path), LayerIndex(layer)).unwrap();
        tree.occurrence(id).is_leaf()
    };
    assert!(!is_leaf("a", 0) && is_leaf("a/b", 0) && is_leaf("c", 0) && !is_leaf("e", 0));
    assert!(is_leaf("g", 0) && is_leaf("a", 1));
}

#[test]
fn children_are_in_byte_order_over_all_layers() {
    let tree = tree(&[&["f b 1", "f a 1"], &["f B 1", "f a.b 1"]]);
    let names: Vec<&[u8]> = tree.children(NodeId::ROOT).map(|child| tree.name(child)).collect();
    assert_eq!(names, [&b"B"[..], b"a", b"a.b", b"b"]);
}

#[test]
fn a_layer_without_entries_is_a_layer() {
    let tree = tree(&[&["f a 1"], &[], &["w a"]]);
    assert_eq!(tree.layer_count(), 3);
    assert_eq!(tree.layer_occurrences(LayerIndex(1)).count(), 0);
    assert_eq!(tree.occurrence(tree.layer_occurrences(LayerIndex(2)).next().unwrap()).kind, Kind::Whiteout);
}
