use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::{Assessment, base_layers};
use nixdive_base::text::display_name;
use nixdive_image::{Image, Kind};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;

/// Maximum depth of the directories whose sizes are totalled.
const DIRECTORY_PARTS: usize = 3;

/// The data that rules check: figures, layers, packages, store paths and files of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Name and version of the form.
    pub schema: String,
    /// Program and version that made it.
    pub made_by: String,
    /// The image as it was named.
    pub image: String,
    /// Digest of the manifest, else of the configuration.
    pub digest: Option<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// Figures that are not sums over layers.
    pub totals: Totals,
    /// How many of the lowest layers are the base image's; `None` where that is not known.
    pub base_layers: Option<u16>,
    /// Base first.
    pub layers: Vec<LayerRow>,
    /// In Nix's order.
    pub store_paths: Vec<StorePathRow>,
    /// By kind, name and version.
    pub packages: Vec<PackageRow>,
    /// Directories near the root with all that is visible below them, the largest first.
    pub directories: Vec<PathRow>,
    /// Visible files, the largest first; of a stored baseline only those.
    pub files: Vec<PathRow>,
    /// True if the list of files is complete.
    pub has_all_files: bool,
    /// Minimum size of the listed files: smaller ones are omitted. 0 if all files are listed.
    #[serde(skip)]
    pub files_from_bytes: u64,
    /// Bytes of files by the path patterns that were asked for when it was stored.
    #[serde(default)]
    pub path_bytes: BTreeMap<String, u64>,
}

/// Figures of the whole image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Sum of the layers' unpacked tar streams, bytes; `None` when one of them is not known.
    pub unpacked_bytes: Option<u64>,
    /// Sum of the layers' stored blobs, bytes; `None` when one of them is not known.
    pub compressed_bytes: Option<u64>,
    /// File bytes that a container sees.
    pub visible_file_bytes: u64,
    /// dive's wasted bytes.
    pub wasted_bytes: u64,
    /// Files that a container sees.
    pub files: u64,
}

/// A layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerRow {
    /// Digest of the unpacked layer.
    pub diff_id: Option<String>,
    /// Digest of the stored layer.
    pub digest: Option<String>,
    /// Length of the unpacked tar stream, bytes.
    pub unpacked_bytes: Option<u64>,
    /// Length of the stored blob, bytes.
    pub compressed_bytes: Option<u64>,
    /// Command that created the layer.
    pub command: String,
}

/// A store path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorePathRow {
    /// The whole path.
    pub path: String,
    /// Name without version and output.
    pub name: String,
    /// Version, or empty.
    pub version: String,
    /// Output.
    pub output: String,
    /// NAR size, bytes.
    pub nar_bytes: u64,
}

/// A package of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageRow {
    /// `deb`, `apk`, `rpm`, `python`.
    pub kind: String,
    /// Name as the database writes it.
    pub name: String,
    /// Architecture, or empty.
    pub architecture: String,
    /// Version as the database writes it.
    pub version: String,
    /// Bytes that it takes.
    pub installed_bytes: u64,
}

/// A path and what it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathRow {
    /// The path, safe to print.
    pub path: String,
    /// File bytes; of a directory of all visible files below it.
    pub bytes: u64,
}

impl Snapshot {
    /// Collects the data of an image that rules check, in one pass over its visible entries.
    #[must_use]
    pub fn new(
        image: &Image,
        assessment: &Assessment,
        packages: Option<&Inventory>,
        store: Option<&StoreStudy>,
    ) -> Self {
        let mut snapshot = Self {
            schema: super::BASELINE_SCHEMA.to_owned(),
            made_by: concat!("nixdive ", env!("CARGO_PKG_VERSION")).to_owned(),
            image: display_name(image.identity.requested.as_bytes()).into_owned(),
            digest: image
                .identity
                .manifest_digest
                .as_ref()
                .or(image.identity.config_digest.as_ref())
                .map(ToString::to_string),
            platform: display_name(image.config.platform.to_string().as_bytes()).into_owned(),
            base_layers: base_layers(&image.config),
            layers: image.layers.iter().map(layer_row).collect(),
            store_paths: store.map(store_rows).unwrap_or_default(),
            packages: packages.map(package_rows).unwrap_or_default(),
            has_all_files: true,
            ..Self::default()
        };
        snapshot.add_paths(image);
        let unpacked =
            image.layers.iter().try_fold(0u64, |sum, layer| Some(sum.saturating_add(layer.known_unpacked_bytes()?)));
        snapshot.totals.unpacked_bytes = unpacked;
        snapshot.totals.compressed_bytes = image.compressed_bytes();
        snapshot.totals.visible_file_bytes = assessment.figures.visible_file_bytes;
        snapshot.totals.wasted_bytes = assessment.figures.wasted_bytes;
        snapshot
    }

