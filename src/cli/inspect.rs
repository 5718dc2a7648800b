use std::process::ExitCode;
use std::sync::Arc;

use super::arguments::{self, InspectArguments};
use super::open_arguments::OpenArguments;
use super::{examined, examined_reference, output};
use nixdive_analyse::findings::redact;
use nixdive_image::reference::Reference;
use nixdive_report::{Format, InspectOptions, Inspection, write_artifact, write_store_tree};
use nixdive_source::open::{Keep, OpenError};

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
    let examined = examined(&arguments.image, &arguments.open, Keep::Trees)?;
    let Some(store) = examined.store()? else {
        anyhow::bail!("the image has no store paths: there is nothing in /nix/store");
    };
    for sentence in &store.unread {
        output::note(&format!("not read: {sentence}"));
    }
    output::print(|out| write_store_tree(store, out))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a report of an image to standard output. Findings are computed only if `judged` is set, as that reads the
/// files' content; secrets found there are removed from the rest of the report.
pub fn report(image: &Reference, arguments: &OpenArguments, format: Format, judged: bool) -> anyhow::Result<()> {
    let keep = if judged { Keep::Content } else { Keep::Trees };
    let mut examined = match examined_reference(image, arguments, keep) {
        Ok(examined) => examined,
        Err(error) => match error.downcast_ref::<OpenError>().and_then(OpenError::artifact) {
            Some(artifact) => return output::print(|out| write_artifact(artifact, format, out)),
            None => return Err(error),
        },
    };
    if judged {
        examined.findings()?;
        redact(&mut examined.opened.image);
    }
    let found = if judged { Some(examined.findings()?) } else { None };
    let inspection = Inspection::new(examined.image(), InspectOptions::default());
    let store = examined.store()?.map(Arc::as_ref);
    let inspection = inspection.with_packages(examined.packages()).with_store(store).with_findings(found);
    output::print(|out| inspection.write(format, out))
}
