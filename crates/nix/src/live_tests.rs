//! Compares closures built by a real Nix with the results obtained from their files alone.

use std::collections::BTreeSet;
use std::io::Write;

use super::contents::fixture::{Fixture, Study, rows_of_nix};
use super::contents::{Place, TreeEntryKind};
use super::graph::{Chains, PathId, Reachability, shortest_chain};
use super::live::{FLAT, LARGE, Lab, SMALL, build, lab, labs};
use super::nar::NarWriter;
use super::rewrite::{HashModulo, HashRewriter, StorePathRewriter, content_address_text, content_addressed_path};
use super::{Sha256Hash, StorePath};

fn id(study: &Study, path: &str) -> PathId {
    study.store.id_of(&StorePath::parse(path.as_bytes()).unwrap()).unwrap()
}

#[test]
fn closures_built_by_nix_are_found_out_exactly() {
    for (expression, least) in [(SMALL, 4), (LARGE, 221), (FLAT, 13)] {
        let Some(lab) = lab("closures_built_by_nix_are_found_out_exactly") else { return };
        let top = build(&lab, expression);
        let fixture = Fixture::from_store(&lab.path().join("root/nix/store"));
        let study = Study::new(&fixture);
        let closure = Reachability::new(&study.graph, &[id(&study, &top)]);
        assert!(closure.paths().len() >= least);
        rows_are_those_of_path_info(&lab, &study, &closure, &top);
        chains_are_those_of_why_depends(&lab, &fixture, &study, &top);
        names_are_those_of_make_content_addressed(&lab, &fixture, &study, &closure, &top);
    }
}

/// Members, references, NAR hashes, NAR sizes and closure sizes.
fn rows_are_those_of_path_info(lab: &Lab, study: &Study, closure: &Reachability, top: &str) {
    let mut members: Vec<String> = closure.paths().iter().map(|&id| path(study, id).to_string()).collect();
    members.sort();
    let mut required: Vec<String> = lab.run("nix-store", &["-qR", top]).lines().map(str::to_owned).collect();
    required.sort();
    assert_eq!(members, required);
    let truth = rows_of_nix(lab.run("nix", &["path-info", "-rsS", "--json", top]).as_bytes());
    let rows: Vec<_> = study.rows().into_iter().filter(|row| members.contains(&row.0)).collect();
    assert_eq!(rows, truth);
}

/// Chains and the files that hold their references. Nix 2.8 takes paths from its queue in the order of their addresses, so
/// that its chain may be longer than the shortest.
fn chains_are_those_of_why_depends(lab: &Lab, fixture: &Fixture, study: &Study, top: &str) {
    let from = id(study, top);
    let below = Reachability::new(&study.graph, &[from]);
    let deep: Vec<PathId> = below.paths().iter().copied().filter(|&id| below.depth(id) >= Some(2)).collect();
    for &target in deep.iter().step_by(deep.len() / 8 + 1) {
        let to = path(study, target).to_string();
        let printed = lab.run("nix", &["why-depends", "--precise", top, &to]);
        let (chain, files) = read_chain(study, &printed);
        assert_eq!((chain.first(), chain.last()), (Some(&from), Some(&target)), "{printed}");
        for (pair, file) in chain.windows(2).zip(&files) {
            let proofs = study.evidence[pair[0].index()].iter().filter(|proof| proof.to == pair[1]);
            let places: Vec<String> = proofs
                .filter(|proof| proof.place != Place::Name)
                .map(|proof| String::from_utf8_lossy(&fixture.tree.path(proof.node)).into_owned())
                .collect();
            let expected = format!("{}/{file}", path(study, pair[0])).trim_end_matches('/').to_owned();
            assert!(places.contains(&expected), "{expected} is not in {places:?}");
        }
        let ours = shortest_chain(&study.graph, &[from], target).unwrap();
        assert!(ours.len() <= chain.len());
        let mut all = Chains::new(&study.graph, &[from], target, 20_000);
        let found = all.by_ref().take_while(|other| other.len() <= chain.len()).any(|other| other == chain);
        assert!(found || all.is_truncated(), "{printed}");
        assert!(chain.len() > 3 || ours == chain, "{printed}");
    }
}

/// The store paths of a printed chain, and of each but the last the file that refers to the next.
fn read_chain(study: &Study, printed: &str) -> (Vec<PathId>, Vec<String>) {
    let (mut chain, mut files) = (Vec::new(), Vec::new());
    for line in printed.lines().filter(|line| !line.is_empty()) {
        if let Some((_, hit)) = line.split_once("└───") {
            files.push(hit.split([':', ' ']).next().unwrap_or_default().to_owned());
        } else {
            let text = line.trim_start_matches([' ', '→']).split('\u{1b}').next().unwrap_or_default();
            chain.push(id(study, text));
        }
    }
    (chain, files)
}

fn path(study: &Study, id: PathId) -> &StorePath {
    &study.store.paths[id.index()].path
}

