//! The lists of a comparison: store paths, packages, configuration, layers.

use std::cmp::{Ordering, Reverse};

use super::PairPage;
use super::data::{Compared, ComparedImage};
use super::words::{layer_command, one_line, or_none, signed, store_name};
use nixdive_analyse::compare::{
    AlignedLayer, BothSides, ComparedStorePath, Differences, LayerChange, PackagePair, StorePathPair, delta,
};
use nixdive_base::text::display_bytes;
use nixdive_image::{Layer, LayerIndex};
use nixdive_nix::graph::PathId;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::PackageIndex;

/// Rows that a table has at most.
const MOST_ROWS: usize = 200_000;

/// Change that a row describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// On the right side only.
    Added,
    /// On the left side only.
    Removed,
    /// Another one.
    Changed,
    /// The same on both sides.
    Same,
}

impl Mark {
    /// `+`, `-`, `~` or a space.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Removed => "-",
            Self::Changed => "~",
            Self::Same => " ",
        }
    }
}

/// Subject of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A store path of either side, or of both.
    StorePath(BothSides<Option<PathId>>),
    /// A package of either side, or of both.
    Package(BothSides<Option<PackageIndex>>),
    /// A field of the configuration, by its place among the changes.
    Field(usize),
    /// A layer of either side, or of both.
    Layer(BothSides<Option<LayerIndex>>),
}

/// A row: its cells are safe to write to a terminal.
#[derive(Debug, Clone)]
pub struct Row {
    pub mark: Mark,
    pub cells: Vec<String>,
    pub subject: Subject,
}

/// A column: its head, its cells, and the columns of a screen from which on it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub head: &'static str,
    /// 0 for all that is left.
    pub width: usize,
    pub right: bool,
    pub from: u16,
}

const fn figure(head: &'static str, from: u16) -> Column {
    Column { head, width: 9, right: true, from }
}

const fn words(head: &'static str, width: usize, from: u16) -> Column {
    Column { head, width, right: false, from }
}

/// A list with its heads.
#[derive(Debug)]
pub struct Table {
    pub columns: &'static [Column],
    pub rows: Vec<Row>,
    /// Amounts, in words.
    pub words: String,
}

/// The tables of a comparison.
#[derive(Debug)]
pub struct Tables {
    store: Table,
    packages: Table,
    config: Table,
    layers: Table,
}

impl Tables {
    pub fn new(left: &ComparedImage, right: &ComparedImage, differences: &Differences) -> Self {
        Self {
            store: store(left, right, differences),
            packages: packages(left, right, differences),
            config: config(differences),
            layers: layers(left, right, differences),
        }
    }

    pub fn get(&self, page: PairPage) -> Option<&Table> {
        match page {
            PairPage::Files | PairPage::Summary => None,
            PairPage::Store => Some(&self.store),
            PairPage::Packages => Some(&self.packages),
            PairPage::Config => Some(&self.config),
            PairPage::Layers => Some(&self.layers),
        }
    }
}

/// Three cells: both figures and the difference; nothing where a side has none.
fn figures(left: Option<u64>, right: Option<u64>) -> [String; 3] {
    let shown = |bytes: Option<u64>| bytes.map(display_bytes).unwrap_or_default();
    [shown(left), shown(right), signed(delta(left.unwrap_or(0), right.unwrap_or(0)))]
}

