use std::collections::BTreeSet;

use hashbrown::HashSet;

use super::scene::{Gathered, Hits, Scene};
use super::store::{Closure, evidence_of};
use super::{Evidence, Location, Rule};
use nixdive_base::text::display_name;
use nixdive_image::NodeId;
use nixdive_nix::contents::Place;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;

/// Packages that are interpreters.
const INTERPRETERS: [&str; 11] =
    ["perl", "python", "python2", "python3", "ruby", "tcl", "lua", "guile", "php", "nodejs", "gawk"];
/// Scripts up to which an interpreter counts as there by accident.
const MOST_SCRIPTS: usize = 4;
/// Interpreters that are looked at.
const MOST_INTERPRETERS: usize = 32;
/// Minimum bytes saved by removing an interpreter for it to be reported.
const LEAST_BYTES: u64 = 1_000_000;
/// Offsets in a file at which the hash of its interpreter's store path can occur: after
/// `#!/nix/store/` and a few blanks.
const FIRST_LINE: std::ops::RangeInclusive<u64> = 13..=16;

/// Finds interpreters that are in the image only because a few scripts name them in their first
/// lines. Ignores scripts that run when the image starts (`executed`), which need theirs.
pub(super) fn find(scene: &Scene<'_>, study: &StoreStudy, executed: &HashSet<NodeId>, found: &mut Gathered) {
    let roots = study.root_paths();
    for id in study.by_added_bytes().into_iter().filter(|&id| is_interpreter(study, id)).take(MOST_INTERPRETERS) {
        let saved = study.paths.get(id.index()).map_or(0, |path| path.added_bytes);
        if saved < LEAST_BYTES || !study.is_reachable(id) || roots.binary_search(&id).is_ok() {
            continue;
        }
        let Some(scripts) = scripts(scene, study, &roots, id) else { continue };
        if scripts.iter().any(|(node, _)| executed.contains(node)) {
            continue;
        }
        let closure = Closure::new(study, &roots);
        let leaving = closure.leaving(&[id]);
        let mut hits = Hits::new(Rule::InterpreterByShebang);
        hits.count = scripts.len() as u64;
        hits.bytes = closure.bytes(&leaving);
        for &(node, offset) in &scripts {
            let occurrence = scene.tree.visible_at(node, scene.top);
            let layer = occurrence.map(|id| scene.tree.occurrence(id).layer);
            let location = Location::Path { node, occurrence, layer, offset: Some(offset) };
            hits.keep(Evidence { location, bytes: 0, note: Some("its first line".to_owned()) });
        }
        hits.keep(evidence_of(study, id, saved));
        closure.reclaim(scene, &leaving, found);
        let name = study.get_path(id).map(|path| display_name(path.name().as_bytes()).into_owned()).unwrap_or_default();
        found.finding(scene, hits, |count| match count {
            1 => format!("{name} is needed only by the first line of one script"),
            _ => format!("{name} is needed only by the first lines of {count} scripts"),
        });
    }
}

fn is_interpreter(study: &StoreStudy, id: PathId) -> bool {
    study.get_path(id).is_some_and(|path| INTERPRETERS.contains(&path.package().name))
}

/// The scripts that alone hold an interpreter, with where its hash stands; `None` where anything else holds it too.
fn scripts(scene: &Scene<'_>, study: &StoreStudy, roots: &[PathId], id: PathId) -> Option<BTreeSet<(NodeId, u64)>> {
    let without = nixdive_nix::graph::Reachability::without(&study.graph, roots, &[id]);
    let mut scripts = BTreeSet::new();
    let referrers = study.graph.referrers(id).iter().filter(|&&referrer| without.contains(referrer));
    for &referrer in referrers {
        let proofs = study.proofs(referrer, id);
        if proofs.is_empty() {
            return None;
        }
        for proof in proofs {
            match proof.place {
                Place::Content(offset) if FIRST_LINE.contains(&offset) && is_script(scene, proof.node) => {
                    scripts.insert((proof.node, offset));
                }
                _ => return None,
            }
        }
        if scripts.len() > MOST_SCRIPTS {
            return None;
        }
    }
    (!scripts.is_empty()).then_some(scripts)
}

/// Returns `true` if a file begins like a script, as far as is known.
fn is_script(scene: &Scene<'_>, node: NodeId) -> bool {
    let Some(facts) = scene.facts else { return true };
    let content = scene.tree.visible_at(node, scene.top).and_then(|id| scene.tree.content_of(id));
    content.is_some_and(|id| facts.scripts.contains(&id))
}
