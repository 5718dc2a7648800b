use std::process::ExitCode;

use super::arguments::{self, InspectArguments, OpenArguments};
use super::{open_parsed_watched, open_watched, output};
use nixdive_analyse::examine::examine;
use nixdive_analyse::findings::{Findings, Subject, find as judge, redact};
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::Reference;
use nixdive_image::{Image, LayerIndex};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::{CapturedFile, Inventory, find};
use nixdive_report::{Format, InspectOptions, Inspection, write_artifact, write_store_tree};
use nixdive_scan::Captured;
use nixdive_source::open::{Keep, OpenError, Opened};
use nixdive_source::study::{StoreWatch, StudyOptions, study};

/// Prints what an image is made of.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    if arguments.raw {
        return super::tags::raw(&arguments.image, arguments.raw_bytes, &arguments.open);
    }
    let format = match arguments.format {
        arguments::Format::Tree => return tree(arguments),
        arguments::Format::Text => Format::Text,
        arguments::Format::Json => Format::Json,
        arguments::Format::Markdown => Format::Markdown,
        arguments::Format::Html => Format::Html,
    };
    report(&Reference::parse(&arguments.image)?, &arguments.open, format, arguments.findings)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the references of the store.
fn tree(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let watch = StoreWatch::new();
    let opened = open_watched(&arguments.image, &arguments.open, Keep::Trees, &watch)?;
    let Some(store) = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() })? else {
        anyhow::bail!("the image has no store paths: there is nothing in /nix/store");
    };
    for sentence in &store.unread {
        output::note(&format!("not read: {sentence}"));
    }
    output::print(|out| write_store_tree(&store, out))?;
    Ok(ExitCode::SUCCESS)
}

/// The packages of the databases that came by while an image was opened.
pub fn packages_of(image: &Image, captured: &[(LayerIndex, Captured)]) -> Option<Inventory> {
    let captured: Vec<CapturedFile<'_>> = captured
        .iter()
        .map(|(layer, file)| CapturedFile { layer: *layer, path: &file.path, content: &file.content })
        .collect();
    Some(find(&image.tree, image.tree.top_layer()?, &captured))
}

/// Writes a report of an image to standard output. Findings are looked for only where they are `judged`, as that reads
/// the files' content; secrets that they tell of are then taken out of the rest of the report.
pub fn report(image: &Reference, arguments: &OpenArguments, format: Format, judged: bool) -> anyhow::Result<()> {
    let watch = StoreWatch::new();
    let keep = if judged { Keep::Content } else { Keep::Trees };
    let mut opened = match open_parsed_watched(image, arguments, keep, &watch) {
        Ok(opened) => opened,
        Err(error) => match error.downcast_ref::<OpenError>().and_then(OpenError::artifact) {
            Some(artifact) => return output::print(|out| write_artifact(artifact, format, out)),
            None => return Err(error),
        },
    };
    let store = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() })?;
    let packages = packages_of(&opened.image, &opened.captured).unwrap_or_default();
    let found = if judged { Some(findings(&opened, &packages, store.as_ref())?) } else { None };
    if judged {
        redact(&mut opened.image);
    }
    let inspection = Inspection::new(&opened.image, InspectOptions::default());
    let inspection = inspection.with_packages(&packages).with_store(store.as_ref()).with_findings(found.as_ref());
    output::print(|out| inspection.write(format, out))
}

/// Reads the files once, and judges the image by what they contain and by all else that is known.
pub fn findings(opened: &Opened, packages: &Inventory, store: Option<&StoreStudy>) -> anyhow::Result<Findings> {
    let facts = examine(&opened.image, &opened.contents, 0, &Cancel::new())?;
    Ok(judge(&Subject { image: &opened.image, packages: Some(packages), store, facts: Some(&facts) }))
}
