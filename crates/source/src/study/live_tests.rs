//! Closures built by a real Nix, packed into images and studied by the program; results are compared with those of Nix.

use std::sync::Arc;

use super::{StoreWatch, StudyOptions, excerpts, study};
use crate::open::{Keep, OpenOptions, Opened, Progress, Verify, open, open_section};
use crate::store::LocalStore;
use crate::testing::{Packing, image};
use nixdive_image::reference::Reference;
use nixdive_nix::contents::Place;
use nixdive_nix::contents::fixture::{Row, rows_of_nix};
use nixdive_nix::graph::PathId;
use nixdive_nix::live::{FLAT, LARGE, SMALL, build};
use nixdive_nix::live::{Lab, lab, labs};
use nixdive_nix::study::{Match, StoreStudy};
use nixdive_scan::Section;

fn open_and_study(archive: &[u8], verify: Verify) -> (Opened, StoreStudy) {
    let watch = StoreWatch::new();
    let watched = Some(Arc::new(watch.clone()) as Arc<_>);
    let options = OpenOptions { keep: Keep::Content, verify, watch: watched, ..OpenOptions::default() };
    let opened = open_section(Section::from_bytes(archive.to_vec()), "image.tar", &options, &Progress::new()).unwrap();
    let study = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() }).unwrap().unwrap();
    (opened, study)
}

/// An entry in the output of `nix path-info -rsS --json`.
fn rows(study: &StoreStudy) -> Vec<Row> {
    let text = |id: PathId| study.get_path(id).unwrap().to_string();
    let row = |id: PathId| {
        let path = &study.paths[id.index()];
        let mut references: Vec<PathId> = study.graph.references(id).to_vec();
        references.extend(study.graph.has_self_reference(id).then_some(id));
        references.sort_unstable();
        let references = references.into_iter().map(text).collect();
        let hash = path.nar_hash.unwrap().to_sri();
        (text(id), hash, path.nar_bytes.unwrap(), path.closure_bytes.unwrap(), references)
    };
    study.ids().map(row).collect()
}

#[test]
fn images_of_closures_are_what_nix_says() {
    for (expression, least) in [(SMALL, 4), (LARGE, 221), (FLAT, 13)] {
        let Some(lab) = lab("images_of_closures_are_what_nix_says") else { return };
        let top = build(&lab, expression);
        let required = lab.run("nix-store", &["-qR", &top]);
        let mut required: Vec<String> = required.lines().map(str::to_owned).collect();
        required.sort();
        assert!(required.len() >= least);
        let truth = rows_of_nix(lab.run("nix", &["path-info", "-rsS", "--json", &top]).as_bytes());
        lab.run("nix-store", &["--optimise"]);
        for packing in [Packing::Sorted, Packing::Gzip, Packing::Linked] {
            let archive = image(&lab, &required, &top, packing);
            for verify in [Verify::Cheap, Verify::All] {
                let (opened, study) = open_and_study(&archive, verify);
                assert_eq!(study.unread, Vec::<String>::new());
                let reachable: Vec<String> = study
                    .ids()
                    .filter(|&id| study.is_reachable(id))
                    .map(|id| study.get_path(id).unwrap().to_string())
                    .collect();
                assert_eq!(reachable, required, "{packing:?}");
                assert_eq!(rows(&study), truth, "{packing:?}");
                if verify == Verify::Cheap {
                    chains_and_excerpts_are_those_of_why_depends(&lab, &opened, &study, &top);
                }
            }
        }
    }
}

/// Chains are not longer than Nix's, and every reference that Nix prints has the same file and the same bytes.
fn chains_and_excerpts_are_those_of_why_depends(lab: &Lab, opened: &Opened, study: &StoreStudy, top: &str) {
    let deep: Vec<PathId> = study.ids().filter(|id| study.paths[id.index()].depth >= Some(2)).collect();
    for &target in deep.iter().step_by(deep.len() / 4 + 1) {
        let to = study.get_path(target).unwrap().to_string();
        let printed = lab.run("nix", &["why-depends", "--precise", top, &to]);
        let (chain, hits) = read_chain(study, &printed);
        let ours = study.why(target, false).chains.remove(0).paths;
        assert!(ours.len() <= chain.len(), "{printed}");
        assert!(chain.len() > 3 || ours.len() == chain.len(), "{printed}");
        let all = study.why(target, true);
        assert!(all.is_truncated || all.chains.iter().any(|other| other.paths == chain), "{printed}");
        for (pair, hit) in chain.windows(2).zip(&hits) {
            assert!(hits_of(opened, study, pair[0], pair[1]).contains(hit), "{hit}");
        }
    }
}

