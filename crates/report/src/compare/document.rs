//! `nixdive.compare/1`: integer bytes, a fixed order, `null` for what is not known.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::document::{DocumentPath, SourceDocument};
use crate::names::difference_names;
use nixdive_analyse::compare::{
    AlignedLayer, BothSides, Cause, ComparedPath, ComparedStorePath, Comparison, Equivalents, FileChange,
    FileChangeKind, Grown, GrowthItem, Side, Signal, Software, StorePathPair, delta,
};
use nixdive_image::{Digest, FileTree, Image, Kind, LayerIndex, Measured};
use nixdive_nix::graph::PathId;
use nixdive_packages::PackageIndex;

/// Name and version of the JSON form.
pub const COMPARE_SCHEMA: &str = "nixdive.compare/1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    schema: &'static str,
    generator: &'static str,
    left: Value,
    right: Value,
    bytes: Value,
    layers: Vec<Value>,
    files: Files<'a>,
    file_sums: Value,
    store_paths: Value,
    packages: Value,
    config: Vec<Value>,
    categories: Vec<Value>,
    growth: Vec<Value>,
    equivalents: Value,
    /// True if both images could be read completely, and nothing is known to differ from their
    /// descriptions.
    complete: bool,
    warnings: Vec<String>,
    notes: Vec<String>,
}

/// The whole comparison.
pub(super) fn document<'a>(comparison: &'a Comparison<'a>, notes: &[String]) -> Document<'a> {
    let (left, right) = (&comparison.left, &comparison.right);
    let sums = comparison.differences.files.sums;
    Document {
        schema: COMPARE_SCHEMA,
        generator: concat!("nixdive ", env!("CARGO_PKG_VERSION")),
        left: identity(left.image),
        right: identity(right.image),
        bytes: bytes(comparison),
        layers: match comparison.is_of_closures() {
            true => Vec::new(),
            false => comparison.differences.layers.rows.iter().map(|row| layer(left.image, right.image, row)).collect(),
        },
        files: Files(comparison),
        file_sums: json!({
            "addedBytes": sums.added_bytes,
            "removedBytes": sums.removed_bytes,
            "grownBytes": sums.grown_bytes,
            "shrunkBytes": sums.shrunk_bytes,
            "absoluteBytes": sums.absolute_bytes(),
            "unchangedPaths": sums.unchanged_paths,
        }),
        store_paths: store_paths(comparison),
        packages: packages(comparison),
        config: comparison
            .differences
            .config
            .iter()
            .map(|c| json!({ "field": c.field, "key": c.key, "left": c.left, "right": c.right }))
            .collect(),
        categories: comparison.differences.categories.iter().map(category).collect(),
        growth: comparison.differences.growth.items.iter().map(|item| growth(right, item)).collect(),
        equivalents: comparison
            .differences
            .equivalents
            .as_ref()
            .map_or(Value::Null, |found| equivalents(left, right, found)),
        complete: left.image.is_complete() && right.image.is_complete(),
        warnings: [left.image, right.image].into_iter().flat_map(defects).collect(),
        notes: notes.to_vec(),
    }
}

/// In what an image is not whole, or not what it claims, with its name.
pub(super) fn defects(image: &Image) -> impl Iterator<Item = String> {
    image.defects.iter().map(|defect| format!("{}: {}", image.identity.requested, defect.message))
}

/// The changed files by kind, made while they are written.
struct Files<'a>(&'a Comparison<'a>);

/// Changed files of one kind.
struct FilesOf<'a>(&'a Comparison<'a>, FileChangeKind);

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(FileChangeKind::ALL.len()))?;
        for kind in FileChangeKind::ALL {
            map.serialize_entry(kind.as_str(), &FilesOf(self.0, kind))?;
        }
        map.end()
    }
}

impl Serialize for FilesOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(comparison, kind) = self;
        let (left, right) = (comparison.left.image, comparison.right.image);
        serializer
            .collect_seq(comparison.differences.files.of(*kind).into_iter().map(|change| file(left, right, change)))
    }
}

fn identity(image: &Image) -> Value {
    let identity = &image.identity;
    json!({
        "requested": identity.requested,
        "sourceKind": identity.source_kind,
        "references": identity.references,
        "manifestDigest": identity.manifest_digest.as_ref().map(Digest::as_str),
        "configDigest": identity.config_digest.as_ref().map(Digest::as_str),
        "platform": {
            "os": image.config.platform.os,
            "architecture": image.config.platform.architecture,
            "variant": image.config.platform.variant,
        },
    })
}

fn bytes(comparison: &Comparison<'_>) -> Value {
    let bytes = &comparison.differences.bytes;
    let (unpacked, compressed) = (bytes.unpacked, bytes.compressed);
    json!({
        "unpacked": { "left": unpacked.left, "right": unpacked.right, "delta": unpacked.delta() },
        "compressed": {
            "left": compressed.left,
            "right": compressed.right,
            "delta": compressed.delta(),
            "exact": bytes.compressed_is_exact,
        },
        "sharedUnpacked": bytes.shared_unpacked,
        "pullDelta": bytes.pull_delta.filter(|_| !comparison.is_of_closures()),
        "pushDelta": bytes.push_delta.filter(|_| !comparison.is_of_closures()),
    })
}

