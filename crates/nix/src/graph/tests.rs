use proptest::prelude::*;

use super::*;
use crate::nar::NarDigest;
use crate::{Sha256Hash, StorePath};

fn id(number: u32) -> PathId {
    PathId(number)
}

fn graph(bytes: &[u64], edges: &[(u32, u32)]) -> ClosureGraph {
    let edges: Vec<_> = edges.iter().map(|&(from, to)| (id(from), id(to))).collect();
    ClosureGraph::new(bytes.to_vec(), &edges).unwrap()
}

/// web 0 → nginx 1 → openssl 2 → glibc 4; openssl → perl 3 → glibc; nginx → glibc. Something else, 5, is not reached and
/// refers to glibc.
fn web() -> ClosureGraph {
    graph(&[1, 10, 100, 1000, 10_000, 100_000], &[(0, 1), (1, 2), (2, 4), (2, 3), (3, 4), (1, 4), (5, 4), (3, 3)])
}

#[test]
fn references_and_referrers_are_sorted_and_single() {
    let graph = graph(&[0; 4], &[(0, 3), (0, 1), (0, 3), (2, 3), (0, 0), (1, 3)]);
    assert_eq!(graph.references(id(0)), [id(1), id(3)]);
    assert_eq!(graph.referrers(id(3)), [id(0), id(1), id(2)]);
    assert!(graph.has_self_reference(id(0)) && !graph.has_self_reference(id(1)));
    assert_eq!(graph.reference_count(), 4);
    assert_eq!((graph.references(id(9)), graph.nar_bytes(id(9))), (&[][..], 0));
}

#[test]
fn a_reference_to_nothing_is_an_error() {
    let bad = ClosureGraph::new(vec![0; 2], &[(id(0), id(2))]);
    assert_eq!(bad.unwrap_err(), GraphError::UnknownPath(2, 2));
}

#[test]
fn sizes_of_a_web_server() {
    let graph = web();
    assert_eq!(graph.closure_bytes_of_all().unwrap(), [11_111, 11_110, 11_100, 11_000, 10_000, 110_000]);
    let dominators = Dominators::new(&graph, &[id(0)]);
    let added: Vec<u64> = graph.ids().map(|path| dominators.added_bytes(path)).collect();
    // glibc leaves with nginx, which holds it by itself too, but not with openssl; an unreached path holds nothing.
    assert_eq!(added, [11_111, 11_110, 1_100, 1_000, 10_000, 100_000]);
    assert_eq!(dominators.immediate(id(4)), Some(id(1)));
    assert_eq!(dominators.children().1, [id(0), id(5)]);
    let reached = Reachability::new(&graph, &[id(0)]);
    assert_eq!((reached.depth(id(4)), reached.depth(id(5))), (Some(2), None));
    assert_eq!(Reachability::without(&graph, &[id(0)], &[id(2)]).nar_bytes(&graph), 10_011);
}

#[test]
fn chains_tell_why_a_path_is_there() {
    let graph = web();
    assert_eq!(shortest_chain(&graph, &[id(0)], id(4)), Some(vec![id(0), id(1), id(4)]));
    assert_eq!(shortest_chain(&graph, &[id(0)], id(0)), Some(vec![id(0)]));
    assert_eq!(shortest_chain(&graph, &[id(0)], id(5)), None);
    let all: Vec<Vec<u32>> = Chains::new(&graph, &[id(0), id(5)], id(4), 100).map(|chain| numbers(&chain)).collect();
    assert_eq!(all, [vec![5, 4], vec![0, 1, 4], vec![0, 1, 2, 4], vec![0, 1, 2, 3, 4]]);
}

fn numbers(chain: &[PathId]) -> Vec<u32> {
    chain.iter().map(|path| path.0).collect()
}

#[test]
fn no_chain_is_left_out() {
    // A diamond on a diamond, with a short cut and a way back: 0 → {1, 2} → 3 → {4, 5} → 6, 0 → 3, 6 → 0.
    let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5), (4, 6), (5, 6), (0, 3), (6, 0)];
    let graph = graph(&[0; 7], &edges);
    let mut chains = Chains::new(&graph, &[id(0), id(4)], id(6), 1000);
    let all: Vec<Vec<u32>> = chains.by_ref().map(|chain| numbers(&chain)).collect();
    let expected = [&[4, 6][..], &[0, 3, 4, 6], &[0, 3, 5, 6], &[0, 1, 3, 4, 6], &[0, 1, 3, 5, 6]];
    assert_eq!(all[..5], expected);
    assert_eq!((all.len(), chains.is_truncated()), (7, false));
}

