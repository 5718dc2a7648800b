use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::Side;
use nixdive_packages::{Inventory, Package, PackageIndex, PackageKind};

/// A package on both sides, in different versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackagePair {
    /// In the left image.
    pub left: PackageIndex,
    /// In the right image.
    pub right: PackageIndex,
    /// Order of the right version relative to the left: `Greater` if it is newer.
    pub version_order: Ordering,
    /// Installed bytes on the right side less those on the left.
    pub delta: i64,
}

/// Two images' packages compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageChanges {
    /// Another version.
    pub changed: Vec<PackagePair>,
    /// On the right side only.
    pub added: Vec<PackageIndex>,
    /// On the left side only.
    pub removed: Vec<PackageIndex>,
    /// Kind, name, architecture and version on both sides.
    pub unchanged: Vec<(PackageIndex, PackageIndex)>,
}

type Key<'p> = (PackageKind, &'p str, Option<&'p str>);

impl PackageChanges {
    /// Compares packages of one kind, name and architecture with one another. Lists are sorted by |Δ| of installed bytes,
    /// largest first, then by kind and name.
    #[must_use]
    pub(super) fn new(left: &Side<'_>, right: &Side<'_>) -> Self {
        let (left, right) = (left.packages, right.packages);
        let mut groups: BTreeMap<Key<'_>, (Vec<PackageIndex>, Vec<PackageIndex>)> = BTreeMap::new();
        for index in left.packages.indices() {
            groups.entry(key(left.packages.get(index))).or_default().0.push(index);
        }
        for index in right.packages.indices() {
            groups.entry(key(right.packages.get(index))).or_default().1.push(index);
        }
        let mut changes = Self::default();
        for ((kind, ..), (mut own, mut others)) in groups {
            changes.group(left, right, kind, &mut own, &mut others);
        }
        changes.changed.sort_by_key(|pair| std::cmp::Reverse(pair.delta.unsigned_abs()));
        changes.added.sort_by_key(|&index| std::cmp::Reverse(right.installed_bytes(index)));
        changes.removed.sort_by_key(|&index| std::cmp::Reverse(left.installed_bytes(index)));
        changes
    }

    /// Returns `true` if both sides have the same packages, or none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }

    fn group(
        &mut self,
        left: &Inventory,
        right: &Inventory,
        kind: PackageKind,
        own: &mut Vec<PackageIndex>,
        others: &mut Vec<PackageIndex>,
    ) {
        let mut versions: BTreeMap<&str, Vec<PackageIndex>> = BTreeMap::new();
        for &index in others.iter().rev() {
            versions.entry(&right.packages.get(index).version).or_default().push(index);
        }
        own.retain(|&index| {
            let same = versions.get_mut(&*left.packages.get(index).version).and_then(Vec::pop);
            self.unchanged.extend(same.map(|same| (index, same)));
            same.is_none()
        });
        *others = versions.into_values().flatten().collect();
        let compare = |set: &Inventory, one: PackageIndex, other: PackageIndex| {
            kind.compare_versions(&set.packages.get(one).version, &set.packages.get(other).version)
        };
        own.sort_by(|&one, &other| compare(left, one, other).then(one.cmp(&other)));
        others.sort_by(|&one, &other| compare(right, one, other).then(one.cmp(&other)));
        while let (Some(&one), Some(&other)) = (own.last(), others.last()) {
            let (before, after) = (left.packages.get(one), right.packages.get(other));
            self.changed.push(PackagePair {
                left: one,
                right: other,
                version_order: kind.compare_versions(&after.version, &before.version),
                delta: super::delta(left.installed_bytes(one), right.installed_bytes(other)),
            });
            own.pop();
            others.pop();
        }
        self.removed.append(own);
        self.added.append(others);
    }
}

fn key(package: &Package) -> Key<'_> {
    (package.kind, &package.name, package.architecture.as_deref())
}
