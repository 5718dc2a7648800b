//! The sections of a comparison that tell all of one thing.

use super::document::kind_name;
use super::grid::{Grid, Section, signed};
use super::lines::{CAUSE_CHARACTERS, COMMAND_CHARACTERS, MOST_ROWS};
use crate::names::{difference_names, grouped, layer_command, one_line, shortened};
use crate::sections::Quote;
use crate::table::Align::{Left, Right};
use nixdive_analyse::compare::{
    ComparedPath, Comparison, FileChange, FileChangeKind, LayerChange, Side, StorePathPair,
};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{FileTree, Layer, LayerIndex, NodeId};
use nixdive_packages::PackageIndex;

/// Rows of a list of details that are shown.
const DETAIL_ROWS: usize = 8;

pub(super) fn store(comparison: &Comparison<'_>, quote: Quote) -> Vec<Section> {
    let changes = &comparison.differences.store;
    let columns = [("NAR bytes", Right), ("difference", Right), ("store path", Left)];
    let pairs = |title: &'static str, list: &[StorePathPair]| {
        let mut grid = Grid::new(&columns);
        for pair in list.iter().take(DETAIL_ROWS) {
            let (before, after) = (one_line(pair.left.path.name()), one_line(pair.right.path.name()));
            let name =
                if before == after { quote(&after) } else { format!("{} → {}", quote(&before), quote(&after)) };
            let same = if pair.same_content { " (equal content)" } else { "" };
            grid.row(vec![display_bytes(pair.right.nar_bytes), signed(pair.delta()), format!("{name}{same}")]);
        }
        Section::new(title, grid, list.len())
    };
    let mut added = Grid::new(&columns);
    for path in changes.added.iter().take(DETAIL_ROWS) {
        let bytes = i64::try_from(path.nar_bytes).unwrap_or(i64::MAX);
        added.row(vec![display_bytes(path.nar_bytes), signed(bytes), quote(&one_line(path.path.name()))]);
    }
    let mut removed = Grid::new(&columns);
    for path in changes.removed.iter().take(DETAIL_ROWS) {
        let bytes = i64::try_from(path.nar_bytes).unwrap_or(i64::MAX);
        removed.row(vec![display_bytes(path.nar_bytes), signed(-bytes), quote(&one_line(path.path.name()))]);
    }
    let mut shared = Grid::new(&[("shared NAR bytes", Right), ("store paths", Right)]);
    if !changes.shared.is_empty() {
        let count = u64::try_from(changes.shared.len()).unwrap_or(u64::MAX);
        shared.row(vec![display_bytes(changes.shared_nar_bytes()), grouped(count)]);
    }
    vec![
        pairs("Store paths in another version", &changes.changed),
        Section::new("Store paths added", added, changes.added.len()),
        Section::new("Store paths removed", removed, changes.removed.len()),
        pairs("Store paths rebuilt: same name and version, other hash", &changes.rebuilt),
        Section::new("Store paths shared", shared, 1),
    ]
}

pub(super) fn packages(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let (left, right, changes) = (&comparison.left, &comparison.right, &comparison.differences.packages);
    let mut grid =
        Grid::new(&[("difference", Right), ("type", Left), ("package", Left), ("left", Left), ("right", Left)]);
    let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
    let mut push = |delta: i64, side: &Side<'_>, index: PackageIndex, before: &str, after: &str| {
        let package = side.packages.packages.get(index);
        let version = |text: &str| if text == "∅" { text.to_owned() } else { quote(&one_line(text)) };
        let kind = package.kind.as_str().to_owned();
        let cells = vec![signed(delta), kind, quote(&one_line(&package.name)), version(before), version(after)];
        rows.push((delta.unsigned_abs(), cells));
    };
    for pair in &changes.changed {
        let before = &left.packages.packages.get(pair.left).version;
        push(pair.delta, right, pair.right, before, &right.packages.packages.get(pair.right).version);
    }
    for &index in &changes.added {
        let bytes = i64::try_from(right.packages.installed_bytes(index)).unwrap_or(i64::MAX);
        push(bytes, right, index, "∅", &right.packages.packages.get(index).version);
    }
    for &index in &changes.removed {
        let bytes = i64::try_from(left.packages.installed_bytes(index)).unwrap_or(i64::MAX);
        push(-bytes, left, index, &left.packages.packages.get(index).version, "∅");
    }
    let count = rows.len();
    rows.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    rows.into_iter().take(MOST_ROWS).for_each(|(_, cells)| grid.row(cells));
    let title = format!(
        "Packages: {} changed, {} added, {} removed, {} as before",
        changes.changed.len(),
        changes.added.len(),
        changes.removed.len(),
        changes.unchanged.len()
    );
    Section::new(&title, grid, count)
}

