//! Content shared by several images, as one HTML file.

use std::io::{self, Write};

use super::share::{ShareReport, heading, letter};
use crate::html::{Cell, Figure, Kind, Markup, Page, Table, warnings};
use crate::sections::{platform, title};
use nixdive_analyse::compare::{Level, Matrix};
use nixdive_base::text::display_bytes;

/// Steps of the shade of a cell.
const SHADES: u64 = 9;
const SHADE_CLASSES: [&str; 10] = [
    "number shade-0",
    "number shade-1",
    "number shade-2",
    "number shade-3",
    "number shade-4",
    "number shade-5",
    "number shade-6",
    "number shade-7",
    "number shade-8",
    "number shade-9",
];

pub(super) fn write(report: &ShareReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut subtitle = Markup::default();
    let meaning = "What several images take on one host, and how much of it they have in common.";
    subtitle.element("p", &[], meaning);
    let mut page = Page::new(&format!("What {} images share", report.images.len()), subtitle);
    page.section("figures", "Figures", figures(report));
    page.table_section("images", "Images", Markup::default(), images(report));
    for matrix in &report.sharing.levels {
        let (id, name) = match matrix.level {
            Level::Layers => ("layers", "Layers"),
            Level::StorePaths => ("store-paths", "Store paths"),
            Level::Content => ("content", "Files"),
        };
        page.section(id, name, shared(matrix));
    }
    page.write(out)
}

fn figures(report: &ShareReport<'_>) -> Markup {
    let list = report.sharing.levels.iter().map(|matrix| Figure {
        name: match matrix.level {
            Level::Layers => "Together, by layers",
            Level::StorePaths => "Together, by store paths",
            Level::Content => "Together, by content",
        },
        value: display_bytes(matrix.together_bytes),
        detail: format!(
            "of {}: {} shared",
            display_bytes(matrix.sum_bytes),
            display_bytes(matrix.sum_bytes.saturating_sub(matrix.together_bytes))
        ),
        meaning: match matrix.level {
            Level::Layers => "On one host that has all images and keeps each layer once, as engines do.",
            Level::StorePaths => "If every store path had a layer of its own: the tar bytes of store paths.",
            Level::Content => "If equal files were kept once: file bytes as containers see them.",
        },
    });
    let list: Vec<Figure> = list.collect();
    let mut content = Markup::default();
    Figure::write_all(&list, &mut content);
    warnings(report.notes.iter().map(String::as_str), &mut content);
    content
}

fn images(report: &ShareReport<'_>) -> Table {
    let columns = [
        ("", Kind::Text),
        ("unpacked", Kind::Bytes),
        ("compressed", Kind::Bytes),
        ("layers", Kind::Count),
        ("platform", Kind::Text),
        ("image", Kind::Code),
    ];
    let mut table = Table::new("images-table", "The images", &columns);
    for (number, image) in report.images.iter().enumerate() {
        table.row(vec![
            Cell::text(&letter(number)),
            Cell::number(image.unpacked_bytes()),
            Cell::known(image.compressed_bytes()),
            Cell::number(u64::try_from(image.layers.len()).unwrap_or(u64::MAX)),
            Cell::text(&platform(image)),
            Cell::text(&title(image)),
        ]);
    }
    table
}

/// The matrix; the darker a cell, the more of the smaller image of both is in the other.
fn shared(matrix: &Matrix) -> Markup {
    let mut content = Markup::default();
    let region = [("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-label", heading(matrix.level))];
    content.open("div", &region).open("table", &[("class", "matrix")]);
    content.element("caption", &[], heading(matrix.level)).open("thead", &[]).open("tr", &[]);
    content.element("td", &[], "");
    for number in 0..matrix.shared.len() {
        content.element("th", &[("scope", "col"), ("class", "number")], &letter(number));
    }
    content.close("tr").close("thead").open("tbody", &[]).line();
    let own = |number: usize| matrix.shared.get(number).and_then(|row| row.get(number)).copied().unwrap_or(0);
    for (row, cells) in matrix.shared.iter().enumerate() {
        content.open("tr", &[]).element("th", &[("scope", "row")], &letter(row));
        for (column, &bytes) in cells.iter().enumerate() {
            let class = if row == column { "number own" } else { shade(bytes, own(row).min(own(column))) };
            content.element("td", &[("class", class)], &display_bytes(bytes));
        }
        content.close("tr").line();
    }
    content.close("tbody").close("table").close("div").line();
    let note = "On the diagonal: the image alone. Elsewhere: what both have; the darker, the more of the smaller one.";
    content.element("p", &[("class", "note")], note);
    content
}

fn shade(bytes: u64, whole: u64) -> &'static str {
    let step = (u128::from(bytes) * u128::from(SHADES)).div_ceil(u128::from(whole).max(1)).min(SHADES.into());
    SHADE_CLASSES.get(usize::try_from(step).unwrap_or(0)).copied().unwrap_or("number")
}
