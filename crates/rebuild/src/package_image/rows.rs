//! Plan of an image without a Nix store, in readable form.

use hashbrown::HashMap;

use super::select::PackageSelection;
use super::{File, PackageImage};
use crate::choices::Choices;
use crate::needs::{How, Reason};
use crate::plan::{ClassRow, Decision, DropClass, Plan, Row, RowSubject};
use nixdive_image::{NodeId, OccurrenceId};

/// Maximum number of files of a row whose reasons are listed.
const MOST_EVIDENCE: usize = 3;

impl PackageImage<'_> {
    /// Returns the plan for a selection.
    #[must_use]
    pub fn plan(&self, selection: &PackageSelection, choices: &Choices) -> Plan {
        let mut plan = Plan { classes: self.class_rows(selection, choices), ..Plan::default() };
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        for (place, file) in self.files.iter().enumerate() {
            if let Some(members) = members.get_mut(file.group as usize) {
                members.push(place);
            }
        }
        let counted = self.counted(selection);
        let rows = (0..self.groups.len()).filter_map(|group| self.row(group, members.get(group)?, selection, &counted));
        plan.rows.extend(rows);
        plan.doubts = self.doubts(selection, choices, &counted);
        plan.sort();
        plan
    }

    /// Returns the files whose bytes count: for each content, the first name that is kept, or else the first name.
    fn counted(&self, selection: &PackageSelection) -> Vec<bool> {
        let mut first: HashMap<OccurrenceId, (usize, bool)> = HashMap::with_capacity(self.files.len());
        for (place, (file, stays)) in self.files.iter().zip(&selection.kept).enumerate() {
            let known = first.entry(file.occurrence).or_insert((place, *stays));
            if *stays && !known.1 {
                *known = (place, true);
            }
        }
        let mut counted = vec![false; self.files.len()];
        for (place, _) in first.into_values() {
            if let Some(mark) = counted.get_mut(place) {
                *mark = true;
            }
        }
        counted
    }

    fn row(&self, number: usize, members: &[usize], selection: &PackageSelection, counted: &[bool]) -> Option<Row> {
        let group = self.groups.get(number)?;
        let decision = *selection.decisions.get(number)?;
        let (mut kept, mut dropped) = (0u64, 0u64);
        let (mut kept_files, mut keeps_content) = (0usize, false);
        for &place in members {
            let Some((file, stays)) = self.member(place, selection) else { continue };
            let sum = if stays { &mut kept } else { &mut dropped };
            if counted.get(place) == Some(&true) {
                *sum = sum.saturating_add(file.bytes);
            }
            kept_files += usize::from(stays);
            keeps_content |= stays && !file.is_link;
        }
        let needed: Vec<&File> = members
            .iter()
            .filter_map(|&place| self.files.get(place))
            .filter(|file| self.is_needed(file.node))
            .collect();
        let mut evidence = match decision {
            Decision::KeepAsked => vec!["kept by choice".to_owned()],
            Decision::DropAsked => vec!["dropped by choice".to_owned()],
            Decision::Keep | Decision::Drop => Vec::new(),
        };
        // The choice itself is already stated and needs no evidence.
        let is_evidence = |file: &&&File| decision != Decision::KeepAsked || !self.is_asked_for(file.node);
        let reasons: Vec<&File> = needed.iter().filter(is_evidence).copied().collect();
        evidence.extend(self.evidence(&reasons));
        if needed.is_empty() && decision == Decision::Drop {
            evidence.push("not needed by any program that the image starts".to_owned());
        } else if kept_files > 0 {
            evidence.push(format!("{kept_files} of {} files are kept", members.len()));
        }
        let doubt = (decision == Decision::DropAsked && !needed.is_empty())
            .then(|| format!("{} of its files are needed", needed.len()))
            .or_else(|| self.doubt_of(members));
        let is_of_links = decision.is_kept() && !keeps_content && group.subject == RowSubject::Files(NodeId::ROOT);
        let name = if is_of_links { "unowned links".to_owned() } else { group.shown.clone() };
        Some(Row { subject: group.subject, name, kept_bytes: kept, dropped_bytes: dropped, decision, evidence, doubt })
    }

    fn member(&self, place: usize, selection: &PackageSelection) -> Option<(&File, bool)> {
        Some((self.files.get(place)?, *selection.kept.get(place)?))
    }

    /// Returns `true` if a path is needed only because the user chose to keep it.
    fn is_asked_for(&self, node: NodeId) -> bool {
        self.needs.chain(node).first().is_some_and(|(_, how)| *how == How::Asked)
    }

    /// Returns the strongest reasons why files of a row are needed.
    fn evidence(&self, needed: &[&File]) -> Vec<String> {
        let mut reasons = Vec::with_capacity(needed.len());
        for file in needed {
            let reason = self.needs.reasons.get(file.node.index()).copied().flatten();
            // A path near the root is more telling than one of many in a directory.
            let depth = self.tree().depth(file.node);
            let rank = |reason: Reason| (file.is_link, reason.how, depth, u64::MAX - file.bytes, file.node.index());
            reasons.extend(reason.map(|reason| (rank(reason), file.node)));
        }
        reasons.sort_unstable_by_key(|(rank, _)| *rank);
        reasons.iter().take(MOST_EVIDENCE).map(|(_, node)| self.needs.describe(self.image, *node)).collect()
    }

    fn doubt_of(&self, members: &[usize]) -> Option<String> {
        let nodes: Vec<NodeId> = members.iter().filter_map(|&place| Some(self.files.get(place)?.node)).collect();
        let doubt = self.needs.doubts.iter().find(|doubt| doubt.node.is_some_and(|node| nodes.contains(&node)))?;
        Some(doubt.message.clone())
    }

    fn class_rows(&self, selection: &PackageSelection, choices: &Choices) -> Vec<ClassRow> {
        let row = |class: DropClass| {
            let is_asked = choices.classes.contains(&class);
            let of_class = self.files.iter().zip(&selection.kept).filter(|(file, kept)| {
                file.class == Some(class) && (**kept || (is_asked && self.is_needed(file.node)))
            });
            let (files, bytes) =
                of_class.fold((0u64, 0u64), |(files, bytes), (file, _)| (files + 1, bytes.saturating_add(file.bytes)));
            (files > 0).then_some(ClassRow { class, files, bytes, is_kept: !is_asked })
        };
        DropClass::ALL.into_iter().filter_map(row).collect()
    }

    pub(super) fn is_unowned(&self, file: &File) -> bool {
        let reason = self.needs.reasons.get(file.node.index()).copied().flatten();
        reason.is_some_and(|reason| reason.how == How::Unowned)
    }
}
