use std::io::{self, Write};

use super::Inspection;
use super::findings;
use super::{sections, store};
use nixdive_analyse::findings::Places;

/// The report for people. What a reader looks for comes first, and no line depends on the width of a terminal.
pub(super) fn write(inspection: &Inspection<'_>, out: &mut dyn Write) -> io::Result<()> {
    let image = inspection.image;
    let quote: sections::Quote = str::to_owned;
    let mut out = io::BufWriter::new(out);
    let out: &mut dyn Write = &mut out;
    writeln!(out, "{}  {}", sections::title(image), sections::platform(image))?;
    writeln!(out, "{}", sections::source(image, quote))?;
    writeln!(out)?;
    pairs(&sections::figures(inspection), out)?;
    for warning in &image.warnings {
        writeln!(out, "Warning      {}", sections::warning(warning))?;
    }
    if let Some(found) = inspection.findings {
        heading(&findings::heading(found), out)?;
        findings::write_text(found, Places { image, store: inspection.store, quote }, out)?;
        findings::unread(found).iter().try_for_each(|sentence| writeln!(out, "  {sentence}"))?;
    }
    if !image.is_closure() {
        heading("Layers, base first (+ added, ~ modified, - removed)", out)?;
        sections::layers(image, quote).write_text(out)?;
    }
    if let Some(study) = inspection.store {
        heading("Nix store", out)?;
        pairs(&store::figures(study, quote), out)?;
        let (count, limit) = (study.ids().len(), inspection.options.store_paths);
        if count > 0 {
            let part = if count > limit { format!(" ({limit} of {count})") } else { String::new() };
            heading(&format!("Store paths by what would leave with them{part}"), out)?;
            store::adding_most(image, study, limit, quote).write_text(out)?;
        }
    }
    let assessment = &inspection.assessment;
    if !assessment.wasted.is_empty() {
        heading(&shown("Waste: paths stored more than once", assessment.wasted.len(), inspection), out)?;
        sections::waste(inspection, quote).write_text(out)?;
        sections::remedies(inspection).iter().try_for_each(|remedy| writeln!(out, "  → {remedy}"))?;
    }
    if !assessment.removed_directories.is_empty() {
        let count = assessment.removed_directories.len();
        heading(&shown("Removed directories, still shipped (not in dive's figures)", count, inspection), out)?;
        sections::removed_directories(inspection, quote).write_text(out)?;
    }
    if !inspection.largest_files.is_empty() {
        heading("Largest files", out)?;
        sections::largest_files(inspection, quote).write_text(out)?;
        heading("Largest directories, with all below them", out)?;
        sections::largest_directories(inspection, quote).write_text(out)?;
    }
    if let Some(packages) = inspection.packages.filter(|found| !found.packages.packages().is_empty()) {
        let count = packages.packages.packages().len();
        heading(&shown("Packages, largest first", count, inspection), out)?;
        sections::packages(packages, inspection.options.waste, quote)
            .without("layer", image.is_closure())
            .write_text(out)?;
    }
    let config = sections::config(image);
    if !config.is_empty() {
        heading("Configuration", out)?;
        pairs(&config, out)?;
    }
    out.flush()
}

fn heading(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{text}")
}

fn shown(text: &str, count: usize, inspection: &Inspection<'_>) -> String {
    let limit = inspection.options.waste;
    if count > limit { format!("{text} ({limit} of {count})") } else { text.to_owned() }
}

fn pairs(pairs: &[(&'static str, String)], out: &mut dyn Write) -> io::Result<()> {
    pairs.iter().try_for_each(|(name, value)| writeln!(out, "{name:<12} {value}"))
}
