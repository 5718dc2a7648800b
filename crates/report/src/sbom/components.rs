use nixdive_base::text::display_name;
use nixdive_image::{Image, LayerIndex};
use nixdive_nix::Sha256Hash;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::{Distribution, Inventory, PackageIndex};

use super::purl;

/// A part of an image. Texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Unique in the image: a store path, or kind, name, version and place of a package.
    pub reference: String,
    /// `deb`, `apk`, `rpm`, `python` or `nix`.
    pub kind: &'static str,
    /// Name.
    pub name: String,
    /// Version, or empty.
    pub version: String,
    /// Package URL.
    pub purl: String,
    /// Licence as a package database names it.
    pub licence: Option<String>,
    /// Name and version of the source package, where a database names one.
    pub source: Option<(String, String)>,
    /// NAR hash of a store path.
    pub nar_hash: Option<Sha256Hash>,
    /// Bytes that it takes: the NAR size of a store path.
    pub bytes: u64,
    /// The layer that brings it, the lowest of several.
    pub layer: Option<u16>,
    /// That layer's diffID.
    pub layer_diff_id: Option<String>,
    /// Indices of the store paths that a store path refers to, without itself.
    pub dependencies: Vec<usize>,
}

/// The components, and which of them the image itself names.
pub(super) fn gather(
    image: &Image,
    packages: Option<&Inventory>,
    store: Option<&StoreStudy>,
    distribution: &Distribution,
) -> (Vec<Component>, Vec<usize>) {
    let mut components: Vec<Component> = Vec::new();
    if let Some(inventory) = packages {
        components.extend(inventory.packages.indices().map(|index| of_package(image, inventory, index, distribution)));
    }
    let first = components.len();
    let mut direct: Vec<usize> = (0..first).collect();
    if let Some(study) = store {
        components.extend(study.ids().filter_map(|id| of_store_path(image, study, id, first)));
        let named = study.root_paths().into_iter().map(|id| first + id.index());
        direct.extend(named.filter(|&index| index < components.len()));
    }
    (components, direct)
}

fn shown(text: &str) -> String {
    display_name(text.as_bytes()).into_owned()
}

fn diff_id(image: &Image, layer: Option<LayerIndex>) -> Option<String> {
    image.layers.get(layer?.index())?.diff_id.as_ref().map(ToString::to_string)
}

fn of_package(image: &Image, inventory: &Inventory, index: PackageIndex, distribution: &Distribution) -> Component {
    let package = inventory.packages.get(index);
    let layer = inventory.ownership.of(index).layer;
    let kind = package.kind.as_str();
    let (name, version) = (shown(&package.name), shown(&package.version));
    Component {
        reference: format!("{kind}:{name}@{version}#{}", index.index()),
        kind,
        purl: package.url(distribution),
        licence: package.licence.as_deref().map(shown),
        source: package.source.as_ref().map(|source| {
            let version = source.version.as_ref().unwrap_or(&package.version);
            (shown(&source.name), shown(version))
        }),
        nar_hash: None,
        bytes: inventory.installed_bytes(index),
        layer: layer.map(|layer| layer.0),
        layer_diff_id: diff_id(image, layer),
        dependencies: Vec::new(),
        name,
        version,
    }
}

fn of_store_path(image: &Image, study: &StoreStudy, id: PathId, first: usize) -> Option<Component> {
    let (known, studied) = (study.store.get(id)?, study.paths.get(id.index())?);
    let package = known.path.package();
    let layer = known.layers.first().map(|share| share.layer);
    Some(Component {
        reference: known.path.to_string(),
        kind: "nix",
        name: package.name.to_owned(),
        version: package.version.to_owned(),
        purl: purl::of_store_path(&known.path),
        licence: None,
        source: None,
        nar_hash: studied.nar_hash,
        bytes: study.graph.nar_bytes(id),
        layer: layer.map(|layer| layer.0),
        layer_diff_id: diff_id(image, layer),
        dependencies: study.graph.references(id).iter().filter(|&&to| to != id).map(|to| first + to.index()).collect(),
    })
}
