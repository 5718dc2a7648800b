use std::io::{self, Write};

use super::lines;
use crate::compare::Comparison;
use crate::report::markdown::code;
use crate::report::sections::{platform, title};

/// Characters that a comment on GitHub may have, with some to spare.
const MOST_CHARACTERS: usize = 60_000;

/// Characters of a name or value of an image.
const MOST_IN_SPAN: usize = 160;
/// Sentences of what could not be read.
const MOST_NOTES: usize = 10;

/// The comparison for a pull request: verdict first, details folded.
pub(super) fn write(comparison: &Comparison<'_>, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    let (left, right) = (comparison.left.image, comparison.right.image);
    let mut text: Vec<u8> = Vec::new();
    writeln!(text, "## {} → {}\n", brief(&title(left)), brief(&title(right)))?;
    writeln!(text, "{}\n", lines::headline(comparison, brief))?;
    lines::figures(comparison).write_markdown(&mut text)?;
    writeln!(text)?;
    lines::transfers(comparison).iter().try_for_each(|line| writeln!(text, "- {line}"))?;
    writeln!(text, "- Platforms: {} and {}", brief(&platform(left)), brief(&platform(right)))?;
    for note in notes.iter().take(MOST_NOTES) {
        let shown = crate::report::names::shortened(crate::report::names::one_line(note), 400);
        writeln!(text, "\n> ⚠ {}", code(&shown))?;
    }
    let mut left_out = 0;
    for section in lines::sections(comparison, brief) {
        let mut part: Vec<u8> = Vec::new();
        if section.is_open {
            writeln!(part, "\n### {}\n", section.title)?;
            section.grid.write_markdown(&mut part)?;
        } else {
            writeln!(part, "\n<details><summary>{}</summary>\n", section.title)?;
            section.grid.write_markdown(&mut part)?;
            writeln!(part, "\n</details>")?;
        }
        let characters = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().count();
        if characters(&text).saturating_add(characters(&part)) < MOST_CHARACTERS - 100 {
            text.extend(part);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        writeln!(text, "\n… {left_out} sections are too long for a comment.")?;
    }
    out.write_all(&text)
}

/// A code span of a text; of a long one its beginning.
fn brief(text: &str) -> String {
    code(&crate::report::names::shortened(text.to_owned(), MOST_IN_SPAN))
}
