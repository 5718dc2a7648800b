use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::scene::{Gathered, Hits, Scene};
use super::{Evidence, Location, MOST_EVIDENCE, Rule, Severity};
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_image::{Kind, LayerIndex};
use nixdive_nix::contents::{Place, RootSource};
use nixdive_nix::graph::{PathId, Reachability, same_package};
use nixdive_nix::study::{Disagreement, SightingSource, StoreStudy};
use nixdive_nix::{StorePath, without_platform};

/// Packages that only a build needs.
const TOOLCHAIN: &[&str] = &[
    "gcc",
    "gcc-wrapper",
    "clang",
    "clang-wrapper",
    "binutils",
    "binutils-wrapper",
    "bintools",
    "bintools-wrapper",
    "stdenv-linux",
    "stdenv",
    "go",
    "ghc",
    "rustc",
    "rustc-wrapper",
    "cargo",
    "cmake",
    "gnumake",
    "ninja",
    "meson",
    "autoconf",
    "automake",
    "libtool",
    "pkg-config",
    "pkg-config-wrapper",
    "bison",
    "flex",
    "gnum4",
    "zig",
    "swig",
    "linux-headers",
    "gradle",
    "apache-maven",
    "patchelf",
    "expand-response-params",
];
/// Outputs of compilers that programs need when they run.
const RUNTIME_OUTPUTS: [&str; 5] = ["lib", "libgcc", "lib32", "lib64", "getent"];
/// Bytes from which on a layer that holds all that is left over is worth a word.
const LEAST_CATCH_ALL: u64 = 20_000_000;

/// Paths that would leave a closure, and the size they add to it.
pub(super) struct Closure<'a> {
    study: &'a StoreStudy,
    roots: &'a [PathId],
    all: Reachability,
}

impl<'a> Closure<'a> {
    pub fn new(study: &'a StoreStudy, roots: &'a [PathId]) -> Self {
        Self { study, roots, all: Reachability::new(&study.graph, roots) }
    }

    /// The paths that nothing would hold any more without some.
    pub fn leaving(&self, removed: &[PathId]) -> Vec<PathId> {
        let after = Reachability::without(&self.study.graph, self.roots, removed);
        self.study.ids().filter(|&id| self.all.contains(id) && !after.contains(id)).collect()
    }

    /// Sum of NAR sizes, bytes.
    pub fn bytes(&self, paths: &[PathId]) -> u64 {
        paths.iter().map(|&id| self.study.graph.nar_bytes(id)).fold(0, u64::saturating_add)
    }

    /// Notes that the files of some paths could go.
    pub fn reclaim(&self, scene: &Scene<'_>, paths: &[PathId], found: &mut Gathered) {
        for known in paths.iter().filter_map(|&id| self.study.store.get(id)) {
            found.reclaim.below(scene.tree, known.node);
        }
    }
}

/// A store path with the chain that holds it.
pub(super) fn evidence_of(study: &StoreStudy, path: PathId, bytes: u64) -> Evidence {
    let chain = study.why(path, false).chains.into_iter().next();
    let reason = chain.as_ref().and_then(|chain| chain.reasons.first().copied());
    let chain = chain.map(|chain| chain.paths).unwrap_or_default();
    Evidence { location: Location::StorePath { path, chain, reason }, bytes, note: None }
}

/// Finds problems of an image's Nix store.
pub(super) fn find(scene: &Scene<'_>, study: &StoreStudy, found: &mut Gathered) {
    let roots = study.root_paths();
    let closure = Closure::new(study, &roots);
    let reached = |id: &PathId| study.is_reachable(*id);
    let named = |is_meant: &dyn Fn(&StorePath) -> bool| -> Vec<PathId> {
        study.ids().filter(reached).filter(|&id| study.get_path(id).is_some_and(is_meant)).collect()
    };
    let dev = named(&|path| matches!(path.package().output, "dev" | "devdoc" | "static"));
    removable(scene, &closure, Rule::DevOutput, &dev, found, |count| {
        format!("{} in the closure", counted(count, "development output"))
    });
    let tools = named(&|path| {
        let package = path.package();
        let is_headers = package.output == "dev";
        TOOLCHAIN.contains(&without_platform(package.name)) && !RUNTIME_OUTPUTS.contains(&package.output) && !is_headers
    });
    removable(scene, &closure, Rule::Toolchain, &tools, found, |count| {
        format!("{} of compilers and build environments in the closure", counted(count, "store path"))
    });
    duplicates(scene, &closure, found);
    unreachable(scene, &closure, found);
    several_layers(scene, study, found);
    catch_all(scene, study, found);
    dangling(scene, study, found);
    disagreements(scene, study, found);
}