pub(super) fn layers(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let mut grid = Grid::new(&[("", Left), ("left", Right), ("right", Right), ("unpacked", Right), ("command", Left)]);
    let rows = &comparison.differences.layers.rows;
    let count = |change| rows.iter().filter(|row| row.change == change).count();
    let title = format!(
        "Layers: {} shared, {} added, {} removed, {} moved",
        count(LayerChange::Shared),
        count(LayerChange::Added),
        count(LayerChange::Removed),
        count(LayerChange::Moved) / 2
    );
    let told: Vec<_> = rows.iter().filter(|row| row.change != LayerChange::Shared || row.recompressed).collect();
    for row in told.iter().take(DETAIL_ROWS) {
        let (image, index) = match (row.right, row.left) {
            (Some(index), _) => (comparison.right.image, index),
            (None, Some(index)) => (comparison.left.image, index),
            (None, None) => continue,
        };
        let layer: Option<&Layer> = image.layers.get(index.index());
        let number = |index: Option<LayerIndex>| index.map(|index| index.0.to_string()).unwrap_or_default();
        let mark = match row.change {
            LayerChange::Added => "+",
            LayerChange::Removed => "-",
            LayerChange::Moved => "~ moved",
            LayerChange::Shared => "= recompressed",
        };
        grid.row(vec![
            mark.into(),
            number(row.left),
            number(row.right),
            layer.and_then(Layer::known_unpacked_bytes).map_or("unknown".into(), display_bytes),
            layer.map(|layer| quote(&shortened(layer_command(layer), COMMAND_CHARACTERS))).unwrap_or_default(),
        ]);
    }
    Section::new(&title, grid, told.len())
}

pub(super) fn path(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}

pub(super) fn files(comparison: &Comparison<'_>, kind: FileChangeKind, quote: Quote) -> Section {
    let (left, right) = (&comparison.left.image.tree, &comparison.right.image.tree);
    let changes = comparison.differences.files.of(kind);
    let title = match kind {
        FileChangeKind::Added => "Paths added",
        FileChangeKind::Removed => "Paths removed",
        FileChangeKind::Content => "Files with changed content",
        FileChangeKind::Metadata => "Paths with only metadata changes",
        FileChangeKind::Type => "Paths with changed type",
        FileChangeKind::Renamed => "Files moved without changes",
    };
    let mut grid = Grid::new(&[("difference", Right), ("what", Left), ("path", Left)]);
    for change in changes.iter().take(DETAIL_ROWS) {
        let name = match (change.left, change.right) {
            (Some(before), Some(after)) if kind == FileChangeKind::Renamed => {
                format!("{} → {}", quote(&path(left, before.node)), quote(&path(right, after.node)))
            }
            (_, Some(after)) => quote(&path(right, after.node)),
            (Some(before), None) => quote(&path(left, before.node)),
            (None, None) => continue,
        };
        grid.row(vec![signed(change.delta()), in_words(comparison, change), name]);
    }
    Section::new(title, grid, changes.len())
}

/// `file`, `mode, owner`, `file → symlink`.
fn in_words(comparison: &Comparison<'_>, change: &FileChange) -> String {
    let kind = |side: &Side<'_>, path: Option<ComparedPath>| {
        let tree = &side.image.tree;
        path.map(|path| kind_name(path.occurrence.map(|id| tree.occurrence(id).kind)))
    };
    let (before, after) = (kind(&comparison.left, change.left), kind(&comparison.right, change.right));
    match change.kind {
        FileChangeKind::Added => after.unwrap_or_default().to_owned(),
        FileChangeKind::Removed => before.unwrap_or_default().to_owned(),
        FileChangeKind::Type => format!("{} → {}", before.unwrap_or_default(), after.unwrap_or_default()),
        _ => difference_names(change.difference).join(", "),
    }
}

pub(super) fn config(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let mut grid = Grid::new(&[("field", Left), ("left", Left), ("right", Left)]);
    let value = |text: &Option<String>| match text {
        None => "∅".to_owned(),
        Some(text) if text.is_empty() => "set".to_owned(),
        Some(text) => quote(&shortened(one_line(text), CAUSE_CHARACTERS)),
    };
    for change in comparison.differences.config.iter().take(MOST_ROWS) {
        let key = change.key.as_deref().map(|key| format!(" {}", quote(&one_line(key)))).unwrap_or_default();
        grid.row(vec![format!("{}{key}", change.field), value(&change.left), value(&change.right)]);
    }
    Section::new("Configuration", grid, comparison.differences.config.len())
}
