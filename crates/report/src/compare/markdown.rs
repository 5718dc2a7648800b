use std::io::{self, Write};

use super::lines;
use crate::names::{one_line, shortened};
use crate::page::{Page, quoted};
use crate::sections::{platform, title};
use nixdive_analyse::compare::Comparison;

/// Characters that a comment on GitHub may have, with some to spare.
const MOST_CHARACTERS: usize = 60_000;

/// Characters of a name or value of an image.
const MOST_IN_SPAN: usize = 160;
/// Sentences of what could not be read.
const MOST_NOTES: usize = 10;

/// The comparison for a pull request: verdict first, details folded.
pub(super) fn write(comparison: &Comparison<'_>, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    let (left, right) = (comparison.left.image, comparison.right.image);
    let mut page = Page::default();
    page.markup("## ").text(&brief(&title(left))).markup(" → ").text(&brief(&title(right))).markup("\n\n");
    page.text(&lines::headline(comparison, brief)).markup("\n\n");
    lines::figures(comparison).write_markdown(&mut page);
    page.markup("\n");
    for line in lines::transfers(comparison) {
        page.markup("- ").text(&line).markup("\n");
    }
    if !comparison.is_of_closures() {
        page.markup("- Platforms: ").text(&brief(&platform(left))).markup(" and ").text(&brief(&platform(right)));
        page.markup("\n");
    }
    for note in notes.iter().take(MOST_NOTES) {
        page.markup("\n> ⚠ ").code(&shortened(one_line(note), 400)).markup("\n");
    }
    let mut left_out = 0usize;
    for section in lines::sections(comparison, brief) {
        let mut part = Page::default();
        if section.is_open {
            part.markup("\n### ").text(&section.title).markup("\n\n");
            section.grid.write_markdown(&mut part);
        } else {
            part.markup("\n<details><summary>").text(&section.title).markup("</summary>\n\n");
            section.grid.write_markdown(&mut part);
            part.markup("\n</details>\n");
        }
        if page.characters().saturating_add(part.characters()) < MOST_CHARACTERS - 100 {
            page.append(&part);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        page.markup("\n… ").text(&left_out.to_string()).markup(" sections are too long for a comment.\n");
    }
    page.write(out)
}

/// A text of an image, marked as such; of a long one its beginning.
fn brief(text: &str) -> String {
    quoted(&shortened(text.to_owned(), MOST_IN_SPAN))
}
