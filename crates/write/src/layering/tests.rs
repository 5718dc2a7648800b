use std::process::Command;

use super::graph::Graph;
use super::*;
use crate::ImageContent;
use crate::fixture::{closure_graph, opened, store_path_with, whole};
use crate::{Destination, WriteOptions, WriteProgress, write};
use nixdive_nix::StorePath;

/// Returns a composition of store paths named by letters. A reference such as "AB" goes from `A` to `B`.
fn letters(names: &str, references: &[&str]) -> Composition {
    let mut composition = Composition::default();
    for name in names.chars() {
        let path = StorePath::parse_base_name(format!("{}-{name}", "0".repeat(32)).as_bytes()).unwrap();
        composition.store_paths.push(store_path_with(path, Vec::new()));
    }
    for reference in references {
        let mut places = reference.chars().map(|name| names.find(name).unwrap());
        let from = places.next().unwrap();
        composition.store_paths[from].references.extend(places.map(|place| place as u32));
    }
    composition
}

/// The example in dockerTools' own tests.
fn example() -> Composition {
    letters("ABCDEFG", &["ABG", "BCE", "CDE", "DF", "EF"])
}

fn text(composition: &Composition, order: &[u32]) -> String {
    order.iter().map(|&place| composition.store_paths[place as usize].path.name()).collect()
}

#[test]
fn popularity_is_that_of_dockertools_published_example() {
    let composition = example();
    let graph = Graph::of(&composition);
    assert_eq!(popularity::scores(&graph), [1, 2, 3, 4, 5, 9, 2]);
    assert_eq!(text(&composition, &popularity::order(&graph)), "FEDCBGA");
    let layers = Strategy::Popularity.assign(&composition, &[], 3);
    let layers: Vec<String> = layers.iter().map(|layer| text(&composition, layer)).collect();
    assert_eq!(layers, ["F", "E", "ABCDG"]);
}

#[test]
fn nix2containers_order_is_that_of_its_own_example() {
    let composition = example();
    let graph = Graph::of(&composition);
    assert_eq!(nix2container::scores(&graph), [1, 2, 3, 4, 6, 11, 2]);
    assert_eq!(text(&composition, &nix2container::order(&graph)), "FEDCGBA");
}

/// Generates a closure of 540 paths whose hashes are unrelated to their references. Many have equal scores, and those
/// at the end of the chain have scores that exceed 64 bits.
fn generated_closure() -> Composition {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % most as u64) as usize
    };
    let digits = b"0123456789abcdfghijklmnpqrsvwxyz";
    let mut composition = Composition::default();
    for number in 0..540 {
        let hash: String = (0..32).map(|_| char::from(digits[below(32)])).collect();
        let path = StorePath::parse_base_name(format!("{hash}-p{number}").as_bytes()).unwrap();
        let mut path = store_path_with(path, Vec::new());
        // A chain in which each path refers to the two before it; then libraries, and leaves without referrers.
        path.references = match number {
            0..2 => Vec::new(),
            2..120 => vec![number - 1, number - 2],
            120..360 => (0..below(4)).map(|_| (number - 1 - below(40) as u32).max(120)).collect(),
            _ => (0..1 + below(5)).map(|_| below(360) as u32).collect(),
        };
        path.references.retain(|&reference| reference < number);
        composition.store_paths.push(path);
    }
    composition
}

/// Order in which nix2container 20d3395 (2026-03) assigns the paths of [`generated_closure`] to 540 layers, by the
/// number in their names.
const ORDER_OF_NIX2CONTAINER: &str = include_str!("nix2container_order.txt");

