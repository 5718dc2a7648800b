use std::collections::BTreeMap;

use super::outcome::{Evidence, EvidenceKind};
use nixdive_base::text::{display_in_sentence, display_name};
use nixdive_image::{DigestCheck, Image, Kind, Layer, LayerIndex, OccurrenceId, display_mode};

/// Paths of one layer that are named.
const MOST_PATHS: usize = 20;

/// One way in which two images are not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageDifference {
    /// A few words: `layer 3: 2 paths differ`. Safe to print.
    pub title: String,
    /// How many things differ.
    pub count: u64,
    /// Details of the obstacle.
    pub evidence: Vec<Evidence>,
}

/// Tells whether a file of the left image and one of the right have the same content; `None` where that cannot be read.
pub type SameContent<'f> = dyn FnMut(OccurrenceId, OccurrenceId) -> Option<bool> + 'f;

/// In what two images are not bit for bit the same: configuration, layers, and what in a layer. Layers have to be held
/// against their digests before. `same_content` is asked of files that have the same length.
#[must_use]
pub fn differences(left: &Image, right: &Image, same_content: &mut SameContent<'_>) -> Vec<ImageDifference> {
    let mut found = Vec::new();
    found.extend(configuration(left, right));
    if left.layers.len() != right.layers.len() {
        let title = format!("{} layers instead of {}", left.layers.len(), right.layers.len());
        found.push(ImageDifference { title, count: 1, evidence: Vec::new() });
    }
    for (index, (ours, theirs)) in left.layers.iter().zip(&right.layers).enumerate() {
        let layer = LayerIndex(u16::try_from(index).unwrap_or(u16::MAX));
        if actual(ours) != actual(theirs) || actual(ours).is_none() {
            found.extend(layer_difference((left, right), layer, same_content));
        } else if ours.digest != theirs.digest {
            let title = format!("layer {index} is compressed differently");
            let text =
                format!("layer {index} has the same content, stored as {} and as {}", shown(ours), shown(theirs));
            let evidence = vec![Evidence::new(EvidenceKind::Layer, format!("layer {index}"), None, text)];
            found.push(ImageDifference { title, count: 1, evidence });
        }
    }
    let (ours, theirs) = (&left.identity.manifest_digest, &right.identity.manifest_digest);
    if let (true, Some(ours), Some(theirs)) = (found.is_empty(), ours, theirs)
        && ours != theirs
    {
        let title = format!("the manifests differ: {} and {}", ours.short(), theirs.short());
        found.push(ImageDifference { title, count: 1, evidence: Vec::new() });
    }
    found
}

/// The digest of what a layer unpacks to, the computed one where it was found to differ.
fn actual(layer: &Layer) -> Option<&nixdive_image::Digest> {
    match &layer.diff_id_check {
        DigestCheck::Differs { actual } => Some(actual),
        _ => layer.diff_id.as_ref(),
    }
}

fn shown(layer: &Layer) -> String {
    let digest = layer.digest.as_ref().map_or("an unknown digest", |digest| digest.short());
    format!("{} ({digest})", layer.compression.name())
}

fn configuration(left: &Image, right: &Image) -> Option<ImageDifference> {
    let digests = (&left.identity.config_digest, &right.identity.config_digest);
    if let (Some(ours), Some(theirs)) = digests
        && ours == theirs
    {
        return None;
    }
    let (ours, theirs) = (&left.config, &right.config);
    let mut fields: Vec<(&str, String, String)> = Vec::new();
    let mut compare = |name, left: String, right: String| {
        if left != right {
            fields.push((name, left, right));
        }
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    compare("platform", ours.platform.to_string(), theirs.platform.to_string());
    compare("created", text(&ours.created), text(&theirs.created));
    compare("author", text(&ours.author), text(&theirs.author));
    compare("Entrypoint", ours.entrypoint.join(" "), theirs.entrypoint.join(" "));
    compare("Cmd", ours.cmd.join(" "), theirs.cmd.join(" "));
    compare("Env", ours.env.join(" "), theirs.env.join(" "));
    compare("User", ours.user.clone(), theirs.user.clone());
    compare("WorkingDir", ours.working_directory.clone(), theirs.working_directory.clone());
    compare("ExposedPorts", ours.exposed_ports.join(" "), theirs.exposed_ports.join(" "));
    compare("Volumes", ours.volumes.join(" "), theirs.volumes.join(" "));
    compare("Labels", format!("{:?}", ours.labels), format!("{:?}", theirs.labels));
    compare("StopSignal", text(&ours.stop_signal), text(&theirs.stop_signal));
    compare("Healthcheck", format!("{:?}", ours.healthcheck), format!("{:?}", theirs.healthcheck));
    compare("Shell", ours.shell.join(" "), theirs.shell.join(" "));
    compare("OnBuild", ours.on_build.join(" "), theirs.on_build.join(" "));
    let history = |image: &Image| format!("{} steps, {:?}", image.config.history.len(), image.config.history);
    compare("history", history(left), history(right));
    let evidence: Vec<Evidence> = fields
        .iter()
        .map(|(name, ours, theirs)| {
            let (ours, theirs) = (display_in_sentence(ours), display_in_sentence(theirs));
            Evidence::new(EvidenceKind::Config, *name, None, format!("{name}: {ours} instead of {theirs}"))
        })
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, ..)| *name).collect();
    let title = match (names.is_empty(), digests) {
        (true, (Some(_), Some(_))) if left.config.diff_ids == right.config.diff_ids => {
            "the configurations are written differently".to_owned()
        }
        (true, _) => return None,
        (false, _) => format!("the configurations differ in {}", names.join(", ")),
    };
    Some(ImageDifference { title, count: names.len().max(1) as u64, evidence })
}

