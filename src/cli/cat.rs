use std::io::{self, Write};
use std::process::ExitCode;

use super::arguments::CatArguments;
use super::{locate, open_for};
use crate::image::{Kind, display_name};
use crate::open::Keep;

/// Prints a file's bytes as they are.
pub fn run(arguments: &CatArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Content)?;
    let image = &opened.image;
    let layer = locate::layer(image, arguments.layer.as_deref())?;
    let node = locate::node(image, &arguments.path, layer, true)?;
    let path = display_name(&image.tree.path(node)).into_owned();
    let Some(id) = locate::entry(image, node, layer) else { anyhow::bail!("{path} is a directory") };
    if image.tree.occurrence(id).kind == Kind::Directory {
        anyhow::bail!("{path} is a directory");
    }
    let mut reader = opened.contents.reader(&image.tree, id).map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
    let mut out = io::stdout().lock();
    io::copy(&mut reader, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