fn layer(left: &Image, right: &Image, row: &AlignedLayer) -> Value {
    let known = row.right.map(|index| (right, index)).or(row.left.map(|index| (left, index)));
    let layer = known.and_then(|(image, index)| image.layers.get(index.index()));
    json!({
        "change": row.change.as_str(),
        "left": row.left.map(|index| index.0),
        "right": row.right.map(|index| index.0),
        "diffId": layer.and_then(|layer| layer.diff_id.as_ref()).map(Digest::as_str),
        "unpackedBytes": layer.and_then(nixdive_image::Layer::known_unpacked_bytes),
        "compressedBytes": layer.and_then(|layer| layer.compressed_bytes).map(Measured::bytes),
        "recompressed": row.recompressed,
        "command": layer.map(nixdive_image::Layer::command),
    })
}

/// Returns the name of a kind of entry: `file`, `directory`, `symlink` and so on.
pub(super) fn kind_name(kind: Option<Kind>) -> &'static str {
    match kind {
        None | Some(Kind::Directory | Kind::OpaqueMark) => "directory",
        Some(Kind::File | Kind::HardLink) => "file",
        Some(Kind::Symlink) => "symlink",
        Some(Kind::CharacterDevice) => "characterDevice",
        Some(Kind::BlockDevice) => "blockDevice",
        Some(Kind::Fifo) => "fifo",
        Some(Kind::Whiteout) => "whiteout",
    }
}

fn side_of_file(tree: &FileTree, path: &ComparedPath) -> Value {
    let occurrence = path.occurrence.map(|id| tree.occurrence(id));
    json!({
        "type": kind_name(occurrence.map(|occurrence| occurrence.kind)),
        "bytes": path.file_bytes,
        "mode": occurrence.map(|occurrence| format!("{:04o}", occurrence.mode())),
        "uid": path.occurrence.map(|id| tree.owner(id).uid),
        "gid": path.occurrence.map(|id| tree.owner(id).gid),
        "layer": occurrence.map(|occurrence| occurrence.layer.0),
    })
}

fn file(left: &Image, right: &Image, change: &FileChange) -> Value {
    let mut object = Map::new();
    let path = match (&change.right, &change.left) {
        (Some(path), _) => Some(DocumentPath::new(&right.tree, path.node)),
        (None, Some(path)) => Some(DocumentPath::new(&left.tree, path.node)),
        (None, None) => None,
    };
    let mut insert = |path: Option<DocumentPath>, name: &str, bytes_name: &str| {
        if let Some(path) = path {
            object.insert(name.to_owned(), path.path.into());
            object.extend(path.path_bytes.map(|bytes| (bytes_name.to_owned(), bytes.into())));
        }
    };
    insert(path, "path", "pathBytes");
    if change.kind == FileChangeKind::Renamed {
        insert(change.left.map(|path| DocumentPath::new(&left.tree, path.node)), "from", "fromBytes");
    }
    object.insert("delta".to_owned(), change.delta().into());
    object.insert("left".to_owned(), change.left.map_or(Value::Null, |path| side_of_file(&left.tree, &path)));
    object.insert("right".to_owned(), change.right.map_or(Value::Null, |path| side_of_file(&right.tree, &path)));
    if !change.difference.is_empty() {
        object.insert("differences".to_owned(), difference_names(change.difference).into());
    }
    Value::Object(object)
}

fn store_path(path: &ComparedStorePath) -> Value {
    let package = path.path.package();
    json!({
        "path": path.path.to_string(),
        "name": package.name,
        "version": package.version,
        "output": package.output,
        "narBytes": path.nar_bytes,
    })
}

fn pair(pair: &StorePathPair) -> Value {
    let package = pair.right.path.package();
    json!({
        "name": package.name,
        "output": package.output,
        "left": store_path(&pair.left),
        "right": store_path(&pair.right),
        "delta": pair.delta(),
        "sameContent": pair.same_content,
        "versionOrder": order(pair.version_order()),
    })
}

fn order(order: std::cmp::Ordering) -> &'static str {
    match order {
        std::cmp::Ordering::Less => "older",
        std::cmp::Ordering::Equal => "equal",
        std::cmp::Ordering::Greater => "newer",
    }
}

fn store_paths(comparison: &Comparison<'_>) -> Value {
    let store = &comparison.differences.store;
    let pairs = |list: &[StorePathPair]| list.iter().map(pair).collect::<Vec<_>>();
    let paths = |list: &[ComparedStorePath]| list.iter().map(store_path).collect::<Vec<_>>();
    json!({
        "shared": pairs(&store.shared),
        "rebuilt": pairs(&store.rebuilt),
        "changed": pairs(&store.changed),
        "added": paths(&store.added),
        "removed": paths(&store.removed),
    })
}

