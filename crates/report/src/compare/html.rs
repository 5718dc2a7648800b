//! The comparison as one file for a browser.

use std::io::{self, Write};

use super::details;
use super::grid::{signed, signed_percent};
use super::html_lists::{changed_files, changed_packages, changed_store_paths, layers};
use super::lines;
use crate::html::{
    Cell, Digests, Fate, Figure, Kind, Markup, Order, Page, Paths, Place, Table, digests, exact, left_out, map,
    warnings,
};
use crate::names::one_line;
use crate::sections::{Quote, title};
use nixdive_analyse::compare::{
    BothSides, Cause, Comparison, Equivalents, FileChangeKind, GrowthItem, LayerChange, Side, Software,
};
use nixdive_base::text::{display_bytes, display_in_sentence};
use nixdive_image::NodeId;

/// Maximum number of causes shown with their chain.
const MOST_WAYS: usize = 40;
/// Store paths of a way, and of what came with one.
const MOST_STEPS: usize = 60;

const PLAIN: Quote = str::to_owned;

pub(super) fn write(comparison: &Comparison<'_>, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    let (left, right) = (comparison.left.image, comparison.right.image);
    let mut subtitle = Markup::default();
    subtitle.open("div", &[("class", "sides")]);
    for (name, image) in [("Left", left), ("Right", right)] {
        subtitle.open("div", &[("class", "side")]).open("p", &[]).element("strong", &[], name).text(" ");
        subtitle.text(&title(image)).close("p");
        digests(image, Digests::Short, &mut subtitle);
        subtitle.close("div").line();
    }
    subtitle.close("div");
    let mut page = Page::new(&format!("{} → {}", title(left), title(right)), subtitle);
    page.set_paths(Paths::of_both(&left.tree, &right.tree, fates(comparison)));
    page.section("figures", "Figures", headline(comparison, notes));
    // What was saved comes before what is new all the same.
    if comparison.headline_delta() > 0 {
        growth("Why it grew", comparison, &mut page);
        categories(comparison, &mut page);
    } else {
        categories(comparison, &mut page);
        growth("What is new, and why", comparison, &mut page);
    }
    if let Some(found) = &comparison.differences.equivalents {
        equivalents(comparison, found, &mut page);
    }
    let about = "Every area is as large as its file bytes: those of the right image, of the left one, or their \
                 difference. Choose a directory to look into it.";
    map(&mut page, about);
    page.table_section("store", "Nix store", Markup::default(), changed_store_paths(comparison));
    page.table_section("packages", "Packages", Markup::default(), changed_packages(comparison));
    if !comparison.is_of_closures() {
        page.table_section("layers", "Layers", Markup::default(), layers(comparison));
    }
    let before = left_out(&page);
    let files = changed_files(comparison, page.path_rows());
    page.table_section("files", "Files", before, files);
    page.table_section("config", "Configuration", Markup::default(), config(comparison));
    page.write(out)
}

/// Returns the changed paths with their kind of change.
fn fates<'a>(comparison: &'a Comparison<'_>) -> impl Iterator<Item = (Place, Fate)> + 'a {
    comparison.differences.files.changes.iter().filter_map(|change| {
        let left: Option<NodeId> = change.left.map(|path| path.node);
        let place = match (change.right, left) {
            (Some(path), _) => Place::Right(path.node),
            (None, Some(node)) => Place::Left(node),
            (None, None) => return None,
        };
        let fate = match (change.kind, left) {
            (FileChangeKind::Added, _) => Fate::Added,
            (FileChangeKind::Removed, _) => Fate::Removed,
            (FileChangeKind::Content, _) => Fate::Content,
            (FileChangeKind::Metadata, _) => Fate::Metadata,
            (FileChangeKind::Type, _) => Fate::Type,
            (FileChangeKind::Renamed, Some(from)) => Fate::MovedFrom(from),
            (FileChangeKind::Renamed, None) => Fate::Added,
        };
        Some((place, fate))
    })
}

