use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use super::arguments::{self, InspectArguments};
use super::open_for;
use crate::image::Image;
use crate::open::Keep;
use crate::report::{Format, InspectOptions, Inspection};

/// Prints what an image is made of.
pub fn run(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let opened = open_for(&arguments.image, &arguments.open, Keep::Trees)?;
    let format = match arguments.format {
        arguments::Format::Text => Format::Text,
        arguments::Format::Json => Format::Json,
        arguments::Format::Markdown => Format::Markdown,
    };
    print(&opened.image, format)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a report to standard output.
pub fn print(image: &Image, format: Format) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    Inspection::new(image, InspectOptions::default()).write(format, &mut out)?;
    out.flush()
}