fn package(side: &Side<'_>, index: PackageIndex) -> Value {
    let package = side.packages.packages.get(index);
    json!({
        "type": package.kind.as_str(),
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "installedBytes": side.packages.installed_bytes(index),
        "layer": side.packages.ownership.of(index).layer.map(|layer| layer.0),
    })
}

fn packages(comparison: &Comparison<'_>) -> Value {
    let (left, right, packages) = (&comparison.left, &comparison.right, &comparison.differences.packages);
    let changed = packages.changed.iter().map(|pair| {
        let (before, after) = (left.packages.packages.get(pair.left), right.packages.packages.get(pair.right));
        json!({
            "type": after.kind.as_str(),
            "name": after.name,
            "architecture": after.architecture,
            "leftVersion": before.version,
            "rightVersion": after.version,
            "versionOrder": order(pair.version_order),
            "leftInstalledBytes": left.packages.installed_bytes(pair.left),
            "rightInstalledBytes": right.packages.installed_bytes(pair.right),
            "delta": pair.delta,
        })
    });
    json!({
        "changed": changed.collect::<Vec<_>>(),
        "added": packages.added.iter().map(|&index| package(right, index)).collect::<Vec<_>>(),
        "removed": packages.removed.iter().map(|&index| package(left, index)).collect::<Vec<_>>(),
        "unchanged": packages.unchanged.len(),
    })
}

fn category(row: &nixdive_analyse::compare::CategoryBytes) -> Value {
    let BothSides { left, right } = row.bytes;
    json!({
        "category": row.category.id(),
        "name": row.category.name(),
        "left": left,
        "right": right,
        "delta": delta(left, right),
    })
}

fn path_of(side: &Side<'_>, id: PathId) -> String {
    side.store.and_then(|study| study.get_path(id)).map(ToString::to_string).unwrap_or_default()
}

fn growth(side: &Side<'_>, item: &GrowthItem) -> Value {
    let (kind, what) = match item.what {
        Grown::StorePath(id) => ("storePathAdded", Value::from(path_of(side, id))),
        Grown::StorePathFrom(_, id) => ("storePathChanged", path_of(side, id).into()),
        Grown::Package(index) => ("packageAdded", package(side, index)),
        Grown::PackageFrom(pair) => ("packageChanged", package(side, pair.right)),
        Grown::Files { layer, largest, count } => {
            let largest = DocumentPath::new(&side.image.tree, largest);
            ("files", json!({ "layer": layer.0, "largest": largest, "count": count }))
        }
    };
    json!({
        "kind": kind,
        "what": what,
        "bytes": item.bytes,
        "with": item.with.iter().map(|&id| path_of(side, id)).collect::<Vec<_>>(),
        "chain": item.chain.iter().map(|&id| path_of(side, id)).collect::<Vec<_>>(),
        "cause": cause(side, item.cause),
    })
}

fn cause(side: &Side<'_>, cause: Cause) -> Value {
    let layer = |kind: &str, index: Option<LayerIndex>| {
        let layer = index.and_then(|index| side.image.layers.get(index.index()));
        json!({
            "kind": kind,
            "layer": index.map(|index| index.0),
            "command": layer.map(nixdive_image::Layer::command),
        })
    };
    match cause {
        Cause::Root(source) => json!({ "kind": "root", "source": SourceDocument::new(side.image, source) }),
        Cause::Reference(id) => json!({ "kind": "reference", "path": path_of(side, id) }),
        Cause::Unreached(index) => layer("unreached", index),
        Cause::Layer(index) => layer("layer", index),
    }
}

fn software(side: &Side<'_>, found: &Software) -> Value {
    json!({
        "type": side.software_kind(found.id),
        "name": side.software_name(found.id),
        "version": side.software_version(found.id),
        "bytes": found.bytes,
    })
}

fn equivalents(left: &Side<'_>, right: &Side<'_>, found: &Equivalents) -> Value {
    let list = |side: &Side<'_>, list: &[Software]| list.iter().map(|found| software(side, found)).collect::<Vec<_>>();
    let signal = |signal: &Signal| match signal {
        Signal::Name(name) => json!({ "kind": "name", "name": name }),
        Signal::Soname(name) => json!({ "kind": "soname", "name": name }),
        Signal::Program(name) => json!({ "kind": "program", "name": name }),
    };
    let matched = found.matched.iter().map(|group| {
        let bytes = group.bytes();
        json!({
            "left": list(left, &group.left),
            "right": list(right, &group.right),
            "leftBytes": bytes.left,
            "rightBytes": bytes.right,
            "delta": bytes.delta(),
            "by": group.signals.iter().map(signal).collect::<Vec<_>>(),
        })
    });
    json!({
        "matched": matched.collect::<Vec<_>>(),
        "leftOnly": list(left, &found.left_only),
        "rightOnly": list(right, &found.right_only),
    })
}
