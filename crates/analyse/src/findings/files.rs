use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::classes::{Class, classify, classify_in_store, is_licence, short_path};
use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, Rule};
use nixdive_base::text::{counted, display_bytes, display_in_sentence, display_name};
use nixdive_image::{ContentHash, Kind, LayerIndex, NodeId, OccurrenceId};
use nixdive_nix::StorePath;

/// Findings of fewer bytes are not worth a line.
const LEAST_BYTES: u64 = 16 << 10;
/// Equal files shorter than this are not compared, bytes.
const LEAST_COMPARED: u64 = 4 << 10;

/// Files by what they are for, and files that are there for nothing.
pub(super) fn find(scene: &Scene<'_>, found: &mut Gathered) {
    by_class(scene, found);
    unstripped(scene, found);
    hidden_copies(scene, found);
    duplicates(scene, found);
}

/// Totals of one class in one directory.
#[derive(Default)]
struct Tally {
    bytes: u64,
    files: u64,
    layer: Option<LayerIndex>,
}

fn by_class(scene: &Scene<'_>, found: &mut Gathered) {
    let mut tallies: BTreeMap<(Rule, NodeId), Tally> = BTreeMap::new();
    let mut members: BTreeMap<Rule, Vec<OccurrenceId>> = BTreeMap::new();
    for (node, id) in scene.visible_files() {
        let occurrence = scene.tree.occurrence(id);
        let Some(path) = short_path(scene.tree, node) else { continue };
        let Some((rule, length)) = rule_of(scene, &path) else { continue };
        if occurrence.bytes == 0 && rule != Rule::VersionControl {
            continue;
        }
        // The directory of the class is an ancestor of the file, or the file itself.
        let group = path.get(..length).and_then(|group| scene.tree.lookup(group)).unwrap_or(node);
        let tally = tallies.entry((rule, group)).or_default();
        tally.bytes = tally.bytes.saturating_add(occurrence.bytes);
        tally.files = tally.files.saturating_add(1);
        tally.layer = tally.layer.max(Some(occurrence.layer));
        members.entry(rule).or_default().push(id);
    }
    let mut hits: BTreeMap<Rule, Hits> = BTreeMap::new();
    for ((rule, node), tally) in tallies {
        let hits = hits.entry(rule).or_insert_with(|| Hits::new(rule));
        hits.bytes = hits.bytes.saturating_add(tally.bytes);
        hits.count = hits.count.saturating_add(tally.files);
        let location = Location::Path { node, occurrence: None, layer: tally.layer, offset: None };
        hits.keep(Evidence { location, bytes: tally.bytes, note: Some(counted(tally.files, "file")) });
    }
    for (rule, hits) in hits {
        if hits.bytes >= LEAST_BYTES || rule == Rule::VersionControl {
            members.get(&rule).into_iter().flatten().for_each(|&id| found.reclaim.whole(id));
            found.finding(scene, hits, |count| class_title(rule, count));
        }
    }
}

/// Returns the rule that a file's path falls under, and the length of the part of the path that is
/// reported.
fn rule_of(scene: &Scene<'_>, path: &[u8]) -> Option<(Rule, usize)> {
    if scene.is_nix
        && let Ok((store_path, below)) = StorePath::split(path)
    {
        let (class, length) = classify_in_store(path, path.len() - below.len())?;
        // A development output is reported as a whole.
        let is_told = class == Class::Development && matches!(store_path.package().output, "dev" | "static");
        return (!is_told).then_some((rule(class, true), length));
    }
    classify(path).map(|(class, length)| (rule(class, false), length))
}

fn rule(class: Class, in_store: bool) -> Rule {
    match (class, in_store) {
        (Class::VersionControl, _) => Rule::VersionControl,
        (Class::PackageCache, _) => Rule::PackageCache,
        (Class::Temporary, _) => Rule::Temporary,
        (Class::BuildTools, _) => Rule::BuildTools,
        (Class::Documentation, false) => Rule::Documentation,
        (Class::Documentation, true) => Rule::NixDocumentation,
        (Class::Locales, false) => Rule::Locales,
        (Class::Locales, true) => Rule::NixLocales,
        (Class::Development, false) => Rule::DevelopmentFiles,
        (Class::Development, true) => Rule::NixDevelopmentFiles,
        (Class::TestSuite, false) => Rule::TestSuite,
        (Class::TestSuite, true) => Rule::NixTestSuite,
        (Class::Bytecode, false) => Rule::Bytecode,
        (Class::Bytecode, true) => Rule::NixBytecode,
    }
}