fn recorded_order() -> Vec<u32> {
    ORDER_OF_NIX2CONTAINER.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

#[test]
fn nix2containers_order_of_ties_and_of_scores_beyond_64_bits() {
    let composition = generated_closure();
    assert_eq!(nix2container::order(&Graph::of(&composition)), recorded_order());
}

/// Compares with the nix2container program in `NIXDIVE_NIX2CONTAINER`, which must group the closure in the same way. No
/// distribution packages it, so live runs skip this; its order is recorded for the test above.
#[test]
fn nix2container_groups_a_large_closure_in_the_same_way() {
    let Some(program) = std::env::var_os("NIXDIVE_NIX2CONTAINER") else {
        eprintln!("skipped: NIXDIVE_NIX2CONTAINER is not set");
        return;
    };
    let composition = generated_closure();
    let store = tempfile::tempdir().unwrap();
    let on_disk = |place: u32| store.path().join(composition.store_paths[place as usize].path.base_name());
    // Nix's order of store paths, for references too.
    let mut listed: Vec<u32> = (0..composition.store_paths.len() as u32).collect();
    listed.sort_by_key(|&place| &composition.store_paths[place as usize].path);
    let mut graph = Vec::new();
    for &place in &listed {
        std::fs::write(on_disk(place), b"x").unwrap();
        let mut references: Vec<_> =
            composition.store_paths[place as usize].references.iter().map(|&other| on_disk(other)).collect();
        references.sort();
        references.dedup();
        graph.push(serde_json::json!({ "path": on_disk(place), "references": references }));
    }
    let file = store.path().join("closure-graph.json");
    std::fs::write(&file, serde_json::to_vec(&graph).unwrap()).unwrap();
    for most in [1, 4, 20, 100, 540] {
        let out = store.path().join("layers.json");
        let arguments = ["layers-from-reproducible-storepaths".as_ref(), out.as_os_str(), file.as_os_str()];
        let mut command = Command::new(&program);
        let output = command.args(arguments).args(["--max-layers", &most.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let layers: serde_json::Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
        let number = |path: &serde_json::Value| -> u32 {
            path["path"].as_str().unwrap().rsplit_once("-p").unwrap().1.parse().unwrap()
        };
        let mut theirs: Vec<Vec<u32>> = Vec::new();
        for layer in layers.as_array().unwrap() {
            theirs.push(layer["paths"].as_array().unwrap().iter().map(number).collect());
        }
        if most == 540 {
            let order: Vec<u32> = theirs.iter().flatten().copied().collect();
            assert_eq!(order, recorded_order(), "{order:?}");
        }
        theirs.iter_mut().for_each(|layer| layer.sort_unstable());
        assert_eq!(Strategy::Nix2container.assign(&composition, &[], most), theirs, "{most} layers");
    }
}

#[test]
fn nix2containers_layers_and_digests_are_reproduced() {
    for name in ["hello-nix", "web-nix"] {
        let Some(opened) = opened(&format!("nix/{name}.tar.gz")) else { return };
        let references = closure_graph(&format!("nix2container/{name}.closure-graph.json")).unwrap();
        let mut composition = whole(&opened.image, &references);
        composition.outside.clear();
        for max_layers in [4, 100] {
            let expected =
                nixdive_image::testing::corpus_file(&format!("nix2container/{name}.image-{max_layers}.json")).unwrap();
            let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(expected).unwrap()).unwrap();
            let layers = Strategy::Nix2container.assign(&composition, &[], max_layers);
            let content = ImageContent::new(&opened.image.tree, &opened.contents);
            let options = WriteOptions { form: Strategy::Nix2container.tar_form(), ..WriteOptions::default() };
            let none: &[Destination] = &[];
            let written = write(&composition, &layers, none, &content, &options, &WriteProgress::default()).unwrap();
            let expected = expected["layers"].as_array().unwrap();
            assert_eq!(written.layers.len(), expected.len());
            for (layer, expected) in written.layers.iter().zip(expected) {
                assert_eq!(layer.diff_id.as_str(), expected["digest"].as_str().unwrap());
                assert_eq!(layer.unpacked_bytes, expected["size"].as_u64().unwrap());
                let mut paths: Vec<&str> =
                    expected["paths"].as_array().unwrap().iter().map(|path| path["path"].as_str().unwrap()).collect();
                paths.sort_unstable();
                let ours: Vec<String> = layer.store_paths.iter().map(ToString::to_string).collect();
                assert_eq!(ours, paths);
            }
        }
    }
}
