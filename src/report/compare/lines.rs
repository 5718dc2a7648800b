//! What text, Markdown and HTML say of a comparison, as sections of cells.

use super::grid::{Grid, Section, signed, signed_percent};
use crate::compare::{
    Cause, Comparison, Equivalents, FileChange, FileChangeKind, Grown, GrowthItem, LayerChange, Side, Signal, Software,
    StorePathPair,
};
use crate::image::{FileTree, Layer, LayerIndex, NodeId, display_bytes, display_name};
use crate::nix::graph::PathId;
use crate::packages::PackageIndex;
use crate::report::names::{grouped, layer_command, one_line, shortened};
use crate::report::sections::Quote;
use crate::report::table::Align::{Left, Right};

/// Rows of a list that are shown.
const MOST_ROWS: usize = 20;
/// Rows of a list of details that are shown.
const DETAIL_ROWS: usize = 8;
/// Names that a line lists before it counts.
const NAMED: usize = 3;
const COMMAND_CHARACTERS: usize = 80;
const CAUSE_CHARACTERS: usize = 120;

/// The figures that matter most: name, left, right, difference.
pub(super) fn figures(comparison: &Comparison<'_>) -> Grid {
    let bytes = &comparison.bytes;
    let mut grid = Grid::new(&[("", Left), ("left", Right), ("right", Right), ("difference", Right)]);
    let unpacked = bytes.unpacked;
    grid.row(vec![
        "unpacked".into(),
        display_bytes(unpacked.left),
        display_bytes(unpacked.right),
        format!("{} ({})", signed(unpacked.delta()), signed_percent(unpacked.left, unpacked.right)),
    ]);
    let about = if bytes.compressed_is_exact { "" } else { "~" };
    let known = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes)));
    let (left, right) = (bytes.compressed.left, bytes.compressed.right);
    grid.row(vec![
        "compressed, as stored here".into(),
        known(left),
        known(right),
        match (left, right) {
            (Some(left), Some(right)) => {
                format!("{about}{} ({})", signed(crate::compare::delta(left, right)), signed_percent(left, right))
            }
            _ => "unknown".into(),
        },
    ]);
    let layers = |side: &Side<'_>| side.image.layers.len();
    let (left, right) = (layers(&comparison.left), layers(&comparison.right));
    let shared = comparison.layers.rows.iter().filter(|row| row.change == LayerChange::Shared).count();
    grid.row(vec!["layers".into(), left.to_string(), right.to_string(), format!("{shared} shared")]);
    grid
}

/// The figures of fetching and sending, as sentences.
pub(super) fn transfers(comparison: &Comparison<'_>) -> Vec<String> {
    let bytes = &comparison.bytes;
    let about = if bytes.compressed_is_exact { "" } else { "~" };
    let known = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes)));
    vec![
        format!("Shared by whole layers: {} unpacked", display_bytes(bytes.shared_unpacked)),
        format!("A host with the left image fetches {} for the right one (pull delta)", known(bytes.pull_delta)),
        format!("A registry with the left image is sent {} for the right one (push delta)", known(bytes.push_delta)),
    ]
}

/// `B adds 28 MB unpacked: +27 MB coreutils-9.1 and what it needs (brought by /bin/ls → …), …`.
pub(super) fn headline(comparison: &Comparison<'_>, quote: Quote) -> String {
    let delta = comparison.bytes.unpacked.delta();
    let amount = display_bytes(delta.unsigned_abs());
    let start = match delta {
        0 => "The right image has exactly as many unpacked bytes as the left one".to_owned(),
        1.. => format!("The right image adds {amount} unpacked"),
        _ => format!("The right image saves {amount} unpacked: {}. New in it", savings(comparison)),
    };
    let items = &comparison.growth.items;
    let named = items.iter().take(NAMED).map(|item| {
        let (what, cause) = (what(comparison, item, quote), cause(&comparison.right, item.cause, quote));
        format!("+{} {what} ({cause})", display_bytes(item.bytes))
    });
    let named: Vec<String> = named.collect();
    match items.len().saturating_sub(NAMED) {
        0 if named.is_empty() => format!("{}.", start.trim_end_matches(". New in it")),
        0 => format!("{start}: {}.", named.join(", ")),
        more => format!("{start}: {}, and {more} more.", named.join(", ")),
    }
}

/// The categories that shrank most.
fn savings(comparison: &Comparison<'_>) -> String {
    let mut rows: Vec<_> = comparison.categories.iter().filter(|row| row.bytes.delta() < 0).collect();
    rows.sort_by_key(|row| row.bytes.delta());
    let told = rows.iter().take(NAMED).map(|row| format!("{} {}", signed(row.bytes.delta()), row.category.name()));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "less of what is no file".to_owned() } else { told.join(", ") }
}

