use std::process::ExitCode;

use super::arguments::{self, CompareArguments};
use super::named::Wanted;
use super::open_arguments::OpenArguments;
use super::{build, integrity, open_reference, output};
use nixdive_analyse::compare::{CompareOptions, KnownContents, Outline, check_platforms};
use nixdive_app::{Examined, Together};
use nixdive_image::{Image, Layer, LayerIndex};
use nixdive_report::{CompareFormat, write_comparison};
use nixdive_source::open::{Keep, OpenOptions, Programs, Progress};

/// Compares two images.
pub fn run(arguments: &CompareArguments) -> anyhow::Result<ExitCode> {
    let mut open = arguments.open.clone();
    let (wanted, built) =
        build::wanted(&arguments.images, &arguments.named, &arguments.dockerfile, &mut open, &are_two)?;
    let options = arguments.comparing.options();
    let format = match arguments.format {
        arguments::CompareFormat::Text => CompareFormat::Text,
        arguments::CompareFormat::Json => CompareFormat::Json,
        arguments::CompareFormat::Markdown => CompareFormat::Markdown,
        arguments::CompareFormat::Html => CompareFormat::Html,
        arguments::CompareFormat::DiffClosures => CompareFormat::DiffClosures,
    };
    report(&wanted, &open, options, arguments.comparing.different_platforms, format)?;
    drop(built);
    Ok(ExitCode::SUCCESS)
}

fn are_two(count: usize) -> anyhow::Result<()> {
    if count != 2 {
        anyhow::bail!("compare needs two images, got {} (for more: nixdive share)", spelled(count));
    }
    Ok(())
}

/// Prints what differs between the two images that are wanted.
pub(super) fn report(
    wanted: &Wanted,
    open: &OpenArguments,
    options: CompareOptions,
    different_platforms: bool,
    format: CompareFormat,
) -> anyhow::Result<()> {
    are_two(wanted.images.len())?;
    let gathered = gather(wanted, open)?;
    let [left, right] = gathered.as_slice() else { anyhow::bail!("compare needs two images") };
    if !different_platforms && let Err(mismatch) = check_platforms(left.image(), right.image()) {
        anyhow::bail!("{mismatch}; choose one with --platform, or allow it with --different-platforms");
    }
    let outline = Outline::new(left.image(), right.image());
    let unknown = outline.unknown();
    let (of_left, of_right) = (left.identify(&unknown.left)?, right.identify(&unknown.right)?);
    let notes = of_left.unread.into_iter().chain(of_right.unread).chain(unread(&gathered)?);
    let notes: Vec<String> = notes.chain(wanted.notes.iter().cloned()).collect();
    let known = KnownContents { left: of_left.known, right: of_right.known };
    let comparison = outline.finish(left.side()?, right.side()?, &known, options);
    output::print(|out| write_comparison(&comparison, &notes, format, out))
}

/// Returns “one” or the number, for an error message.
pub(super) fn spelled(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        1 => "one".to_owned(),
        _ => count.to_string(),
    }
}

/// Notes on parts of the stores that could not be read, and parts of the images that are missing.
pub(super) fn unread(images: &[Examined]) -> anyhow::Result<Vec<String>> {
    let mut unread = Vec::new();
    for examined in images {
        unread.extend(examined.store()?.iter().flat_map(|study| study.unread.iter().cloned()));
    }
    unread.extend(images.iter().filter_map(|examined| not_here(examined.image())));
    unread.extend(images.iter().flat_map(|examined| wrong(examined.image())));
    Ok(unread)
}

/// Defects of an image other than missing layers.
fn wrong(image: &Image) -> impl Iterator<Item = String> {
    let is_absent = |layer: LayerIndex| image.layers.get(layer.index()).is_some_and(Layer::is_absent);
    let told = image.defects.iter().filter(move |defect| !defect.layer.is_some_and(is_absent));
    told.map(|defect| format!("{}: {}", image.identity.requested, defect.message))
}

/// Says that the content of an image's files is not here, as where only its description is.
fn not_here(image: &Image) -> Option<String> {
    let layers = image.layers.iter().filter(|layer| layer.is_absent()).count();
    let name = &image.identity.requested;
    (layers > 0).then(|| format!("{name}: the files of {layers} layers are missing and not compared"))
}

/// Opens and examines several images at once, sharing the cores. Returns the first error in their order, and stops the
/// others.
///
/// # Errors
/// If an image cannot be opened or examined.
pub(super) fn gather(wanted: &Wanted, arguments: &OpenArguments) -> anyhow::Result<Vec<Examined>> {
    let progress: Vec<Progress> = wanted.images.iter().map(|_| Progress::new()).collect();
    let options = OpenOptions { programs: Programs::Foreground, ..arguments.options(Keep::Trees) };
    let together = Together { options: &options, progress: &progress, open: &open_reference };
    let mut examined = together.examine(&wanted.images, &|_| {}).map_err(|(number, error)| {
        match wanted.way_out(number).filter(|_| !error.is_cancelled()) {
            Some(way_out) => anyhow::anyhow!("{error}; {way_out}"),
            None => anyhow::Error::new(*error),
        }
    })?;
    for image in &mut examined {
        integrity::enforce(&mut image.opened.image, arguments.integrity)?;
    }
    Ok(examined)
}
