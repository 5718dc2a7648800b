use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use super::absent::absent_paths;
use super::versions::compare_nix_versions;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_nix::{PackageName, StorePath};

/// A store path of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedStorePath {
    /// Its place in its own image's store.
    pub id: PathId,
    /// Which.
    pub path: StorePath,
    /// NAR size, bytes.
    pub nar_bytes: u64,
}

/// A store path of the left side and its counterpart on the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePathPair {
    /// In the left image.
    pub left: ComparedStorePath,
    /// In the right image.
    pub right: ComparedStorePath,
    /// True if both have the same NAR hash; false if either hash is unknown.
    pub same_content: bool,
}

impl StorePathPair {
    /// NAR bytes on the right side less those on the left.
    #[must_use]
    pub fn delta(&self) -> i64 {
        super::delta(self.left.nar_bytes, self.right.nar_bytes)
    }

    /// Returns the order of the right version relative to the left, by `builtins.compareVersions`.
    #[must_use]
    pub fn version_order(&self) -> Ordering {
        compare_nix_versions(self.right.path.package().version, self.left.path.package().version)
    }
}

/// Two stores compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreChanges {
    /// The same store path on both sides.
    pub shared: Vec<StorePathPair>,
    /// The same name, version and output, another hash.
    pub rebuilt: Vec<StorePathPair>,
    /// The same name and output, another version.
    pub changed: Vec<StorePathPair>,
    /// On the right side only.
    pub added: Vec<ComparedStorePath>,
    /// On the left side only.
    pub removed: Vec<ComparedStorePath>,
}

impl StoreChanges {
    /// Compares two stores. Every list is sorted by |Δ|, largest first, then by path.
    #[must_use]
    pub(super) fn new(left: &Side<'_>, right: &Side<'_>) -> Self {
        let mut changes = Self::default();
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        let (named_left, named_right) = (absent_paths(left.image), absent_paths(right.image));
        for id in left.store.iter().flat_map(|study| study.ids()) {
            let Some(mut own) = compared(left.store, id) else { continue };
            let other = right.store.and_then(|study| study.store.id_of(&own.path));
            match other.and_then(|other| compared(right.store, other)) {
                Some(mut other) => {
                    // A path that is only named on one side has the bytes that it has on the other.
                    let path = own.path.to_string();
                    match (named_left.contains(path.as_str()), named_right.contains(path.as_str())) {
                        (true, false) => own.nar_bytes = other.nar_bytes,
                        (false, true) => other.nar_bytes = own.nar_bytes,
                        _ => {}
                    }
                    changes.shared.push(pair(left, right, own, other));
                }
                None => removed.push(own),
            }
        }
        for id in right.store.iter().flat_map(|study| study.ids()) {
            let Some(own) = compared(right.store, id) else { continue };
            if left.store.is_none_or(|study| study.store.id_of(&own.path).is_none()) {
                added.push(own);
            }
        }
        let by_name = |path: &ComparedStorePath| path.path.name().to_owned();
        let (pairs, removed, added) = matched(removed, added, by_name);
        changes.rebuilt = pairs.into_iter().map(|(own, other)| pair(left, right, own, other)).collect();
        let by_package = |path: &ComparedStorePath| {
            let PackageName { name, output, .. } = path.path.package();
            (name.to_owned(), output.to_owned())
        };
        let (pairs, removed, added) = matched(removed, added, by_package);
        changes.changed = pairs.into_iter().map(|(own, other)| pair(left, right, own, other)).collect();
        (changes.removed, changes.added) = (removed, added);
        for list in [&mut changes.shared, &mut changes.rebuilt, &mut changes.changed] {
            list.sort_by(|one, other| {
                let largest_first = other.delta().unsigned_abs().cmp(&one.delta().unsigned_abs());
                largest_first.then_with(|| by_name_and_hash(&one.right.path, &other.right.path))
            });
        }
        for list in [&mut changes.added, &mut changes.removed] {
            list.sort_by(|one, other| {
                other.nar_bytes.cmp(&one.nar_bytes).then_with(|| by_name_and_hash(&one.path, &other.path))
            });
        }
        changes
    }

    /// Returns `true` if both stores have the same paths, or none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rebuilt.is_empty() && self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }

    /// NAR bytes of the paths that both sides have.
    #[must_use]
    pub fn shared_nar_bytes(&self) -> u64 {
        self.shared.iter().map(|pair| pair.right.nar_bytes).fold(0, u64::saturating_add)
    }
}

fn by_name_and_hash(one: &StorePath, other: &StorePath) -> Ordering {
    one.name().cmp(other.name()).then_with(|| one.cmp(other))
}

