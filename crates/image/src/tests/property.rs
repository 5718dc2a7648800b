use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Line, Model, State, exists, is_below, totals};
use crate::testing::{path, tree};
use crate::{Baseline, Change, Difference, FileTree, Floors, LayerIndex, NodeId, Scope, Seen, Totals};

fn line() -> impl Strategy<Value = Line> {
    let kinds = prop::sample::select(vec!['f', 'f', 'f', 'd', 'd', 'l', 'w', 'w', 'o']);
    let modes = prop::sample::select(vec![0o644, 0o755]);
    let links = prop::sample::select(vec!["x", "a", "b", "/a", "../b", "a/c"]).prop_map(str::to_owned);
    (kinds, "[ab](/[abc]){0,3}", 0..3u64, modes, 0..2i64, 0..2u8, links).prop_map(
        |(kind, path, bytes, mode, time, content, target)| {
            let target = if kind == 'l' { target } else { String::new() };
            Line { kind, path, bytes, mode, time, content, target }
        },
    )
}

fn build(layers: &[Vec<Line>]) -> FileTree {
    let text: Vec<Vec<String>> = layers.iter().map(|lines| lines.iter().map(Line::text).collect()).collect();
    let text: Vec<Vec<&str>> = text.iter().map(|lines| lines.iter().map(String::as_str).collect()).collect();
    let text: Vec<&[&str]> = text.iter().map(Vec::as_slice).collect();
    tree(&text)
}

/// All that a scope shows, from the root down as a tree view asks for it.
fn walk(tree: &FileTree, scope: Scope, baseline: Baseline) -> Vec<(String, NodeId, Seen)> {
    let mut shown = Vec::new();
    let root = tree.see(NodeId::ROOT, scope, baseline, Floors::default());
    let mut stack: Vec<(NodeId, Floors)> = root.map(|seen| (NodeId::ROOT, seen.floors)).into_iter().collect();
    while let Some((node, floors)) = stack.pop() {
        for child in tree.children(node) {
            if let Some(seen) = tree.see(child, scope, baseline, floors) {
                shown.push((path(tree, child)[1..].to_owned(), child, seen));
                if seen.is_directory {
                    stack.push((child, seen.floors));
                }
            }
        }
    }
    shown.sort_by(|left, right| left.0.cmp(&right.0));
    shown
}

fn change_below(model: &Model, layer: usize, path: &str) -> Change {
    let (before, after) = (model.before(layer), &model.states[layer]);
    match (exists(&before, path), exists(after, path)) {
        (false, _) => Change::Added,
        (true, false) => Change::Removed,
        (true, true) => {
            let own = model.layers[layer].entries.get(path).zip(before.get(path));
            let mut difference = own.map_or(Difference::empty(), |(newer, (_, older))| newer.difference(older));
            let is_directory = |state: &State| state.get(path).is_none_or(|(_, line)| line.kind == 'd');
            if before.contains_key(path) != after.contains_key(path) && is_directory(&before) != is_directory(after) {
                difference |= Difference::TYPE;
            }
            let holds = after.get(path).is_none_or(|(_, line)| line.kind == 'd') || totals(after, path).entries > 0;
            difference.set(
                Difference::CONTENT,
                difference.contains(Difference::CONTENT) || (holds && Model::changed_below(&before, after, path)),
            );
            change_of(difference)
        }
    }
}

fn change_of(difference: Difference) -> Change {
    match () {
        () if difference.is_real() => Change::Modified(difference),
        () if difference.is_empty() => Change::Unmodified,
        () => Change::Touched,
    }
}