/// All sections that have something to say, what matters most first.
pub(super) fn sections(comparison: &Comparison<'_>, quote: Quote) -> Vec<Section> {
    let mut sections = vec![growth(comparison, quote)];
    if let Some(found) = &comparison.equivalents {
        sections.push(categories(comparison));
        sections.extend(equivalents(comparison, found, quote));
    }
    sections.extend(store(comparison, quote));
    sections.push(packages(comparison, quote));
    sections.push(layers(comparison, quote));
    sections.extend(FileChangeKind::ALL.map(|kind| files(comparison, kind, quote)));
    sections.push(config(comparison, quote));
    if comparison.equivalents.is_none() {
        sections.push(categories(comparison));
    }
    sections.retain(|section| !section.grid.is_empty());
    sections
}

fn growth(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let mut grid = Grid::new(&[("bytes", Right), ("what", Left), ("brought by", Left)]);
    let items = &comparison.growth.items;
    for item in items.iter().take(MOST_ROWS) {
        grid.row(vec![
            format!("+{}", display_bytes(item.bytes)),
            what(comparison, item, quote),
            cause(&comparison.right, item.cause, quote),
        ]);
    }
    Section::new("Why it grew", grid, items.len()).unfolded()
}

fn software(side: &Side<'_>, id: PathId) -> String {
    let name = side.store.and_then(|study| study.get_path(id)).map(|path| path.name().to_owned());
    one_line(&name.unwrap_or_default())
}

/// What grew, in a few words.
fn what(comparison: &Comparison<'_>, item: &GrowthItem, quote: Quote) -> String {
    let (left, right) = (&comparison.left, &comparison.right);
    match item.what {
        Grown::StorePath(id) => {
            let name = quote(&software(right, id));
            match item.with.len() {
                0 => name,
                count => {
                    let names: Vec<String> =
                        item.with.iter().take(NAMED).map(|&id| quote(&software(right, id))).collect();
                    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
                    format!("{name} and what it needs: {}{more}", names.join(", "))
                }
            }
        }
        Grown::StorePathFrom(before, after) => {
            let (before, after) = (software(left, before), software(right, after));
            match before == after {
                true => format!("{} (rebuilt)", quote(&after)),
                false => format!("{} → {}", quote(&before), quote(&after)),
            }
        }
        Grown::Package(index) => package(right, index, quote),
        Grown::PackageFrom(pair) => {
            let after = right.packages.packages.get(pair.right);
            let before = one_line(&left.packages.packages.get(pair.left).version);
            let (name, version) = (one_line(&after.name), one_line(&after.version));
            format!("{} {} {} → {}", after.kind.as_str(), quote(&name), quote(&before), quote(&version))
        }
        Grown::Files(layer) => format!("files of no package, in layer {}", layer.0),
    }
}

fn package(side: &Side<'_>, index: PackageIndex, quote: Quote) -> String {
    let package = side.packages.packages.get(index);
    let (name, version) = (one_line(&package.name), one_line(&package.version));
    format!("{} {} {}", package.kind.as_str(), quote(&name), quote(&version))
}

/// What brought it, in a few words.
fn cause(side: &Side<'_>, cause: Cause, quote: Quote) -> String {
    let layer = |index: Option<LayerIndex>| {
        let known = index.and_then(|index| Some((index, side.image.layers.get(index.index())?)));
        match known {
            Some((index, layer)) => {
                let command = shortened(layer_command(layer), COMMAND_CHARACTERS);
                format!("layer {}: {}", index.0, quote(&command))
            }
            None => "a layer that is not known".to_owned(),
        }
    };
    match cause {
        Cause::Root(source) => quote(&shortened(source.describe(side.image), CAUSE_CHARACTERS)),
        Cause::Reference(id) => format!("a reference of {}", quote(&software(side, id))),
        Cause::Unreached(index) => format!("nothing leads to it; {}", layer(index)),
        Cause::Layer(index) => layer(index),
    }
}

fn categories(comparison: &Comparison<'_>) -> Section {
    let mut grid = Grid::new(&[("file bytes for", Left), ("left", Right), ("right", Right), ("difference", Right)]);
    let told = comparison.categories.iter().filter(|row| row.bytes.left > 0 || row.bytes.right > 0);
    for row in told {
        grid.row(vec![
            row.category.name().into(),
            display_bytes(row.bytes.left),
            display_bytes(row.bytes.right),
            signed(row.bytes.delta()),
        ]);
    }
    let count = grid.rows.len();
    Section::new("What the bytes are for", grid, count).unfolded()
}

