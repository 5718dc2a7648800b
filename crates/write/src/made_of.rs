use sha2::{Digest as _, Sha256};

use super::LayerCompression;
use super::layer::{Item, LayerSource, PlannedLayer};
use crate::Content;
use nixdive_image::Digest;

/// Returns a digest of the inputs of a layer: equal for layers with equal bytes, and known without reading them. The
/// name of a store path represents its content, as everywhere in Nix; the headers, with all modes and lengths, are
/// included. Returns `None` for layers with files whose content is known only after reading.
pub(super) fn made_of(layer: &PlannedLayer<'_>, compression: LayerCompression) -> Option<Digest> {
    let LayerSource::Entries { items, headers } = &layer.source else { return None };
    if layer.store_paths.is_empty() {
        return None;
    }
    let mut hasher = Sha256::new();
    hasher.update(format!("nixdive layer 1 {} {}\n", compression.method().name(), compression.level()));
    for item in items {
        hasher.update(headers.of(item));
        if let Some(Content::Given(bytes)) = item.content().map(|file| &file.content) {
            hasher.update(Sha256::digest(bytes));
        }
    }
    Some(Digest::from_sha256(&hasher.finalize().into()))
}

/// Returns `true` if nix2container can generate the layer: it consists of whole, unmodified store paths of this
/// machine.
pub(super) fn is_of_this_store(layer: &PlannedLayer<'_>) -> bool {
    let LayerSource::Entries { items, .. } = &layer.source else { return false };
    let in_place = |item: &Item<'_>| match item.content().map(|file| &file.content) {
        Some(Content::Disk(file)) => {
            file.as_os_str().as_encoded_bytes().strip_prefix(b"/").is_some_and(|file| file == item.path())
        }
        Some(_) => false,
        None => true,
    };
    let is_there = |path: &&nixdive_nix::StorePath| nixdive_source::store::LocalStore::default().holds(path);
    !layer.store_paths.is_empty() && items.iter().all(in_place) && layer.store_paths.iter().all(is_there)
}
