//! Evidence for an image's growth: store paths with their referrers, packages, files and layers.

use std::collections::BTreeMap;

use super::outcome::{Evidence, EvidenceKind};
use super::reasons::Reasons;
use super::snapshot::{PathRow, Snapshot, StorePathRow};
use nixdive_base::text::display_bytes;

/// Maximum number of pieces of evidence of one kind.
const MOST: usize = 10;
/// Minimum size of a file that is reported by itself, bytes.
const LEAST_BYTES: u64 = 1;

/// `+1.2 MB`, `-3 kB`.
pub(super) fn signed_bytes(delta: i64) -> String {
    let sign = if delta < 0 { '-' } else { '+' };
    format!("{sign}{}", display_bytes(delta.unsigned_abs()))
}

/// Returns the difference of two counts, clamped to the range of the type.
pub(super) fn delta(now: u64, before: u64) -> i64 {
    let difference = i128::from(now) - i128::from(before);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

/// Lists what made an image grow, most important first: the base image's part, then store paths and
/// packages, then files that belong to neither, each group by bytes.
pub(super) fn growth(now: &Snapshot, before: &Snapshot, reasons: Option<&Reasons<'_>>) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = base_growth(now, before).into_iter().collect();
    found.extend(store_paths(now, before, reasons));
    found.extend(packages(now, before));
    found.extend(files(now, before));
    if found.is_empty() {
        found.extend(layers(now, before));
    }
    found
}

/// How much of the growth is the base image's, where both sides know theirs.
fn base_growth(now: &Snapshot, before: &Snapshot) -> Option<Evidence> {
    let bytes = |snapshot: &Snapshot| super::Metric::BaseUnpacked.measure(snapshot, None);
    if now.base_layers.is_none() || before.base_layers.is_none() {
        return None;
    }
    let delta = delta(bytes(now)?, bytes(before)?);
    let own = |snapshot: &Snapshot| super::Metric::OwnUnpacked.measure(snapshot, None);
    let own = self::delta(own(now)?, own(before)?);
    let text = format!(
        "of the unpacked layers the base image's changed by {}, your own by {}",
        signed_bytes(delta),
        signed_bytes(own)
    );
    (delta != 0).then(|| Evidence::new(EvidenceKind::Base, "base image", Some(delta), text))
}

type Outputs<'s> = BTreeMap<(&'s str, &'s str), Vec<&'s StorePathRow>>;

fn store_paths(now: &Snapshot, before: &Snapshot, reasons: Option<&Reasons<'_>>) -> Vec<Evidence> {
    let known: std::collections::BTreeSet<&str> = before.store_paths.iter().map(|row| row.path.as_str()).collect();
    let still: std::collections::BTreeSet<&str> = now.store_paths.iter().map(|row| row.path.as_str()).collect();
    let mut gone: Outputs<'_> = BTreeMap::new();
    for row in before.store_paths.iter().filter(|row| !still.contains(row.path.as_str())) {
        gone.entry((&row.name, &row.output)).or_default().push(row);
    }
    let mut changes: Vec<(&StorePathRow, Option<&StorePathRow>, i64)> = Vec::new();
    for row in now.store_paths.iter().filter(|row| !known.contains(row.path.as_str())) {
        let old = gone.get_mut(&(row.name.as_str(), row.output.as_str())).and_then(Vec::pop);
        changes.push((row, old, delta(row.nar_bytes, old.map_or(0, |old| old.nar_bytes))));
    }
    changes.retain(|change| change.2 > 0);
    changes.sort_by(|left, right| right.2.cmp(&left.2).then_with(|| left.0.path.cmp(&right.0.path)));
    changes.into_iter().take(MOST).map(|(row, old, delta)| store_evidence(row, old, delta, reasons)).collect()
}

fn store_evidence(
    row: &StorePathRow,
    old: Option<&StorePathRow>,
    delta: i64,
    reasons: Option<&Reasons<'_>>,
) -> Evidence {
    let name = name_of(row);
    let bytes = display_bytes(delta.unsigned_abs());
    let what = match old {
        None => format!("{name} adds {bytes}"),
        Some(old) if old.version == row.version => format!("{name} was rebuilt and adds {bytes}"),
        Some(old) => format!("{name} instead of {} adds {bytes}", name_of(old)),
    };
    let reason = reasons.and_then(|reasons| reasons.of(&row.path));
    let text = match &reason {
        None => what,
        Some(reason) => {
            let chain = Reasons::chain_text(reason).map(|chain| format!(": {chain}")).unwrap_or_default();
            format!("{what}, brought in by {}{chain}", reason.by)
        }
    };
    let chain = reason.map(|reason| reason.chain).unwrap_or_default();
    Evidence { chain, ..Evidence::new(EvidenceKind::StorePath, row.path.clone(), Some(delta), text) }
}

/// A store path's name without its hash.
fn name_of(row: &StorePathRow) -> &str {
    let base = row.path.strip_prefix("/nix/store/").unwrap_or(&row.path);
    base.split_once('-').map_or(base, |(_, name)| name)
}

fn packages(now: &Snapshot, before: &Snapshot) -> Vec<Evidence> {
    let mut old: BTreeMap<(&str, &str, &str), (u64, &str)> = BTreeMap::new();
    for row in &before.packages {
        let sum = old.entry((&row.kind, &row.name, &row.architecture)).or_insert((0, &row.version));
        sum.0 = sum.0.saturating_add(row.installed_bytes);
    }
    let mut new: BTreeMap<(&str, &str, &str), (u64, &str)> = BTreeMap::new();
    for row in &now.packages {
        let sum = new.entry((&row.kind, &row.name, &row.architecture)).or_insert((0, &row.version));
        sum.0 = sum.0.saturating_add(row.installed_bytes);
    }
    let mut changes: Vec<Evidence> = Vec::new();
    for (key, (bytes, version)) in new {
        let was = old.get(&key);
        let delta = delta(bytes, was.map_or(0, |was| was.0));
        if delta <= 0 {
            continue;
        }
        let (name, bytes) = (format!("{} {}", key.0, key.1), display_bytes(delta.unsigned_abs()));
        let text = match was {
            None => format!("{name} {version} adds {bytes}"),
            Some((_, old)) => format!("{name} {version} instead of {old} adds {bytes}"),
        };
        changes.push(Evidence::new(EvidenceKind::Package, name, Some(delta), text));
    }
    by_bytes(changes)
}

/// Lists grown files outside the store; content from Nix is reported by store path.
fn files(now: &Snapshot, before: &Snapshot) -> Vec<Evidence> {
    let skip = |row: &&PathRow| now.store_paths.is_empty() || !row.path.starts_with("/nix/store/");
    // A stored baseline omits files below a minimum size, so nothing is known about those.
    let least = before.files_from_bytes.max(LEAST_BYTES);
    let old: BTreeMap<&str, u64> = before.files.iter().map(|row| (row.path.as_str(), row.bytes)).collect();
    let mut changes = Vec::new();
    for row in now.files.iter().filter(skip).take_while(|row| row.bytes >= least) {
        let was = old.get(row.path.as_str());
        let delta = delta(row.bytes, was.copied().unwrap_or(0));
        if delta > 0 {
            let verb = if was.is_some() { "grew by" } else { "is new with" };
            let text = format!("{} {verb} {}", row.path, display_bytes(delta.unsigned_abs()));
            changes.push(Evidence::new(EvidenceKind::File, row.path.clone(), Some(delta), text));
        }
    }
    let mut found = by_bytes(changes);
    found.truncate(MOST / 2);
    found.extend(directories(now, before));
    found
}

fn directories(now: &Snapshot, before: &Snapshot) -> Vec<Evidence> {
    let old: BTreeMap<&str, u64> = before.directories.iter().map(|row| (row.path.as_str(), row.bytes)).collect();
    let mut changes = Vec::new();
    for row in now.directories.iter().filter(|row| !row.path.starts_with("/nix")) {
        let Some(was) = old.get(row.path.as_str()).copied().or((before.directories.len() < 300).then_some(0)) else {
            continue;
        };
        let delta = delta(row.bytes, was);
        if delta > 0 {
            let text = format!("all below {} grew by {}", row.path, display_bytes(delta.unsigned_abs()));
            changes.push(Evidence::new(EvidenceKind::Directory, row.path.clone(), Some(delta), text));
        }
    }
    let mut found = by_bytes(changes);
    found.truncate(MOST / 2);
    found
}

/// Layers that the baseline does not have: what is left where nothing else tells.
fn layers(now: &Snapshot, before: &Snapshot) -> Vec<Evidence> {
    let new = now.layers.iter().enumerate().filter(|(_, layer)| !before.has_layer(layer));
    by_bytes(
        new.map(|(index, layer)| {
            let bytes = layer.unpacked_bytes.unwrap_or(0);
            let text = format!("layer {index} is new with {}: {}", display_bytes(bytes), layer.command);
            Evidence::new(EvidenceKind::Layer, format!("layer {index}"), Some(delta(bytes, 0)), text)
        })
        .collect(),
    )
}

fn by_bytes(mut found: Vec<Evidence>) -> Vec<Evidence> {
    found.sort_by(|left, right| right.delta_bytes.cmp(&left.delta_bytes).then_with(|| left.name.cmp(&right.name)));
    found.truncate(MOST);
    found
}

/// Lists the largest parts of an image that exceeds its limit: store paths with their referrers,
/// packages, files.
pub(super) fn largest(now: &Snapshot, reasons: Option<&Reasons<'_>>) -> Vec<Evidence> {
    let nothing = Snapshot { has_all_files: true, ..Snapshot::default() };
    let mut found = store_paths(now, &nothing, reasons);
    found.extend(packages(now, &nothing));
    found.truncate(MOST);
    if now.store_paths.is_empty() {
        let files = now.files.iter().take(MOST / 2).map(|row| {
            let text = format!("{} has {}", row.path, display_bytes(row.bytes));
            Evidence::new(EvidenceKind::File, row.path.clone(), Some(delta(row.bytes, 0)), text)
        });
        found.extend(files);
    }
    found
}
