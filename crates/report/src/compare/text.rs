use std::io::{self, Write};

use super::lines;
use crate::sections::{Quote, platform, title};
use nixdive_analyse::compare::Comparison;
use nixdive_base::text::display_name;

/// The comparison for people: what a reader looks for comes first.
pub(super) fn write(comparison: &Comparison<'_>, notes: &[String], out: &mut dyn Write) -> io::Result<()> {
    let quote: Quote = str::to_owned;
    let (left, right) = (comparison.left.image, comparison.right.image);
    writeln!(out, "left   {}  {}", title(left), platform(left))?;
    writeln!(out, "right  {}  {}\n", title(right), platform(right))?;
    writeln!(out, "{}\n", lines::headline(comparison, quote))?;
    lines::figures(comparison).write_text(out)?;
    lines::transfers(comparison).iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    for note in notes {
        writeln!(out, "Warning  {}", display_name(note.as_bytes()))?;
    }
    for section in lines::sections(comparison, quote) {
        writeln!(out, "\n{}", section.title)?;
        section.grid.write_text(out)?;
    }
    Ok(())
}
