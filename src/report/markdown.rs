use std::io::{self, Write};

use super::Inspection;
use super::findings;
use super::{sections, store};
use crate::findings::Places;

/// The report for a pull request or a job summary. All that comes from the image stands in code spans, so that none
/// of it is markup, mentions anyone or links anywhere.
pub(super) fn write(inspection: &Inspection<'_>, out: &mut dyn Write) -> io::Result<()> {
    let image = inspection.image;
    let mut out = io::BufWriter::new(out);
    let out: &mut dyn Write = &mut out;
    writeln!(out, "## {} {}\n", code(&sections::title(image)), code(&sections::platform(image)))?;
    writeln!(out, "{}\n", sections::source(image, code))?;
    writeln!(out, "| figure | value |\n| --- | --- |")?;
    for (name, value) in sections::figures(inspection) {
        writeln!(out, "| {name} | {value} |")?;
    }
    for warning in &image.warnings {
        writeln!(out, "\n> ⚠ {}", code(&sections::warning(warning)))?;
    }
    if let Some(found) = inspection.findings {
        writeln!(out, "\n### {}\n", findings::heading(found))?;
        if !found.list.is_empty() {
            findings::write_markdown(found, Places { image, store: inspection.store, quote: code }, out)?;
        }
        findings::unread(found).iter().try_for_each(|sentence| writeln!(out, "\n> {sentence}"))?;
    }
    writeln!(out, "\n### Layers\n")?;
    sections::layers(image, code).write_markdown(out)?;
    if let Some(study) = inspection.store {
        writeln!(out, "\n### Nix store\n\n| figure | value |\n| --- | --- |")?;
        for (name, value) in store::figures(study, code) {
            writeln!(out, "| {name} | {value} |")?;
        }
        if study.ids().len() > 0 {
            writeln!(out)?;
            store::adding_most(image, study, inspection.options.store_paths, code).write_markdown(out)?;
            left_out(study.ids().len(), inspection.options.store_paths, out)?;
        }
    }
    let assessment = &inspection.assessment;
    if !assessment.wasted.is_empty() {
        writeln!(out, "\n### Waste\n")?;
        sections::waste(inspection, code).write_markdown(out)?;
        left_out(assessment.wasted.len(), inspection.options.waste, out)?;
        writeln!(out)?;
        sections::remedies(inspection).iter().try_for_each(|remedy| writeln!(out, "- {remedy}"))?;
    }
    if !assessment.removed_directories.is_empty() {
        writeln!(out, "\n### Removed directories, still shipped\n")?;
        sections::removed_directories(inspection, code).write_markdown(out)?;
        left_out(assessment.removed_directories.len(), inspection.options.waste, out)?;
    }
    if !inspection.largest_files.is_empty() {
        writeln!(out, "\n<details><summary>Largest files and directories</summary>\n")?;
        sections::largest_files(inspection, code).write_markdown(out)?;
        writeln!(out)?;
        sections::largest_directories(inspection, code).write_markdown(out)?;
        writeln!(out, "\n</details>")?;
    }
    if let Some(packages) = inspection.packages.filter(|found| !found.packages.packages().is_empty()) {
        let count = packages.packages.packages().len();
        writeln!(out, "\n<details><summary>Packages ({count})</summary>\n")?;
        sections::packages(packages, inspection.options.waste, code).write_markdown(out)?;
        left_out(count, inspection.options.waste, out)?;
        writeln!(out, "\n</details>")?;
    }
    let config = sections::config(image);
    if !config.is_empty() {
        writeln!(out, "\n<details><summary>Configuration</summary>\n\n| name | value |\n| --- | --- |")?;
        for (name, value) in config {
            writeln!(out, "| {name} | {} |", code(&value))?;
        }
        writeln!(out, "\n</details>")?;
    }
    out.flush()
}

fn left_out(count: usize, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    if count > shown { writeln!(out, "\n… and {} more.", count - shown) } else { Ok(()) }
}

/// A code span for a table cell: GitHub Flavored Markdown 0.29, "Code spans" and "Tables". The fence is longer than
/// any run of backticks in the text, and a pipe is escaped even inside the span.
pub(super) fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let needs_space = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let space = if needs_space { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', "\\|"))
}
