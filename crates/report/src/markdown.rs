use std::io::{self, Write};

use super::Inspection;
use super::findings;
use super::page::{Page, quoted};
use super::{sections, store};
use nixdive_analyse::findings::Places;

/// The report for a pull request or a job summary.
pub(super) fn write(inspection: &Inspection<'_>, out: &mut dyn Write) -> io::Result<()> {
    let image = inspection.image;
    let mut page = Page::default();
    page.markup("## ").code(&sections::title(image)).markup(" ").code(&sections::platform(image)).markup("\n\n");
    page.text(&sections::source(image, quoted)).markup("\n\n");
    page.pairs(FIGURES, sections::figures(inspection));
    for warning in &image.warnings {
        page.markup("\n> ⚠ ").code(&sections::warning(warning)).markup("\n");
    }
    if let Some(found) = inspection.findings {
        page.markup("\n### ").text(&findings::heading(found)).markup("\n\n");
        if !found.list.is_empty() {
            findings::write_markdown(found, Places { image, store: inspection.store, quote: quoted }, &mut page);
        }
        if let Some(sentence) = findings::unread(found) {
            page.markup("\n> ").text(&sentence).markup("\n");
        }
    }
    if !image.is_closure() {
        page.markup("\n### Layers\n\n");
        sections::layers(image, quoted).write_markdown(&mut page);
    }
    nix_store(inspection, &mut page);
    waste(inspection, &mut page);
    if !inspection.largest_files.is_empty() {
        page.markup("\n<details><summary>Largest files and directories</summary>\n\n");
        sections::largest_files(inspection, quoted).write_markdown(&mut page);
        page.markup("\n");
        sections::largest_directories(inspection, quoted).write_markdown(&mut page);
        page.markup("\n</details>\n");
    }
    if let Some(packages) = inspection.packages.filter(|found| !found.packages.packages().is_empty()) {
        let count = packages.packages.packages().len();
        page.markup("\n<details><summary>Packages (").text(&count.to_string()).markup(")</summary>\n\n");
        sections::packages(packages, inspection.options.waste, quoted)
            .without("layer", image.is_closure())
            .write_markdown(&mut page);
        page.left_out(count, inspection.options.waste).markup("\n</details>\n");
    }
    let config = sections::config(image);
    if !config.is_empty() {
        page.markup("\n<details><summary>Configuration</summary>\n\n");
        page.pairs("| name | value |", config.into_iter().map(|(name, value)| (name, quoted(&value))));
        page.markup("\n</details>\n");
    }
    page.write(out)
}

const FIGURES: &str = "| figure | value |";

fn nix_store(inspection: &Inspection<'_>, page: &mut Page) {
    let Some(study) = inspection.store else { return };
    page.markup("\n### Nix store\n\n").pairs(FIGURES, store::figures(study, quoted));
    if study.ids().len() > 0 {
        page.markup("\n");
        let shown = inspection.options.store_paths;
        store::adding_most(inspection.image, study, shown, quoted).write_markdown(page);
        page.left_out(study.ids().len(), shown);
    }
}

fn waste(inspection: &Inspection<'_>, page: &mut Page) {
    let (assessment, shown) = (&inspection.assessment, inspection.options.waste);
    if !assessment.wasted.is_empty() {
        page.markup("\n### Waste\n\n");
        sections::waste(inspection, quoted).write_markdown(page);
        page.left_out(assessment.wasted.len(), shown).markup("\n");
        for remedy in sections::remedies(inspection) {
            page.markup("- ").text(&remedy).markup("\n");
        }
    }
    if !assessment.removed_directories.is_empty() {
        page.markup("\n### Removed directories, still shipped\n\n");
        sections::removed_directories(inspection, quoted).write_markdown(page);
        page.left_out(assessment.removed_directories.len(), shown);
    }
}
