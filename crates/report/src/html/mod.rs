//! Reports as one file for a browser: readable without scripts, nothing fetched, and a policy that forbids both.
//!
//! Text from an image appears on the page either escaped, or in a data block from which the page's
//! own script creates text, never markup. The policy names that script and the style by their
//! digests, so nothing else can run.

mod escape;
mod inspect;
mod parts;
mod paths;
mod table;

use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use nixdive_nix::Sha256Hash;

pub(super) use escape::Markup;
pub(super) use parts::{
    Digests, Figure, compressed, config, digests, exact, files, layers_table, left_out, map, warnings,
};
pub(super) use paths::{Fate, Paths, Place};
pub(super) use table::{Cell, Kind, Order, STATIC_ROWS, Table};

pub(super) use inspect::write as write_inspection;

const STYLE: &str = include_str!("../../assets/report.css");
/// In their order; each uses what those before it define.
const SCRIPTS: [&str; 3] = [
    include_str!("../../assets/report.js"),
    include_str!("../../assets/tables.js"),
    include_str!("../../assets/map.js"),
];

/// A page in the making.
pub(super) struct Page<'a> {
    title: String,
    /// Content below the title.
    subtitle: Markup,
    /// Sections: identity within the page, name for the list of sections, content.
    sections: Vec<(&'static str, String, Markup)>,
    tables: Vec<Table>,
    paths: Option<Paths<'a>>,
}

impl<'a> Page<'a> {
    /// An empty page. `subtitle` stands below the title.
    pub fn new(title: &str, subtitle: Markup) -> Self {
        Self { title: title.to_owned(), subtitle, sections: Vec::new(), tables: Vec::new(), paths: None }
    }

    /// Adds a section with a heading.
    pub fn section(&mut self, id: &'static str, heading: &str, content: Markup) {
        self.sections.push((id, heading.to_owned(), content));
    }

    /// Adds a section that is a table, with what is to be said before it. Without rows there is none.
    pub fn table_section(&mut self, id: &'static str, heading: &str, mut before: Markup, table: Table) {
        if !table.is_empty() {
            self.table(&mut before, table);
            self.section(id, heading, before);
        }
    }

    /// Writes a table into the content of a section.
    pub fn table(&mut self, content: &mut Markup, table: Table) {
        table.write(content);
        self.tables.push(table);
    }

    /// Gives the paths that the map shows, and the table of files.
    pub fn set_paths(&mut self, paths: Paths<'a>) {
        self.paths = Some(paths);
    }

    /// Rows that the table of files has.
    pub fn path_rows(&self) -> usize {
        self.paths.as_ref().map_or(0, Paths::row_count)
    }

    /// Writes the page.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut head = Markup::default();
        let policy = policy();
        head.open("html", &[("lang", "en")]).line().open("head", &[]).line();
        head.open("meta", &[("charset", "utf-8")]).line();
        head.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]).line();
        head.open("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]).line();
        head.open("meta", &[("name", "color-scheme"), ("content", "light dark")]).line();
        head.open("meta", &[("name", "generator"), ("content", concat!("nixdive ", env!("CARGO_PKG_VERSION")))]).line();
        head.element("title", &[], &self.title).line();
        write!(out, "<!DOCTYPE html>\n{}<style>{STYLE}</style>\n</head>\n", head.as_str())?;
        out.write_all(self.body().as_str().as_bytes())?;
        write!(out, "<script type=\"application/json\" id=\"data\">")?;
        escape::write_data(&Data(self), out)?;
        writeln!(out, "</script>")?;
        SCRIPTS.iter().try_for_each(|script| writeln!(out, "<script>{script}</script>"))?;
        writeln!(out, "</body>\n</html>")
    }

    fn body(&self) -> Markup {
        let mut body = Markup::default();
        body.open("body", &[]).line();
        body.element("a", &[("class", "skip"), ("href", "#main")], "Skip to the report").line();
        body.open("header", &[("class", "top")]).element("h1", &[], &self.title);
        body.append(&self.subtitle).close("header").line();
        body.open("nav", &[("aria-label", "Sections")]).open("ul", &[]);
        for (id, heading, _) in &self.sections {
            let target = format!("#{id}");
            body.within("li", &[], |body| {
                body.element("a", &[("href", &target)], heading);
            });
        }
        body.close("ul").close("nav").line();
        body.open("main", &[("id", "main"), ("tabindex", "-1")]).line();
        body.element("p", &[("class", "no-script")], WITHOUT_SCRIPTS).line();
        for (id, heading, content) in &self.sections {
            let name = format!("{id}-heading");
            body.open("section", &[("id", id), ("aria-labelledby", &name)]);
            body.element("h2", &[("id", &name)], heading).line();
            body.append(content).close("section").line();
        }
        body.close("main").line();
        body.within("footer", &[], |body| {
            body.text(concat!("Made by nixdive ", env!("CARGO_PKG_VERSION"), ". "));
            body.text("1 kB is 1,000 bytes. This file is complete in itself: it fetches nothing and sends nothing.");
        });
        body.line();
        body
    }
}

const WITHOUT_SCRIPTS: &str = "Scripts are disabled: the tables show only their first rows, and the map is missing.";

/// Returns the content security policy: the page may use its own style and scripts, and show
/// embedded images.
fn policy() -> String {
    let digest = |text: &str| format!("'{}'", Sha256Hash::of(text.as_bytes()).to_sri());
    let scripts: Vec<String> = SCRIPTS.iter().map(|script| digest(script)).collect();
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        digest(STYLE),
        scripts.join(" ")
    )
}

/// The data that the script works with.
struct Data<'p, 'a>(&'p Page<'a>);

impl Serialize for Data<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let page = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tables", &Tables(&page.tables))?;
        map.serialize_entry("paths", &page.paths)?;
        map.end()
    }
}

struct Tables<'a>(&'a [Table]);

impl Serialize for Tables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|table| (table.id(), table)))
    }
}

#[cfg(test)]
mod tests;
