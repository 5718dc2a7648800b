//! The JSON report, `nixdive.inspect/1`: integer bytes, a fixed order, `null` for what is not known.

mod config;
mod findings;
mod packages;
mod store;
mod waste;

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Inspection;
use super::names::{hexadecimal, replaced};
use super::sections::is_of_windows;
use config::ConfigDocument;
use findings::FindingDocument;
use nixdive_image::{Config, Digest, DigestCheck, FileTree, Image, Layer, LayerContents, LayerIndex, Measured, NodeId};
use packages::PackageDocument;
use store::{BuilderDocument, StoreDocument, StorePaths};
use waste::{Each, RemovedList, WasteList};

pub(super) use store::{SourceDocument, store_path};

/// Name and version of the JSON report's form.
pub const INSPECT_SCHEMA: &str = "nixdive.inspect/1";

/// An absolute path in a JSON document: `path` with U+FFFD for bytes that are not UTF-8, and only then `pathBytes`, all
/// of the path in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentPath {
    /// For people.
    pub path: String,
    /// For programs, where `path` has lost something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
}

impl DocumentPath {
    /// The path of a node.
    #[must_use]
    pub fn new(tree: &FileTree, node: NodeId) -> Self {
        let bytes = tree.path(node);
        let path_bytes = std::str::from_utf8(&bytes).is_err().then(|| hexadecimal(&bytes));
        Self { path: replaced(&bytes).into_owned(), path_bytes }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    schema: &'static str,
    generator: &'static str,
    /// `image`, or `windows-image`.
    kind: &'static str,
    identity: IdentityDocument<'a>,
    platform: PlatformDocument<'a>,
    figures: FiguresDocument,
    layers: Vec<LayerDocument<'a>>,
    config: ConfigDocument<'a>,
    largest_files: Vec<LargestFileDocument>,
    largest_directories: Vec<LargestDirectoryDocument>,
    packages: Option<Vec<PackageDocument<'a>>>,
    builder: Option<BuilderDocument>,
    store_paths: StorePaths<'a>,
    store: Option<StoreDocument<'a>>,
    /// `null` where nobody asked for findings.
    findings: Option<Vec<FindingDocument>>,
    /// File bytes that all findings together would save, each counted once.
    reclaimable_bytes: Option<u64>,
    waste: Each<WasteList<'a>>,
    removed_directories: Each<RemovedList<'a>>,
    /// True if the whole image could be read, and nothing is known to differ from its description.
    complete: bool,
    warnings: Vec<WarningDocument<'a>>,
}

impl<'a> Document<'a> {
    pub fn new(inspection: &'a Inspection<'a>) -> Self {
        let image = inspection.image;
        let tree = &image.tree;
        let files = inspection.largest_files.iter().map(|file| LargestFileDocument {
            path: DocumentPath::new(tree, file.node),
            bytes: file.bytes,
            layer: file.layer.0,
        });
        let directories = inspection.largest_directories.iter().map(|directory| LargestDirectoryDocument {
            path: DocumentPath::new(tree, directory.node),
            bytes: directory.totals.bytes,
            entries: directory.totals.entries,
        });
        Self {
            schema: INSPECT_SCHEMA,
            generator: concat!("nixdive ", env!("CARGO_PKG_VERSION")),
            kind: if is_of_windows(image) { "windows-image" } else { "image" },
            identity: IdentityDocument::new(image),
            platform: PlatformDocument::new(&image.config),
            figures: FiguresDocument::new(inspection),
            layers: image
                .layers
                .iter()
                .enumerate()
                .map(|(index, layer)| LayerDocument::new(image, index, layer))
                .collect(),
            config: ConfigDocument::new(&image.config),
            largest_files: files.collect(),
            largest_directories: directories.collect(),
            packages: inspection.packages.map(packages::documents),
            builder: inspection.store.and_then(|study| study.builder.as_ref()).map(BuilderDocument::new),
            store_paths: StorePaths(inspection.store),
            store: inspection.store.map(|study| StoreDocument::new(image, study)),
            findings: inspection.findings.map(|found| findings::documents(inspection, found)),
            reclaimable_bytes: inspection.findings.map(|found| found.reclaimable_bytes),
            waste: Each(WasteList(inspection)),
            removed_directories: Each(RemovedList(inspection)),
            complete: image.is_complete(),
            warnings: image
                .warnings
                .iter()
                .map(|warning| WarningDocument { layer: warning.layer.map(|layer| layer.0), message: &warning.message })
                .collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityDocument<'a> {
    requested: &'a str,
    source_kind: &'a str,
    source_compression: Option<&'static str>,
    source_bytes: Option<u64>,
    references: &'a [String],
    manifest_digest: Option<&'a str>,
    config_digest: Option<&'a str>,
}

impl<'a> IdentityDocument<'a> {
    fn new(image: &'a Image) -> Self {
        let identity = &image.identity;
        Self {
            requested: &identity.requested,
            source_kind: &identity.source_kind,
            source_compression: identity.source_compression.map(nixdive_image::Compression::name),
            source_bytes: image.source_bytes,
            references: &identity.references,
            manifest_digest: identity.manifest_digest.as_ref().map(Digest::as_str),
            config_digest: identity.config_digest.as_ref().map(Digest::as_str),
        }
    }
}

#[derive(Serialize)]
struct PlatformDocument<'a> {
    os: Option<&'a str>,
    architecture: Option<&'a str>,
    variant: Option<&'a str>,
}

impl<'a> PlatformDocument<'a> {
    fn new(config: &'a Config) -> Self {
        let platform = &config.platform;
        Self {
            os: known(&platform.os),
            architecture: known(&platform.architecture),
            variant: platform.variant.as_deref(),
        }
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FiguresDocument {
    /// `null`, as other counts, where a layer's contents are not here and nothing tells.
    unpacked_bytes: Option<u64>,
    compressed_bytes: Option<u64>,
    file_bytes: Option<u64>,
    user_file_bytes: Option<u64>,
    visible_file_bytes: Option<u64>,
    entries: Option<u64>,
    efficiency: f64,
    wasted_bytes: u64,
    /// dive's name; a ratio. `null` where something is wasted and the layers above the base hold no bytes.
    user_wasted_percent: Option<f64>,
    dangling_whiteouts: u32,
}

impl FiguresDocument {
    fn new(inspection: &Inspection<'_>) -> Self {
        let figures = &inspection.assessment.figures;
        let layers = &inspection.image.layers;
        let known = |count: u64| (!inspection.image.has_absent_layers()).then_some(count);
        let unpacked_is_known = layers.iter().all(|layer| layer.known_unpacked_bytes().is_some());
        Self {
            unpacked_bytes: unpacked_is_known.then_some(figures.unpacked_bytes),
            compressed_bytes: figures.compressed_bytes,
            file_bytes: known(figures.file_bytes),
            user_file_bytes: known(figures.user_file_bytes),
            visible_file_bytes: known(figures.visible_file_bytes),
            entries: known(layers.iter().map(|layer| layer.entries).fold(0, u64::saturating_add)),
            efficiency: figures.efficiency,
            wasted_bytes: figures.wasted_bytes,
            user_wasted_percent: Some(figures.user_wasted_percent).filter(|ratio| ratio.is_finite()),
            dangling_whiteouts: figures.dangling_whiteouts,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerDocument<'a> {
    index: usize,
    diff_id: Option<&'a str>,
    digest: Option<&'a str>,
    media_type: &'a str,
    compression: &'static str,
    stored_as: &'a str,
    contents: &'static str,
    /// Why its files cannot be read, where they are absent for another reason than that they are store paths.
    unreadable: Option<&'a str>,
    absent_paths: &'a [String],
    /// True if the layer was not read, and its entries come from its table of contents.
    listed: bool,
    /// `null` where the contents are not here and nothing tells.
    unpacked_bytes: Option<u64>,
    compressed_bytes: Option<u64>,
    /// False if the layer lies inside a compressed archive and the size is its estimated share.
    compressed_bytes_exact: Option<bool>,
    file_bytes: Option<u64>,
    entries: Option<u64>,
    added: u32,
    modified: u32,
    unmodified: u32,
    removed: u32,
    removed_bytes: u64,
    command: Cow<'a, str>,
    /// The store paths that it is made of; left out where the source does not list them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    store_paths: &'a [String],
    created_by: Option<&'a str>,
    comment: Option<&'a str>,
    created: Option<&'a str>,
    diff_id_check: &'static str,
    actual_diff_id: Option<&'a str>,
    digest_check: &'static str,
    actual_digest: Option<&'a str>,
    annotations: Pairs<'a>,
}

impl<'a> LayerDocument<'a> {
    fn new(image: &'a Image, index: usize, layer: &'a Layer) -> Self {
        let summary = image.tree.layer_summary(LayerIndex(u16::try_from(index).unwrap_or(u16::MAX)));
        let (diff_id_check, actual_diff_id) = outcome(&layer.diff_id_check);
        let (digest_check, actual_digest) = outcome(&layer.digest_check);
        Self {
            index,
            diff_id: layer.diff_id.as_ref().map(Digest::as_str),
            digest: layer.digest.as_ref().map(Digest::as_str),
            media_type: &layer.media_type,
            compression: layer.compression.name(),
            stored_as: &layer.stored_as,
            absent_paths: match &layer.contents {
                LayerContents::Absent(paths) => paths,
                LayerContents::Present | LayerContents::Broken | LayerContents::Unreadable(_) => &[],
            },
            unreadable: match &layer.contents {
                LayerContents::Unreadable(reason) => Some(reason),
                _ => None,
            },
            contents: match &layer.contents {
                LayerContents::Absent(_) | LayerContents::Unreadable(_) => "absent",
                LayerContents::Present => "present",
                LayerContents::Broken => "incomplete",
            },
            listed: layer.listed,
            unpacked_bytes: layer.known_unpacked_bytes(),
            compressed_bytes: layer.compressed_bytes.map(Measured::bytes),
            compressed_bytes_exact: layer.compressed_bytes.map(|measured| matches!(measured, Measured::Exact(_))),
            file_bytes: layer.known_file_bytes(),
            entries: (!layer.is_absent()).then_some(layer.entries),
            added: summary.added,
            modified: summary.modified,
            unmodified: summary.unmodified,
            removed: summary.removed,
            removed_bytes: summary.removed_bytes,
            command: layer.command(),
            store_paths: &layer.store_paths,
            created_by: layer.created_by.as_deref(),
            comment: layer.comment.as_deref(),
            created: layer.created.as_deref(),
            diff_id_check,
            actual_diff_id,
            digest_check,
            actual_digest,
            annotations: Pairs(&layer.annotations),
        }
    }
}

/// Returns the result of a digest check, and the actual digest if it differs.
fn outcome(check: &DigestCheck) -> (&'static str, Option<&str>) {
    match check {
        DigestCheck::NotChecked => ("notChecked", None),
        DigestCheck::Matches => ("matches", None),
        DigestCheck::Differs { actual } => ("differs", Some(actual.as_str())),
        DigestCheck::NotGiven => ("notGiven", None),
    }
}

#[derive(Serialize)]
struct LargestFileDocument {
    #[serde(flatten)]
    path: DocumentPath,
    bytes: u64,
    layer: u16,
}

#[derive(Serialize)]
struct LargestDirectoryDocument {
    #[serde(flatten)]
    path: DocumentPath,
    bytes: u64,
    entries: u32,
}

#[derive(Serialize)]
struct WarningDocument<'a> {
    layer: Option<u16>,
    message: &'a str,
}

/// Names and values as a JSON object in their order.
pub(super) struct Pairs<'a>(pub &'a [(String, String)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