fn compared(study: Option<&StoreStudy>, id: PathId) -> Option<ComparedStorePath> {
    let study = study?;
    Some(ComparedStorePath { id, path: study.get_path(id)?.clone(), nar_bytes: study.graph.nar_bytes(id) })
}

fn pair(left: &Side<'_>, right: &Side<'_>, own: ComparedStorePath, other: ComparedStorePath) -> StorePathPair {
    let hash = |side: &Side<'_>, id: PathId| side.store.and_then(|study| study.paths.get(id.index())?.nar_hash);
    let (one, two) = (hash(left, own.id), hash(right, other.id));
    StorePathPair { left: own, right: other, same_content: one.is_some() && one == two }
}

/// The matched pairs, and the unmatched paths of each side.
type Matched = (Vec<(ComparedStorePath, ComparedStorePath)>, Vec<ComparedStorePath>, Vec<ComparedStorePath>);

/// Puts together what has the same key, in the order of versions; of surplus ones the oldest are left over.
fn matched<K: Ord>(
    left: Vec<ComparedStorePath>,
    right: Vec<ComparedStorePath>,
    key: impl Fn(&ComparedStorePath) -> K,
) -> Matched {
    let mut groups: BTreeMap<K, (Vec<ComparedStorePath>, Vec<ComparedStorePath>)> = BTreeMap::new();
    for path in left {
        groups.entry(key(&path)).or_default().0.push(path);
    }
    for path in right {
        groups.entry(key(&path)).or_default().1.push(path);
    }
    let (mut pairs, mut left_over, mut right_over) = (Vec::new(), Vec::new(), Vec::new());
    for (mut own, mut others) in groups.into_values() {
        for list in [&mut own, &mut others] {
            list.sort_by(|one, other| {
                let versions = compare_nix_versions(one.path.package().version, other.path.package().version);
                versions.then_with(|| one.path.cmp(&other.path))
            });
        }
        while let (Some(one), Some(other)) = (own.last(), others.last()) {
            pairs.push((one.clone(), other.clone()));
            own.pop();
            others.pop();
        }
        left_over.extend(own);
        right_over.extend(others);
    }
    (pairs, left_over, right_over)
}

/// Least change of a package's NAR size, bytes, that is worth telling to `nix store diff-closures`.
const LEAST_TOLD_BYTES: u64 = 8 * 1024;

/// The differences of two stores as `nix store diff-closures` of Nix 2.8 prints those of two closures, without colours:
/// a line for each package whose versions changed, or whose NAR size did by 8 KiB or more.
#[must_use]
pub fn diff_closures(left: Option<&StoreStudy>, right: Option<&StoreStudy>) -> Vec<String> {
    let (before, after) = (grouped(left), grouped(right));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let nothing = Versions::new();
    let line = |name: &str| {
        let (before, after) = (before.get(name).unwrap_or(&nothing), after.get(name).unwrap_or(&nothing));
        let sum = |versions: &Versions<'_>| versions.values().copied().fold(0, u64::saturating_add);
        let delta = super::delta(sum(before), sum(after));
        let gone = |one: &Versions<'_>, other: &Versions<'_>| -> BTreeSet<String> {
            let shown = |version: &&str| if version.is_empty() { "ε".to_owned() } else { (*version).to_owned() };
            one.keys().filter(|version| !other.contains_key(*version)).map(shown).collect()
        };
        let (removed, added) = (gone(before, after), gone(after, before));
        let mut items = Vec::new();
        if !removed.is_empty() || !added.is_empty() {
            items.push(format!("{} → {}", listed(&removed), listed(&added)));
        }
        if delta.unsigned_abs() >= LEAST_TOLD_BYTES {
            items.push(format!("{:+.1} KiB", delta as f64 / 1024.0));
        }
        (!items.is_empty()).then(|| format!("{name}: {}", items.join(", ")))
    };
    names.into_iter().filter_map(line).collect()
}

/// NAR bytes of all outputs by version.
type Versions<'s> = BTreeMap<&'s str, u64>;

fn grouped(study: Option<&StoreStudy>) -> BTreeMap<&str, Versions<'_>> {
    let mut groups: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    let Some(study) = study else { return groups };
    for id in study.ids() {
        let Some(path) = study.get_path(id) else { continue };
        let package = PackageName::parse_as_diff_closures(path.name());
        let sum = groups.entry(package.name).or_default().entry(package.version).or_default();
        *sum = sum.saturating_add(study.graph.nar_bytes(id));
    }
    groups
}

fn listed(versions: &BTreeSet<String>) -> String {
    if versions.is_empty() {
        return "∅".to_owned();
    }
    versions.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
