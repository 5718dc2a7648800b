//! dive's count in the plainest way: a map of names for each layer, and the whole stack rebuilt for each layer.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::analysis::assess;
use nixdive_image::testing::{image, orderless};

#[derive(Clone, Default)]
struct Node {
    has_entry: bool,
    /// True if an entry created the directory, so that it remains when empty.
    is_made: bool,
    /// True if the last layer that mentions the path has a directory there.
    entry_is_directory: bool,
    is_file: bool,
    bytes: u64,
}

#[derive(Default)]
struct Layer {
    nodes: BTreeMap<String, Node>,
    whiteouts: BTreeSet<String>,
}

fn read(lines: &[String]) -> Layer {
    let mut layer = Layer::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let (kind, path) = (words[0], words[1].to_owned());
        for (at, _) in path.match_indices('/') {
            layer.nodes.entry(path[..at].to_owned()).or_default();
        }
        if kind == "w" {
            // Engines make the directory of a whiteout.
            if let Some((directory, _)) = path.rsplit_once('/') {
                layer.nodes.entry(directory.to_owned()).or_default().is_made = true;
            }
            layer.whiteouts.insert(path);
            continue;
        }
        let bytes = if kind == "f" { words[2].parse().unwrap() } else { 0 };
        let node =
            Node { has_entry: true, is_made: true, entry_is_directory: kind == "d", is_file: kind == "f", bytes };
        layer.nodes.insert(path, node);
    }
    layer
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

fn stack(stacked: &mut BTreeMap<String, Node>, layer: &Layer) {
    let files: Vec<&String> = layer.nodes.iter().filter(|(_, node)| node.is_file).map(|(path, _)| path).collect();
    stacked.retain(|path, _| {
        let removed = layer.whiteouts.iter().any(|gone| gone == path || is_below(path, gone));
        !removed && !files.iter().any(|file| is_below(path, file))
    });
    for (path, node) in &layer.nodes {
        let below = stacked.entry(path.clone()).or_default();
        if node.has_entry {
            *below = node.clone();
        } else {
            if below.is_file {
                // A directory takes the file's place.
                *below = Node { is_made: true, ..Node::default() };
            }
            below.entry_is_directory = false;
            below.is_made |= node.is_made;
        }
    }
    loop {
        let all = stacked.clone();
        stacked.retain(|path, node| node.has_entry || node.is_made || all.keys().any(|other| is_below(other, path)));
        if stacked.len() == all.len() {
            return;
        }
    }
}

/// Sum of the least, sum of all, sum of those seen twice, and whiteouts without a target.
fn count(layers: &[Layer]) -> (u64, u64, u64, u32) {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut stacked: BTreeMap<String, Node> = BTreeMap::new();
    let mut dangling = 0;
    for layer in layers {
        for path in &layer.whiteouts {
            let Some(target) = stacked.get(path) else {
                dangling += 1;
                continue;
            };
            let below = stacked.iter().filter(|(other, _)| is_below(other, path)).map(|(_, node)| node.bytes);
            let bytes = if target.entry_is_directory { below.sum() } else { 0 };
            seen.entry(path.clone()).or_default().push(bytes);
        }
        let mentioned: Vec<&String> = layer.nodes.keys().chain(&layer.whiteouts).collect();
        for (path, node) in &layer.nodes {
            if !mentioned.iter().any(|other| is_below(other, path)) {
                seen.entry(path.clone()).or_default().push(node.bytes);
            }
        }
        stack(&mut stacked, layer);
    }
    let sum = |sizes: &Vec<u64>| sizes.iter().sum::<u64>();
    let least = seen.values().filter_map(|sizes| sizes.iter().min()).sum();
    let wasted = seen.values().filter(|sizes| sizes.len() > 1).map(sum).sum();
    (least, seen.values().map(sum).sum(), wasted, dangling)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_figures_of_any_layers_are_those_of_the_plain_count(
        layers in vec(vec("(f [ab](/[abc]){0,2} [0-9]|d [ab](/[abc]){0,2} 0|w [ab](/[abc]){0,2})", 0..7), 0..5)
    ) {
        let layers: Vec<Vec<String>> =
            layers.iter().map(|lines| orderless(lines).into_iter().map(str::to_owned).collect()).collect();
        let read: Vec<Layer> = layers.iter().map(|lines| read(lines)).collect();
        let (least, all, wasted, dangling) = count(&read);
        let text: Vec<Vec<&str>> = layers.iter().map(|lines| lines.iter().map(String::as_str).collect()).collect();
        let text: Vec<&[&str]> = text.iter().map(Vec::as_slice).collect();
        let figures = assess(&image(&text)).figures;
        let efficiency = if all == 0 { 1.0 } else { least as f64 / all as f64 };
        prop_assert_eq!(figures.efficiency, efficiency);
        prop_assert_eq!(figures.wasted_bytes, wasted);
        prop_assert_eq!(figures.dangling_whiteouts, dangling);
    }
}