#[test]
fn chains_of_a_hostile_graph_come_to_an_end() {
    // Everything refers to everything: the number of chains is beyond counting.
    let edges: Vec<_> = (0..60).flat_map(|from| (0..60).map(move |to| (from, to))).collect();
    let graph = graph(&[1; 60], &edges);
    let mut chains = Chains::new(&graph, &[id(0)], id(59), 10_000);
    assert_eq!(chains.next(), Some(vec![id(0), id(59)]));
    assert!(chains.by_ref().count() < 10_000);
    assert!(chains.is_truncated());
    assert_eq!(graph.closure_bytes_of_all().unwrap(), [60; 60]);
}

#[test]
fn unreached_cycles_are_weighed_among_themselves() {
    // 1 ⇄ 2 → 3, and 3 → 0, which is reached.
    let graph = graph(&[1, 10, 100, 1000], &[(1, 2), (2, 1), (2, 3), (3, 0)]);
    let dominators = Dominators::new(&graph, &[id(0)]);
    let added: Vec<u64> = graph.ids().map(|path| dominators.added_bytes(path)).collect();
    assert_eq!(added, [1, 1110, 1100, 1000]);
    assert_eq!(graph.closure_bytes_of_all().unwrap(), [1, 1111, 1111, 1001]);
}

#[test]
fn a_chain_of_a_hundred_thousand_paths_needs_no_call_stack() {
    let count = 100_000u32;
    let edges: Vec<_> = (1..count).map(|number| (number - 1, number)).collect();
    let graph = graph(&vec![1; count as usize], &edges);
    let dominators = Dominators::new(&graph, &[id(0)]);
    assert_eq!(dominators.added_bytes(id(1)), u64::from(count) - 1);
    assert_eq!(shortest_chain(&graph, &[id(0)], id(count - 1)).unwrap().len(), count as usize);
}

#[test]
fn duplicates_are_versions_builds_or_content() {
    let names = ["zlib-1.2", "zlib-1.3", "zlib-1.3-dev", "bash-5", "bash-5", "zlib-1.3.drv"];
    let hash = |number: usize| crate::StoreHash::from_bytes(&[number as u8; 20]);
    let paths: Vec<StorePath> =
        names.iter().enumerate().map(|(number, name)| StorePath::from_parts(&hash(number), name).unwrap()).collect();
    let found: Vec<(String, usize, Vec<u32>)> = same_package(&paths)
        .iter()
        .map(|found| (format!("{} {}", found.name, found.output), found.versions.len(), numbers(&found.paths)))
        .collect();
    assert_eq!(found, [("bash out".to_owned(), 1, vec![3, 4]), ("zlib out".to_owned(), 2, vec![0, 1])]);
    let digest = |text: &str| Some(NarDigest { hash: Sha256Hash::of(text.as_bytes()), bytes: 0 });
    assert_eq!(same_content(&[digest("a"), None, digest("b"), digest("a"), None]), [vec![id(0), id(3)]]);
}

/// Graphs with cycles, a first part of which are roots.
fn any_graph() -> impl Strategy<Value = (ClosureGraph, Vec<PathId>)> {
    (1usize..24).prop_flat_map(|count| {
        let edge = (0..count as u32, 0..count as u32);
        let edges = proptest::collection::vec(edge, 0..count * 3);
        let bytes = proptest::collection::vec(0u64..1000, count);
        let roots = proptest::collection::vec((0..count as u32).prop_map(PathId), 0..3);
        (bytes, edges, roots).prop_map(|(bytes, edges, roots)| (graph(&bytes, &edges), roots))
    })
}