fn store(left: &ComparedImage, right: &ComparedImage, differences: &Differences) -> Table {
    const COLUMNS: &[Column] =
        &[figure("Left", 70), figure("Right", 70), figure("Δ NAR", 0), words("What", 9, 0), words("Name", 0, 0)];
    let changes = &differences.store;
    let mut rows: Vec<(u64, Row)> = Vec::new();
    let mut push = |one: Option<&ComparedStorePath>, other: Option<&ComparedStorePath>, mark, what: &str, name| {
        let bytes = (one.map(|path| path.nar_bytes), other.map(|path| path.nar_bytes));
        let [before, after, grown] = figures(bytes.0, bytes.1);
        let cells = vec![before, after, grown, what.to_owned(), name];
        let subject = Subject::StorePath(BothSides { left: one.map(|path| path.id), right: other.map(|path| path.id) });
        let weight = delta(bytes.0.unwrap_or(0), bytes.1.unwrap_or(0)).unsigned_abs();
        rows.push((weight, Row { mark, cells, subject }));
    };
    for pair in &changes.changed {
        let (before, after) = (store_name(left, pair.left.id), store_name(right, pair.right.id));
        let what = match pair.version_order() {
            Ordering::Greater => "newer",
            Ordering::Less => "older",
            Ordering::Equal => "changed",
        };
        push(Some(&pair.left), Some(&pair.right), Mark::Changed, what, format!("{before} → {after}"));
    }
    for pair in &changes.rebuilt {
        let what = if pair.same_content { "same NAR" } else { "rebuilt" };
        push(Some(&pair.left), Some(&pair.right), Mark::Changed, what, store_name(right, pair.right.id));
    }
    for path in &changes.added {
        push(None, Some(path), Mark::Added, "added", store_name(right, path.id));
    }
    for path in &changes.removed {
        push(Some(path), None, Mark::Removed, "removed", store_name(left, path.id));
    }
    rows.sort_by_key(|(weight, _)| Reverse(*weight));
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    let mut shared: Vec<&StorePathPair> = changes.shared.iter().collect();
    shared.sort_by_key(|pair| Reverse(pair.right.nar_bytes));
    rows.extend(shared.into_iter().map(|pair| {
        let [before, after, grown] = figures(Some(pair.left.nar_bytes), Some(pair.right.nar_bytes));
        let cells = vec![before, after, grown, "shared".to_owned(), store_name(right, pair.right.id)];
        let subject = Subject::StorePath(BothSides { left: Some(pair.left.id), right: Some(pair.right.id) });
        Row { mark: Mark::Same, cells, subject }
    }));
    rows.truncate(MOST_ROWS);
    let count = |number: usize, word: &str| (number > 0).then(|| format!("{number} {word}"));
    let told = [
        count(changes.changed.len(), "in another version"),
        count(changes.rebuilt.len(), "rebuilt"),
        count(changes.added.len(), "added"),
        count(changes.removed.len(), "removed"),
        count(changes.shared.len(), "shared")
            .map(|text| format!("{text} ({} of NAR)", display_bytes(changes.shared_nar_bytes()))),
    ];
    Table { columns: COLUMNS, rows, words: told.into_iter().flatten().collect::<Vec<_>>().join(", ") }
}

fn packages(left: &ComparedImage, right: &ComparedImage, differences: &Differences) -> Table {
    const COLUMNS: &[Column] = &[
        figure("Left", 80),
        figure("Right", 80),
        figure("Δ bytes", 0),
        words("Type", 7, 60),
        words("What", 8, 0),
        words("Package", 28, 0),
        words("Version", 0, 0),
    ];
    let changes = &differences.packages;
    let mut rows: Vec<(u64, Row)> = Vec::new();
    let mut push = |one: Option<PackageIndex>, other: Option<PackageIndex>, mark, what: &str| {
        let of = |image: &ComparedImage, index| image.packages.packages.get(index).clone();
        let (before, after) = (one.map(|index| of(left, index)), other.map(|index| of(right, index)));
        let bytes = (
            one.map(|index| left.packages.installed_bytes(index)),
            other.map(|index| right.packages.installed_bytes(index)),
        );
        let [was, is, grown] = figures(bytes.0, bytes.1);
        let Some(any) = after.as_ref().or(before.as_ref()) else { return };
        let version = match (&before, &after) {
            (Some(one), Some(other)) if one.version != other.version => {
                format!("{} → {}", one_line(&one.version), one_line(&other.version))
            }
            _ => one_line(&any.version),
        };
        let cells = vec![was, is, grown, any.kind.as_str().to_owned(), what.to_owned(), one_line(&any.name), version];
        let weight = delta(bytes.0.unwrap_or(0), bytes.1.unwrap_or(0)).unsigned_abs();
        let subject = Subject::Package(BothSides { left: one, right: other });
        rows.push((weight, Row { mark, cells, subject }));
    };
    for PackagePair { left, right, version_order, .. } in &changes.changed {
        let what = match version_order {
            Ordering::Greater => "newer",
            Ordering::Less => "older",
            Ordering::Equal => "changed",
        };
        push(Some(*left), Some(*right), Mark::Changed, what);
    }
    changes.added.iter().for_each(|&index| push(None, Some(index), Mark::Added, "added"));
    changes.removed.iter().for_each(|&index| push(Some(index), None, Mark::Removed, "removed"));
    let differing = changes.changed.len() + changes.added.len() + changes.removed.len();
    for &(one, other) in &changes.unchanged {
        push(Some(one), Some(other), Mark::Same, "same");
    }
    rows.sort_by_key(|(weight, row)| (row.mark == Mark::Same, Reverse(*weight)));
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    rows.truncate(MOST_ROWS);
    let words = format!("{differing} differ, {} are the same on both sides", changes.unchanged.len());
    Table { columns: COLUMNS, rows, words }
}

