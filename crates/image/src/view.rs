use super::history::difference_between;
use super::tree::NONE;
use super::{Difference, FileTree, Kind, LayerIndex, NodeId, OccurrenceId, Totals};

/// Which layers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All layers up to this one, stacked as a container would see them.
    Stacked(LayerIndex),
    /// The entries of this one layer.
    Layer(LayerIndex),
}

impl Scope {
    /// The layer it ends with.
    #[must_use]
    pub fn layer(self) -> LayerIndex {
        match self {
            Self::Stacked(layer) | Self::Layer(layer) => layer,
        }
    }
}

/// The state that changes are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Baseline {
    /// The layers below: what this layer did.
    #[default]
    Below,
    /// This layer: what all layers above it did together.
    Since(LayerIndex),
}

/// Kind of change of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// As it was.
    Unmodified,
    /// Another time of modification, and nothing else.
    Touched,
    /// Covered by something that differs in this, or for a directory: something below changed.
    Modified(Difference),
    /// New.
    Added,
    /// Gone.
    Removed,
}

impl Change {
    /// Returns `true` if there is anything to show.
    #[must_use]
    pub fn is_real(self) -> bool {
        !matches!(self, Self::Unmodified | Self::Touched)
    }

    /// `+`, `~`, `-`, or a space.
    #[must_use]
    pub fn mark(self) -> char {
        match self {
            Self::Added => '+',
            Self::Modified(_) => '~',
            Self::Removed => '-',
            Self::Unmodified | Self::Touched => ' ',
        }
    }
}

/// Below a directory, entries of layers lower than these are hidden by something above. Handed down from parent to
/// child while a tree is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Floors {
    now: u16,
    before: u16,
}

/// A path as a scope shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its entry, or for a removed path the entry that was there; `None` for a directory that only its children imply.
    pub occurrence: Option<OccurrenceId>,
    /// Kind of change.
    pub change: Change,
    /// Totals of everything below a directory, or of any other entry itself.
    pub totals: Totals,
    /// To hand to its children.
    pub floors: Floors,
    /// True if it can have children.
    pub is_directory: bool,
}

impl FileTree {
    /// A path as `scope` shows it; `None` where it does not. `floors` are those of its parent, the default for the
    /// root.
    #[must_use]
    pub fn see(&self, node: NodeId, scope: Scope, baseline: Baseline, floors: Floors) -> Option<Seen> {
        match scope {
            Scope::Stacked(layer) => self.see_stacked(node, layer, baseline, floors),
            Scope::Layer(layer) => self.see_layer(node, layer),
        }
    }

    /// A path as `scope` shows it, whatever its depth: walks up to find what hides it.
    #[must_use]
    pub fn see_alone(&self, node: NodeId, scope: Scope, baseline: Baseline) -> Option<Seen> {
        let layer = scope.layer().0;
        let floors = Floors {
            now: self.floor_above(node, layer),
            before: reference_layer(layer, baseline).map_or(0, |before| self.floor_above(node, before)),
        };
        self.see(node, scope, baseline, floors)
    }

    fn see_stacked(&self, node: NodeId, layer: LayerIndex, baseline: Baseline, floors: Floors) -> Option<Seen> {
        let before_layer = reference_layer(layer.0, baseline);
        let now = self.newest(node, layer.0, floors.now);
        let totals = self.totals_at(node, layer);
        let here = node == NodeId::ROOT || now.is_some() || totals.entries > 0;
        let inner = Floors {
            now: floors.now.max(self.erased_at(node, layer.0)),
            before: floors.before.max(before_layer.map_or(0, |before| self.erased_at(node, before))),
        };
        if here {
            let is_directory = totals.entries > 0 || now.is_none_or(|id| self.occurrence(id).kind == Kind::Directory);
            let change = self.change(node, now, layer, before_layer, floors, totals);
            let bytes = now.filter(|_| !is_directory).map(|id| self.occurrence(id).bytes);
            let totals = bytes.map_or(totals, |bytes| Totals { bytes, entries: 0 });
            return Some(Seen { occurrence: now, change, totals, floors: inner, is_directory });
        }
        let before = LayerIndex(before_layer?);
        let was = self.newest(node, before.0, floors.before);
        let below = self.totals_at(node, before);
        if was.is_none() && below.entries == 0 {
            return None;
        }
        let is_directory = below.entries > 0 || was.is_none_or(|id| self.occurrence(id).kind == Kind::Directory);
        let totals = match was {
            Some(id) if !is_directory => Totals { bytes: self.occurrence(id).bytes, entries: 0 },
            _ => below,
        };
        Some(Seen { occurrence: was, change: Change::Removed, totals, floors: inner, is_directory })
    }