    fn add_paths(&mut self, image: &Image) {
        let tree = &image.tree;
        let Some(top) = tree.top_layer() else { return };
        for (node, id) in tree.stacked_paths(top) {
            let file = id.map(|id| tree.occurrence(id)).filter(|occurrence| occurrence.kind != Kind::Directory);
            let row = |bytes| PathRow { path: display_name(&tree.path(node)).into_owned(), bytes };
            match file {
                Some(file) => {
                    self.totals.files = self.totals.files.saturating_add(1);
                    self.files.push(row(file.bytes));
                }
                None if tree.depth(node) <= DIRECTORY_PARTS => {
                    self.directories.push(row(tree.totals_at(node, top).bytes));
                }
                None => {}
            }
        }
        sort(&mut self.files);
        sort(&mut self.directories);
    }

    /// The layers of the base image; none where it is not known.
    pub fn base_layers(&self) -> impl Iterator<Item = &LayerRow> {
        self.layers.iter().take(usize::from(self.base_layers.unwrap_or(0)))
    }

    /// The layers above the base image; all where it is not known.
    pub fn own_layers(&self) -> impl Iterator<Item = &LayerRow> {
        self.layers.iter().skip(usize::from(self.base_layers.unwrap_or(0)))
    }

    /// Returns `true` if the image contains a layer with the same content.
    #[must_use]
    pub fn has_layer(&self, layer: &LayerRow) -> bool {
        self.layers.iter().any(|other| match (&other.digest, &layer.digest, &other.diff_id, &layer.diff_id) {
            (Some(left), Some(right), _, _) if left == right => true,
            (_, _, Some(left), Some(right)) => left == right,
            _ => false,
        })
    }
}

/// The largest first, equal ones by path.
pub(super) fn sort(rows: &mut [PathRow]) {
    rows.sort_by(|left, right| right.bytes.cmp(&left.bytes).then_with(|| left.path.cmp(&right.path)));
}

fn layer_row(layer: &nixdive_image::Layer) -> LayerRow {
    LayerRow {
        diff_id: layer.diff_id.as_ref().map(ToString::to_string),
        digest: layer.digest.as_ref().map(ToString::to_string),
        unpacked_bytes: layer.known_unpacked_bytes(),
        compressed_bytes: layer.compressed_bytes.map(nixdive_image::Measured::bytes),
        command: nixdive_base::text::display_in_sentence(&layer.title()),
    }
}

fn store_rows(study: &StoreStudy) -> Vec<StorePathRow> {
    let row = |id| {
        let known = study.store.get(id)?;
        let package = known.path.package();
        Some(StorePathRow {
            path: known.path.to_string(),
            name: package.name.to_owned(),
            version: package.version.to_owned(),
            output: package.output.to_owned(),
            nar_bytes: study.graph.nar_bytes(id),
        })
    };
    study.ids().filter_map(row).collect()
}

fn package_rows(inventory: &Inventory) -> Vec<PackageRow> {
    let shown = |text: &str| display_name(text.as_bytes()).into_owned();
    let row = |index| {
        let package = inventory.packages.get(index);
        PackageRow {
            kind: package.kind.as_str().to_owned(),
            name: shown(&package.name),
            architecture: package.architecture.as_deref().map(shown).unwrap_or_default(),
            version: shown(&package.version),
            installed_bytes: inventory.installed_bytes(index),
        }
    };
    let mut rows: Vec<PackageRow> = inventory.packages.indices().map(row).collect();
    rows.sort();
    rows
}