fn config(differences: &Differences) -> Table {
    const COLUMNS: &[Column] =
        &[words("Field", 14, 0), words("Which", 22, 60), words("Left", 34, 100), words("Right", 0, 0)];
    let row = |(place, change): (usize, &nixdive_analyse::compare::ConfigChange)| {
        let mark = match (&change.left, &change.right) {
            (None, _) => Mark::Added,
            (_, None) => Mark::Removed,
            _ => Mark::Changed,
        };
        let key = change.key.as_deref().map(one_line).unwrap_or_default();
        let (before, after) = (or_none(change.left.as_deref()), or_none(change.right.as_deref()));
        Row { mark, cells: vec![change.field.to_owned(), key, before, after], subject: Subject::Field(place) }
    };
    let rows: Vec<Row> = differences.config.iter().enumerate().take(MOST_ROWS).map(row).collect();
    let words = match rows.len() {
        0 => "no field differs".to_owned(),
        1 => "1 field differs".to_owned(),
        count => format!("{count} fields differ"),
    };
    Table { columns: COLUMNS, rows, words }
}

fn layers(left: &ComparedImage, right: &ComparedImage, differences: &Differences) -> Table {
    const COLUMNS: &[Column] = &[
        Column { head: "Left", width: 5, right: true, from: 0 },
        Column { head: "Right", width: 6, right: true, from: 0 },
        figure("Unpacked", 0),
        Column { head: "Compressed", width: 11, right: true, from: 70 },
        words("What", 12, 0),
        words("Made by", 0, 0),
    ];
    let of = |image: &ComparedImage, index: Option<LayerIndex>| -> Option<Layer> {
        image.image.layers.get(index?.index()).cloned()
    };
    let row = |row: &AlignedLayer| {
        let layer = of(right, row.right).or_else(|| of(left, row.left));
        let number = |index: Option<LayerIndex>| index.map(|index| index.0.to_string()).unwrap_or_default();
        let (mark, what) = match row.change {
            LayerChange::Shared if row.recompressed => (Mark::Same, "recompressed"),
            LayerChange::Shared => (Mark::Same, "shared"),
            LayerChange::Moved => (Mark::Changed, "moved"),
            LayerChange::Added => (Mark::Added, "added"),
            LayerChange::Removed => (Mark::Removed, "removed"),
        };
        let stored = layer.as_ref().and_then(|layer| layer.compressed_bytes).map(|bytes| display_bytes(bytes.bytes()));
        let cells = vec![
            number(row.left),
            number(row.right),
            display_bytes(layer.as_ref().map_or(0, |layer| layer.unpacked_bytes)),
            stored.unwrap_or_default(),
            what.to_owned(),
            layer.as_ref().map(layer_command).unwrap_or_default(),
        ];
        Row { mark, cells, subject: Subject::Layer(BothSides { left: row.left, right: row.right }) }
    };
    let rows: Vec<Row> = differences.layers.rows.iter().map(row).collect();
    let all = [LayerChange::Shared, LayerChange::Moved, LayerChange::Added, LayerChange::Removed];
    let told = all.into_iter().filter_map(|change| {
        let number = differences.layers.rows.iter().filter(|row| row.change == change).count();
        (number > 0).then(|| format!("{number} {}", change.as_str()))
    });
    let words = told.collect::<Vec<_>>().join(", ");
    Table { columns: COLUMNS, rows, words }
}