    fn change(
        &self,
        node: NodeId,
        now: Option<OccurrenceId>,
        layer: LayerIndex,
        before: Option<u16>,
        floors: Floors,
        totals: Totals,
    ) -> Change {
        let Some(before) = before else {
            return Change::Added;
        };
        let was = self.newest(node, before, floors.before);
        let existed = node == NodeId::ROOT || was.is_some() || self.totals_at(node, LayerIndex(before)).entries > 0;
        if !existed {
            return Change::Added;
        }
        let mut difference = Difference::empty();
        let mut added_anew = false;
        for id in self.occurrences_of(node) {
            let occurrence = self.occurrence(id);
            if occurrence.layer.0 <= before {
                break;
            }
            if occurrence.layer <= layer && now.is_some() {
                difference |= occurrence.difference.difference(Difference::ADDED);
                added_anew |= occurrence.difference.contains(Difference::ADDED);
            }
        }
        if let (true, Some(was), Some(now)) = (added_anew, was, now) {
            // Removed and written again in between. Content that nothing is known of is taken to differ.
            difference |= difference_between(self, was, now, &mut |_: &Self, _, _| false);
        }
        let is_directory = |id: Option<OccurrenceId>| id.is_none_or(|id| self.occurrence(id).kind == Kind::Directory);
        if was.is_some() != now.is_some() && is_directory(was) != is_directory(now) {
            // One of the two is a directory without an entry, to which no entry has been compared.
            difference |= Difference::TYPE;
        }
        let holds = totals.entries > 0 || is_directory(now);
        if holds && self.changed_below(node, before, layer) {
            difference |= Difference::CONTENT;
        }
        if difference.is_real() {
            Change::Modified(difference)
        } else if difference.is_empty() {
            Change::Unmodified
        } else {
            Change::Touched
        }
    }

    fn see_layer(&self, node: NodeId, layer: LayerIndex) -> Option<Seen> {
        let own = self.occurrence_in(node, layer);
        let record = self.record_at(node, layer.0).filter(|record| record.layer == layer.0);
        let (below, shows_below) = match record {
            Some(record) => (Totals { bytes: record.own_bytes, entries: record.own_entries }, record.mentioned),
            None if self.records_complete => (Totals::default(), false),
            None => self.walk_own(node, layer),
        };
        let change = match own {
            None if !shows_below && node != NodeId::ROOT => return None,
            None => self.change_of_implied(node, layer, record.is_some_and(|record| record.changed)),
            Some(id) => match self.occurrence(id).kind {
                Kind::Whiteout if below.entries == 0 => Change::Removed,
                Kind::Whiteout => self.change_of_implied(node, layer, record.is_some_and(|record| record.changed)),
                _ => own_change(self.occurrence(id).difference, record.is_some_and(|record| record.changed)),
            },
        };
        let directory_kinds = [Kind::Directory, Kind::OpaqueMark];
        let is_directory = shows_below || own.is_none_or(|id| directory_kinds.contains(&self.occurrence(id).kind));
        let totals = match own {
            Some(id) if !is_directory => Totals { bytes: self.occurrence(id).bytes, entries: 0 },
            _ => below,
        };
        Some(Seen { occurrence: own, change, totals, floors: Floors::default(), is_directory })
    }

    fn change_of_implied(&self, node: NodeId, layer: LayerIndex, changed_below: bool) -> Change {
        let existed = layer.0.checked_sub(1).is_some_and(|before| self.exists_at(node, LayerIndex(before)));
        match (existed, changed_below) {
            (false, _) => Change::Added,
            (true, true) => Change::Modified(Difference::CONTENT),
            (true, false) => Change::Unmodified,
        }
    }

