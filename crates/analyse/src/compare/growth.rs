use std::collections::{BTreeMap, VecDeque};

use hashbrown::{HashMap, HashSet};

use super::Side;
use super::equivalents::SoftwareId;
use super::files::FileChanges;
use super::owners::Owners;
use super::packages::{PackageChanges, PackagePair};
use super::store::StoreChanges;
use nixdive_image::{LayerIndex, NodeId};
use nixdive_nix::contents::RootSource;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::PackageIndex;

/// Reason why something is in the right image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Outside the store, this names it.
    Root(RootSource),
    /// This store path, which is new or another one too, refers to it.
    Reference(PathId),
    /// This layer holds it, and no root leads to it.
    Unreached(Option<LayerIndex>),
    /// The instruction of this layer.
    Layer(Option<LayerIndex>),
}

/// Something that is new or larger than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    /// A store path on the right side only.
    StorePath(PathId),
    /// A store path that replaces another: the left one, the right one.
    StorePathFrom(PathId, PathId),
    /// A package on the right side only.
    Package(PackageIndex),
    /// A package in another version.
    PackageFrom(PackagePair),
    /// Files of one layer that belong to no package and no store path.
    Files {
        /// The layer that has them.
        layer: LayerIndex,
        /// The one that grew most.
        largest: NodeId,
        /// How many there are.
        count: u32,
    },
}

/// Something that grew, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrowthItem {
    /// The object that grew.
    pub what: Grown,
    /// Bytes more than before, those of `with` included: NAR bytes of store paths, installed bytes of packages, file bytes
    /// of files.
    pub bytes: u64,
    /// Further store paths that came because it needs them, the largest first.
    pub with: Vec<PathId>,
    /// Reason why it is in the image.
    pub cause: Cause,
    /// Chain of references from a root to a store path, both included; only the end of a very long
    /// chain. Empty if no root reaches it.
    pub chain: Vec<PathId>,
}

/// Everything that made the right image larger, the largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Growth {
    /// Items that grew.
    pub items: Vec<GrowthItem>,
}

impl Growth {
    pub(super) fn new(
        right: &Side<'_>,
        store: &StoreChanges,
        packages: &PackageChanges,
        files: &FileChanges,
        owners: &Owners,
    ) -> Self {
        let mut items = right.store.map_or_else(Vec::new, |study| of_store(study, store));
        // A distribution inside a store path or a system package is counted with it.
        for &index in packages.added.iter().filter(|&&index| !is_within(right, owners, index)) {
            let layer = right.packages.ownership.of(index).layer;
            items.push(item(Grown::Package(index), right.packages.installed_bytes(index), Cause::Layer(layer)));
        }
        for &pair in packages.changed.iter().filter(|pair| pair.delta > 0 && !is_within(right, owners, pair.right)) {
            let layer = right.packages.ownership.of(pair.right).layer;
            items.push(item(Grown::PackageFrom(pair), pair.delta.unsigned_abs(), Cause::Layer(layer)));
        }
        items.extend(of_files(right, files, owners));
        items.retain(|item| item.bytes > 0);
        items.sort_by_key(|item| std::cmp::Reverse(item.bytes));
        Self { items }
    }
}

fn item(what: Grown, bytes: u64, cause: Cause) -> GrowthItem {
    GrowthItem { what, bytes, with: Vec::new(), cause, chain: Vec::new() }
}

/// Returns `true` if most files of a package belong to another owner.
fn is_within(side: &Side<'_>, owners: &Owners, index: PackageIndex) -> bool {
    let files = side.packages.ownership.files(index);
    let own = SoftwareId::Package(index);
    files.first().is_some_and(|&first| owners.of(first).is_some_and(|owner| owner != own))
}

/// Lists store paths that were added or grew. The dependencies of an added path are included in its
/// item.
fn of_store(study: &StoreStudy, changes: &StoreChanges) -> Vec<GrowthItem> {
    let tree = RootTree::new(study);
    let added: HashSet<PathId> = changes.added.iter().map(|path| path.id).collect();
    let mut heads: HashMap<PathId, PathId> = HashMap::new();
    let mut groups: BTreeMap<u32, Vec<PathId>> = BTreeMap::new();
    for &id in tree.order.iter().filter(|&id| added.contains(id)) {
        let above = tree.parent(id).and_then(|parent| heads.get(&parent).copied());
        let head = above.unwrap_or(id);
        heads.insert(id, head);
        groups.entry(head.0).or_default().push(id);
    }
    let bytes = |id: PathId| study.graph.nar_bytes(id);
    let mut items = Vec::new();
    for (head, mut members) in groups {
        let head = PathId(head);
        let sum = members.iter().map(|&id| bytes(id)).fold(0, u64::saturating_add);
        members.retain(|&id| id != head);
        members.sort_by_key(|&id| std::cmp::Reverse(bytes(id)));
        let (cause, chain) = (tree.cause(study, head), tree.chain(head));
        items.push(GrowthItem { what: Grown::StorePath(head), bytes: sum, with: members, cause, chain });
    }
    for path in changes.added.iter().filter(|path| !tree.reaches(path.id)) {
        items.push(item(Grown::StorePath(path.id), path.nar_bytes, tree.cause(study, path.id)));
    }
    for pair in changes.changed.iter().chain(&changes.rebuilt).filter(|pair| pair.delta() > 0) {
        let id = pair.right.id;
        let (cause, chain) = (tree.cause(study, id), tree.chain(id));
        let what = Grown::StorePathFrom(pair.left.id, id);
        items.push(GrowthItem { what, bytes: pair.delta().unsigned_abs(), with: Vec::new(), cause, chain });
    }
    items
}

