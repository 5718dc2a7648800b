//! Tables that a reader sorts and filters: all rows as data, the first of them as HTML.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::escape::Markup;
use crate::names::{cut, grouped, signed};
use nixdive_base::text::{display_bytes, display_name};

/// Rows that stand in the page itself, for readers without scripts.
pub(crate) const STATIC_ROWS: usize = 20;
/// Rows that a table has at most.
const MOST_ROWS: usize = 10_000;
/// Bytes of text that a table has at most; a page with several stays below a few megabytes.
const MOST_TEXT_BYTES: usize = 600_000;
/// Characters of a cell.
const MOST_CHARACTERS: usize = 400;

/// The type of a column's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Words of ours.
    Text,
    /// Names and values of the image.
    Code,
    /// Bytes.
    Bytes,
    /// Bytes more or fewer.
    Delta,
    /// A number.
    Count,
}

impl Kind {
    fn id(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Code => "code",
            Self::Bytes => "bytes",
            Self::Delta => "delta",
            Self::Count => "count",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Code => "code",
            Self::Bytes | Self::Delta | Self::Count => "number",
        }
    }

    fn show(self, cell: &Cell) -> String {
        match cell {
            Cell::Text(text) => text.clone(),
            Cell::Unknown => "–".to_owned(),
            Cell::Number(number) => match self {
                Self::Delta => signed(*number),
                Self::Bytes => display_bytes(number.unsigned_abs()),
                _ => grouped(number.unsigned_abs()),
            },
        }
    }
}

/// The content of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Text, safe to show.
    Text(String),
    /// A number in the unit of the column.
    Number(i64),
    /// Not known, or not applicable.
    Unknown,
}

impl Cell {
    /// Text; what would steer a reader's eye is spelled, the end of a long one left out.
    pub fn text(text: &str) -> Self {
        Self::Text(cut(display_name(text.as_bytes()).into_owned(), MOST_CHARACTERS, text.len()))
    }

    /// A count or bytes.
    pub fn number(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A count or bytes that may not be known.
    pub fn known(number: Option<u64>) -> Self {
        number.map_or(Self::Unknown, Self::number)
    }
}

/// In which direction the rows come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn id(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
        }
    }
}

/// The source of the rows when the script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From this table's own data.
    Own,
    /// From the paths of the map; the rows here are the first of them.
    Paths,
}

/// Rows of cells under headings.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    id: &'static str,
    caption: String,
    columns: Vec<(String, Kind)>,
    rows: Vec<Vec<Cell>>,
    /// Rows there are, also those that are left out.
    count: usize,
    text_bytes: usize,
    order: Option<(usize, Order)>,
    source: Source,
}

impl Table {
    /// A table without rows. `id` names it within the page.
    pub fn new(id: &'static str, caption: &str, columns: &[(&str, Kind)]) -> Self {
        Self {
            id,
            caption: caption.to_owned(),
            columns: columns.iter().map(|&(name, kind)| (name.to_owned(), kind)).collect(),
            rows: Vec::new(),
            count: 0,
            text_bytes: 0,
            order: None,
            source: Source::Own,
        }
    }

    /// Says by which column the rows are sorted.
    pub fn sorted(self, column: usize, order: Order) -> Self {
        Self { order: Some((column, order)), ..self }
    }

    /// The rows are those of the paths of the map, `count` in all, and only the first are given.
    pub fn of_paths(self, count: usize) -> Self {
        Self { source: Source::Paths, count, ..self }
    }

    /// Adds a row, unless there are too many.
    pub fn row(&mut self, cells: Vec<Cell>) {
        if self.source == Source::Own {
            self.count = self.count.saturating_add(1);
        }
        let text = |cell: &Cell| if let Cell::Text(text) = cell { text.len() } else { 0 };
        let bytes: usize = cells.iter().map(text).sum();
        if self.rows.len() < MOST_ROWS && self.text_bytes.saturating_add(bytes) <= MOST_TEXT_BYTES {
            self.text_bytes += bytes;
            self.rows.push(cells);
        }
    }

    pub fn id(&self) -> &'static str {
        self.id
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first rows.
    pub fn write(&self, out: &mut Markup) {
        let caption = format!("{}-caption", self.id);
        out.open("div", &[("class", "table"), ("data-table", self.id)]);
        let region =
            [("class", "scroll"), ("role", "region"), ("tabindex", "0"), ("aria-labelledby", caption.as_str())];
        out.open("div", &region).open("table", &[]);
        out.element("caption", &[("id", &caption)], &self.caption).line();
        out.open("thead", &[]).open("tr", &[]);
        for (number, (name, kind)) in self.columns.iter().enumerate() {
            let sorted = self.order.filter(|&(column, _)| column == number).map(|(_, order)| order.id());
            let mut attributes = vec![("scope", "col"), ("class", kind.class())];
            attributes.extend(sorted.map(|order| ("aria-sort", order)));
            out.element("th", &attributes, name);
        }
        out.close("tr").close("thead").line().open("tbody", &[]).line();
        for row in self.rows.iter().take(STATIC_ROWS) {
            out.open("tr", &[]);
            for (cell, (_, kind)) in row.iter().zip(&self.columns) {
                write_cell(*kind, cell, out);
            }
            out.close("tr").line();
        }
        out.close("tbody").close("table").close("div");
        out.element("p", &[("class", "rows"), ("role", "status")], &self.status());
        out.close("div").line();
    }

    /// How many rows are shown of how many.
    fn status(&self) -> String {
        let number = |count: usize| grouped(u64::try_from(count).unwrap_or(u64::MAX));
        let shown = self.rows.len().min(STATIC_ROWS);
        if shown < self.count {
            format!("The first {} of {} rows.", number(shown), number(self.count))
        } else {
            String::new()
        }
    }
}

fn write_cell(kind: Kind, cell: &Cell, out: &mut Markup) {
    let shown = kind.show(cell);
    match (kind, cell) {
        (Kind::Code, Cell::Text(_)) => {
            out.within("td", &[("class", "code")], |out| {
                out.element("code", &[], &shown);
            });
        }
        (Kind::Delta, Cell::Number(number)) if *number != 0 => {
            let sign = if *number > 0 { "number more" } else { "number less" };
            out.element("td", &[("class", sign)], &shown);
        }
        _ => {
            out.element("td", &[("class", kind.class())], &shown);
        }
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let columns: Vec<(&str, &str)> = self.columns.iter().map(|(name, kind)| (name.as_str(), kind.id())).collect();
        map.serialize_entry("columns", &columns)?;
        map.serialize_entry("count", &self.count)?;
        map.serialize_entry("order", &self.order.map(|(column, order)| (column, order.id())))?;
        match self.source {
            Source::Own => {
                let values: Vec<Values<'_>> = (0..self.columns.len()).map(|column| Values(self, column)).collect();
                map.serialize_entry("values", &values)?;
            }
            Source::Paths => map.serialize_entry("paths", &true)?,
        }
        map.end()
    }
}

/// The cells of a column.
struct Values<'a>(&'a Table, usize);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for row in &self.0.rows {
            match row.get(self.1) {
                Some(Cell::Text(text)) => values.serialize_element(text)?,
                Some(Cell::Number(number)) => values.serialize_element(number)?,
                Some(Cell::Unknown) | None => values.serialize_element(&())?,
            }
        }
        values.end()
    }
}