    /// Returns the totals below a path when the layers up to `layer` are stacked.
    #[must_use]
    pub fn totals_at(&self, node: NodeId, layer: LayerIndex) -> Totals {
        if self.records_complete {
            return self
                .record_at(node, layer.0)
                .map_or(Totals::default(), |record| Totals { bytes: record.bytes, entries: record.entries });
        }
        self.walk_stacked(node, layer)
    }

    pub(super) fn record_at(&self, node: NodeId, layer: u16) -> Option<&super::tree::Record> {
        let mut next = self.nodes[node.index()].record;
        while next != NONE {
            let record = &self.records[next as usize];
            if record.layer <= layer {
                return Some(record);
            }
            next = record.older;
        }
        None
    }

    fn changed_below(&self, node: NodeId, after: u16, until: LayerIndex) -> bool {
        let mut next = self.nodes[node.index()].record;
        while next != NONE {
            let record = &self.records[next as usize];
            if record.layer <= after {
                return false;
            }
            if record.layer <= until.0 && record.changed {
                return true;
            }
            next = record.older;
        }
        false
    }

    /// The newest entry of a path in layers `floor..=layer`; `None` when it is a whiteout or an opaque mark alone.
    pub(super) fn newest(&self, node: NodeId, layer: u16, floor: u16) -> Option<OccurrenceId> {
        for id in self.occurrences_of(node) {
            let occurrence = self.occurrence(id);
            if occurrence.layer.0 > layer || occurrence.kind == Kind::OpaqueMark {
                continue;
            }
            let shown = occurrence.layer.0 >= floor && occurrence.kind != Kind::Whiteout;
            return shown.then_some(id);
        }
        None
    }

    /// The highest layer up to `layer` in which a path hides what lower layers have below it; 0 when none does.
    pub(super) fn erased_at(&self, node: NodeId, layer: u16) -> u16 {
        self.occurrences_of(node)
            .map(|id| self.occurrence(id))
            .find(|occurrence| occurrence.layer.0 <= layer && occurrence.erases_below())
            .map_or(0, |occurrence| occurrence.layer.0)
    }

    pub(super) fn floor_above(&self, node: NodeId, layer: u16) -> u16 {
        let mut floor = 0;
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            floor = floor.max(self.erased_at(parent, layer));
            at = parent;
        }
        floor
    }

    fn walk_stacked(&self, node: NodeId, layer: LayerIndex) -> Totals {
        let mut totals = Totals::default();
        let floor = self.floor_above(node, layer.0).max(self.erased_at(node, layer.0));
        let mut stack: Vec<(NodeId, u16)> = self.children(node).map(|child| (child, floor)).collect();
        while let Some((node, floor)) = stack.pop() {
            if let Some(id) = self.newest(node, layer.0, floor) {
                totals.bytes = totals.bytes.wrapping_add(self.occurrence(id).bytes);
                totals.entries += 1;
            }
            let floor = floor.max(self.erased_at(node, layer.0));
            stack.extend(self.children(node).map(|child| (child, floor)));
        }
        totals
    }

    /// Returns the totals of one layer below a path, and whether it has anything there, including
    /// marks.
    fn walk_own(&self, node: NodeId, layer: LayerIndex) -> (Totals, bool) {
        let mut totals = Totals::default();
        let mut any = false;
        let mut stack: Vec<NodeId> = self.children(node).collect();
        while let Some(node) = stack.pop() {
            if let Some(id) = self.occurrence_in(node, layer) {
                any = true;
                if !matches!(self.occurrence(id).kind, Kind::Whiteout | Kind::OpaqueMark) {
                    totals.bytes = totals.bytes.wrapping_add(self.occurrence(id).bytes);
                    totals.entries += 1;
                }
            }
            stack.extend(self.children(node));
        }
        (totals, any)
    }
}

fn reference_layer(layer: u16, baseline: Baseline) -> Option<u16> {
    let below = layer.checked_sub(1)?;
    Some(match baseline {
        Baseline::Below => below,
        Baseline::Since(base) => base.0.min(below),
    })
}

fn own_change(difference: Difference, changed_below: bool) -> Change {
    if difference.contains(Difference::ADDED) {
        Change::Added
    } else if difference.is_real() {
        Change::Modified(difference)
    } else if changed_below {
        Change::Modified(Difference::CONTENT)
    } else if difference.is_empty() {
        Change::Unmodified
    } else {
        Change::Touched
    }
}
