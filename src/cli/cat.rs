use std::io::{self, Read, Write};
use std::process::ExitCode;

use super::arguments::CatArguments;
use super::{locate, open_for, output};
use nixdive_base::text::display_name;
use nixdive_image::Kind;
use nixdive_source::open::Keep;

/// Prints a file's bytes; control characters are escaped on a terminal unless requested otherwise.
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
    let held_by = image.tree.content_of(id).unwrap_or(id);
    let failed = |error: &dyn std::fmt::Display| {
        anyhow::anyhow!("{path} of layer {}: {error}", image.tree.occurrence(held_by).layer.index())
    };
    let mut reader = opened.contents.reader(&image.tree, id).map_err(|error| failed(&error))?;
    let mut broken = None;
    output::print_content(arguments.raw_bytes, |out| {
        broken = copy(&mut reader, out)?;
        Ok(())
    })?;
    match broken {
        Some(error) => Err(failed(&error)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Copies all there is; gives what stopped the reading, and fails where the writing does.
fn copy(reader: &mut dyn Read, out: &mut dyn Write) -> io::Result<Option<io::Error>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => out.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Some(error)),
        }
    }
}
