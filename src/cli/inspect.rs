use std::process::ExitCode;

use super::arguments::{self, InspectArguments};
use super::{open_for, output};
use crate::image::{Image, LayerIndex};
use crate::open::{Keep, Opened};
use crate::packages::{CapturedFile, Inventory, find};
use crate::report::{Format, InspectOptions, Inspection};
use crate::scan::Captured;

/// Prints what an image is made of.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Trees)?;
    let format = match arguments.format {
        arguments::Format::Text => Format::Text,
        arguments::Format::Json => Format::Json,
        arguments::Format::Markdown => Format::Markdown,
    };
    print(&opened, format)?;
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

/// Writes a report to standard output.
pub fn print(opened: &Opened, format: Format) -> anyhow::Result<()> {
    let packages = packages_of(&opened.image, &opened.captured).unwrap_or_default();
    let inspection = Inspection::new(&opened.image, InspectOptions::default());
    output::print(|out| inspection.with_packages(&packages).write(format, out))
}
