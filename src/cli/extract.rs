use std::process::ExitCode;

use super::arguments::ExtractArguments;
use super::{locate, open_for, output};
use crate::extract::extract;
use crate::open::Keep;

/// Copies a file or a directory out of an image.
pub fn run(arguments: &ExtractArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Content)?;
    let image = &opened.image;
    let layer = locate::layer(image, arguments.layer.as_deref())?;
    let node = locate::node(image, &arguments.path, layer, true)?;
    let done = extract(&image.tree, &opened.contents, node, layer, &arguments.output)?;
    for skipped in &done.skipped {
        output::note(skipped);
    }
    Ok(ExitCode::SUCCESS)
}