/// Evidence of a reference, as Nix prints it.
fn hits_of(opened: &Opened, study: &StoreStudy, from: PathId, to: PathId) -> Vec<String> {
    let tree = &opened.image.tree;
    let proofs = study.proofs(from, to);
    let places: Vec<_> = proofs
        .iter()
        .filter_map(|proof| match proof.place {
            Place::Content(offset) => Some((proof.node, offset)),
            _ => None,
        })
        .collect();
    let found = excerpts(opened, &places);
    let prefix = format!("{}/", study.get_path(from).unwrap());
    let hit = |proof: &nixdive_nix::contents::Evidence| {
        let path = String::from_utf8(tree.path(proof.node)).unwrap();
        let file = path.strip_prefix(&prefix).unwrap_or("/");
        match proof.place {
            Place::Content(offset) => {
                let shown = |&byte: &u8| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '.' };
                let text: String = found[&(proof.node, offset)].iter().map(shown).collect();
                format!("{file}: …{text}…")
            }
            _ => {
                let id = tree.visible_at(proof.node, tree.top_layer().unwrap()).unwrap();
                format!("{file} -> {}", String::from_utf8_lossy(tree.link_target(id).unwrap_or_default()))
            }
        }
    };
    proofs.iter().map(hit).collect()
}

/// Returns the store paths of a printed chain, and the evidence for each reference.
fn read_chain(study: &StoreStudy, printed: &str) -> (Vec<PathId>, Vec<String>) {
    let plain: String = printed
        .split('\u{1b}')
        .enumerate()
        .map(|(place, part)| if place == 0 { part } else { part.split_once('m').unwrap().1 })
        .collect();
    let (mut chain, mut hits) = (Vec::new(), Vec::new());
    for line in plain.lines().filter(|line| !line.trim().is_empty()) {
        if let Some((_, hit)) = line.split_once("└───") {
            hits.push(hit.to_owned());
        } else {
            let text = line.trim_start_matches([' ', '→']).trim_end();
            let Match::Paths(found) = study.find(text) else { panic!("{line}") };
            chain.extend(found);
        }
    }
    (chain, hits)
}

/// Opens a store path of a lab as its closure.
fn open_closure(lab: &Lab, typed: &str) -> (Opened, StoreStudy) {
    let watch = StoreWatch::new();
    let options = OpenOptions {
        store: LocalStore::at(&lab.path().join("root")),
        watch: Some(Arc::new(watch.clone())),
        ..OpenOptions::default()
    };
    let reference = Reference::parse(typed.as_ref()).unwrap();
    let opened = open(&reference, &options, &Progress::new()).unwrap();
    let study = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() }).unwrap().unwrap();
    (opened, study)
}

/// Returns the location of a store path of a lab.
fn on_disk(lab: &Lab, path: &str) -> String {
    format!("{}{path}", lab.path().join("root").display())
}