fn class_title(rule: Rule, count: u64) -> String {
    let files = counted(count, "file");
    match rule {
        Rule::VersionControl => format!("{files} of a version control system, with all its history"),
        Rule::PackageCache => format!("{files} of package managers' caches and lists"),
        Rule::Temporary => format!("{files} of logs and temporary data"),
        Rule::BuildTools => format!("{files} of tools that only a build needs"),
        Rule::Documentation | Rule::NixDocumentation => format!("{files} of documentation, licences left out"),
        Rule::Locales | Rule::NixLocales => format!("{files} of translations and locale data"),
        Rule::TestSuite | Rule::NixTestSuite => format!("{files} of test suites that libraries bring along"),
        Rule::Bytecode | Rule::NixBytecode => format!("{files} of compiled Python next to its source"),
        _ => format!("{files} that only a build needs: headers, static libraries, pkg-config, CMake"),
    }
}

fn unstripped(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::Unstripped);
    let Some(facts) = scene.facts else { return };
    for (_, id) in scene.visible_files() {
        let Some(&bytes) = facts.strippable.get(&id) else { continue };
        let whole = scene.tree.occurrence(id).bytes;
        let note = Some(format!("of {}", display_bytes(whole)));
        hits.add(Evidence { location: scene.location(id, None), bytes, note });
        found.reclaim.part(id, bytes);
    }
    found.finding(scene, hits, |count| {
        let have = if count == 1 { "program or library has" } else { "programs and libraries have" };
        format!("{count} {have} symbols or debugging information that nothing loads")
    });
}

fn hidden_copies(scene: &Scene<'_>, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::HiddenCopies);
    let tree = scene.tree;
    for id in tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer)) {
        let occurrence = tree.occurrence(id);
        if occurrence.kind != Kind::File || occurrence.bytes == 0 || scene.is_visible(id) {
            continue;
        }
        found.reclaim.whole(id);
        let by = match tree.visible_at(occurrence.node(), scene.top) {
            Some(above) => format!("written again in layer {}", tree.occurrence(above).layer.0),
            None => "removed later".to_owned(),
        };
        hits.add(Evidence { location: scene.location(id, None), bytes: occurrence.bytes, note: Some(by) });
    }
    found.finding(scene, hits, |count| {
        let files = if count == 1 { "file" } else { "files" };
        format!("{count} {files} shipped but hidden by upper layers")
    });
}

/// Equal files of the stacked image; all but one of each could go.
fn duplicates(scene: &Scene<'_>, found: &mut Gathered) {
    let mut groups: HashMap<(u64, ContentHash), Vec<OccurrenceId>> = HashMap::new();
    for (_, id) in scene.visible_files() {
        let bytes = scene.tree.occurrence(id).bytes;
        // Files already reported as a whole are left out, and so are licences.
        let is_told = found.reclaim.is_whole(id) || is_licence(scene.tree.name(scene.tree.occurrence(id).node()));
        let known = scene.tree.content_hash(id).or_else(|| scene.facts?.hashes.get(&id));
        if let Some(&hash) = known.filter(|_| bytes >= LEAST_COMPARED && !is_told) {
            groups.entry((bytes, hash)).or_default().push(id);
        }
    }
    let mut groups: Vec<((u64, ContentHash), Vec<OccurrenceId>)> =
        groups.into_iter().filter(|(_, members)| members.len() > 1).collect();
    groups.sort_unstable_by(|left, right| left.1.cmp(&right.1));
    let mut hits = Hits::new(Rule::DuplicateContent);
    for ((bytes, _), members) in &groups {
        let [first, second, ..] = members.as_slice() else { continue };
        let others = (members.len() as u64).saturating_sub(1);
        let layers: BTreeSet<LayerIndex> = members.iter().map(|&id| scene.tree.occurrence(id).layer).collect();
        let in_layers = if layers.len() > 1 { format!(" in {} layers", layers.len()) } else { String::new() };
        let other = scene.tree.path(scene.tree.occurrence(*second).node());
        let also = display_in_sentence(&display_name(&other));
        let note = format!("{} equal files of {}{in_layers}, also {also}", members.len(), display_bytes(*bytes));
        let saved = bytes.saturating_mul(others);
        hits.bytes = hits.bytes.saturating_add(saved);
        hits.count = hits.count.saturating_add(others);
        hits.keep(Evidence { location: scene.location(*first, None), bytes: saved, note: Some(note) });
    }
    if hits.bytes >= LEAST_BYTES {
        groups.iter().flat_map(|(_, members)| members.iter().skip(1)).for_each(|&id| found.reclaim.whole(id));
        found.finding(scene, hits, |count| match count {
            1 => "1 copy of another path's content".to_owned(),
            _ => format!("{count} copies of other paths' content"),
        });
    }
}