/// Paths that should not be there, with what would leave with them.
fn removable(
    scene: &Scene<'_>,
    closure: &Closure<'_>,
    rule: Rule,
    paths: &[PathId],
    found: &mut Gathered,
    title: impl FnOnce(u64) -> String,
) {
    if paths.is_empty() {
        return;
    }
    let leaving = closure.leaving(paths);
    let mut hits = Hits::new(rule);
    hits.count = paths.len() as u64;
    hits.bytes = closure.bytes(&leaving);
    largest(closure.study, paths).into_iter().for_each(|(id, bytes)| hits.keep(evidence_of(closure.study, id, bytes)));
    closure.reclaim(scene, &leaving, found);
    found.finding(scene, hits, title);
}

/// The paths that add most, as many as are kept as evidence.
fn largest(study: &StoreStudy, paths: &[PathId]) -> Vec<(PathId, u64)> {
    let added = |&id: &PathId| (id, study.paths.get(id.index()).map_or(0, |path| path.added_bytes));
    let mut sorted: Vec<(PathId, u64)> = paths.iter().map(added).collect();
    sorted.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
    sorted.truncate(MOST_EVIDENCE);
    sorted
}

fn duplicates(scene: &Scene<'_>, closure: &Closure<'_>, found: &mut Gathered) {
    let study = closure.study;
    let paths: Vec<StorePath> = study.store.paths.iter().map(|known| known.path.clone()).collect();
    let (mut versions, mut builds) = (Vec::new(), Vec::new());
    let mut names = [0u64; 2];
    for group in same_package(&paths) {
        // Names without a version are of files and scripts that have nothing to do with each other.
        let members: Vec<PathId> = group
            .paths
            .into_iter()
            .filter(|&id| {
                study.is_reachable(id) && study.get_path(id).is_some_and(|path| !path.package().version.is_empty())
            })
            .collect();
        let version = |id: &PathId| study.get_path(*id).map(|path| path.package().version);
        let differs = members.iter().any(|id| version(id) != members.first().and_then(version));
        // The largest is the one that stays, which says the least of what is saved.
        let stays = members.iter().copied().max_by_key(|&id| study.graph.nar_bytes(id));
        let others = members.iter().copied().filter(|&id| Some(id) != stays);
        let (list, place) = if differs { (&mut versions, 0) } else { (&mut builds, 1) };
        let before = list.len();
        list.extend(others);
        if let Some(count) = names.get_mut(place) {
            *count += u64::from(list.len() > before);
        }
    }
    let [of_versions, of_builds] = names;
    removable(scene, closure, Rule::SeveralVersions, &versions, found, |_| {
        format!("{} present in more than one version", is_or_are(of_versions))
    });
    removable(scene, closure, Rule::SeveralBuilds, &builds, found, |_| {
        format!("{} present in more than one build of the same version", is_or_are(of_builds))
    });
}

fn is_or_are(count: u64) -> String {
    if count == 1 { "1 package is".to_owned() } else { format!("{count} packages are") }
}

fn unreachable(scene: &Scene<'_>, closure: &Closure<'_>, found: &mut Gathered) {
    let study = closure.study;
    let mut hits = Hits::new(Rule::Unreachable);
    for id in study.unreachable() {
        let location = Location::StorePath { path: id, chain: Vec::new(), reason: None };
        hits.add(Evidence { location, bytes: study.graph.nar_bytes(id), note: None });
        if let Some(known) = study.store.get(id) {
            found.reclaim.below(scene.tree, known.node);
        }
    }
    found.finding(scene, hits, |count| {
        let (paths, them) = if count == 1 { ("store path is", "it") } else { ("store paths are", "them") };
        format!("{count} {paths} unreachable: neither the configuration nor any file leads to {them}")
    });
}

fn several_layers(scene: &Scene<'_>, study: &StoreStudy, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::SeveralLayers);
    for (id, known) in study.ids().zip(&study.store.paths) {
        // A directory's entry alone comes again with whatever is added below it elsewhere.
        let shares: Vec<_> = known.layers.iter().filter(|share| share.file_bytes > 0 || share.entries > 1).collect();
        if shares.len() < 2 {
            continue;
        }
        let all = shares.iter().map(|share| share.file_bytes).fold(0, u64::saturating_add);
        let entry = scene.tree.visible_at(known.node, scene.top).map(|id| scene.tree.occurrence(id));
        let own = entry.filter(|entry| entry.kind == Kind::File).map_or(0, |entry| entry.bytes);
        let seen = scene.tree.totals_at(known.node, scene.top).bytes.saturating_add(own);
        let layers: Vec<String> = shares.iter().take(8).map(|share| share.layer.0.to_string()).collect();
        let more = if shares.len() > layers.len() { ", …" } else { "" };
        hits.add(Evidence {
            location: Location::StorePath { path: id, chain: Vec::new(), reason: None },
            bytes: all.saturating_sub(seen),
            note: Some(format!("in layers {}{more}", layers.join(", "))),
        });
    }
    found.finding(scene, hits, |count| {
        let paths = if count == 1 { "store path is" } else { "store paths are" };
        format!("{count} {paths} in more than one layer")
    });
}

