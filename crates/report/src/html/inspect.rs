//! The report of one image.

use std::io::{self, Write};

use super::{
    Cell, Digests, Figure, Kind, Markup, Order, Page, Paths, Table, compressed, config, digests, exact, files,
    layers_table, map, warnings,
};
use crate::names::{grouped, one_line, percent};
use crate::{Inspection, findings, sections, store};
use nixdive_analyse::analysis::explain;
use nixdive_analyse::findings::{Finding, Findings, Places};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;

/// Writes an inspection as one file for a browser.
pub(crate) fn write(inspection: &Inspection<'_>, out: &mut dyn Write) -> io::Result<()> {
    let image = inspection.image;
    let mut subtitle = Markup::default();
    digests(image, Digests::Whole, &mut subtitle);
    let mut page = Page::new(&sections::title(image), subtitle);
    page.set_paths(Paths::of_image(image));
    page.section("figures", "Figures", headline(inspection));
    judged(inspection, &mut page);
    let about = "Every area is as large as its file bytes. Choose a directory to look into it.";
    map(&mut page, about);
    if !image.is_closure() {
        page.table_section("layers", "Layers", Markup::default(), layers_table(image));
    }
    if let Some(study) = inspection.store {
        store_paths(inspection, study, &mut page);
    }
    if let Some(inventory) = inspection.packages {
        page.table_section("packages", "Packages", Markup::default(), packages(inventory));
    }
    waste(inspection, &mut page);
    files(&mut page, image);
    page.table_section("config", "Configuration", Markup::default(), config(image));
    page.write(out)
}

fn headline(inspection: &Inspection<'_>) -> Markup {
    let (image, figures) = (inspection.image, &inspection.assessment.figures);
    let entries = image.layers.iter().map(|layer| layer.entries).fold(0, u64::saturating_add);
    let hidden = figures.file_bytes.saturating_sub(figures.visible_file_bytes);
    let above_base = match figures.user_wasted_percent {
        ratio if ratio.is_finite() => format!("{} of the file bytes above the base layer", percent(ratio)),
        _ => String::new(),
    };
    let mut list = vec![
        Figure {
            name: "Unpacked",
            value: display_bytes(figures.unpacked_bytes),
            detail: exact(figures.unpacked_bytes),
            meaning: "The layers' tar streams: about what the image takes on a host.",
        },
        compressed(image),
        Figure {
            name: "Files",
            value: display_bytes(figures.visible_file_bytes),
            detail: format!("and {} hidden by upper layers", display_bytes(hidden)),
            meaning: "The files that a container sees.",
        },
        Figure {
            name: "Layers",
            value: grouped(u64::try_from(image.layers.len()).unwrap_or(u64::MAX)),
            detail: if image.has_absent_layers() { String::new() } else { format!("{} entries", grouped(entries)) },
            meaning: "Each is fetched, kept and shared as a whole.",
        },
        Figure {
            name: "Efficiency",
            value: percent(figures.efficiency),
            detail: String::new(),
            meaning: "Share of bytes that are neither duplicated nor deleted later, as dive counts it.",
        },
        Figure {
            name: "Wasted",
            value: display_bytes(figures.wasted_bytes),
            detail: above_base,
            meaning: "All copies of paths that layers write more than once or remove, as dive counts them.",
        },
    ];
    if image.is_closure() {
        list = vec![Figure {
            name: "Files",
            value: display_bytes(figures.visible_file_bytes),
            detail: format!("{} entries", grouped(entries)),
            meaning: "The files of the closure.",
        }];
    }
    if let Some(study) = inspection.store.filter(|study| study.ids().len() > study.absent_paths()) {
        list.push(Figure {
            name: "Nix store",
            value: display_bytes(study.total_nar_bytes()),
            detail: format!("{} store paths", study.ids().len()),
            meaning: "The store paths' NAR bytes: what Nix gives as their size.",
        });
    }
    if let Some(found) = inspection.findings {
        list.push(Figure {
            name: "Could be saved",
            value: display_bytes(found.reclaimable_bytes),
            detail: format!("by {} findings", found.list.len()),
            meaning: "File bytes that all findings together would save, each counted once.",
        });
    }
    let mut content = Markup::default();
    Figure::write_all(&list, &mut content);
    let odd = image.warnings.iter().map(|warning| warning.message.as_str());
    warnings(
        odd.chain(inspection.store.into_iter().flat_map(|study| study.unread.iter().map(String::as_str))),
        &mut content,
    );
    content
}