fn change_in_layer(model: &Model, layer: usize, path: &str) -> Change {
    let (before, after) = (model.before(layer), &model.states[layer]);
    let own = &model.layers[layer];
    let changed_below = Model::changed_below(&before, after, path);
    let by_below = if changed_below { Change::Modified(Difference::CONTENT) } else { Change::Unmodified };
    let has_entries_below = own.entries.keys().any(|other| is_below(other, path));
    match (own.entries.get(path), before.get(path)) {
        (Some(newer), None) if newer.is_implied() && exists(&before, path) => by_below,
        (Some(_), None) => Change::Added,
        (Some(newer), Some((_, older))) => match change_of(newer.difference(older)) {
            Change::Unmodified | Change::Touched if changed_below => by_below,
            change => change,
        },
        (None, _) if own.whiteouts.contains(path) && !has_entries_below => Change::Removed,
        (None, _) if own.opaque.contains(path) && !own.whiteouts.contains(path) => by_below,
        (None, _) if exists(&before, path) => by_below,
        (None, _) => Change::Added,
    }
}

/// Returns the paths visible now or before, without the former content of a directory that became a
/// file.
fn shown_paths(model: &Model, before: &State, after: &State) -> BTreeSet<String> {
    let ends = |path: &String| {
        let mut above = after.iter().filter(|(above, _)| is_below(path, above));
        above.any(|(above, (_, line))| line.kind != 'd' && totals(after, above).entries == 0)
    };
    let there = |path: &String| exists(after, path) || (exists(before, path) && !ends(path));
    model.paths().into_iter().filter(there).collect()
}

