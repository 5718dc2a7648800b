//! Differences between two images, as tables of a page.

use std::cmp::Reverse;

use super::html::path_cell;
use crate::html::{Cell, Kind, Order, STATIC_ROWS, Table};
use crate::names::{layer_command, one_line};
use nixdive_analyse::compare::{
    AlignedLayer, ComparedPath, ComparedStorePath, Comparison, FileChange, FileChangeKind, LayerChange, StorePathPair,
};
use nixdive_image::{Layer, Measured};

/// Every store path of either side.
pub(super) fn changed_store_paths(comparison: &Comparison<'_>) -> Table {
    let columns = [
        ("difference", Kind::Delta),
        ("change", Kind::Text),
        ("left NAR", Kind::Bytes),
        ("right NAR", Kind::Bytes),
        ("left", Kind::Code),
        ("right", Kind::Code),
    ];
    let changes = &comparison.differences.store;
    let mut rows: Vec<(i64, Vec<Cell>)> = Vec::new();
    let name = |path: Option<&ComparedStorePath>| path.map_or(Cell::Unknown, |path| Cell::text(path.path.name()));
    let mut push = |change: &str, left: Option<&ComparedStorePath>, right: Option<&ComparedStorePath>| {
        let bytes = |path: Option<&ComparedStorePath>| path.map(|path| path.nar_bytes);
        let delta = nixdive_analyse::compare::delta(bytes(left).unwrap_or(0), bytes(right).unwrap_or(0));
        let cells = vec![
            Cell::Number(delta),
            Cell::text(change),
            Cell::known(bytes(left)),
            Cell::known(bytes(right)),
            name(left),
            name(right),
        ];
        rows.push((delta, cells));
    };
    let pairs: [(&str, &[StorePathPair]); 3] =
        [("version", &changes.changed), ("rebuilt", &changes.rebuilt), ("shared", &changes.shared)];
    for (change, list) in pairs {
        for pair in list {
            let change = if pair.same_content && change == "rebuilt" { "rebuilt, equal" } else { change };
            push(change, Some(&pair.left), Some(&pair.right));
        }
    }
    changes.added.iter().for_each(|path| push("added", None, Some(path)));
    changes.removed.iter().for_each(|path| push("removed", Some(path), None));
    let caption = "Store paths of both sides; rebuilt: the same name and version, another hash";
    largest_first(Table::new("store-paths", caption, &columns), rows)
}

pub(super) fn changed_packages(comparison: &Comparison<'_>) -> Table {
    let columns = [
        ("difference", Kind::Delta),
        ("change", Kind::Text),
        ("type", Kind::Text),
        ("package", Kind::Code),
        ("left", Kind::Code),
        ("right", Kind::Code),
    ];
    let (left, right, changes) = (&comparison.left, &comparison.right, &comparison.differences.packages);
    let mut rows: Vec<(i64, Vec<Cell>)> = Vec::new();
    let mut push = |delta: i64, change: &str, package: &nixdive_packages::Package, versions: [Option<&str>; 2]| {
        let mut cells = vec![Cell::Number(delta)];
        cells.extend([change, package.kind.as_str()].map(Cell::text));
        cells.push(Cell::text(&one_line(&package.name)));
        cells.extend(versions.map(|text| text.map_or(Cell::Unknown, |text| Cell::text(&one_line(text)))));
        rows.push((delta, cells));
    };
    for pair in &changes.changed {
        let (before, after) = (left.packages.packages.get(pair.left), right.packages.packages.get(pair.right));
        let change = if pair.version_order.is_lt() { "older" } else { "newer" };
        push(pair.delta, change, after, [Some(&before.version), Some(&after.version)]);
    }
    for &index in &changes.added {
        let package = right.packages.packages.get(index);
        push(
            nixdive_analyse::compare::delta(0, right.packages.installed_bytes(index)),
            "added",
            package,
            [None, Some(&package.version)],
        );
    }
    for &index in &changes.removed {
        let package = left.packages.packages.get(index);
        push(
            nixdive_analyse::compare::delta(left.packages.installed_bytes(index), 0),
            "removed",
            package,
            [Some(&package.version), None],
        );
    }
    let caption = "Packages of the databases in the images that differ; difference: of installed bytes";
    largest_first(Table::new("packages-table", caption, &columns), rows)
}