fn headline(comparison: &Comparison<'_>, notes: &[String]) -> Markup {
    let mut content = Markup::default();
    content.element("p", &[("class", "verdict")], &lines::headline_without_causes(comparison, PLAIN)).line();
    let bytes = &comparison.differences.bytes;
    let about = if bytes.compressed_is_exact { "" } else { "~" };
    let known = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{about}{}", display_bytes(bytes)));
    let change = |left: u64, right: u64| {
        format!("{} ({})", signed(nixdive_analyse::compare::delta(left, right)), signed_percent(left, right))
    };
    let (unpacked, compressed) = (bytes.unpacked, bytes.compressed);
    let count = |side: &Side<'_>| side.image.layers.len();
    let shared = comparison.differences.layers.rows.iter().filter(|row| row.change == LayerChange::Shared).count();
    if comparison.is_of_closures() {
        closure_figures(comparison, &mut content);
        warnings(notes.iter().map(String::as_str), &mut content);
        return content;
    }
    let figures = [
        Figure {
            name: "Unpacked",
            value: format!("{} → {}", display_bytes(unpacked.left), display_bytes(unpacked.right)),
            detail: change(unpacked.left, unpacked.right),
            meaning: "The layers' tar streams: about what each image takes on a host.",
        },
        Figure {
            name: "Compressed",
            value: format!("{} → {}", known(compressed.left), known(compressed.right)),
            detail: match (compressed.left, compressed.right) {
                (Some(left), Some(right)) => change(left, right),
                _ => String::new(),
            },
            meaning: "The layers as they are stored here.",
        },
        Figure {
            name: "Pull delta",
            value: known(bytes.pull_delta),
            detail: format!("{} unpacked are shared", display_bytes(bytes.shared_unpacked)),
            meaning: "What a host that has the left image fetches for the right one.",
        },
        Figure {
            name: "Push delta",
            value: known(bytes.push_delta),
            detail: bytes.push_delta.filter(|_| about.is_empty()).map(exact).unwrap_or_default(),
            meaning: "What a registry that has the left image is sent for the right one.",
        },
        Figure {
            name: "Layers",
            value: format!("{} → {}", count(&comparison.left), count(&comparison.right)),
            detail: format!("{shared} shared"),
            meaning: "Each is fetched, kept and shared as a whole.",
        },
    ];
    Figure::write_all(&figures, &mut content);
    warnings(notes.iter().map(String::as_str), &mut content);
    content
}

fn closure_figures(comparison: &Comparison<'_>, out: &mut Markup) {
    let [left, right] = comparison.nar_bytes();
    let paths = |side: &Side<'_>| side.store.map_or(0, |study| study.ids().len());
    let figures = [
        Figure {
            name: "NAR",
            value: format!("{} → {}", display_bytes(left), display_bytes(right)),
            detail: format!(
                "{} ({})",
                signed(nixdive_analyse::compare::delta(left, right)),
                signed_percent(left, right)
            ),
            meaning: "The NAR bytes of all store paths: what Nix gives as their size.",
        },
        Figure {
            name: "Store paths",
            value: format!("{} → {}", paths(&comparison.left), paths(&comparison.right)),
            detail: format!("{} shared", comparison.differences.store.shared.len()),
            meaning: "The closures of what was opened.",
        },
    ];
    Figure::write_all(&figures, out);
}

fn growth(heading: &str, comparison: &Comparison<'_>, page: &mut Page<'_>) {
    let items = &comparison.differences.growth.items;
    let columns = [("bytes", Kind::Delta), ("what", Kind::Text), ("brought by", Kind::Text)];
    let caption = "New and larger items in the right image, with their causes";
    let mut table = Table::new("growth-table", caption, &columns).sorted(0, Order::Descending);
    for item in items {
        let cause = lines::cause(&comparison.right, item.cause, PLAIN);
        let bytes = Cell::number(item.bytes);
        table.row(vec![bytes, Cell::text(&lines::what(comparison, item, PLAIN)), Cell::text(&cause)]);
    }
    if table.is_empty() {
        return;
    }
    let mut content = Markup::default();
    page.table(&mut content, table);
    let told: Vec<&GrowthItem> = items.iter().filter(|item| !item.chain.is_empty()).take(MOST_WAYS).collect();
    if !told.is_empty() {
        content.element("h3", &[], "Chain to each store path").line();
    }
    for item in told {
        way(comparison, item, &mut content);
    }
    page.section("growth", heading, content);
}

