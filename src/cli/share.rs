use std::process::ExitCode;

use super::arguments::{self, ShareArguments};
use super::compare::{gather, spelled, unread};
use super::named::{self, Wanted};
use super::open_arguments::OpenArguments;
use super::output;
use nixdive_analyse::compare::SharingOutline;
use nixdive_app::Examined;
use nixdive_image::Image;
use nixdive_report::{ShareFormat, ShareReport};

/// Tells what several images share.
pub fn run(arguments: &ShareArguments) -> anyhow::Result<ExitCode> {
    let wanted = named::expand(&arguments.images, &arguments.named)?;
    let format = match arguments.format {
        arguments::ShareFormat::Text => ShareFormat::Text,
        arguments::ShareFormat::Json => ShareFormat::Json,
        arguments::ShareFormat::Markdown => ShareFormat::Markdown,
        arguments::ShareFormat::Html => ShareFormat::Html,
    };
    output::warn_of_max_layers(arguments.max_layers);
    report(&wanted, &arguments.open, arguments.max_layers, format)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what some images share.
pub(super) fn report(
    wanted: &Wanted,
    open: &OpenArguments,
    max_layers: usize,
    format: ShareFormat,
) -> anyhow::Result<()> {
    if wanted.images.len() < 2 {
        anyhow::bail!("share needs at least two images, got {}", spelled(wanted.images.len()));
    }
    let gathered = gather(wanted, open)?;
    let outline =
        SharingOutline::new(gathered.iter().map(Examined::side).collect::<Result<_, _>>()?).with_max_layers(max_layers);
    let mut found = Vec::new();
    let mut notes = unread(&gathered)?;
    for (image, ids) in gathered.iter().zip(outline.unknown()) {
        let identified = image.identify(&ids)?;
        notes.extend(identified.unread);
        found.push(identified.known);
    }
    let sharing = outline.finish(&found);
    let images: Vec<&Image> = gathered.iter().map(Examined::image).collect();
    notes.extend(wanted.notes.iter().cloned());
    let report = ShareReport { images: &images, users: &wanted.users, sharing: &sharing, notes: &notes };
    output::print(|out| report.write(format, out))
}
