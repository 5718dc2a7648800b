//! Cuts that a plan proposes: references of a single script that keep much else.

use super::StoreImage;
use super::select::Selection;
use crate::start;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::NodeId;
use nixdive_nix::contents::{Evidence, Place};
use nixdive_nix::graph::PathId;

/// Minimum savings of a proposed cut in bytes, and as one part in this many of the store.
const LEAST_BYTES: u64 = 5_000_000;
const LEAST_PART: u64 = 20;
/// Maximum number of proposals in a plan.
const MOST_HINTS: usize = 5;
/// Bytes in which the first line of a script names its interpreter; in binaries, paths come later.
const FIRST_LINE: u64 = 128;

impl StoreImage<'_> {
    /// Proposes cuts: all references to a store path are the first line of one script that nothing is known to start,
    /// and much would be dropped with it.
    pub(super) fn proposed_cuts(&self, selection: &Selection) -> Vec<String> {
        let program = start::program(self.image).ok();
        let mut proposed: Vec<(u64, String)> = Vec::new();
        for id in self.study.ids().filter(|&id| selection.keeps(id)) {
            let bytes = self.study.paths.get(id.index()).map_or(0, |path| path.added_bytes);
            let is_much = bytes >= LEAST_BYTES && bytes >= self.study.total_nar_bytes() / LEAST_PART;
            if is_much && let Some((from, script)) = self.only_script(id, selection, program) {
                let (file, to) = (display_name(self.tree().name(script)).into_owned(), self.name(id));
                proposed.push((
                    bytes,
                    format!(
                        "{to} and its exclusive needs ({}) are kept only for {file} in {}; if nothing starts it: \
                         --cut '{file}=>{to}'",
                        display_bytes(bytes),
                        self.name(from)
                    ),
                ));
            }
        }
        proposed.sort_by(|left, right| right.cmp(left));
        proposed.into_iter().take(MOST_HINTS).map(|(_, sentence)| sentence).collect()
    }

    /// Returns the script whose first line is the only reference to a store path.
    fn only_script(&self, to: PathId, selection: &Selection, program: Option<NodeId>) -> Option<(PathId, NodeId)> {
        let referrers = self.study.graph.referrers(to).iter().copied();
        let mut referrers = referrers.filter(|&by| by != to && selection.keeps(by));
        let (from, None) = (referrers.next()?, referrers.next()) else { return None };
        let is_root = !self.study.reasons(to).is_empty();
        let proofs: Vec<Evidence> = self.study.proofs(from, to);
        let script = proofs.first()?.node;
        let is_first_line = |proof: &Evidence| {
            proof.node == script && matches!(proof.place, Place::Content(offset) if offset < FIRST_LINE)
        };
        let is_cut = selection.cuts.iter().any(|cut| cut.from == from && cut.to == to);
        let is_started = program == Some(script);
        (!is_root && !is_cut && !is_started && proofs.iter().all(is_first_line)).then_some((from, script))
    }
}
