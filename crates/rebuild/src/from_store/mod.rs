//! Composition from store paths of this machine: what dockerTools and nix2container build, without running Nix.
//!
//! The closure of the given paths goes into the image. Contents that should appear at the root (dockerTools'
//! `contents`, `copyToRoot`) are linked there: directories are created, and everything in them is a link into the
//! store.

mod config;
mod farm;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;

pub use config::{ConfigChanges, ConfigError, read_config};
pub use farm::FarmError;

use super::whole::{NotWhole, whole};
use super::{BaseLayer, Composition, Stability};
use nixdive_base::cancel::Cancel;
use nixdive_image::{Config, FileTree, Image, LayerIndex, Platform};
use nixdive_nix::StorePath;
use nixdive_source::store::{LocalStore, StoreError};

/// Request for an image from store paths.
#[derive(Debug, Clone, Default)]
pub struct FromStore {
    /// Store paths to include with their closures. They are treated as the application.
    pub paths: Vec<StorePath>,
    /// Store paths whose contents are linked to the root.
    pub linked: Vec<StorePath>,
    /// Image configuration. Without a platform, that of this machine is used.
    pub config: Config,
}

/// Base image.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// Image whose layers are copied unchanged and whose configuration supplies missing fields.
    pub image: &'a Image,
}

/// Composition from store paths.
#[derive(Debug, Clone)]
pub struct Composed {
    /// Composition to be written.
    pub composition: Composition,
    /// Layers of the base, for [`super::ImageContent::with_base`].
    pub base_layers: Vec<LayerIndex>,
    /// Store paths that the base already has, and that are not written again.
    pub in_base: Vec<StorePath>,
    /// Notes for the user, such as references found by scanning files.
    pub notes: Vec<String>,
}

/// Reasons why an image cannot be made from store paths.
#[derive(Debug, thiserror::Error)]
pub enum FromStoreError {
    /// The store cannot be read or is inconsistent.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two files have the same path.
    #[error(transparent)]
    Farm(#[from] FarmError),
    /// A layer of the base is absent or does not match its description.
    #[error("the base: {0}")]
    Base(#[from] NotWhole),
    /// No store path was given.
    #[error("no store path given")]
    Nothing,
}

/// Builds a composition from store paths.
///
/// # Errors
/// If the store or the base cannot be read, or if linked contents conflict.
pub fn compose(
    store: &LocalStore,
    wanted: &FromStore,
    base: Option<Base<'_>>,
    cancel: &Cancel,
) -> Result<Composed, FromStoreError> {
    let named: Vec<&StorePath> = wanted.paths.iter().chain(&wanted.linked).collect();
    if named.is_empty() {
        return Err(FromStoreError::Nothing);
    }
    let found = store.closure_of(&named, cancel)?;
    let notes = Vec::from_iter(found.scanned_because);
    let mut closure: BTreeMap<StorePath, Vec<StorePath>> = found.references.into_iter().collect();
    let (mut base_layers, mut base_described, mut in_base) = (Vec::new(), Vec::new(), Vec::new());
    let mut config = wanted.config.clone();
    if let Some(Base { image }) = base {
        whole(image)?;
        base_layers = image.tree.layer_indices().collect();
        base_described = describe_base(image);
        in_base = closure.keys().filter(|path| is_in(&image.tree, path)).cloned().collect();
        closure.retain(|path, _| in_base.binary_search(path).is_err());
        config = config::over_base(&config, &image.config);
    }
    if config.platform == Platform::default() {
        config.platform = Platform::host();
    }
    let mut composition = Composition { base: base_described, config, ..Composition::default() };
    let places: BTreeMap<&StorePath, u32> = closure.keys().zip(0..).collect();
    for (path, references) in &closure {
        cancel.check().map_err(|_| StoreError::Cancelled)?;
        let mut composed = walk::store_path(store, path, cancel)?;
        composed.references = references.iter().filter_map(|reference| places.get(reference).copied()).collect();
        composed.references.sort_unstable();
        if wanted.paths.contains(path) || wanted.linked.contains(path) {
            composed.stability = Stability::Application;
        }
        composition.store_paths.push(composed);
    }
    composition.outside = farm::link(store, &wanted.linked, base.map(|base| &base.image.tree), cancel)?;
    Ok(Composed { composition, base_layers, in_base, notes })
}

/// Returns `true` if a store path is visible in an image.
fn is_in(tree: &FileTree, path: &StorePath) -> bool {
    let node = tree.lookup(path.to_string().as_bytes());
    node.zip(tree.top_layer()).is_some_and(|(node, top)| tree.exists_at(node, top))
}

/// Returns the layers of a base with their history. If the history does not match the layers, each layer has none.
fn describe_base(image: &Image) -> Vec<BaseLayer> {
    let mut layers: Vec<BaseLayer> = image
        .layers
        .iter()
        .map(|layer| BaseLayer {
            diff_id: layer.diff_id.clone(),
            unpacked_bytes: layer.unpacked_bytes,
            history: Vec::new(),
        })
        .collect();
    let history = &image.config.history;
    let fits = history.iter().filter(|entry| !entry.empty_layer).count() == layers.len();
    let mut place = 0;
    for entry in history.iter().filter(|_| fits) {
        // History entries after the last layer are attached to it.
        let at = place.min(layers.len().saturating_sub(1));
        if let Some(layer) = layers.get_mut(at) {
            layer.history.push(entry.clone());
        }
        place += usize::from(!entry.empty_layer);
    }
    for layer in layers.iter_mut().filter(|layer| layer.history.iter().all(|entry| entry.empty_layer)) {
        layer.history.push(nixdive_image::HistoryEntry::default());
    }
    layers
}