/// NAR of a store path with its references renamed, as `make-content-addressed` has it before its own name is known.
fn write_nar<W: Write>(
    fixture: &Fixture,
    study: &Study,
    path: PathId,
    renamed: &[(StorePath, StorePath)],
    out: W,
) -> W {
    let mut nar =
        NarWriter::new(StorePathRewriter::new(out, renamed.iter().map(|(old, new)| (old.clone(), new.hash()))));
    for entry in &study.entries[path.index()].entries {
        nar.entry(&entry.nar_entry(&fixture.tree)).unwrap();
        if let TreeEntryKind::File { content, .. } = entry.kind {
            nar.content(fixture.content(content)).unwrap();
        }
    }
    nar.finish().unwrap().0.finish().unwrap()
}

/// Returns `true` if a version of Nix hashes the positions of self-references: 2.17 to 2.34 leave
/// them out (NixOS/nix#15837).
fn hashes_places(version: (u32, u32)) -> bool {
    !((2, 17)..=(2, 34)).contains(&version)
}

/// The content-addressed name of a path whose references have theirs, and its hash.
fn new_name(
    fixture: &Fixture,
    study: &Study,
    id: PathId,
    renamed: &[(StorePath, StorePath)],
    with_places: bool,
) -> (StorePath, Sha256Hash) {
    let old = path(study, id);
    let (hash, refers_to_itself) = match with_places {
        true => write_nar(fixture, study, id, renamed, HashModulo::new(&old.hash())).finish().unwrap(),
        false => {
            let zeros = HashRewriter::new(Vec::new(), &old.hash(), [0; 32]);
            let (nar, places) = write_nar(fixture, study, id, renamed, zeros).finish().unwrap();
            (Sha256Hash::of(&nar), !places.is_empty())
        }
    };
    let references: BTreeSet<StorePath> = renamed.iter().map(|pair| pair.1.clone()).collect();
    (content_addressed_path(&hash, old.name(), &references, refers_to_itself).unwrap(), hash)
}

/// The references of a path with their new names.
fn renamed_references(study: &Study, id: PathId, renamed: &[Option<StorePath>]) -> Vec<(StorePath, StorePath)> {
    let references = study.graph.references(id).iter();
    references.map(|&other| (path(study, other).clone(), renamed[other.index()].clone().unwrap())).collect()
}

/// Which versions of Nix give the names that nixdive gives, as docs/rebuild.md says.
#[test]
fn names_of_paths_that_refer_to_themselves_are_those_of_the_versions_that_hash_their_places() {
    let test = "names_of_paths_that_refer_to_themselves_are_those_of_the_versions_that_hash_their_places";
    for lab in labs(test) {
        let with_places = hashes_places(lab.version());
        let top = build(&lab, SMALL);
        let fixture = Fixture::from_store(&lab.path().join("root/nix/store"));
        let study = Study::new(&fixture);
        let closure = Reachability::new(&study.graph, &[id(&study, &top)]);
        let printed = lab.run("nix", &["store", "make-content-addressed", "-r", "--json", &top]);
        let truth: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let mut renamed: Vec<Option<StorePath>> = vec![None; study.graph.len()];
        let mut of_nix_alone = 0;
        for id in study.graph.references_first().into_iter().flatten().filter(|&id| closure.contains(id)) {
            let references = renamed_references(&study, id, &renamed);
            let (new, _) = new_name(&fixture, &study, id, &references, with_places);
            assert_eq!(
                truth["rewrites"][path(&study, id).to_string()],
                new.to_string().as_str(),
                "{:?}",
                lab.version()
            );
            let (own, _) = new_name(&fixture, &study, id, &references, true);
            assert!(own == new || study.graph.has_self_reference(id));
            of_nix_alone += usize::from(own != new);
            renamed[id.index()] = Some(new);
        }
        assert_eq!(of_nix_alone > 0, !with_places, "{:?}", lab.version());
    }
}

/// New names of all members, bottom up, and the hashes of their rewritten NARs.
fn names_are_those_of_make_content_addressed(
    lab: &Lab,
    fixture: &Fixture,
    study: &Study,
    closure: &Reachability,
    top: &str,
) {
    let printed = lab.run("nix", &["store", "make-content-addressed", "-r", "--json", top]);
    let truth: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let truth = truth["rewrites"].as_object().unwrap();
    assert_eq!(truth.len(), closure.paths().len());
    let mut renamed: Vec<Option<StorePath>> = vec![None; study.graph.len()];
    for id in study.graph.references_first().into_iter().flatten().filter(|&id| closure.contains(id)) {
        let old = path(study, id);
        let references = renamed_references(study, id, &renamed);
        let (new, hash) = new_name(fixture, study, id, &references, hashes_places(lab.version()));
        assert_eq!(truth[&old.to_string()], new.to_string().as_str());
        if id.index() % 10 == 0 {
            let rewriter = HashRewriter::new(Vec::new(), &old.hash(), *new.hash().as_bytes());
            let (nar, _) = write_nar(fixture, study, id, &references, rewriter).finish().unwrap();
            let recorded = lab.run("nix-store", &["-q", "--hash", &new.to_string()]);
            assert_eq!(Sha256Hash::of(&nar).to_base32(), recorded.trim());
            let address = lab.run("nix", &["path-info", "--json", &new.to_string()]);
            assert!(address.contains(&content_address_text(&hash)), "{address}");
        }
        renamed[id.index()] = Some(new);
    }
}
