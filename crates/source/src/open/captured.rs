//! Contents of wanted files, by their paths in the tree: names in a layer may lead elsewhere through links, and
//! contents may have other names.

use std::io::Read;

use hashbrown::{HashMap, HashSet};

use super::Contents;
use nixdive_base::text::{display_in_sentence, display_name};
use nixdive_image::{FileTree, Kind, LayerIndex, OccurrenceId, Warning};
use nixdive_scan::{Captured, Wanted};

type CapturedFiles = Vec<(LayerIndex, Captured)>;

/// Maximum bytes that are read in addition to those captured with the layers.
const MOST_BYTES: u64 = 128 << 20;

/// Assigns captured files to their paths in the tree, drops those that their own layer replaced, and reads the wanted
/// files that were not captured because they have other names in the archive.
pub(super) fn settle(
    tree: &FileTree,
    contents: &Contents,
    wanted: Wanted,
    captured: CapturedFiles,
    warnings: &mut Vec<Warning>,
) -> CapturedFiles {
    let mut settled = named_by_tree(tree, captured);
    let known: HashSet<(LayerIndex, u64)> = settled.iter().map(|(layer, file)| (*layer, file.offset)).collect();
    let mut left = MOST_BYTES;
    for id in missing(tree, wanted, &known) {
        let occurrence = tree.occurrence(id);
        let path = tree.path(occurrence.node());
        let read = left.checked_sub(occurrence.bytes).and_then(|rest| {
            left = rest;
            let mut content = Vec::new();
            contents.reader(tree, id).ok()?.take(wanted.most_bytes).read_to_end(&mut content).ok()?;
            Some(content)
        });
        match read {
            Some(content) => {
                let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
                settled.push((occurrence.layer, Captured { path, offset: occurrence.offset, content }));
            }
            None => warnings.push(Warning {
                layer: Some(occurrence.layer),
                message: format!(
                    "{}: not read, although it may list packages: it has another name in the archive",
                    display_in_sentence(&display_name(&path))
                ),
            }),
        }
    }
    settled
}

fn named_by_tree(tree: &FileTree, captured: CapturedFiles) -> CapturedFiles {
    let is_at = |layer: LayerIndex, file: &Captured| {
        let id = tree.lookup(&file.path).and_then(|node| tree.occurrence_in(node, layer));
        id.map(|id| tree.occurrence(id)).is_some_and(|found| found.kind == Kind::File && found.offset == file.offset)
    };
    let (mut settled, strayed): (CapturedFiles, CapturedFiles) =
        captured.into_iter().partition(|(layer, file)| is_at(*layer, file));
    if strayed.is_empty() {
        return settled;
    }
    let mut strayed: HashMap<(LayerIndex, u64), Captured> =
        strayed.into_iter().map(|(layer, file)| ((layer, file.offset), file)).collect();
    for id in tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer)) {
        let occurrence = tree.occurrence(id);
        if occurrence.kind == Kind::File
            && let Some(file) = strayed.remove(&(occurrence.layer, occurrence.offset))
        {
            let path = tree.path(occurrence.node());
            let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
            settled.push((occurrence.layer, Captured { path, ..file }));
        }
    }
    settled
}

/// Returns the contents that are wanted under a path of the tree, but have another name in the archive and are not
/// known yet.
fn missing(tree: &FileTree, wanted: Wanted, known: &HashSet<(LayerIndex, u64)>) -> Vec<OccurrenceId> {
    let mut found = Vec::new();
    let mut taken = HashSet::new();
    for id in tree.layer_indices().flat_map(|layer| tree.layer_occurrences(layer)) {
        let occurrence = tree.occurrence(id);
        let is_renamed = match occurrence.kind {
            Kind::HardLink => true,
            Kind::File => occurrence.is_moved() || occurrence.type_flag == b'1',
            _ => false,
        };
        if !is_renamed {
            continue;
        }
        let Some(content) = tree.content_of(id) else { continue };
        let file = tree.occurrence(content);
        let is_new = || !known.contains(&(file.layer, file.offset)) && !taken.contains(&content);
        if file.bytes > 0 && file.bytes <= wanted.most_bytes && tree.sparse(content).is_none() && is_new() {
            let path = tree.path(occurrence.node());
            if (wanted.is_wanted)(path.strip_prefix(b"/").unwrap_or(&path)) {
                taken.insert(content);
                found.push(content);
            }
        }
    }
    found
}
