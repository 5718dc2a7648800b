use crate::testing::{path, tree};
use crate::{Difference, FileTree, LayerIndex, NodeId, OccurrenceId, Resolution};

fn node(tree: &FileTree, path: &str) -> NodeId {
    tree.lookup(path.as_bytes()).unwrap()
}

fn occurrence(tree: &FileTree, path: &str, layer: u16) -> OccurrenceId {
    tree.occurrence_in(node(tree, path), LayerIndex(layer)).unwrap()
}

/// The number of bytes that a path has in the topmost layer that has it.
fn bytes(tree: &FileTree, path: &str) -> Option<u64> {
    let id = tree.occurrences_of(node(tree, path)).next()?;
    Some(tree.occurrence(tree.content_of(id)?).bytes)
}

/// Layers, a path and the length of its content as umoci unpacks it.
#[test]
fn a_hard_link_has_the_content_that_its_target_has_at_that_moment() {
    let cases: [(crate::testing::Layers<'_>, &[(&str, u64)]); 11] = [
        (&[&["f a 1"], &["h b -> a", "f a 2"]], &[("a", 2), ("b", 1)]),
        (&[&["f a 1", "h b -> a", "f a 2"]], &[("a", 2), ("b", 1)]),
        (&[&["f a 7", "h b -> a", "h a -> b"]], &[("a", 7), ("b", 7)]),
        (&[&["f a 7", "f b 3", "h t -> a", "h a -> b", "h b -> t"]], &[("a", 3), ("b", 7), ("t", 7)]),
        (&[&["f a 1", "h b -> a", "h c -> a", "f a 2", "f b 3"]], &[("a", 2), ("b", 3), ("c", 1)]),
        (&[&["f a 1", "h b -> a", "f a 2", "h c -> b", "f b 3", "h d -> a"]], &[("c", 1), ("d", 2)]),
        (&[&["f d/x 4", "h b -> d/x", "f d 1"]], &[("b", 4), ("d", 1)]),
        (&[&["f d/x 4", "h b -> d/x", "f d 1", "d d", "f d/x 5"]], &[("b", 4), ("d/x", 5)]),
        (&[&["d usr/lib", "f usr/lib/z 4", "l lib -> usr/lib", "h hz -> lib/z"]], &[("hz", 4)]),
        (&[&["d usr/lib", "f usr/lib/z 4", "l lib -> /usr/lib", "h lib/y -> ../lib/./z"]], &[("usr/lib/y", 4)]),
        (&[&["f a 1", "h a -> a"]], &[("a", 1)]),
    ];
    for (layers, expected) in cases {
        let tree = tree(layers);
        for &(path, length) in expected {
            assert_eq!(bytes(&tree, path), Some(length), "{path} of {layers:?}");
        }
    }
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_that_link() {
    let tree = tree(&[&["d d", "l l -> d", "h m -> l", "f m/x 1", "f l 2"]]);
    let id = occurrence(&tree, "m", 0);
    assert_eq!(tree.linked(id).and_then(|id| tree.link_target(id)), Some(&b"d"[..]));
    assert_eq!(bytes(&tree, "d/x"), Some(1));
}

#[test]
fn a_hard_link_before_its_target_finds_it_although_no_engine_does() {
    assert_eq!(bytes(&tree(&[&["h b -> a", "h a -> c", "f c 2"]]), "b"), Some(2));
}

#[test]
fn a_hard_link_leads_to_the_content_of_a_lower_layer() {
    let tree = tree(&[&["f a 1"], &["h b -> a"], &["w a"], &["h c -> b"]]);
    let lower = Some(occurrence(&tree, "a", 0));
    assert_eq!(tree.content_of(occurrence(&tree, "b", 1)), lower);
    // The content outlives its first name.
    assert_eq!(tree.content_of(occurrence(&tree, "c", 3)), lower);
}

#[test]
fn a_hard_link_that_leads_nowhere_or_in_a_circle_has_no_content() {
    let tree = tree(&[&["h a -> b", "h b -> a", "h c -> c", "h d -> gone", "h e -> f", "d f"]]);
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(tree.content_of(occurrence(&tree, name, 0)), None, "{name}");
    }
}

#[test]
fn a_file_that_becomes_a_hard_link_to_the_same_content_is_unmodified() {
    let difference = |layers: crate::testing::Layers<'_>| {
        let tree = tree(layers);
        tree.occurrence(occurrence(&tree, "a", 1)).difference()
    };
    assert_eq!(difference(&[&["f a 3 content=1"], &["f b 3 content=1", "h a -> b"]]), Difference::empty());
    assert_eq!(difference(&[&["f a 3 content=1"], &["f b 3 content=2", "h a -> b"]]), Difference::CONTENT);
}

#[test]
fn a_path_is_followed_through_links_of_the_layer_that_is_looked_at() {
    let tree = tree(&[
        &["l bin -> usr/bin", "d usr/bin", "f usr/bin/sh 1", "l usr/bin/ash -> ./../bin/sh", "l up -> ../../../usr"],
        &["w bin", "d bin", "f bin/sh 2"],
    ]);
    let resolve = |path_: &str, layer| match tree.resolve(path_.as_bytes(), LayerIndex(layer), true) {
        Resolution::Found { node, links } => format!("{} by {}", path(&tree, node), links.len()),
        Resolution::Missing { path, .. } => format!("no {}", String::from_utf8(path).unwrap()),
        Resolution::TooManyLinks => "too many".into(),
    };
    assert_eq!(resolve("/bin/sh", 0), "/usr/bin/sh by 1");
    assert_eq!(resolve("/bin/sh", 1), "/bin/sh by 0");
    assert_eq!(resolve("bin/ash", 0), "/usr/bin/sh by 2");
    assert_eq!(resolve("/up/bin/sh", 1), "/usr/bin/sh by 1");
    assert_eq!(resolve("/bin/zsh", 0), "no /usr/bin/zsh");
}

#[test]
fn a_circle_of_links_ends() {
    let tree = tree(&[&["l a -> b", "l b -> a", "l self -> self/x"]]);
    for path in ["a", "self"] {
        assert_eq!(tree.resolve(path.as_bytes(), LayerIndex(0), true), Resolution::TooManyLinks);
    }
    assert!(matches!(tree.resolve(b"a", LayerIndex(0), false), Resolution::Found { .. }));
}
