use crate::image::{Difference, FileTree, LayerIndex, NodeId, OccurrenceId, Resolution};
use crate::testing::{path, tree};

fn node(tree: &FileTree, path: &str) -> NodeId {
    tree.lookup(path.as_bytes()).unwrap()
}

fn occurrence(tree: &FileTree, path: &str, layer: u16) -> OccurrenceId {
    tree.occurrence_in(node(tree, path), LayerIndex(layer)).unwrap()
}

#[test]
fn a_hard_link_leads_to_the_content_of_its_layer_even_if_it_comes_first() {
    let tree = tree(&[&["f a 1"], &["h b -> a", "f a 2"]]);
    let content = tree.content_of(occurrence(&tree, "b", 1));
    assert_eq!(content, Some(occurrence(&tree, "a", 1)));
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