/// The shortest ways from the roots to all paths, the strongest reasons first.
struct RootTree {
    /// Paths as they were reached.
    order: Vec<PathId>,
    /// By path: reached from which; itself for a root.
    parents: Vec<Option<PathId>>,
    /// The strongest reason why each root is one.
    reasons: BTreeMap<PathId, RootSource>,
}

/// Maximum number of store paths reported of a chain.
const LONGEST_CHAIN: usize = 64;

impl RootTree {
    fn new(study: &StoreStudy) -> Self {
        let mut reasons: BTreeMap<PathId, RootSource> = BTreeMap::new();
        for root in &study.roots {
            let strongest = reasons.entry(root.path).or_insert(root.source);
            *strongest = (*strongest).min(root.source);
        }
        let mut roots: Vec<(RootSource, PathId)> = reasons.iter().map(|(&path, &source)| (source, path)).collect();
        roots.sort_unstable();
        let mut tree = Self { order: Vec::new(), parents: vec![None; study.graph.len()], reasons };
        let mut queue: VecDeque<PathId> = VecDeque::new();
        for (_, root) in roots {
            tree.reach(root, root, &mut queue);
        }
        while let Some(id) = queue.pop_front() {
            tree.order.push(id);
            for &reference in study.graph.references(id) {
                tree.reach(reference, id, &mut queue);
            }
        }
        tree
    }

    fn reach(&mut self, id: PathId, from: PathId, queue: &mut VecDeque<PathId>) {
        if let Some(parent) = self.parents.get_mut(id.index()).filter(|parent| parent.is_none()) {
            *parent = Some(from);
            queue.push_back(id);
        }
    }

    fn reaches(&self, id: PathId) -> bool {
        self.parents.get(id.index()).is_some_and(Option::is_some)
    }

    /// Returns the path from which a path was reached, or `None` for a root or an unreachable path.
    fn parent(&self, id: PathId) -> Option<PathId> {
        self.parents.get(id.index()).copied().flatten().filter(|&parent| parent != id)
    }

    fn chain(&self, id: PathId) -> Vec<PathId> {
        if !self.reaches(id) {
            return Vec::new();
        }
        let mut chain = vec![id];
        let mut at = id;
        while let Some(parent) = self.parent(at).filter(|_| chain.len() < LONGEST_CHAIN) {
            chain.push(parent);
            at = parent;
        }
        chain.reverse();
        chain
    }

    fn cause(&self, study: &StoreStudy, id: PathId) -> Cause {
        if let Some(parent) = self.parent(id) {
            return Cause::Reference(parent);
        }
        let layer = study.store.get(id).and_then(|known| known.layers.first()).map(|share| share.layer);
        match self.reasons.get(&id) {
            Some(&reason) => Cause::Root(reason),
            None => Cause::Unreached(layer),
        }
    }
}

/// File bytes that came outside of packages and store paths, by the layer that has them.
fn of_files(right: &Side<'_>, files: &FileChanges, owners: &Owners) -> Vec<GrowthItem> {
    let tree = &right.image.tree;
    let mut layers: BTreeMap<LayerIndex, (i64, u32, (i64, NodeId))> = BTreeMap::new();
    for change in files.changes.iter().filter(|change| change.delta() != 0) {
        let Some(path) = change.right.filter(|path| owners.of(path.node).is_none()) else { continue };
        let Some(id) = path.occurrence else { continue };
        let own = (change.delta(), path.node);
        let (sum, count, largest) = layers.entry(tree.occurrence(id).layer).or_insert((0, 0, own));
        *sum = sum.saturating_add(change.delta());
        *count = count.saturating_add(1);
        if own.0 > largest.0 {
            *largest = own;
        }
    }
    let grown = |(layer, (bytes, count, (_, largest)))| {
        let what = Grown::Files { layer, largest, count };
        item(what, u64::try_from(bytes).unwrap_or(0), Cause::Layer(Some(layer)))
    };
    layers.into_iter().map(grown).collect()
}
