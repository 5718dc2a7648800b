use super::fixture::{Fixture, Study, item, rows_of_nix};
use crate::graph::{Chains, Dominators, Reachability, shortest_chain};
use nixdive_image::testing::corpus_file;
use nixdive_image::{Kind, LayerIndex};

use super::*;

const A: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-1";
const B: &str = "nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-b-2";
const C: &str = "nix/store/cccccccccccccccccccccccccccccccc-c-3";

#[test]
fn the_store_is_what_the_topmost_layer_leaves_of_it() {
    let fixture = Fixture::new(&[
        vec![item(&format!("{A}/x"), Kind::File, "one"), item(&format!("{B}/y"), Kind::File, "four")],
        vec![
            item(&format!("{A}/x"), Kind::File, "three"),
            item("nix/store/.wh.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-b-2", Kind::File, ""),
            item("nix/store/.links", Kind::Directory, ""),
            item("nix/store/cccc-c", Kind::File, ""),
        ],
    ]);
    let store = StoreContents::new(&fixture.tree);
    let paths: Vec<String> = store.paths.iter().map(|known| known.path.to_string()).collect();
    assert_eq!(paths, [format!("/{A}")]);
    let share = |layer, file_bytes| LayerShare { layer: LayerIndex(layer), entries: 1, file_bytes };
    assert_eq!(store.paths[0].layers, [share(0, 3), share(1, 5)]);
    let others: Vec<_> = store.others.iter().map(|&node| fixture.tree.name(node)).collect();
    assert_eq!(others, [&b".links"[..], b"cccc-c"]);
    assert_eq!(path_entries(&fixture.tree, store.paths[0].node).nar_bytes(&fixture.tree), Some(288));
}

#[test]
fn an_image_without_a_store_has_none() {
    let fixture = Fixture::new(&[vec![item("bin/sh", Kind::File, "")]]);
    assert!(StoreContents::new(&fixture.tree).paths.is_empty());
    assert!(StoreContents::new(&Fixture::new(&[]).tree).paths.is_empty());
    let file = Fixture::new(&[vec![item("nix/store", Kind::File, "")]]);
    assert!(StoreContents::new(&file.tree).paths.is_empty());
}

#[test]
fn what_no_nar_can_hold_leaves_a_path_without_nar_size() {
    let fixture = Fixture::new(&[vec![
        item(&format!("{A}/f"), Kind::File, "text"),
        item(&format!("{A}/g"), Kind::HardLink, &format!("{A}/f")),
        item(&format!("{B}/pipe"), Kind::Fifo, ""),
        item(&format!("{C}/gone"), Kind::HardLink, "nowhere"),
    ]]);
    let sizes: Vec<_> = StoreContents::new(&fixture.tree)
        .paths
        .iter()
        .map(|known| path_entries(&fixture.tree, known.node))
        .map(|entries| (entries.nar_bytes(&fixture.tree), entries.left_out.len()))
        .collect();
    assert_eq!(sizes, [(Some(480), 0), (None, 1), (None, 1)]);
}

#[test]
fn contents_link_targets_and_names_refer() {
    let hash_of_b = "b".repeat(32);
    let fixture = Fixture::new(&[vec![
        item(&format!("{A}/{hash_of_b}.txt"), Kind::File, ""),
        item(&format!("{A}/link"), Kind::Symlink, &format!("../{}-c-3", "c".repeat(32))),
        item(&format!("{A}/self"), Kind::File, &format!("me: {}", "a".repeat(32))),
        item(B, Kind::Symlink, &format!("/{C}/gone")),
        item(C, Kind::File, "plain"),
    ]]);
    let study = Study::new(&fixture);
    let proofs: Vec<_> = study.evidence[0].iter().map(|proof| (proof.place, study.name(proof.to))).collect();
    assert_eq!(proofs, [(Place::Name, "b-2"), (Place::LinkTarget, "c-3"), (Place::Content(4), "a-1")]);
    let (a, b, c) = (study.named("a-1"), study.named("b-2"), study.named("c-3"));
    assert_eq!((study.graph.references(a), study.graph.references(b)), (&[b, c][..], &[c][..]));
    assert!(study.graph.has_self_reference(a));
}