pub(super) fn layers(comparison: &Comparison<'_>) -> Table {
    let columns = [
        ("left", Kind::Count),
        ("right", Kind::Count),
        ("change", Kind::Text),
        ("unpacked", Kind::Bytes),
        ("compressed", Kind::Bytes),
        ("made by", Kind::Code),
    ];
    let mut table = Table::new("layers-table", "Layers of both sides, base first", &columns);
    for row in &comparison.differences.layers.rows {
        let layer = layer_of(comparison, row);
        let change = match row.change {
            LayerChange::Shared if row.recompressed => "shared, recompressed",
            change => change.as_str(),
        };
        table.row(vec![
            Cell::known(row.left.map(|index| index.0.into())),
            Cell::known(row.right.map(|index| index.0.into())),
            Cell::text(change),
            Cell::known(layer.and_then(Layer::known_unpacked_bytes)),
            Cell::known(layer.and_then(|layer| layer.compressed_bytes).map(Measured::bytes)),
            Cell::text(&layer.map(layer_command).unwrap_or_default()),
        ]);
    }
    table
}

fn layer_of<'a>(comparison: &Comparison<'a>, row: &AlignedLayer) -> Option<&'a Layer> {
    let right = row.right.and_then(|index| comparison.right.image.layers.get(index.index()));
    right.or_else(|| comparison.left.image.layers.get(row.left?.index()))
}

/// The first rows of the table of changed files, of which there are `count`.
pub(super) fn changed_files(comparison: &Comparison<'_>, count: usize) -> Table {
    let columns = [
        ("difference", Kind::Delta),
        ("change", Kind::Text),
        ("left", Kind::Bytes),
        ("right", Kind::Bytes),
        ("path", Kind::Code),
        ("was", Kind::Code),
    ];
    let table = Table::new("files", "Paths that differ; difference: of file bytes", &columns);
    let mut table = table.sorted(0, Order::Descending).of_paths(count);
    let mut largest: Vec<&FileChange> =
        comparison.differences.files.changes.iter().filter(|change| is_told(comparison, change)).collect();
    largest.sort_by_key(|change| Reverse(change.delta().unsigned_abs()));
    for change in largest.into_iter().take(STATIC_ROWS) {
        let bytes = |path: Option<ComparedPath>| Cell::known(path.map(|path| path.file_bytes));
        let path = |side, path: Option<ComparedPath>| path.map_or(Cell::Unknown, |path| path_cell(side, path.node));
        let moved = (change.kind == FileChangeKind::Renamed).then_some(change.left).flatten();
        table.row(vec![
            Cell::Number(change.delta()),
            Cell::text(word(change.kind)),
            bytes(change.left),
            bytes(change.right),
            if change.right.is_some() {
                path(&comparison.right, change.right)
            } else {
                path(&comparison.left, change.left)
            },
            path(&comparison.left, moved),
        ]);
    }
    table
}

/// Returns `true` if a change has a row of its own. Added and removed directories are represented
/// by their contents.
fn is_told(comparison: &Comparison<'_>, change: &FileChange) -> bool {
    let is_directory = |side: &nixdive_analyse::compare::Side<'_>, path: Option<ComparedPath>| {
        let tree = &side.image.tree;
        path.is_some_and(|path| {
            super::document::kind_name(path.occurrence.map(|id| tree.occurrence(id).kind)) == "directory"
        })
    };
    match change.kind {
        FileChangeKind::Added => !is_directory(&comparison.right, change.right),
        FileChangeKind::Removed => !is_directory(&comparison.left, change.left),
        _ => true,
    }
}

fn word(kind: FileChangeKind) -> &'static str {
    match kind {
        FileChangeKind::Added => "added",
        FileChangeKind::Removed => "removed",
        FileChangeKind::Content => "content",
        FileChangeKind::Metadata => "metadata",
        FileChangeKind::Type => "type",
        FileChangeKind::Renamed => "moved",
    }
}

fn largest_first(table: Table, mut rows: Vec<(i64, Vec<Cell>)>) -> Table {
    let mut table = table.sorted(0, Order::Descending);
    rows.sort_by_key(|(delta, _)| Reverse(delta.unsigned_abs()));
    rows.into_iter().for_each(|(_, cells)| table.row(cells));
    table
}
