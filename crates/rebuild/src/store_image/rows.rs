//! Plan of an image with a Nix store, in readable form.

use hashbrown::HashSet;

use super::StoreImage;
use super::select::{Selection, Way, shown_path};
use crate::choices::Choices;
use crate::plan::{ClassRow, Decision, DropClass, Plan, Row, RowSubject};
use nixdive_image::{FileTree, Kind, NodeId, OccurrenceId};
use nixdive_nix::contents::{TreeEntry, TreeEntryKind};
use nixdive_nix::graph::PathId;
use nixdive_nix::{StoreHash, StorePath};

const STORE_PREFIX: &str = "/nix/store/";
/// Maximum number of steps shown of a chain; the middle is left out.
const MOST_STEPS: usize = 12;
/// Maximum number of listed paths outside the store.
const MOST_OUTSIDE: usize = 8;
/// Maximum number of listed referrers.
const MOST_NAMED: usize = 3;

impl StoreImage<'_> {
    /// Returns the plan for a selection.
    #[must_use]
    pub fn plan(&self, selection: &Selection, choices: &Choices) -> Plan {
        let mut plan = Plan::default();
        plan.rows.extend(self.study.ids().map(|id| self.row(id, selection)));
        plan.rows.extend(self.outside_row(selection));
        plan.classes = self.class_rows(selection, choices);
        plan.cuts = selection.cuts.iter().map(|cut| self.cut_sentence(cut)).collect();
        plan.doubts = self.doubts(selection);
        plan.sort();
        plan
    }

    fn row(&self, id: PathId, selection: &Selection) -> Row {
        let (mut kept, mut dropped) = (0u64, 0u64);
        for (place, entry) in self.entries(id).iter().enumerate() {
            let sum = if selection.drops_entry(id, place) { &mut dropped } else { &mut kept };
            *sum = sum.saturating_add(file_bytes(entry));
        }
        let decision = selection.decisions.get(id.index()).copied().unwrap_or(Decision::Keep);
        let base_name = self.study.get_path(id).map(|path| path.base_name().to_owned()).unwrap_or_default();
        let doubt = (decision == Decision::DropAsked && self.is_needed(id, selection))
            .then(|| "something that is kept refers to it and may fail without it".to_owned());
        Row {
            subject: RowSubject::StorePath(id),
            name: base_name,
            kept_bytes: kept,
            dropped_bytes: dropped,
            decision,
            evidence: self.evidence(id, selection),
            doubt,
        }
    }

    fn is_needed(&self, id: PathId, selection: &Selection) -> bool {
        selection.ways.get(id.index()).copied().flatten().is_some()
    }

    /// Returns why a store path is reachable, or that it is not.
    fn evidence(&self, id: PathId, selection: &Selection) -> Vec<String> {
        let mut steps = Vec::new();
        let mut at = id;
        loop {
            match selection.ways.get(at.index()).copied().flatten() {
                Some(Way::From(before)) => {
                    steps.push(self.step(before, at));
                    at = before;
                }
                Some(Way::Root(source)) => {
                    steps.push(without_hashes(&source.describe(self.image)));
                    break;
                }
                Some(Way::Asked) => {
                    steps.push(format!("{} is kept by choice", self.name(at)));
                    break;
                }
                None => return self.why_not(id, selection),
            }
        }
        steps.reverse();
        if steps.len() > MOST_STEPS {
            let left_out = steps.len() - MOST_STEPS;
            steps.splice(MOST_STEPS / 2..MOST_STEPS / 2 + left_out, [format!("… {left_out} more …")]);
        }
        vec![steps.join(" → ")]
    }

    /// Returns one step of a chain: the target, and the file that refers to it.
    fn step(&self, from: PathId, to: PathId) -> String {
        let proof = self.study.proofs(from, to).first().map(|proof| proof.node);
        let start = self.study.store.get(from).map_or(0, |known| self.tree().path(known.node).len() + 1);
        let file = proof.and_then(|node| {
            let path = self.tree().path(node);
            path.get(start..).map(|below| nixdive_base::text::display_name(below).into_owned())
        });
        match file.filter(|file| !file.is_empty()) {
            Some(file) => format!("{} (by {file})", self.name(to)),
            None => self.name(to),
        }
    }

    fn why_not(&self, id: PathId, selection: &Selection) -> Vec<String> {
        if selection.is_uncertain && selection.keeps(id) {
            return vec!["no readable file refers to it, but some files could not be read".to_owned()];
        }
        let referrers: Vec<PathId> = self.study.graph.referrers(id).iter().copied().filter(|&by| by != id).collect();
        if let Some(cut) = selection.cuts.iter().find(|cut| cut.to == id && cut.is_whole) {
            return vec![format!("the only reference, from {}, is cut", self.name(cut.from))];
        }
        if referrers.is_empty() {
            return vec!["no field of the configuration, file or store path refers to it".to_owned()];
        }
        let mut names: Vec<String> = referrers.iter().take(MOST_NAMED).map(|&by| self.name(by)).collect();
        if referrers.len() > MOST_NAMED {
            names.push(format!("{} more", referrers.len() - MOST_NAMED));
        }
        let cut = selection.cuts.first().map(|_| " or cut").unwrap_or_default();
        vec![format!("only referenced by what is dropped{cut}: {}", names.join(", "))]
    }

    /// Returns the row for everything outside store paths.
    fn outside_row(&self, selection: &Selection) -> Option<Row> {
        let tree = self.tree();
        let (mut kept, mut dropped) = (0u64, 0u64);
        let mut named: Vec<NodeId> = Vec::new();
        for (place, outside) in self.outside.iter().enumerate() {
            let bytes = outside.occurrence.map_or(0, |id| outside_bytes(tree, id));
            named.extend(outside.occurrence.map(|_| outside.node));
            let sum = if selection.drops_outside(place) { &mut dropped } else { &mut kept };
            *sum = sum.saturating_add(bytes);
        }
        let above: HashSet<NodeId> = named.iter().filter_map(|&node| tree.parent(node)).collect();
        let mut ends: Vec<NodeId> = named.iter().copied().filter(|node| !above.contains(node)).collect();
        let more = ends.len().saturating_sub(MOST_OUTSIDE);
        ends.truncate(MOST_OUTSIDE);
        let paths: Vec<String> = ends.iter().map(|&node| shown_path(tree, node)).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!named.is_empty()).then(|| Row {
            subject: RowSubject::Files(NodeId::ROOT),
            name: "outside the store".to_owned(),
            kept_bytes: kept,
            dropped_bytes: dropped,
            decision: Decision::Keep,
            evidence: vec![format!("files outside all store paths: {}{more}", paths.join(", "))],
            doubt: None,
        })
    }

    fn class_rows(&self, selection: &Selection, choices: &Choices) -> Vec<ClassRow> {
        let mut sums = [(0u64, 0u64); DropClass::ALL.len()];
        let mut add = |class: Option<DropClass>, bytes: u64| {
            let place = class.and_then(|class| DropClass::ALL.iter().position(|known| *known == class));
            if let Some(sum) = place.and_then(|place| sums.get_mut(place)) {
                *sum = (sum.0 + 1, sum.1.saturating_add(bytes));
            }
        };
        for id in self.study.ids().filter(|&id| selection.keeps(id)) {
            for (place, entry) in self.entries(id).iter().enumerate() {
                if !matches!(entry.kind, TreeEntryKind::Directory) {
                    add(self.class(id, place), file_bytes(entry));
                }
            }
        }
        for outside in &self.outside {
            if let Some(id) = outside.occurrence.filter(|&id| !super::select::is_directory(self.tree(), id)) {
                add(outside.class, outside_bytes(self.tree(), id));
            }
        }
        let is_unreached = |id: PathId| self.study.paths.get(id.index()).is_some_and(|path| path.depth.is_none());
        for id in self.study.ids().filter(|&id| is_unreached(id)) {
            add(Some(DropClass::Unreachable), self.entries(id).iter().map(file_bytes).fold(0, u64::saturating_add));
        }
        let row = |(class, (files, bytes)): (DropClass, (u64, u64))| {
            let is_kept = match class {
                DropClass::Unreachable => self.study.ids().all(|id| !is_unreached(id) || selection.keeps(id)),
                _ => !choices.classes.contains(&class),
            };
            (files > 0).then_some(ClassRow { class, files, bytes, is_kept })
        };
        DropClass::ALL.into_iter().zip(sums).filter_map(row).collect()
    }

    fn cut_sentence(&self, cut: &super::cuts::AppliedCut) -> String {
        let files: Vec<String> = cut.files.iter().take(MOST_NAMED).map(|&file| shown_path(self.tree(), file)).collect();
        let more = cut.files.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let rest = if cut.is_whole { "" } else { "; other files still refer to it" };
        format!(
            "{} no longer refers to {}: overwritten in {}{more}{rest}",
            self.name(cut.from),
            self.name(cut.to),
            files.join(", ")
        )
    }

    fn doubts(&self, selection: &Selection) -> Vec<String> {
        let mut doubts = Vec::new();
        if selection.is_uncertain {
            let why = match self.study.absent_paths() {
                0 => "some contents could not be read".to_owned(),
                absent => format!("the contents of {absent} store paths are not in the image"),
            };
            doubts.push(format!("{why}: unreferenced store paths are kept unless --drop unreachable is given"));
        }
        doubts.extend(self.proposed_cuts(selection));
        doubts.extend(self.study.unread.iter().cloned());
        if selection.dropped_links > 0 {
            doubts.push(format!("{} links that would dangle are dropped too", selection.dropped_links));
        }
        let changes = self.study.ids().any(|id| !selection.keeps(id)) || !selection.cuts.is_empty();
        let changes = changes || selection.dropped.iter().any(|dropped| !dropped.is_empty());
        if changes && self.has_database() {
            doubts.push("the Nix database of the image is dropped, as it would list absent store paths".to_owned());
        }
        doubts
    }
}

