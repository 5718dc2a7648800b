use super::graph::Graph;
use super::*;
use crate::nix::StorePath;
use crate::rebuild::ImageContent;
use crate::rebuild::fixture::{closure_graph, opened, store_path_with, whole};
use crate::rebuild::write::{Destination, WriteOptions, WriteProgress, write};

/// A composition of store paths named by letters, with references «from to».
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

#[test]
fn nix2containers_layers_and_digests_are_made_anew() {
    for name in ["hello-nix", "web-nix"] {
        let Some(opened) = opened(&format!("nix/{name}.tar.gz")) else { return };
        let references = closure_graph(&format!("nix2container/{name}.closure-graph.json")).unwrap();
        let mut composition = whole(&opened.image, &references);
        composition.outside.clear();
        for max_layers in [4, 100] {
            let expected =
                crate::testing::corpus_file(&format!("nix2container/{name}.image-{max_layers}.json")).unwrap();
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
