//! The same software under the names of different package systems.
//!
//! Software is the same where it brings the same programs (names in directories of programs), the same libraries (sonames
//! as file names tell them) or has the same name, once what package systems put around names is taken off.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::Side;
use super::bytes::BothSides;
use super::owners::Owners;
use super::walk::visible_files;
use nixdive_image::Kind;
use nixdive_nix::graph::PathId;
use nixdive_packages::{PackageIndex, normal_names, soname};

/// A package or a store path of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SoftwareId {
    /// A store path.
    StorePath(PathId),
    /// A package of a database.
    Package(PackageIndex),
}

/// Evidence that software on both sides is the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// The same name, once taken apart.
    Name(String),
    /// A library with this soname.
    Soname(String),
    /// A program of this name.
    Program(String),
}

/// Software with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Software {
    /// Which.
    pub id: SoftwareId,
    /// NAR bytes of a store path, installed bytes of a package.
    pub bytes: u64,
}

/// The same software on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivalent {
    /// On the left side, the largest first.
    pub left: Vec<Software>,
    /// On the right side, the largest first.
    pub right: Vec<Software>,
    /// Evidence for the match, strongest first; never empty.
    pub signals: Vec<Signal>,
}

impl Equivalent {
    /// Sums of the bytes of both sides.
    #[must_use]
    pub fn bytes(&self) -> BothSides<u64> {
        let sum = |list: &[Software]| list.iter().map(|software| software.bytes).fold(0, u64::saturating_add);
        BothSides { left: sum(&self.left), right: sum(&self.right) }
    }
}

/// All software of two images, matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Equivalents {
    /// On both sides, the largest on either side first.
    pub matched: Vec<Equivalent>,
    /// On the left side only, the largest first.
    pub left_only: Vec<Software>,
    /// On the right side only, the largest first.
    pub right_only: Vec<Software>,
}

/// Programs and sonames that are remembered of one package.
const MOST_SIGNALS: usize = 4096;
/// Software that may share a signal before it says nothing any more.
const MOST_SHARING: usize = 16;
/// Maximum number of signals reported per match.
const SIGNALS_TOLD: usize = 8;

impl Equivalents {
    pub(super) fn new(left: &Side<'_>, right: &Side<'_>, owners: &BothSides<Owners>) -> Self {
        let (own, others) = (Signals::new(left, &owners.left), Signals::new(right, &owners.right));
        let scores = scores(&own, &others);
        let best = |of_left: bool| {
            let mut best: BTreeMap<SoftwareId, (u32, SoftwareId)> = BTreeMap::new();
            for (&(one, other), &(score, _)) in &scores {
                let (from, to) = if of_left { (one, other) } else { (other, one) };
                let known = best.entry(from).or_insert((score, to));
                if score > known.0 {
                    *known = (score, to);
                }
            }
            best
        };
        let (of_left, of_right) = (best(true), best(false));
        // Groups gather around software of the right side that some on the left likes best; what is left over of the
        // right side joins the group of the one that it likes best itself.
        let mut groups: BTreeMap<SoftwareId, (Vec<SoftwareId>, Vec<SoftwareId>)> = BTreeMap::new();
        for (&one, &(_, other)) in &of_left {
            groups.entry(other).or_insert_with(|| (Vec::new(), vec![other])).0.push(one);
        }
        for (&other, &(_, one)) in &of_right {
            if !groups.contains_key(&other)
                && let Some(group) = of_left.get(&one).and_then(|(_, centre)| groups.get_mut(centre))
            {
                group.1.push(other);
            }
        }
        let matched: Vec<Equivalent> =
            groups.into_values().map(|group| equivalent(left, right, group, &scores)).collect();
        let mut result = Self { matched, ..Self::default() };
        result.matched.sort_by_key(|group| {
            let bytes = group.bytes();
            std::cmp::Reverse((bytes.left.max(bytes.right), bytes.left))
        });
        let matched_of = |take: fn(&Equivalent) -> &Vec<Software>| -> BTreeSet<SoftwareId> {
            result.matched.iter().flat_map(take).map(|software| software.id).collect()
        };
        let (left_matched, right_matched) = (matched_of(|group| &group.left), matched_of(|group| &group.right));
        result.left_only = sized(left, left.software().filter(|id| !left_matched.contains(id)));
        result.right_only = sized(right, right.software().filter(|id| !right_matched.contains(id)));
        result
    }
}

