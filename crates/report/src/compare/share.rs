use std::io::{self, Write};

use serde_json::{Value, json};

use super::assignment::{self, Proposal};
use super::grid::Grid;
use crate::json::{OWN, write_pretty};
use crate::names::{one_line, shortened};
use crate::page::{Page, quoted};
use crate::sections::{Quote, title};
use crate::table::Align::{Left, Right};
use nixdive_analyse::compare::{Level, Matrix, Sharing};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{Digest, Image};

/// Name and version of the JSON form.
pub const SHARE_SCHEMA: &str = "nixdive.share/1";

/// The form of what images share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareFormat {
    /// For people.
    Text,
    /// `nixdive.share/1`.
    Json,
    /// For pull requests.
    Markdown,
    /// One file for a browser.
    Html,
}

/// All that `nixdive share` says.
pub struct ShareReport<'a> {
    /// The images, in the order of the matrices.
    pub images: &'a [&'a Image],
    /// For each, the services or containers that use it, safe to print; empty where no file named it.
    pub users: &'a [String],
    /// Content that the images share.
    pub sharing: &'a Sharing,
    /// Parts that could not be read, as sentences.
    pub notes: &'a [String],
}

impl ShareReport<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write(&self, format: ShareFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ShareFormat::Text => self.write_text(out),
            ShareFormat::Json => write_pretty(&self.document(), OWN, out),
            ShareFormat::Markdown => self.write_markdown(out),
            ShareFormat::Html => super::html_share::write(self, out),
        }
    }

    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.names(str::to_owned).write_text(out)?;
        for matrix in self.levels() {
            writeln!(out, "\n{}", heading(matrix.level))?;
            writeln!(out, "  {}", together(matrix))?;
            self.grid(matrix).write_text(out)?;
        }
        if let Some(proposal) = Proposal::new(self.sharing, str::to_owned).filter(|_| !self.is_of_closures()) {
            proposal.write_text(out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "Warning  {}", display_name(note.as_bytes())))
    }

    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut page = Page::default();
        page.markup("## What ").text(&self.images.len().to_string()).markup(" images share\n\n");
        self.names(quoted).write_markdown(&mut page);
        for matrix in self.levels() {
            page.markup("\n### ").markup(heading(matrix.level)).markup("\n\n").text(&together(matrix)).markup("\n\n");
            self.grid(matrix).write_markdown(&mut page);
        }
        if let Some(proposal) = Proposal::new(self.sharing, quoted).filter(|_| !self.is_of_closures()) {
            proposal.write_markdown(&mut page);
        }
        for note in self.notes.iter().take(10) {
            page.markup("\n> ⚠ ").code(&shortened(one_line(note), 400)).markup("\n");
        }
        page.write(out)
    }

    /// Returns `true` if all are local store paths rather than images, so that layers have no
    /// meaning.
    fn is_of_closures(&self) -> bool {
        self.images.iter().all(|image| image.is_closure())
    }

    /// Returns the shared content at each level that applies.
    fn levels(&self) -> impl Iterator<Item = &Matrix> {
        let has_layers = !self.is_of_closures();
        self.sharing.levels.iter().filter(move |matrix| has_layers || matrix.level != Level::Layers)
    }

    fn names(&self, quote: Quote) -> Grid {
        let has_layers = !self.is_of_closures();
        let mut columns = vec![("", Left), ("image", Left), ("unpacked", Right)];
        columns.extend(Some(("layers", Right)).filter(|_| has_layers));
        let mut grid = Grid::new(&columns);
        let has_users = self.users.iter().any(|users| !users.is_empty());
        if has_users {
            grid.columns.push(("used by".to_owned(), Left));
        }
        for (number, image) in self.images.iter().enumerate() {
            let layers = image.layers.len().to_string();
            let mut cells = vec![letter(number), quote(&title(image)), display_bytes(image.unpacked_bytes())];
            cells.extend(Some(layers).filter(|_| has_layers));
            cells.extend(self.users.get(number).filter(|_| has_users).map(|users| quote(users)));
            grid.row(cells);
        }
        grid
    }

    /// Shared bytes; on the diagonal the image's own.
    fn grid(&self, matrix: &Matrix) -> Grid {
        let names: Vec<String> = (0..self.images.len()).map(letter).collect();
        let mut columns = vec![("", Left)];
        columns.extend(names.iter().map(|name| (name.as_str(), Right)));
        let mut grid = Grid::new(&columns);
        for (name, row) in names.iter().zip(&matrix.shared) {
            let mut cells = vec![name.clone()];
            cells.extend(row.iter().map(|&bytes| display_bytes(bytes)));
            grid.row(cells);
        }
        grid
    }

    fn document(&self) -> Value {
        let image = |(number, image): (usize, &&Image)| {
            json!({
                "usedBy": self.users.get(number).filter(|users| !users.is_empty()),
                "requested": image.identity.requested,
                "references": image.identity.references,
                "configDigest": image.identity.config_digest.as_ref().map(Digest::as_str),
                "unpackedBytes": image.unpacked_bytes(),
                "layers": image.layers.len(),
            })
        };
        let matrix = |matrix: &Matrix| {
            json!({
                "level": matrix.level.id(),
                "shared": matrix.shared,
                "sumBytes": matrix.sum_bytes,
                "togetherBytes": matrix.together_bytes,
            })
        };
        json!({
            "schema": SHARE_SCHEMA,
            "generator": concat!("nixdive ", env!("CARGO_PKG_VERSION")),
            "images": self.images.iter().enumerate().map(image).collect::<Vec<_>>(),
            "levels": self.sharing.levels.iter().map(matrix).collect::<Vec<_>>(),
            "assignment": self.sharing.assignment.as_ref().map(assignment::document),
            "complete": self.images.iter().all(|image| image.is_complete()),
            "warnings": self.images.iter().flat_map(|image| super::document::defects(image)).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

pub(super) fn heading(level: Level) -> &'static str {
    match level {
        Level::Layers => "Whole layers, unpacked bytes",
        Level::StorePaths => "Store paths, as tar bytes: what is shared with one store path a layer",
        Level::Content => "Files of equal content, file bytes",
    }
}

fn together(matrix: &Matrix) -> String {
    let saved = matrix.sum_bytes.saturating_sub(matrix.together_bytes);
    format!(
        "Together {} on one host, {} each for itself: {} shared",
        display_bytes(matrix.together_bytes),
        display_bytes(matrix.sum_bytes),
        display_bytes(saved)
    )
}

/// A, B, … Z, then numbers.
pub(super) fn letter(number: usize) -> String {
    match u8::try_from(number) {
        Ok(place) if place < 26 => char::from(b'A' + place).to_string(),
        _ => (number + 1).to_string(),
    }
}