fn judged(inspection: &Inspection<'_>, page: &mut Page<'_>) {
    let mut content = Markup::default();
    let Some(found) = inspection.findings else {
        content.open("p", &[]).text("Findings were not requested; run ");
        content.element("code", &[], "nixdive inspect --findings --format html").text(".");
        content.close("p");
        return page.section("findings", "Findings", content);
    };
    content.element("p", &[], &findings::heading(found));
    if let Some(sentence) = findings::unread(found) {
        content.element("p", &[("class", "warning")], &sentence);
    }
    let columns = [
        ("saves", Kind::Bytes),
        ("severity", Kind::Text),
        ("places", Kind::Count),
        ("rule", Kind::Text),
        ("finding", Kind::Text),
    ];
    let mut table = Table::new("findings-table", "Findings, those that save most first", &columns);
    for finding in &found.list {
        table.row(vec![
            Cell::known((finding.bytes > 0).then_some(finding.bytes)),
            Cell::text(finding.severity.name()),
            Cell::number(finding.count),
            Cell::text(finding.rule.id()),
            Cell::text(&finding.title),
        ]);
    }
    if !table.is_empty() {
        page.table(&mut content, table);
        evidence(inspection, found, &mut content);
    }
    page.section("findings", "Findings", content);
}

/// Writes the location and remedy of each finding, folded.
fn evidence(inspection: &Inspection<'_>, found: &Findings, out: &mut Markup) {
    let places = Places { image: inspection.image, store: inspection.store, quote: str::to_owned };
    out.element("h3", &[], "Locations and remedies").line();
    for finding in &found.list {
        out.within("details", &[], |out| {
            out.open("summary", &[]).element("span", &[("class", "rule")], finding.rule.id());
            out.text(" ").text(&finding.title).close("summary");
            out.element("p", &[], finding.remedy);
            hits(finding, places, out);
        });
        out.line();
    }
}

fn hits(finding: &Finding, places: Places<'_>, out: &mut Markup) {
    out.open("ul", &[]);
    for hit in &finding.evidence {
        out.open("li", &[]);
        if hit.bytes > 0 {
            out.element("span", &[("class", "amount")], &display_bytes(hit.bytes)).text(" ");
        }
        out.element("code", &[], &nixdive_base::text::display_in_sentence(&places.describe(hit))).close("li");
    }
    let shown = u64::try_from(finding.evidence.len()).unwrap_or(u64::MAX);
    if finding.count > shown {
        out.element("li", &[], &format!("… and {} more", grouped(finding.count - shown)));
    }
    out.close("ul");
}

fn store_paths(inspection: &Inspection<'_>, study: &StoreStudy, page: &mut Page<'_>) {
    let mut content = Markup::default();
    out_pairs(&store::figures(study, str::to_owned), &mut content);
    let is_closure = inspection.image.is_closure();
    let mut columns = vec![
        ("added", Kind::Bytes),
        ("closure", Kind::Bytes),
        ("NAR", Kind::Bytes),
        ("files", Kind::Count),
        ("name", Kind::Code),
        ("held by", Kind::Code),
        ("store path", Kind::Code),
    ];
    if !is_closure {
        columns.insert(LAYERS_COLUMN, ("layers", Kind::Text));
    }
    let caption = "Store paths; added: bytes that would leave the image with each";
    let mut table = Table::new("store-paths", caption, &columns).sorted(0, Order::Descending);
    for id in study.by_added_bytes() {
        let (Some(known), Some(path)) = (study.store.get(id), study.paths.get(id.index())) else { continue };
        let here = |number: u64| Cell::known((!path.is_absent).then_some(number));
        let layers: Vec<String> =
            known.layers.iter().take(MOST_LAYERS).map(|share| share.layer.0.to_string()).collect();
        let mut cells = vec![
            here(path.added_bytes),
            Cell::known(path.closure_bytes),
            here(study.graph.nar_bytes(id)),
            here(path.files.into()),
            Cell::text(known.path.name()),
            Cell::text(&store::holder(inspection.image, study, id, str::to_owned)),
            Cell::text(&known.path.to_string()),
        ];
        if !is_closure {
            cells.insert(LAYERS_COLUMN, Cell::text(&layers.join(" ")));
        }
        table.row(cells);
    }
    if table.is_empty() {
        return page.section("store", "Nix store", content);
    }
    page.table_section("store", "Nix store", content, table);
}