#[test]
fn roots_are_what_the_configuration_and_the_world_outside_name() {
    let mut fixture = Fixture::new(&[vec![
        item(&format!("{A}/bin/a"), Kind::File, ""),
        item(B, Kind::File, ""),
        item(C, Kind::File, ""),
        item("bin/a", Kind::Symlink, &format!("/{A}/bin/a")),
        item("etc/profile", Kind::File, &format!("PATH=/{B}")),
        item("nix/var/nix/db/db.sqlite", Kind::File, &format!("/{C}")),
        item("nix/var/nix/gcroots/c", Kind::Symlink, &format!("/{C}")),
    ]]);
    fixture.config.env = vec!["HOME=/".to_owned(), format!("CERTIFICATES=/{B}/certificates")];
    fixture.config.labels = vec![("made-from".to_owned(), format!("/{A}"))];
    let study = Study::new(&fixture);
    let described: Vec<String> = study
        .roots
        .iter()
        .map(|root| match root.source {
            RootSource::Tree(node, place) => {
                let path = String::from_utf8(fixture.tree.path(node)).unwrap();
                format!("{} by {path} {place:?}", study.name(root.path))
            }
            other => format!("{} by {other:?}", study.name(root.path)),
        })
        .collect();
    let expected = [
        "b-2 by Environment(1)",
        "a-1 by Label(0)",
        "a-1 by /bin/a LinkTarget",
        "b-2 by /etc/profile Content(16)",
        "c-3 by /nix/var/nix/gcroots/c LinkTarget",
    ];
    assert_eq!(described, expected);
}

#[test]
fn a_very_deep_tree_needs_no_call_stack() {
    let deep = format!("{A}/{}x", "d/".repeat(20_000));
    let fixture = Fixture::new(&[vec![item(&deep, Kind::File, "")]]);
    let store = StoreContents::new(&fixture.tree);
    assert_eq!(path_entries(&fixture.tree, store.paths[0].node).entries.len(), 20_002);
}

#[test]
fn images_of_the_corpus_are_what_nix_says_they_are() {
    for image in ["hello-nix", "web-nix"] {
        let Some(archive) = corpus_file(&format!("nix/{image}.tar.gz")) else { return };
        let truth = std::fs::read(archive.with_file_name(format!("{image}.closure.json"))).unwrap();
        let study = Study::new(&Fixture::from_docker_archive(&archive));
        assert_eq!(study.rows(), rows_of_nix(&truth), "{image}");
        let reached = Reachability::new(&study.graph, &study.root_paths());
        assert_eq!(reached.paths().len(), study.graph.len(), "{image}: every path is reachable");
    }
}

#[test]
fn perl_is_in_the_web_server_by_a_script_of_openssl() {
    let Some(archive) = corpus_file("nix/web-nix.tar.gz") else { return };
    let fixture = Fixture::from_docker_archive(&archive);
    let study = Study::new(&fixture);
    let perl = study.named("perl-5.36.0");
    let chain = shortest_chain(&study.graph, &study.root_paths(), perl).unwrap();
    let before = chain[chain.len() - 2];
    assert!(study.name(before).starts_with("openssl"), "{}", study.name(before));
    let files: Vec<String> = study.evidence[before.index()]
        .iter()
        .filter(|proof| proof.to == perl)
        .map(|proof| String::from_utf8_lossy(fixture.tree.name(proof.node)).into_owned())
        .collect();
    assert_eq!(files, ["c_rehash"]);
    let dominators = Dominators::new(&study.graph, &study.root_paths());
    assert_eq!(dominators.immediate(perl), Some(before));
    assert!(dominators.added_bytes(perl) >= study.graph.nar_bytes(perl));
    assert!(Chains::new(&study.graph, &study.root_paths(), perl, 1000).all(|chain| chain.contains(&before)));
}