fn printed_tree(study: &StoreStudy) -> String {
    let mut out = Vec::new();
    nixdive_report::write_store_tree(study, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Returns the store paths of a tree printed by `nix why-depends`, each with its depth.
fn indented_paths(printed: &str) -> Vec<(usize, String)> {
    let line = |line: &str| {
        let start = line.find("/nix/store/")?;
        let path = line[start..].split(['\u{1b}', ' ']).next()?.to_owned();
        let depth = line[..start].chars().filter(|&character| matches!(character, ' ' | '│' | '├' | '└' | '─' | '→'));
        Some((depth.count(), path))
    };
    printed.lines().filter_map(line).collect()
}

/// Returns the chains of such a tree: from the root to each leaf.
fn chains_of_tree(lines: &[(usize, String)]) -> Vec<Vec<String>> {
    let mut chains = Vec::new();
    let mut chain: Vec<(usize, String)> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        chain.retain(|above| above.0 < line.0);
        chain.push(line.clone());
        if lines.get(place + 1).is_none_or(|next| next.0 <= line.0) {
            chains.push(chain.iter().map(|(_, path)| path.clone()).collect());
        }
    }
    chains
}

/// An opened store path is the root of its closure: sizes, tree and chains match those of Nix.
#[test]
fn a_store_path_is_the_root_that_nix_takes_it_for() {
    let test = "a_store_path_is_the_root_that_nix_takes_it_for";
    for lab in labs(test) {
        for expression in [SMALL, LARGE, FLAT] {
            let top = build(&lab, expression);
            let (opened, study) = open_closure(&lab, &on_disk(&lab, &top));
            assert_eq!(opened.image.identity.store_roots, std::slice::from_ref(&top));
            assert_eq!(study.unreachable().count(), 0);
            let members: Vec<String> = study.ids().map(|id| study.get_path(id).unwrap().to_string()).collect();
            let mut required: Vec<String> = lab.run("nix-store", &["-qR", &top]).lines().map(str::to_owned).collect();
            required.sort();
            assert_eq!(members, required);
            let whole = study.paths[study.root_paths()[0].index()];
            assert_eq!(whole.closure_bytes, Some(study.total_nar_bytes()));
            assert_eq!(printed_tree(&study), lab.run("nix-store", &["-q", "--tree", &top]));
            chains_are_in_the_order_of_why_depends(&lab, &study, &top);
        }
        let tops = [build(&lab, SMALL), build(&lab, FLAT)];
        let typed: Vec<String> = tops.iter().map(|top| on_disk(&lab, top)).collect();
        let (_, study) = open_closure(&lab, &typed.join(","));
        assert_eq!(study.root_paths().len(), 2);
        assert_eq!(study.unreachable().count(), 0);
        assert_eq!(printed_tree(&study), lab.run("nix-store", &["-q", "--tree", &tops[0], &tops[1]]));
    }
}

fn chains_are_in_the_order_of_why_depends(lab: &Lab, study: &StoreStudy, top: &str) {
    // Nix 2.8 reckons distances in the order of addresses, and may print a longer chain.
    if lab.version() < (2, 20) {
        return;
    }
    let deep: Vec<PathId> = study.ids().filter(|&id| study.paths[id.index()].depth >= Some(1)).collect();
    for &target in deep.iter().step_by(deep.len() / 6 + 1) {
        let to = study.get_path(target).unwrap().to_string();
        let named = |chain: &nixdive_nix::study::Chain| -> Vec<String> {
            chain.paths.iter().map(|&id| study.get_path(id).unwrap().to_string()).collect()
        };
        let shortest = indented_paths(&lab.run("nix", &["why-depends", top, &to]));
        assert_eq!(named(&study.why(target, false).chains[0]), chains_of_tree(&shortest)[0]);
        let why = study.why(target, true);
        if why.is_truncated || why.chains.len() > 200 {
            continue;
        }
        // What Nix has shown once stands without what is below it: not all chains are printed to their ends.
        let mut all = chains_of_tree(&indented_paths(&lab.run("nix", &["why-depends", "--all", top, &to])));
        all.retain(|chain| chain.last() == Some(&to));
        let mut ours = why.chains.iter().map(named);
        assert!(all.iter().all(|chain| ours.any(|other| other == *chain)), "{to}: {all:?}");
    }
}

#[test]
fn a_text_means_what_a_person_means_by_it() {
    let Some(lab) = lab("a_text_means_what_a_person_means_by_it") else { return };
    let top = build(&lab, SMALL);
    let required = lab.run("nix-store", &["-qR", &top]);
    let required: Vec<String> = required.lines().map(str::to_owned).collect();
    let (_, study) = open_and_study(&image(&lab, &required, &top, Packing::Sorted), Verify::Cheap);
    let name = |id: PathId| study.get_path(id).unwrap().name().to_owned();
    for text in ["d", "d-2.0", "d-dev", "d-2.0-dev"] {
        let Match::Paths(found) = study.find(text) else { panic!("{text}") };
        assert_eq!(found.into_iter().map(name).collect::<Vec<_>>(), ["d-2.0-dev"], "{text}");
    }
    let Match::Paths(found) = study.find(&format!("{top}/blob")) else { panic!() };
    assert_eq!(study.get_path(found[0]).unwrap().to_string(), top);
    assert_eq!(study.find(&top[11..25]), Match::Paths(found));
    assert_eq!(study.find("nothing-like-it"), Match::Nothing(Vec::new()));
    let Match::Nothing(near) = study.find("d-2.1") else { panic!() };
    assert_eq!(near.first().map(String::as_str), Some("d-2.0-dev"));
}
