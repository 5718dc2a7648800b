use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::classes::{Class, classify, classify_in_store};
use super::scene::{Gathered, Hits, Scene, counted};
use super::{Evidence, Location, Rule};
use crate::image::{ContentHash, Kind, LayerIndex, NodeId, OccurrenceId, display_bytes};
use crate::nix::StorePath;

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

/// What one directory has of one class.
#[derive(Default)]
struct Tally {
    bytes: u64,
    files: u64,
    layer: Option<LayerIndex>,
}

fn by_class(scene: &Scene<'_>, found: &mut Gathered) {
    let mut tallies: BTreeMap<(Rule, NodeId), Tally> = BTreeMap::new();
    for (node, id) in scene.visible_files() {
        let path = scene.tree.path(node);
        let store = store_length(&path).filter(|_| scene.is_nix);
        let classified = match store {
            Some(length) => classify_in_store(&path, length),
            None => classify(&path),
        };
        let Some((class, length)) = classified else { continue };
        let rule = rule(class, store.is_some());
        // The directory that stands for the class is an ancestor of the file, or the file itself.
        let group = path.get(..length).and_then(|group| scene.tree.lookup(group)).unwrap_or(node);
        let occurrence = scene.tree.occurrence(id);
        let tally = tallies.entry((rule, group)).or_default();
        tally.bytes = tally.bytes.saturating_add(occurrence.bytes);
        tally.files = tally.files.saturating_add(1);
        tally.layer = tally.layer.max(Some(occurrence.layer));
        found.reclaim.whole(id);
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
        let matters = hits.bytes >= LEAST_BYTES || rule == Rule::VersionControl;
        if matters {
            found.finding(scene, hits, |count| class_title(rule, count));
        }
    }
}

/// How many bytes of a path its store path takes.
pub(super) fn store_length(path: &[u8]) -> Option<usize> {
    let (_, below) = StorePath::split(path).ok()?;
    Some(path.len() - below.len())
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
        Rule::Bytecode | Rule::NixBytecode => format!("{files} of compiled Python beside its source"),
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
        let (programs, have) =
            if count == 1 { ("program or library has", "") } else { ("programs and libraries have", "") };
        format!("{count} {programs} symbols or debugging information that nothing loads{have}")
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
        let (files, are) = if count == 1 { ("file is", "hides it") } else { ("files are", "hide them") };
        format!("{count} {files} shipped and never seen: upper layers {are}")
    });
}

/// Equal files of the stacked image; all but one of each could go.
fn duplicates(scene: &Scene<'_>, found: &mut Gathered) {
    let mut groups: HashMap<(u64, ContentHash), Vec<OccurrenceId>> = HashMap::new();
    for (_, id) in scene.visible_files() {
        let bytes = scene.tree.occurrence(id).bytes;
        let known = scene.tree.content_hash(id).or_else(|| scene.facts?.hashes.get(&id));
        if let Some(&hash) = known.filter(|_| bytes >= LEAST_COMPARED) {
            groups.entry((bytes, hash)).or_default().push(id);
        }
    }
    let mut groups: Vec<((u64, ContentHash), Vec<OccurrenceId>)> =
        groups.into_iter().filter(|(_, members)| members.len() > 1).collect();
    groups.sort_unstable_by(|left, right| left.1.cmp(&right.1));
    let mut hits = Hits::new(Rule::DuplicateContent);
    for ((bytes, _), members) in groups {
        let others = members.get(1..).unwrap_or_default();
        others.iter().for_each(|&id| found.reclaim.whole(id));
        let Some(&first) = members.first() else { continue };
        let saved = bytes.saturating_mul(others.len() as u64);
        let layers: std::collections::BTreeSet<LayerIndex> =
            members.iter().map(|&id| scene.tree.occurrence(id).layer).collect();
        let in_layers = if layers.len() > 1 { format!(" in {} layers", layers.len()) } else { String::new() };
        let note = Some(format!("{} equal files of {}{in_layers}", members.len(), display_bytes(bytes)));
        hits.bytes = hits.bytes.saturating_add(saved);
        hits.count = hits.count.saturating_add(others.len() as u64);
        hits.keep(Evidence { location: scene.location(first, None), bytes: saved, note });
    }
    if hits.bytes >= LEAST_BYTES {
        found.finding(scene, hits, |count| {
            format!("{} of what another path has already", counted(count, "copy")).replace("copys", "copies")
        });
    }
}
