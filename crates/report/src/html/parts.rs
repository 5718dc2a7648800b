//! Parts that several reports have.

use super::Page;
use super::escape::Markup;
use super::paths::Paths;
use super::table::STATIC_ROWS;
use super::table::{Cell, Kind, Order, Table};
use crate::names::{field_value, grouped, layer_command};
use crate::sections;
use nixdive_analyse::analysis::largest;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{Digest, Image, Kind as ImageKind, LayerIndex, Measured};

/// A headline figure with what it means.
pub(crate) struct Figure {
    pub name: &'static str,
    pub value: String,
    /// More exactly, or in relation to something.
    pub detail: String,
    pub meaning: &'static str,
}

impl Figure {
    /// Writes some figures side by side.
    pub fn write_all(figures: &[Self], out: &mut Markup) {
        out.open("dl", &[("class", "figures")]).line();
        for figure in figures {
            out.open("div", &[]).element("dt", &[], figure.name);
            out.element("dd", &[("class", "value")], &figure.value);
            if !figure.detail.is_empty() {
                out.element("dd", &[("class", "detail")], &figure.detail);
            }
            out.element("dd", &[("class", "meaning")], figure.meaning).close("div").line();
        }
        out.close("dl").line();
    }
}

/// Returns the stored size of the layers.
pub(crate) fn compressed(image: &Image) -> Figure {
    let bytes = image.compressed_bytes();
    let is_share = has_shares(image);
    let about = if is_share { "~" } else { "" };
    Figure {
        name: "Compressed",
        value: bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes))),
        detail: if is_share { String::new() } else { bytes.map(exact).unwrap_or_default() },
        meaning: match is_share {
            false => "The layers as they are stored here: what a first pull fetches.",
            true => "The layers' share of the compressed archive that they were read from.",
        },
    }
}

/// Returns `true` if a layer lies inside a compressed archive.
fn has_shares(image: &Image) -> bool {
    image.layers.iter().any(|layer| matches!(layer.compressed_bytes, Some(Measured::Share(_))))
}

/// `1,234,567 bytes`; nothing where the figure itself says it.
pub(crate) fn exact(bytes: u64) -> String {
    if bytes < 1000 { String::new() } else { format!("{} bytes", grouped(bytes)) }
}

/// How digests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digests {
    Whole,
    /// Their first digits.
    Short,
}

/// Writes the source of an image and its digests as a list.
pub(crate) fn digests(image: &Image, form: Digests, out: &mut Markup) {
    let written = |digest: &Digest| match form {
        Digests::Whole => digest.as_str().to_owned(),
        Digests::Short => digest.short().to_owned(),
    };
    let identity = &image.identity;
    let mut rows = vec![
        ("Source", format!("{} {}", field_value(&identity.source_kind), field_value(&identity.requested))),
        ("Platform", sections::platform(image)),
    ];
    rows.extend(identity.manifest_digest.as_ref().map(|digest| ("Manifest", written(digest))));
    rows.extend(identity.config_digest.as_ref().map(|digest| ("Image ID", written(digest))));
    rows.extend(image.config.created.as_ref().map(|created| ("Created", field_value(created))));
    out.open("dl", &[("class", "pairs")]);
    for (name, value) in rows {
        out.open("div", &[]).element("dt", &[], name);
        out.within("dd", &[], |out| {
            out.element("code", &[], &value);
        });
        out.close("div");
    }
    out.close("dl").line();
}

/// Writes the warnings about an image.
pub(crate) fn warnings<'n>(notes: impl Iterator<Item = &'n str>, out: &mut Markup) {
    for note in notes.take(MOST_WARNINGS) {
        out.open("p", &[("class", "warning")]).element("strong", &[], "Warning").text(" ");
        out.text(&nixdive_base::text::display_in_sentence(note)).close("p").line();
    }
}

const MOST_WARNINGS: usize = 50;