/// From what names a root to the path that came, and what came with it; folded.
fn way(comparison: &Comparison<'_>, item: &GrowthItem, out: &mut Markup) {
    let right = &comparison.right;
    let name = |&id: &nixdive_nix::graph::PathId| lines::software(right, id);
    out.within("details", &[], |out| {
        out.open("summary", &[]).element("span", &[("class", "amount")], &format!("+{}", display_bytes(item.bytes)));
        out.text(" ").text(&lines::what(comparison, item, PLAIN)).close("summary");
        out.open("ol", &[("class", "way")]);
        if let (Cause::Root(source), true) = (item.cause, item.chain.len() <= MOST_STEPS) {
            out.element("li", &[("class", "root")], &display_in_sentence(&source.describe(right.image)));
        }
        let hidden = item.chain.len().saturating_sub(MOST_STEPS);
        if hidden > 0 {
            out.element("li", &[("class", "root")], &format!("… {hidden} store paths before"));
        }
        for id in item.chain.iter().skip(hidden) {
            out.open("li", &[]).element("code", &[], &name(id)).close("li");
        }
        out.close("ol");
        if !item.with.is_empty() {
            let names: Vec<String> = item.with.iter().take(MOST_STEPS).map(name).collect();
            let more = item.with.len().saturating_sub(MOST_STEPS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            out.element("p", &[], &format!("With it came {}{more}.", names.join(", ")));
        }
    });
    out.line();
}

/// Bytes by what they are for, a pair of bars each.
fn categories(comparison: &Comparison<'_>, page: &mut Page<'_>) {
    let rows: Vec<_> =
        comparison.differences.categories.iter().filter(|row| row.bytes.left > 0 || row.bytes.right > 0).collect();
    let most = rows.iter().map(|row| row.bytes.left.max(row.bytes.right)).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let mut content = Markup::default();
    content.open("div", &[("class", "scroll")]).open("table", &[("class", "bars")]);
    content.element("caption", &[], "File bytes by purpose, including hidden ones").open("thead", &[]);
    content.open("tr", &[]).element("th", &[("scope", "col")], "for");
    content.open("th", &[("scope", "col")]).element("span", &[("class", "key left")], "left").text(" ");
    content.element("span", &[("class", "key right")], "right").close("th");
    for name in ["left", "right", "difference"] {
        content.element("th", &[("scope", "col"), ("class", "number")], name);
    }
    content.close("tr").close("thead").open("tbody", &[]).line();
    for row in rows {
        let BothSides { left, right } = row.bytes;
        let delta = row.bytes.delta();
        content.open("tr", &[]).element("th", &[("scope", "row")], row.category.name());
        content.within("td", &[], |content| bars(row.bytes, most, content));
        content.element("td", &[("class", "number")], &display_bytes(left));
        content.element("td", &[("class", "number")], &display_bytes(right));
        let sign = match delta {
            0 => "number",
            1.. => "number more",
            _ => "number less",
        };
        content.element("td", &[("class", sign)], &signed(delta)).close("tr").line();
    }
    content.close("tbody").close("table").close("div").line();
    page.section("categories", "What the bytes are for", content);
}

fn bars(bytes: BothSides<u64>, most: u64, out: &mut Markup) {
    let width = |bytes: u64| format!("{:.2}", bytes as f64 / most as f64 * 100.0);
    let view = [("class", "bar"), ("viewBox", "0 0 100 10"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")];
    out.open("svg", &view);
    for (class, top, bytes) in [("left", "0", bytes.left), ("right", "5.5", bytes.right)] {
        let attributes = [("class", class), ("x", "0"), ("y", top), ("width", &width(bytes)), ("height", "4.5")];
        out.element("rect", &attributes, "");
    }
    out.close("svg");
}

fn equivalents(comparison: &Comparison<'_>, found: &Equivalents, page: &mut Page<'_>) {
    let (left, right) = (&comparison.left, &comparison.right);
    let columns = [
        ("left bytes", Kind::Bytes),
        ("right bytes", Kind::Bytes),
        ("difference", Kind::Delta),
        ("left", Kind::Code),
        ("right", Kind::Code),
        ("known by", Kind::Text),
    ];
    let mut matched = Table::new("matched", "The same software on both sides", &columns);
    for group in &found.matched {
        let bytes = group.bytes();
        let signals: Vec<String> = group.signals.iter().take(3).map(|signal| lines::known_by(signal, PLAIN)).collect();
        matched.row(vec![
            Cell::number(bytes.left),
            Cell::number(bytes.right),
            Cell::Number(bytes.delta()),
            Cell::text(&lines::listed(left, &group.left, PLAIN)),
            Cell::text(&lines::listed(right, &group.right, PLAIN)),
            Cell::text(&signals.join(", ")),
        ]);
    }
    let mut single = Table::new(
        "one-side",
        "Software on one side alone",
        &[
            ("bytes", Kind::Bytes),
            ("side", Kind::Text),
            ("type", Kind::Text),
            ("name", Kind::Code),
            ("version", Kind::Code),
        ],
    )
    .sorted(0, Order::Descending);
    let of_side = |name: &'static str, side: &'_ Side<'_>, list: &[Software]| -> Vec<(u64, Vec<Cell>)> {
        let row = |software: &Software| {
            let id = software.id;
            let texts = [name, side.software_kind(id), side.software_name(id), side.software_version(id)];
            let cells = texts.map(|text| Cell::text(&one_line(text)));
            (software.bytes, std::iter::once(Cell::number(software.bytes)).chain(cells).collect())
        };
        list.iter().map(row).collect()
    };
    let mut rows = of_side("left", left, &found.left_only);
    rows.extend(of_side("right", right, &found.right_only));
    rows.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    rows.into_iter().for_each(|(_, cells)| single.row(cells));
    let mut content = Markup::default();
    for table in [matched, single].into_iter().filter(|table| !table.is_empty()) {
        page.table(&mut content, table);
    }
    page.section("software", "The same software", content);
}

fn config(comparison: &Comparison<'_>) -> Table {
    let columns = [("field", Kind::Text), ("key", Kind::Code), ("left", Kind::Code), ("right", Kind::Code)];
    let mut table = Table::new("config", "Fields of the configuration that differ", &columns);
    let value = |text: &Option<String>| text.as_ref().map_or(Cell::Unknown, |text| Cell::text(&one_line(text)));
    for change in &comparison.differences.config {
        let key = Cell::text(&one_line(change.key.as_deref().unwrap_or_default()));
        table.row(vec![Cell::text(change.field), key, value(&change.left), value(&change.right)]);
    }
    table
}

/// The path of a node, safe to show.
pub(super) fn path_cell(side: &Side<'_>, node: NodeId) -> Cell {
    Cell::text(&details::path(&side.image.tree, node))
}
