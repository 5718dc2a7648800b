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
    let outline =
        SharingOutline::new(gathered.iter().map(|image| image.side()).collect()).with_max_layers(arguments.max_layers);
    let mut found = Vec::new();
    let mut notes = unread(&gathered);
    notes.extend(gathered.iter().filter_map(|image| not_here(&image.opened.image)));
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
    };
    output::print(|out| report.write(format, out))?;
    Ok(ExitCode::SUCCESS)
}

/// Says that the content of an image's files is not here, as where only its description is.
fn not_here(image: &Image) -> Option<String> {
    let layers = image.layers.iter().filter(|layer| layer.is_absent()).count();
    let name = &image.identity.requested;
    (layers > 0).then(|| format!("{name}: the files of {layers} layers are not here; their content is not compared"))
}