fn sized(side: &Side<'_>, ids: impl IntoIterator<Item = SoftwareId>) -> Vec<Software> {
    let with_bytes = |id| Software { id, bytes: side.software_bytes(id) };
    let mut list: Vec<Software> = ids.into_iter().map(with_bytes).collect();
    list.sort_by_key(|software| (std::cmp::Reverse(software.bytes), software.id));
    list
}

/// How strongly two are the same, and what shows it.
type Scores = BTreeMap<(SoftwareId, SoftwareId), (u32, Vec<Signal>)>;

fn scores(own: &Signals, others: &Signals) -> Scores {
    let mut scores = Scores::new();
    for (signal, left) in &own.by_signal {
        let Some(right) = others.by_signal.get(signal) else { continue };
        if left.len() > MOST_SHARING || right.len() > MOST_SHARING {
            continue;
        }
        let weight = match signal {
            Signal::Name(_) => 12,
            Signal::Soname(_) => 4,
            Signal::Program(_) => 3,
        };
        for &one in left {
            for &other in right {
                let (score, signals) = scores.entry((one, other)).or_default();
                *score = score.saturating_add(weight);
                if signals.len() < SIGNALS_TOLD {
                    signals.push(signal.clone());
                }
            }
        }
    }
    scores
}

fn equivalent(
    left: &Side<'_>,
    right: &Side<'_>,
    (own, others): (Vec<SoftwareId>, Vec<SoftwareId>),
    scores: &Scores,
) -> Equivalent {
    let mut signals: BTreeSet<Signal> = BTreeSet::new();
    let of_right: BTreeSet<SoftwareId> = others.iter().copied().collect();
    if let (Some(&first), Some(&last)) = (of_right.first(), of_right.last()) {
        // Only pairs that have a score are looked at: a group may have thousands on both sides.
        let scored = own.iter().flat_map(|&one| scores.range((one, first)..=(one, last)));
        let within = scored.filter(|((_, other), _)| of_right.contains(other));
        signals.extend(within.flat_map(|(_, (_, signals))| signals.iter().cloned()));
    }
    let signals = signals.into_iter().take(SIGNALS_TOLD).collect();
    Equivalent { left: sized(left, own), right: sized(right, others), signals }
}

/// Signals found in the software of one side.
struct Signals {
    by_signal: BTreeMap<Signal, Vec<SoftwareId>>,
}

const PROGRAM_DIRECTORIES: [&[u8]; 2] = [b"bin", b"sbin"];

impl Signals {
    fn new(side: &Side<'_>, owners: &Owners) -> Self {
        let tree = &side.image.tree;
        let mut found: BTreeSet<(Signal, SoftwareId)> = BTreeSet::new();
        for id in side.software() {
            let names = normal_names(side.software_name(id), side.software_kind(id));
            found.extend(names.into_iter().map(|name| (Signal::Name(name), id)));
        }
        let mut counts: HashMap<SoftwareId, usize> = HashMap::new();
        for (node, id) in visible_files(tree) {
            let kind = tree.occurrence(id).kind;
            if !matches!(kind, Kind::File | Kind::HardLink | Kind::Symlink) {
                continue;
            }
            let Some(owner) = owners.of(node) else { continue };
            let name = tree.name(node);
            let directory = tree.parent(node).map(|parent| tree.name(parent)).unwrap_or_default();
            let signal = match soname(name) {
                Some(soname) => Signal::Soname(soname),
                None if PROGRAM_DIRECTORIES.contains(&directory) => {
                    Signal::Program(String::from_utf8_lossy(name).into_owned())
                }
                None => continue,
            };
            let count = counts.entry(owner).or_default();
            *count += 1;
            if *count <= MOST_SIGNALS {
                found.insert((signal, owner));
            }
        }
        let mut by_signal: BTreeMap<Signal, Vec<SoftwareId>> = BTreeMap::new();
        for (signal, id) in found {
            by_signal.entry(signal).or_default().push(id);
        }
        Self { by_signal }
    }
}