/// All that is known of what a row is about: labels with values, in full.
pub fn details(compared: &Compared, subject: Subject) -> Vec<(&'static str, String)> {
    match subject {
        Subject::StorePath(ids) => store_details(compared, ids),
        Subject::Package(_) => package_details(compared, subject),
        Subject::Field(place) => match compared.differences.config.get(place) {
            Some(change) => {
                let field = match &change.key {
                    Some(key) => format!("{} {}", change.field, one_line(key)),
                    None => change.field.to_owned(),
                };
                let (before, after) = (or_none(change.left.as_deref()), or_none(change.right.as_deref()));
                vec![("Field", field), ("Left", before), ("Right", after)]
            }
            None => Vec::new(),
        },
        Subject::Layer(ids) => layer_details(compared, ids),
    }
}

fn store_details(compared: &Compared, ids: BothSides<Option<PathId>>) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let known = |image: &ComparedImage, id: PathId| {
        let study = image.store.as_ref()?;
        Some(one_line(&study.get_path(id)?.to_string()))
    };
    for (label, image, id) in [("Left", &compared.left, ids.left), ("Right", &compared.right, ids.right)] {
        if let Some(text) = id.and_then(|id| known(image, id)) {
            found.push((label, text));
        }
    }
    let (image, id) = match (ids.right, ids.left) {
        (Some(id), _) => (&compared.right, id),
        (None, Some(id)) => (&compared.left, id),
        (None, None) => return found,
    };
    if let Some(study) = &image.store {
        found.push(("Why", why(image, study, id)));
    }
    found
}

/// The chain that brings a store path in.
fn why(image: &ComparedImage, study: &StoreStudy, id: PathId) -> String {
    let Some(chain) = study.why(id, false).chains.into_iter().next() else {
        return "unreachable from the configuration and from files outside the store".to_owned();
    };
    let root = chain.reasons.first().map(|source| one_line(&source.describe(&image.image)));
    let names = chain.paths.iter().map(|&id| store_name(image, id));
    root.into_iter().chain(names).collect::<Vec<_>>().join(" → ")
}

fn package_details(compared: &Compared, subject: Subject) -> Vec<(&'static str, String)> {
    let Subject::Package(ids) = subject else { return Vec::new() };
    let mut found = Vec::new();
    for (label, image, index) in [("Left", &compared.left, ids.left), ("Right", &compared.right, ids.right)] {
        let Some(index) = index else { continue };
        let files = image.packages.ownership.files(index).len();
        let layer = image.packages.ownership.of(index).layer;
        let command = layer.and_then(|layer| Some((layer.0, image.image.layers.get(layer.index())?)));
        let by = command.map(|(number, layer)| format!(", layer {number}: {}", layer_command(layer)));
        let bytes = display_bytes(image.packages.installed_bytes(index));
        let name = super::words::package(image, index);
        found.push((label, format!("{name}: {bytes} in {files} files{}", by.unwrap_or_default())));
    }
    found
}

fn layer_details(compared: &Compared, ids: BothSides<Option<LayerIndex>>) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let of = |image: &ComparedImage, index: Option<LayerIndex>| image.image.layers.get(index?.index()).cloned();
    let (left, right) = (of(&compared.left, ids.left), of(&compared.right, ids.right));
    let Some(layer) = right.as_ref().or(left.as_ref()) else { return found };
    found.push(("Made by", layer_command(layer)));
    found.extend(layer.diff_id.as_ref().map(|digest| ("DiffID", digest.to_string())));
    for (label, layer) in [("Left blob", &left), ("Right blob", &right)] {
        found.extend(layer.as_ref().and_then(|layer| Some((label, layer.digest.as_ref()?.to_string()))));
    }
    found
}