/// A layer in which what the configuration starts lies together with what it depends on.
fn catch_all(scene: &Scene<'_>, study: &StoreStudy, found: &mut Gathered) {
    let started: HashSet<PathId> =
        study.roots.iter().filter(|root| starts(&root.source)).map(|root| root.path).collect();
    let mut layers: BTreeMap<LayerIndex, (u64, u64, Option<PathId>)> = BTreeMap::new();
    for (id, known) in study.ids().zip(&study.store.paths) {
        for share in &known.layers {
            let (paths, bytes, root) = layers.entry(share.layer).or_default();
            *paths += 1;
            *bytes = bytes.saturating_add(share.file_bytes);
            if started.contains(&id) {
                root.get_or_insert(id);
            }
        }
    }
    let mut hits = Hits::new(Rule::CatchAllLayer);
    for (layer, (paths, bytes, root)) in layers {
        let Some(name) = root.and_then(|id| study.get_path(id)).map(StorePath::name) else { continue };
        if paths > 1 && bytes >= LEAST_CATCH_ALL {
            let bytes = display_bytes(bytes);
            let name = display_name(name.as_bytes());
            let note = Some(format!("{paths} store paths, {bytes}, {name} among them"));
            hits.add(Evidence { location: Location::Layer(layer), bytes: 0, note });
        }
    }
    found.finding(scene, hits, |_| {
        "the program shares its layer with its dependencies, so that every build ships all of it again".to_owned()
    });
}

fn starts(reason: &RootSource) -> bool {
    matches!(reason, RootSource::Entrypoint(_) | RootSource::Command(_))
}

fn dangling(scene: &Scene<'_>, study: &StoreStudy, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::Dangling);
    hits.severity = Severity::Information;
    for absent in &study.dangling {
        // What the configuration or a link names is missed when it is used; a text in a file may be no more than that.
        let strongest = absent.sightings.iter().min_by_key(|sighting| strength(sighting.source));
        let Some(sighting) = strongest else { continue };
        if strength(sighting.source) < 2 {
            hits.severity = Severity::Warning;
        }
        let (node, offset, note) = match sighting.source {
            SightingSource::Written(RootSource::Tree(node, Place::Content(offset))) => (Some(node), Some(offset), None),
            SightingSource::Written(RootSource::Tree(node, _)) => (Some(node), None, Some("a link".to_owned())),
            SightingSource::Written(_) => (None, None, Some("the configuration".to_owned())),
            SightingSource::Recorded => (None, None, Some("the database".to_owned())),
        };
        let location = Location::Absent { path: absent.path.clone(), from: sighting.from, node, offset };
        hits.add(Evidence { location, bytes: 0, note });
    }
    found.finding(scene, hits, |count| {
        let paths = if count == 1 { "store path is" } else { "store paths are" };
        format!("{count} {paths} named but absent")
    });
}

fn strength(source: SightingSource) -> u8 {
    match source {
        SightingSource::Written(RootSource::Tree(_, Place::LinkTarget)) => 1,
        SightingSource::Written(RootSource::Tree(..)) => 2,
        SightingSource::Written(_) => 0,
        SightingSource::Recorded => 3,
    }
}

fn disagreements(scene: &Scene<'_>, study: &StoreStudy, found: &mut Gathered) {
    let mut hits = Hits::new(Rule::DatabaseDisagrees);
    for disagreement in &study.disagreements {
        let known = |path: PathId| Location::StorePath { path, chain: Vec::new(), reason: None };
        let (location, note) = match disagreement {
            Disagreement::NotThere(path) => {
                let location = Location::Absent { path: path.clone(), from: None, node: None, offset: None };
                (location, "recorded but absent")
            }
            Disagreement::NotRecorded(id) => (known(*id), "present but not recorded"),
            Disagreement::OnlyRecorded { from, .. } => (known(*from), "a reference found in no file"),
            Disagreement::OnlyFound { from, .. } => (known(*from), "a reference that is not recorded"),
            Disagreement::NarBytes { path, .. } => (known(*path), "another NAR size than recorded"),
            Disagreement::NarHash { path, .. } => {
                (known(*path), "another NAR hash than recorded: its content was changed")
            }
        };
        hits.add(Evidence { location, bytes: 0, note: Some(note.to_owned()) });
    }
    found.finding(scene, hits, |count| {
        format!("{} between the Nix database and the files", counted(count, "disagreement"))
    });
}