fn equivalents(comparison: &Comparison<'_>, found: &Equivalents, quote: Quote) -> [Section; 3] {
    let (left, right) = (&comparison.left, &comparison.right);
    let columns = [("left", Left), ("bytes", Right), ("right", Left), ("bytes", Right), ("known by", Left)];
    let mut grid = Grid::new(&columns);
    for group in found.matched.iter().take(MOST_ROWS) {
        let bytes = group.bytes();
        grid.row(vec![
            listed(left, &group.left, quote),
            display_bytes(bytes.left),
            listed(right, &group.right, quote),
            display_bytes(bytes.right),
            group.signals.iter().take(NAMED).map(|signal| known_by(signal, quote)).collect::<Vec<_>>().join(", "),
        ]);
    }
    let only = |title, side: &Side<'_>, list: &[Software]| {
        let mut grid = Grid::new(&[("bytes", Right), ("software", Left)]);
        for software in list.iter().take(MOST_ROWS) {
            grid.row(vec![display_bytes(software.bytes), titled(side, software, quote)]);
        }
        Section::new(title, grid, list.len())
    };
    [
        Section::new("The same software on both sides", grid, found.matched.len()).unfolded(),
        only("Only on the left", left, &found.left_only),
        only("Only on the right", right, &found.right_only),
    ]
}

fn titled(side: &Side<'_>, software: &Software, quote: Quote) -> String {
    let (name, version) = (side.software_name(software.id), side.software_version(software.id));
    let text = if version.is_empty() { name.to_owned() } else { format!("{name} {version}") };
    format!("{} {}", side.software_kind(software.id), quote(&one_line(&text)))
}

fn listed(side: &Side<'_>, list: &[Software], quote: Quote) -> String {
    let mut names: Vec<String> = list.iter().take(NAMED).map(|software| titled(side, software, quote)).collect();
    if list.len() > NAMED {
        names.push(format!("{} more", list.len() - NAMED));
    }
    names.join(", ")
}

fn known_by(signal: &Signal, quote: Quote) -> String {
    match signal {
        Signal::Name(name) => format!("name {}", quote(&one_line(name))),
        Signal::Soname(name) => quote(&one_line(name)),
        Signal::Program(name) => format!("program {}", quote(&one_line(name))),
    }
}

fn store(comparison: &Comparison<'_>, quote: Quote) -> Vec<Section> {
    let changes = &comparison.store;
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

fn packages(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let (left, right, changes) = (&comparison.left, &comparison.right, &comparison.packages);
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

fn layers(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let mut grid = Grid::new(&[("", Left), ("left", Right), ("right", Right), ("unpacked", Right), ("command", Left)]);
    let rows = &comparison.layers.rows;
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

fn path(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}

fn files(comparison: &Comparison<'_>, kind: FileChangeKind, quote: Quote) -> Section {
    let (left, right) = (&comparison.left.image.tree, &comparison.right.image.tree);
    let changes = comparison.files.of(kind);
    let title = match kind {
        FileChangeKind::Added => "Paths added",
        FileChangeKind::Removed => "Paths removed",
        FileChangeKind::Content => "Files with other content",
        FileChangeKind::Metadata => "Paths with other metadata alone",
        FileChangeKind::Type => "Paths of another type",
        FileChangeKind::Renamed => "Files moved, content the same",
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
    let kind = |side: &Side<'_>, path: Option<crate::compare::ComparedPath>| {
        let tree = &side.image.tree;
        path.map(|path| super::document::kind_name(path.occurrence.map(|id| tree.occurrence(id).kind)))
    };
    let (before, after) = (kind(&comparison.left, change.left), kind(&comparison.right, change.right));
    match change.kind {
        FileChangeKind::Added => after.unwrap_or_default().to_owned(),
        FileChangeKind::Removed => before.unwrap_or_default().to_owned(),
        FileChangeKind::Type => format!("{} → {}", before.unwrap_or_default(), after.unwrap_or_default()),
        _ => super::document::differences(change.difference).join(", "),
    }
}

fn config(comparison: &Comparison<'_>, quote: Quote) -> Section {
    let mut grid = Grid::new(&[("field", Left), ("left", Left), ("right", Left)]);
    let value = |text: &Option<String>| match text {
        None => "∅".to_owned(),
        Some(text) if text.is_empty() => "set".to_owned(),
        Some(text) => quote(&shortened(one_line(text), CAUSE_CHARACTERS)),
    };
    for change in comparison.config.iter().take(MOST_ROWS) {
        let key = change.key.as_deref().map(|key| format!(" {}", quote(&one_line(key)))).unwrap_or_default();
        grid.row(vec![format!("{}{key}", change.field), value(&change.left), value(&change.right)]);
    }
    Section::new("Configuration", grid, comparison.config.len())
}
