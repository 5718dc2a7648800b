use super::reclaim::Reclaim;
use super::{Evidence, Facts, Finding, Findings, Location, MOST_EVIDENCE, Rule, Severity, Subject};
use nixdive_image::{FileTree, Image, Kind, LayerIndex, NodeId, OccurrenceId};
use nixdive_packages::Inventory;

/// The image as all rules look at it.
pub(super) struct Scene<'a> {
    pub image: &'a Image,
    pub tree: &'a FileTree,
    pub top: LayerIndex,
    pub packages: Option<&'a Inventory>,
    pub facts: Option<&'a Facts>,
    pub is_nix: bool,
    /// True if store paths are only named, not contained in the layers.
    pub has_absent_paths: bool,
    /// Entries visible in a container, in walk order: each path with its entry.
    pub visible: Vec<(NodeId, OccurrenceId)>,
    /// By occurrence, whether a container sees it.
    is_visible: Vec<bool>,
}

impl<'a> Scene<'a> {
    /// `None` for an image without layers: there is nothing to judge.
    pub fn new(subject: &Subject<'a>) -> Option<Self> {
        let tree = &subject.image.tree;
        let top = tree.top_layer()?;
        let mut is_visible = vec![false; tree.occurrence_count()];
        let mut visible = Vec::new();
        for (node, id) in tree.stacked_paths(top) {
            let Some(id) = id else { continue };
            visible.push((node, id));
            if let Some(place) = is_visible.get_mut(id.index()) {
                *place = true;
            }
        }
        Some(Self {
            image: subject.image,
            tree,
            top,
            packages: subject.packages,
            facts: subject.facts,
            is_nix: subject.store.is_some(),
            has_absent_paths: subject.store.is_some_and(|study| study.absent_paths() > 0),
            visible,
            is_visible,
        })
    }

    /// Returns `true` if an entry is visible in a container.
    pub fn is_visible(&self, id: OccurrenceId) -> bool {
        self.is_visible.get(id.index()).copied().unwrap_or_default()
    }

    /// Returns the files with content of their own that are visible in a container.
    pub fn visible_files(&self) -> impl Iterator<Item = (NodeId, OccurrenceId)> + '_ {
        self.visible.iter().copied().filter(|&(_, id)| self.tree.occurrence(id).kind == Kind::File)
    }

    /// An entry as a place.
    pub fn location(&self, id: OccurrenceId, offset: Option<u64>) -> Location {
        let occurrence = self.tree.occurrence(id);
        Location::Path { node: occurrence.node(), occurrence: Some(id), layer: Some(occurrence.layer), offset }
    }
}

/// Results of the rules so far.
pub(super) struct Gathered {
    list: Vec<Finding>,
    pub reclaim: Reclaim,
}

/// A finding in the making: the largest hits are kept.
pub(super) struct Hits {
    pub rule: Rule,
    pub severity: Severity,
    pub bytes: u64,
    pub count: u64,
    evidence: Vec<Evidence>,
}

impl Hits {
    pub fn new(rule: Rule) -> Self {
        Self { rule, severity: rule.info().severity, bytes: 0, count: 0, evidence: Vec::new() }
    }

    /// Counts a hit and its bytes; keeps it if it is among the largest.
    pub fn add(&mut self, evidence: Evidence) {
        self.bytes = self.bytes.saturating_add(evidence.bytes);
        self.count = self.count.saturating_add(1);
        self.keep(evidence);
    }

    /// Keeps a hit that is counted elsewhere. Of equals the earlier stays.
    pub fn keep(&mut self, evidence: Evidence) {
        if self.evidence.len() >= 4 * MOST_EVIDENCE {
            self.shrink();
        }
        self.evidence.push(evidence);
    }

    fn shrink(&mut self) {
        self.evidence.sort_by_key(|evidence| std::cmp::Reverse(evidence.bytes));
        self.evidence.truncate(MOST_EVIDENCE);
    }
}

impl Gathered {
    pub fn new(scene: &Scene<'_>) -> Self {
        Self { list: Vec::new(), reclaim: Reclaim::new(scene.tree) }
    }

    /// Adds a finding, where there were hits. `title` gets their number.
    pub fn finding(&mut self, scene: &Scene<'_>, mut hits: Hits, title: impl FnOnce(u64) -> String) {
        if hits.count == 0 {
            return;
        }
        hits.shrink();
        let info = hits.rule.info();
        self.list.push(Finding {
            rule: hits.rule,
            severity: hits.severity,
            title: title(hits.count),
            bytes: hits.bytes,
            count: hits.count,
            evidence: hits.evidence,
            remedy: if scene.is_nix { info.nix_remedy } else { info.remedy },
        });
    }

    /// The findings in their order, with the sum over all.
    pub fn finish(mut self, scene: &Scene<'_>) -> Findings {
        self.list.sort_by(|left, right| {
            (right.bytes, right.severity).cmp(&(left.bytes, left.severity)).then_with(|| left.rule.cmp(&right.rule))
        });
        Findings {
            list: self.list,
            reclaimable_bytes: self.reclaim.bytes(scene.tree),
            unread: scene.facts.map_or(0, |facts| facts.unread),
            is_partial: scene.facts.is_none_or(|facts| facts.is_truncated || facts.unread > 0),
        }
    }
}