/// Index of the column with the layers of a store path.
const LAYERS_COLUMN: usize = 4;
/// Layers of one store path that are named.
const MOST_LAYERS: usize = 8;

fn out_pairs(pairs: &[(&'static str, String)], out: &mut Markup) {
    out.open("dl", &[("class", "pairs")]);
    for (name, value) in pairs {
        out.open("div", &[]).element("dt", &[], name).element("dd", &[], value).close("div");
    }
    out.close("dl").line();
}

fn packages(inventory: &Inventory) -> Table {
    let columns = [
        ("installed", Kind::Bytes),
        ("files", Kind::Count),
        ("layer", Kind::Count),
        ("type", Kind::Text),
        ("package", Kind::Code),
        ("version", Kind::Code),
    ];
    let mut table =
        Table::new("packages-table", "Packages of the databases in the image", &columns).sorted(0, Order::Descending);
    let mut indices: Vec<_> = inventory.packages.indices().collect();
    indices.sort_by_key(|&index| std::cmp::Reverse(inventory.installed_bytes(index)));
    for index in indices {
        let (package, owned) = (inventory.packages.get(index), inventory.ownership.of(index));
        table.row(vec![
            Cell::number(inventory.installed_bytes(index)),
            Cell::number(u64::try_from(owned.file_count()).unwrap_or(u64::MAX)),
            Cell::known(owned.layer.map(|layer| layer.0.into())),
            Cell::text(package.kind.as_str()),
            Cell::text(&one_line(&package.name)),
            Cell::text(&one_line(&package.version)),
        ]);
    }
    table
}

fn waste(inspection: &Inspection<'_>, page: &mut Page<'_>) {
    let (image, assessment) = (inspection.image, &inspection.assessment);
    let path = |node| Cell::text(&display_name(&image.tree.path(node)));
    let columns = [
        ("wasted", Kind::Bytes),
        ("times", Kind::Count),
        ("again in layer", Kind::Count),
        ("cause", Kind::Text),
        ("path", Kind::Code),
    ];
    let caption = "Paths stored more than once, or removed again";
    let mut table = Table::new("wasted", caption, &columns).sorted(0, Order::Descending);
    for &wasted in assessment.wasted.iter().take(MOST_WASTED) {
        let cause = explain(image, wasted).cause.describe();
        let layer = Cell::number(wasted.repeated_in.0.into());
        let cells = [Cell::number(wasted.bytes), Cell::number(wasted.count.into()), layer, Cell::text(cause)];
        table.row(cells.into_iter().chain([path(wasted.node)]).collect());
    }
    let columns = [("files", Kind::Bytes), ("removed in layer", Kind::Count), ("path", Kind::Code)];
    let caption = "Directories that are shipped and removed (not in dive's figures)";
    let mut removed = Table::new("removed", caption, &columns).sorted(0, Order::Descending);
    for directory in assessment.removed_directories.iter().take(MOST_WASTED) {
        removed.row(vec![Cell::number(directory.bytes), Cell::number(directory.layer.0.into()), path(directory.node)]);
    }
    if table.is_empty() && removed.is_empty() {
        return;
    }
    let mut content = Markup::default();
    if !table.is_empty() {
        page.table(&mut content, table);
        content.open("ul", &[("class", "remedies")]);
        sections::remedies(inspection).iter().for_each(|remedy| {
            content.element("li", &[], remedy);
        });
        content.close("ul").line();
    }
    if !removed.is_empty() {
        page.table(&mut content, removed);
    }
    page.section("waste", "Waste", content);
}

/// Wasting paths that are looked into.
const MOST_WASTED: usize = 5_000;