fn bytes_shown(state: &State, path: &str) -> Totals {
    let below = totals(state, path);
    match state.get(path) {
        Some((_, line)) if line.kind != 'd' && below.entries == 0 => {
            Totals { bytes: if line.kind == 'f' { line.bytes } else { 0 }, entries: 0 }
        }
        _ => below,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn stacked_trees_are_those_of_a_plain_replay(layers in vec(vec(line(), 0..7), 1..5)) {
        let (tree, model) = (build(&layers), Model::new(&layers));
        for (index, state) in model.states.iter().enumerate() {
            let layer = LayerIndex(index as u16);
            for path in model.paths() {
                let node = tree.lookup(path.as_bytes()).unwrap();
                let expected = state.get(&path).map(|(layer, _)| *layer);
                let found = tree.visible_at(node, layer).map(|id| tree.occurrence(id).layer.index());
                prop_assert_eq!(found, expected, "{} at {}", &path, index);
                prop_assert_eq!(tree.totals_at(node, layer), totals(state, &path), "{} at {}", &path, index);
                prop_assert_eq!(tree.exists_at(node, layer), exists(state, &path), "{} at {}", &path, index);
                let is_directory = state.get(&path).is_none_or(|(_, line)| line.kind == 'd');
                prop_assert!(is_directory || totals(state, &path).entries == 0, "{} at {}", &path, index);
            }
            let expected: Vec<String> = model.paths().into_iter().filter(|path| exists(state, path)).collect();
            let mut listed: Vec<String> = tree.stacked_paths(layer).map(|(node, _)| path(&tree, node)[1..].to_owned()).collect();
            listed.sort();
            prop_assert_eq!(listed, expected);
        }
    }

    #[test]
    fn each_layers_counts_are_those_of_a_plain_replay(layers in vec(vec(line(), 0..7), 1..5)) {
        let (tree, model) = (build(&layers), Model::new(&layers));
        for (index, layer) in model.layers.iter().enumerate() {
            let (before, after) = (model.before(index), &model.states[index]);
            let summary = tree.layer_summary(LayerIndex(index as u16));
            let covers = layer.entries.iter().filter_map(|(path, newer)| Some(newer.difference(&before.get(path)?.1)));
            let (modified, mut unmodified): (Vec<_>, Vec<_>) = covers.partition(|difference| difference.is_real());
            let was_implied = |(path, newer): &(&String, &Line)| {
                newer.is_implied() && !before.contains_key(*path) && exists(&before, path)
            };
            unmodified.extend(layer.entries.iter().filter(was_implied).map(|_| Difference::empty()));
            let removed: Vec<_> = before.iter().filter(|(path, _)| !after.contains_key(*path)).collect();
            prop_assert_eq!(summary.modified as usize, modified.len());
            prop_assert_eq!(summary.unmodified as usize, unmodified.len());
            prop_assert_eq!(summary.added as usize, layer.entries.len() - modified.len() - unmodified.len());
            prop_assert_eq!(summary.removed as usize, removed.len());
            let bytes = |line: &Line| if line.kind == 'f' { line.bytes } else { 0 };
            prop_assert_eq!(summary.removed_bytes, removed.iter().map(|(_, (_, line))| bytes(line)).sum::<u64>());
        }
    }

    #[test]
    fn a_stacked_view_shows_what_its_layer_did(layers in vec(vec(line(), 0..7), 1..5)) {
        let (tree, model) = (build(&layers), Model::new(&layers));
        for (index, after) in model.states.iter().enumerate() {
            let scope = Scope::Stacked(LayerIndex(index as u16));
            let before = model.before(index);
            let shown = walk(&tree, scope, Baseline::Below);
            let there = shown_paths(&model, &before, after);
            prop_assert_eq!(shown.iter().map(|(path, ..)| path.clone()).collect::<BTreeSet<_>>(), there);
            for (path, node, seen) in shown {
                prop_assert_eq!(seen.change, change_below(&model, index, &path), "{} at {}", &path, index);
                let state = if seen.change == Change::Removed { &before } else { after };
                prop_assert_eq!(seen.totals, bytes_shown(state, &path), "{} at {}", &path, index);
                prop_assert_eq!(tree.see_alone(node, scope, Baseline::Below), Some(seen), "{} at {}", &path, index);
            }
        }
    }

    #[test]
    fn a_view_from_the_base_misses_no_change(layers in vec(vec(line(), 0..7), 1..5)) {
        let (tree, model) = (build(&layers), Model::new(&layers));
        let base = &model.states[0];
        for (index, after) in model.states.iter().enumerate().skip(1) {
            let shown = walk(&tree, Scope::Stacked(LayerIndex(index as u16)), Baseline::Since(LayerIndex(0)));
            let there = shown_paths(&model, base, after).len();
            prop_assert_eq!(shown.len(), there);
            for (path, _, seen) in shown {
                match (exists(base, &path), exists(after, &path)) {
                    (false, _) => prop_assert_eq!(seen.change, Change::Added),
                    (true, false) => prop_assert_eq!(seen.change, Change::Removed),
                    (true, true) => {
                        let own = base.get(&path).zip(after.get(&path));
                        let own = own.is_some_and(|((_, older), (_, newer))| newer.difference(older).is_real());
                        let file = |state: &State| state.get(&path).is_some_and(|(_, line)| line.kind != 'd');
                        let holds = !file(after) || totals(after, &path).entries > 0;
                        let real = own || file(base) != file(after) || holds && Model::changed_below(base, after, &path);
                        prop_assert!(!real || matches!(seen.change, Change::Modified(_)), "{} at {}: {:?}", &path, index, seen);
                        prop_assert!(!matches!(seen.change, Change::Added | Change::Removed));
                    }
                }
            }
        }
    }

    #[test]
    fn a_layers_own_view_shows_what_it_holds(layers in vec(vec(line(), 0..7), 1..5)) {
        let (tree, model) = (build(&layers), Model::new(&layers));
        for (index, own) in model.layers.iter().enumerate() {
            let shown = walk(&tree, Scope::Layer(LayerIndex(index as u16)), Baseline::Below);
            let mentioned: Vec<String> = own.mentioned().collect();
            let held = |path: &String| mentioned.iter().any(|other| other == path || is_below(other, path));
            let expected: BTreeSet<String> = model.paths().into_iter().filter(held).collect();
            prop_assert_eq!(shown.iter().map(|(path, ..)| path.clone()).collect::<BTreeSet<_>>(), expected);
            let alone: State = own.entries.iter().map(|(path, line)| (path.clone(), (0, line.clone()))).collect();
            for (path, _, seen) in shown {
                prop_assert_eq!(seen.change, change_in_layer(&model, index, &path), "{} in {}", &path, index);
                if seen.is_directory {
                    prop_assert_eq!(seen.totals, totals(&alone, &path), "{} in {}", &path, index);
                }
            }
        }
    }
}
