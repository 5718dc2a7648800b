use std::ffi::OsString;
use std::process::ExitCode;

use super::arguments::{self, InspectArguments, OpenArguments};
use super::{open_watched, output};
use crate::image::{Image, LayerIndex};
use crate::open::Keep;
use crate::packages::{CapturedFile, Inventory, find};
use crate::report::{Format, InspectOptions, Inspection};
use crate::scan::Captured;
use crate::study::{StoreWatch, StudyOptions, study};

/// Prints what an image is made of.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let format = match arguments.format {
        arguments::Format::Text => Format::Text,
        arguments::Format::Json => Format::Json,
        arguments::Format::Markdown => Format::Markdown,
    };
    report(&arguments.image, &arguments.open, format)?;
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

/// Writes a report of an image to standard output.
pub fn report(image: &OsString, arguments: &OpenArguments, format: Format) -> anyhow::Result<()> {
    let watch = StoreWatch::new();
    let opened = open_watched(image, arguments, Keep::Trees, &watch)?;
    let store = study(&opened, &StudyOptions { watch: Some(&watch), ..StudyOptions::default() })?;
    let packages = packages_of(&opened.image, &opened.captured).unwrap_or_default();
    let inspection = Inspection::new(&opened.image, InspectOptions::default());
    output::print(|out| inspection.with_packages(&packages).with_store(store.as_ref()).write(format, out))
}