proptest! {
    #[test]
    fn closure_sizes_of_all_are_those_of_each((graph, _) in any_graph()) {
        let each: Vec<u64> =
            graph.ids().map(|path| Reachability::new(&graph, &[path]).nar_bytes(&graph)).collect();
        prop_assert_eq!(graph.closure_bytes_of_all(), Some(each));
    }

    #[test]
    fn added_size_is_what_leaves_with_a_path((graph, roots) in any_graph()) {
        let all = Reachability::new(&graph, &roots);
        let dominators = Dominators::new(&graph, &roots);
        for &path in all.paths() {
            let without = Reachability::without(&graph, &roots, &[path]);
            let leaves = all.nar_bytes(&graph) - without.nar_bytes(&graph);
            prop_assert_eq!(dominators.added_bytes(path), leaves);
        }
    }

    #[test]
    fn every_path_is_in_the_dominator_tree((graph, roots) in any_graph()) {
        let (children, mut order) = Dominators::new(&graph, &roots).children();
        let mut at = 0;
        while at < order.len() {
            order.extend_from_slice(&children[order[at].index()]);
            at += 1;
        }
        order.sort_unstable();
        prop_assert_eq!(order, graph.ids().collect::<Vec<_>>());
    }

    #[test]
    fn chains_are_different_and_made_of_references((graph, roots) in any_graph(), target in 0u32..24) {
        let target = id(target);
        let chains: Vec<Vec<PathId>> = Chains::new(&graph, &roots, target, 2000).collect();
        let depth = Reachability::new(&graph, &roots).depth(target);
        prop_assert!(chains.is_sorted_by_key(Vec::len));
        prop_assert_eq!(chains.first().map(|chain| chain.len() as u32 - 1), depth);
        for (number, chain) in chains.iter().enumerate() {
            prop_assert!(roots.contains(&chain[0]) && chain[chain.len() - 1] == target);
            prop_assert!(chain.windows(2).all(|pair| graph.references(pair[0]).contains(&pair[1])));
            prop_assert!(!chains[..number].contains(chain));
        }
    }
}

#[test]
fn closure_sizes_hold_over_many_blocks_of_groups() {
    let count = 3000u64;
    let mut state = 1u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut edges: Vec<_> = (0..9000)
        .map(|edge| {
            let from = edge % (count - 1);
            (from as u32, (from + 1 + number() % (count - 1 - from).min(400)) as u32)
        })
        .collect();
    edges.extend([(2000, 1990), (500, 200)]);
    let graph = graph(&(0..count).collect::<Vec<_>>(), &edges);
    let closures = graph.closure_bytes_of_all().unwrap();
    for path in graph.ids().step_by(37) {
        let closure = Reachability::new(&graph, &[path]);
        assert_eq!(closures[path.index()], closure.nar_bytes(&graph), "{path:?}");
    }
}

#[test]
fn references_come_before_what_refers_to_them() {
    let graph = graph(&[0; 5], &[(0, 1), (1, 2), (2, 1), (2, 3)]);
    let groups: Vec<Vec<u32>> = graph.references_first().iter().map(|group| numbers(group)).collect();
    assert_eq!(groups, [vec![3], vec![1, 2], vec![0], vec![4]]);
}

/// Expects the output of Nix 2.34's `nix-store --query --tree` for seven files that name each
/// other.
#[test]
fn a_tree_has_the_order_of_nix() {
    let [f2, f4, f5, f1, f6, f0, f3] = [0, 1, 2, 3, 4, 5, 6].map(PathId);
    let references =
        [(f6, f5), (f6, f3), (f5, f4), (f5, f2), (f4, f3), (f4, f1), (f3, f2), (f3, f0), (f2, f1), (f1, f0)];
    let graph = ClosureGraph::new(vec![1; 7], &references).unwrap();
    let mut lines = Vec::new();
    let shown: Result<(), ()> = graph.show_tree(&[f6, f1], |line| {
        lines.push((line.path, line.lasts.len(), line.lasts.last() == Some(&true), line.is_repeated));
        Ok(())
    });
    assert_eq!(shown, Ok(()));
    let expected = [
        (f6, 0, false, false),
        (f5, 1, false, false),
        (f2, 2, false, false),
        (f1, 3, true, false),
        (f0, 4, true, false),
        (f4, 2, true, false),
        (f1, 3, false, true),
        (f3, 3, true, false),
        (f2, 4, false, true),
        (f0, 4, true, true),
        (f3, 1, true, true),
        (f1, 0, false, true),
    ];
    assert_eq!(lines, expected);
    let itself = ClosureGraph::new(vec![1; 2], &[(PathId(1), PathId(0)), (PathId(1), PathId(1))]).unwrap();
    assert_eq!(itself.tree_references(PathId(1)), [PathId(0), PathId(1)]);
}
