use std::process::ExitCode;

use super::arguments::{self, ShareArguments};
use super::compare::{gather, unread};
use super::output;
use crate::compare::SharingOutline;
use crate::image::Image;
use crate::report::{ShareFormat, ShareReport};

/// Tells what several images share.
pub fn run(arguments: &ShareArguments) -> anyhow::Result<ExitCode> {
    let gathered = gather(&arguments.images, &arguments.open)?;
    let outline = SharingOutline::new(gathered.iter().map(|image| image.side()).collect());
    let mut found = Vec::new();
    let mut notes = unread(&gathered);
    for (image, ids) in gathered.iter().zip(outline.unknown()) {
        let identified = image.identify(&ids, 0)?;
        notes.extend(identified.unread);
        found.push(identified.known);
    }
    let sharing = outline.finish(&found);
    let images: Vec<&Image> = gathered.iter().map(|image| &image.opened.image).collect();
    let report = ShareReport { images: &images, sharing: &sharing, notes: &notes };
    let format = match arguments.format {
        arguments::ShareFormat::Text => ShareFormat::Text,
        arguments::ShareFormat::Json => ShareFormat::Json,
        arguments::ShareFormat::Markdown => ShareFormat::Markdown,
        arguments::ShareFormat::Html => ShareFormat::Html,
    };
    output::print(|out| report.write(format, out))?;
    Ok(ExitCode::SUCCESS)
}