/// Returns a text with store paths reduced to their names.
fn without_hashes(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find(STORE_PREFIX) {
        let (before, path) = rest.split_at(found);
        short.push_str(before);
        let name = path.get(STORE_PREFIX.len() + StoreHash::LENGTH..).and_then(|after| after.strip_prefix('-'));
        let is_path = StorePath::split(path.split([' ', ':', ',']).next().unwrap_or_default().as_bytes()).is_ok();
        match name.filter(|_| is_path) {
            Some(name) => rest = name,
            None => {
                short.push_str(STORE_PREFIX);
                rest = path.get(STORE_PREFIX.len()..).unwrap_or_default();
            }
        }
    }
    short.push_str(rest);
    short
}

fn file_bytes(entry: &TreeEntry) -> u64 {
    if let TreeEntryKind::File { bytes, .. } = entry.kind { bytes } else { 0 }
}

fn outside_bytes(tree: &FileTree, id: OccurrenceId) -> u64 {
    match tree.occurrence(id).kind {
        Kind::File => tree.occurrence(id).bytes,
        Kind::HardLink => tree.content_of(id).map_or(0, |content| tree.occurrence(content).bytes),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::without_hashes;

    #[test]
    fn store_paths_are_shown_by_name() {
        let hash = "0".repeat(32);
        let text = format!("config Cmd: /nix/store/{hash}-nginx-1.22/bin/nginx -c /nix/store/short");
        assert_eq!(without_hashes(&text), "config Cmd: nginx-1.22/bin/nginx -c /nix/store/short");
    }
}