/// A row a layer.
pub(crate) fn layers_table(image: &Image) -> Table {
    let columns = [
        ("#", Kind::Count),
        ("diffID", Kind::Code),
        ("unpacked", Kind::Bytes),
        ("compressed", Kind::Bytes),
        ("files", Kind::Bytes),
        ("entries", Kind::Count),
        ("added", Kind::Count),
        ("modified", Kind::Count),
        ("removed", Kind::Count),
        ("made by", Kind::Code),
    ];
    let caption = match has_shares(image) {
        false => "Layers, base first",
        true => "Layers, base first; compressed: their share of the archive that they were read from",
    };
    let mut table = Table::new("layers", caption, &columns).sorted(0, Order::Ascending);
    for (index, layer) in image.layers.iter().enumerate() {
        let summary = image.tree.layer_summary(LayerIndex(u16::try_from(index).unwrap_or(u16::MAX)));
        table.row(vec![
            Cell::number(u64::try_from(index).unwrap_or(u64::MAX)),
            Cell::text(layer.diff_id.as_ref().map_or("unknown", |digest| digest.short())),
            Cell::known(layer.known_unpacked_bytes()),
            Cell::known(layer.compressed_bytes.map(Measured::bytes)),
            Cell::known(layer.known_file_bytes()),
            Cell::known((!layer.is_absent()).then_some(layer.entries)),
            Cell::number(summary.added.into()),
            Cell::number(summary.modified.into()),
            Cell::number(summary.removed.into()),
            Cell::text(&layer_command(layer)),
        ]);
    }
    table
}

/// The configuration as names and values.
pub(crate) fn config(image: &Image) -> Table {
    let columns = [("field", Kind::Text), ("value", Kind::Code)];
    let mut table = Table::new("config", "What the configuration sets", &columns);
    for (name, value) in sections::config(image) {
        table.row(vec![Cell::text(name), Cell::text(&value)]);
    }
    table
}

/// The map of the files of one image, as the first section of two that [`files`] ends.
pub(crate) fn map(page: &mut Page<'_>, about: &str) {
    if page.paths.as_ref().is_none_or(Paths::is_empty) {
        return;
    }
    let mut content = Markup::default();
    content.element("p", &[], about);
    content.element("div", &[("class", "map"), ("data-map", "")], "").line();
    page.section("map", "Map", content);
}

/// The table of the files of one image, the largest first.
pub(crate) fn files(page: &mut Page<'_>, image: &Image) {
    let mut columns = vec![("file bytes", Kind::Bytes), ("type", Kind::Text), ("path", Kind::Code)];
    let has_layers = !image.is_closure();
    if has_layers {
        columns.insert(1, ("layer", Kind::Count));
    }
    let caption = if has_layers { "Files as a container sees them" } else { "Files of the closure" };
    let table = Table::new("files", caption, &columns);
    let mut table = table.sorted(0, Order::Descending).of_paths(page.path_rows());
    for file in largest(image, STATIC_ROWS).0 {
        let entry = image.tree.occurrence(file.occurrence);
        let path = display_name(&image.tree.path(file.node)).into_owned();
        let mut cells = vec![Cell::number(file.bytes), Cell::text(type_name(entry.kind)), Cell::text(&path)];
        if has_layers {
            cells.insert(1, Cell::number(file.layer.0.into()));
        }
        table.row(cells);
    }
    let before = left_out(page);
    page.table_section("files", "Files", before, table);
}

/// Returns the name of a kind of entry for the table.
pub(crate) fn type_name(kind: ImageKind) -> &'static str {
    match kind {
        ImageKind::File => "file",
        ImageKind::HardLink => "hard link",
        ImageKind::Symlink => "link",
        ImageKind::CharacterDevice | ImageKind::BlockDevice => "device",
        ImageKind::Fifo => "pipe",
        ImageKind::Directory | ImageKind::OpaqueMark | ImageKind::Whiteout => "directory",
    }
}

/// Describes the content left out of the page.
pub(crate) fn left_out(page: &Page<'_>) -> Markup {
    let mut before = Markup::default();
    let count = page.paths.as_ref().map_or(0, Paths::left_out);
    if count > 0 {
        let sentence = format!(
            "The {} smallest paths are too many for this file: the map counts them in their directories, and no table \
             has them.",
            grouped(u64::try_from(count).unwrap_or(u64::MAX))
        );
        before.element("p", &[("class", "note")], &sentence);
    }
    before
}
