use std::collections::{BTreeMap, BTreeSet};

use super::PathId;
use crate::nar::NarDigest;
use crate::store_path::StorePath;

/// Several store paths that are the same output of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The package.
    pub name: Box<str>,
    /// Which of its outputs.
    pub output: Box<str>,
    /// Its different versions, byte-sorted; one alone where only the builds differ.
    pub versions: Vec<Box<str>>,
    /// The store paths, in the order of the list; two at least.
    pub paths: Vec<PathId>,
}

/// Packages of which there are several versions or builds, byte-sorted by name.
#[must_use]
pub fn same_package(paths: &[StorePath]) -> Vec<Duplicate> {
    let mut groups: BTreeMap<(&str, &str), Vec<PathId>> = BTreeMap::new();
    for (id, path) in (0..u32::MAX).map(PathId).zip(paths) {
        let package = path.package();
        if !path.is_derivation() {
            groups.entry((package.name, package.output)).or_default().push(id);
        }
    }
    let several = groups.into_iter().filter(|(_, members)| members.len() > 1);
    several
        .map(|((name, output), members)| {
            let version = |id: &PathId| paths.get(id.index()).map(|path| path.package().version);
            let versions: BTreeSet<&str> = members.iter().filter_map(version).collect();
            let versions = versions.into_iter().map(Into::into).collect();
            Duplicate { name: name.into(), output: output.into(), versions, paths: members }
        })
        .collect()
}

/// Groups of two or more paths with equal content, by their NAR digests (`None` where it is not known).
#[must_use]
pub fn same_content(digests: &[Option<NarDigest>]) -> Vec<Vec<PathId>> {
    let mut groups: BTreeMap<[u8; 32], Vec<PathId>> = BTreeMap::new();
    for (id, digest) in (0..u32::MAX).map(PathId).zip(digests) {
        if let Some(digest) = digest {
            groups.entry(digest.hash.0).or_default().push(id);
        }
    }
    let mut groups: Vec<Vec<PathId>> = groups.into_values().filter(|members| members.len() > 1).collect();
    groups.sort_unstable();
    groups
}