type Entries = BTreeMap<Vec<u8>, OccurrenceId>;

fn entries(image: &Image, layer: LayerIndex) -> Entries {
    let tree = &image.tree;
    let occurrences = tree.layer_occurrences(layer);
    occurrences.map(|id| (tree.path(tree.occurrence(id).node()), id)).collect()
}

fn layer_difference(
    (left, right): (&Image, &Image),
    layer: LayerIndex,
    same_content: &mut SameContent<'_>,
) -> Option<ImageDifference> {
    let (ours, theirs) = (entries(left, layer), entries(right, layer));
    let mut evidence = Vec::new();
    let mut count = 0u64;
    let mut add = |path: &[u8], what: &str| {
        count += 1;
        if evidence.len() < MOST_PATHS {
            let path = display_name(path).into_owned();
            let text = format!("layer {}: {path}: {what}", layer.0);
            evidence.push(Evidence::new(EvidenceKind::File, path, None, text));
        }
    };
    for (path, &id) in &ours {
        match theirs.get(path) {
            None => add(path, "only in this image"),
            Some(&other) => {
                let what = entry_difference((left, id), (right, other), same_content);
                if !what.is_empty() {
                    add(path, &what.join(", "));
                }
            }
        }
    }
    for path in theirs.keys().filter(|path| !ours.contains_key(*path)) {
        add(path, "only in the other image");
    }
    let title = match count {
        0 => format!("layer {} has the same entries, in another order or with other tar headers", layer.0),
        1 => format!("layer {}: 1 path differs", layer.0),
        _ => format!("layer {}: {count} paths differ", layer.0),
    };
    Some(ImageDifference { title, count: count.max(1), evidence })
}

fn entry_difference(
    (left, ours): (&Image, OccurrenceId),
    (right, theirs): (&Image, OccurrenceId),
    same_content: &mut SameContent<'_>,
) -> Vec<String> {
    let (a, b) = (left.tree.occurrence(ours), right.tree.occurrence(theirs));
    let mut what = Vec::new();
    if a.kind != b.kind {
        return vec![format!("type {} instead of {}", letter(a.kind), letter(b.kind))];
    }
    if a.mode() != b.mode() {
        what.push(format!("mode {:04o} instead of {:04o}", a.mode(), b.mode()));
    }
    let (owner, other) = (left.tree.owner(ours), right.tree.owner(theirs));
    if owner != other {
        what.push(format!("owner {}:{} instead of {}:{}", owner.uid, owner.gid, other.uid, other.gid));
    }
    if a.mtime != b.mtime {
        what.push(format!("time {} instead of {} (seconds since 1970)", a.mtime, b.mtime));
    }
    if left.tree.link_target(ours) != right.tree.link_target(theirs) {
        let target = |target: Option<&[u8]>| display_name(target.unwrap_or_default()).into_owned();
        let (ours, theirs) = (target(left.tree.link_target(ours)), target(right.tree.link_target(theirs)));
        what.push(format!("leads to {ours} instead of {theirs}"));
    }
    if left.tree.xattrs(ours) != right.tree.xattrs(theirs) {
        what.push("extended attributes".to_owned());
    }
    if left.tree.device(ours) != right.tree.device(theirs) {
        what.push("device numbers".to_owned());
    }
    if a.bytes != b.bytes {
        what.push(format!("{} bytes instead of {}", a.bytes, b.bytes));
    } else if a.kind == Kind::File && a.bytes > 0 {
        match same_content(ours, theirs) {
            Some(true) => {}
            Some(false) => what.push("content".to_owned()),
            None => what.push("content that cannot be read".to_owned()),
        }
    }
    what
}

fn letter(kind: Kind) -> char {
    display_mode(kind, 0).chars().next().unwrap_or('?')
}
