use std::process::ExitCode;
use std::sync::Arc;

use super::arguments::{self, CompareArguments, OpenArguments};
use super::inspect::packages_of;
use super::named::Wanted;
use super::{build, integrity, open_reference, output};
use nixdive_analyse::compare::{CompareOptions, KnownContents, Outline, Side, check_platforms};
use nixdive_base::cancel::Cancel;
use nixdive_image::reference::{Location, Reference};
use nixdive_image::{Image, Layer, LayerIndex, OccurrenceId};
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;
use nixdive_report::{CompareFormat, write_comparison};
use nixdive_source::identify::{Identified, identify};
use nixdive_source::open::{Keep, OpenError, OpenOptions, Opened, Programs, Progress};
use nixdive_source::study::{StoreWatch, StudyError, StudyOptions, study};

/// An image with all that comparing it needs.
pub(super) struct Gathered {
    pub opened: Opened,
    pub packages: Inventory,
    pub store: Option<StoreStudy>,
}

impl Gathered {
    /// As a side of a comparison.
    pub fn side(&self) -> Side<'_> {
        Side { image: &self.opened.image, packages: &self.packages, store: self.store.as_ref() }
    }

    /// Reads some of its files.
    pub fn identify(&self, ids: &[OccurrenceId], threads: usize) -> anyhow::Result<Identified> {
        Ok(identify(&self.opened.image, &self.opened.contents, ids, threads, &Cancel::new())?)
    }
}

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
        anyhow::bail!("two images are compared, and there {}; nixdive share takes any number", are(count));
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
    let [left, right] = gathered.as_slice() else { anyhow::bail!("two images are compared") };
    if !different_platforms && let Err(mismatch) = check_platforms(&left.opened.image, &right.opened.image) {
        anyhow::bail!("{mismatch}; choose one with --platform, or allow it with --different-platforms");
    }
    let outline = Outline::new(&left.opened.image, &right.opened.image);
    let unknown = outline.unknown();
    let (of_left, of_right) = (left.identify(&unknown.left, 0)?, right.identify(&unknown.right, 0)?);
    let notes = of_left.unread.into_iter().chain(of_right.unread).chain(unread(&gathered));
    let notes: Vec<String> = notes.chain(wanted.notes.iter().cloned()).collect();
    let known = KnownContents { left: of_left.known, right: of_right.known };
    let comparison = outline.finish(left.side(), right.side(), &known, options);
    output::print(|out| write_comparison(&comparison, &notes, format, out))
}

/// «is one», «are 3».
pub(super) fn are(count: usize) -> String {
    if count == 0 {
        "is none".to_owned()
    } else if count == 1 {
        "is one".to_owned()
    } else {
        format!("are {count}")
    }
}

/// What could not be read of the images' stores, and what of the images is not here.
pub(super) fn unread(gathered: &[Gathered]) -> Vec<String> {
    let studies = gathered.iter().filter_map(|image| image.store.as_ref());
    let unread = studies.flat_map(|study| study.unread.clone());
    let not_here = gathered.iter().filter_map(|image| not_here(&image.opened.image));
    unread.chain(not_here).chain(gathered.iter().flat_map(|image| wrong(&image.opened.image))).collect()
}

/// In what an image is not whole, or not what it claims, besides what is not here.
fn wrong(image: &Image) -> impl Iterator<Item = String> {
    let is_absent = |layer: LayerIndex| image.layers.get(layer.index()).is_some_and(Layer::is_absent);
    let told = image.defects.iter().filter(move |defect| !defect.layer.is_some_and(is_absent));
    told.map(|defect| format!("{}: {}", image.identity.requested, defect.message))
}

/// Says that the content of an image's files is not here, as where only its description is.
fn not_here(image: &Image) -> Option<String> {
    let layers = image.layers.iter().filter(|layer| layer.is_absent()).count();
    let name = &image.identity.requested;
    (layers > 0).then(|| format!("{name}: the files of {layers} layers are not here, and are not compared"))
}

/// Opens and studies some images at once, the cores shared between them; the first error in their order is told, and
/// stops the others.
///
/// # Errors
/// Those of opening and studying.
pub(super) fn gather(wanted: &Wanted, arguments: &OpenArguments) -> anyhow::Result<Vec<Gathered>> {
    let progress: Vec<Progress> = wanted.images.iter().map(|_| Progress::new()).collect();
    let how = HowToGather { arguments, keep: Keep::Trees, programs: Programs::Foreground, progress: &progress };
    let mut gathered = how.gather(&wanted.images, &|_| {}).map_err(|(number, error)| match wanted.way_out(number) {
        Some(way_out) if !is_cancelled(&error) => anyhow::anyhow!("{error}; {way_out}"),
        _ => error,
    })?;
    for image in &mut gathered {
        integrity::enforce(&mut image.opened.image, arguments.integrity)?;
    }
    Ok(gathered)
}

/// How some images are opened at once.
pub(super) struct HowToGather<'a> {
    pub arguments: &'a OpenArguments,
    pub keep: Keep,
    pub programs: Programs,
    /// One for each image.
    pub progress: &'a [Progress],
}

impl HowToGather<'_> {
    /// Opens and studies the images; `finished` is told of each that is at hand.
    ///
    /// # Errors
    /// Those of opening and studying, each with the number of the image.
    pub fn gather(
        &self,
        images: &[Reference],
        finished: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Gathered>, (usize, anyhow::Error)> {
        let from_input = |(_, image): &(usize, &Reference)| image.location == Location::StandardInput;
        if let Some((number, _)) = images.iter().enumerate().filter(from_input).nth(1) {
            return Err((number, anyhow::anyhow!("only one image can come by standard input")));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = images.len().clamp(1, cores.max(2));
        let threads = cores.div_ceil(at_once);
        let mut gathered = Vec::new();
        let jobs: Vec<(usize, (&Reference, &Progress))> = images.iter().zip(self.progress).enumerate().collect();
        for group in jobs.chunks(at_once) {
            let results: Vec<anyhow::Result<Gathered>> = std::thread::scope(|scope| {
                let mut running = Vec::new();
                for &(number, (reference, own)) in group {
                    let work = move || {
                        let result = self.gather_one(reference, threads, own);
                        match &result {
                            Ok(_) => finished(number),
                            Err(_) => self.progress.iter().for_each(|progress| progress.cancel().cancel()),
                        }
                        result
                    };
                    running.push(std::thread::Builder::new().name("compare".into()).spawn_scoped(scope, work));
                }
                let ended = |thread: std::io::Result<std::thread::ScopedJoinHandle<'_, _>>| match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread failed"))),
                    Err(error) => Err(anyhow::anyhow!("starting a thread: {error}")),
                };
                running.into_iter().map(ended).collect()
            });
            // That one was stopped says nothing where another failed.
            let mut stopped = None;
            for (result, &(number, _)) in results.into_iter().zip(group) {
                match result {
                    Ok(image) => gathered.push(image),
                    Err(error) if is_cancelled(&error) => stopped = stopped.or(Some((number, error))),
                    Err(error) => return Err((number, error)),
                }
            }
            if let Some(stopped) = stopped {
                return Err(stopped);
            }
        }
        Ok(gathered)
    }

    fn gather_one(&self, reference: &Reference, threads: usize, progress: &Progress) -> anyhow::Result<Gathered> {
        let watch = StoreWatch::new();
        let options = OpenOptions {
            programs: self.programs,
            watch: Some(Arc::new(watch.clone()) as Arc<_>),
            threads,
            ..self.arguments.options(self.keep)
        };
        let opened = open_reference(reference, &options, progress)?;
        let cancel = progress.cancel().clone();
        let store = study(&opened, &StudyOptions { watch: Some(&watch), threads, cancel, ..StudyOptions::default() })?;
        let packages = packages_of(&opened.image, &opened.captured).unwrap_or_default();
        Ok(Gathered { opened, packages, store })
    }
}

/// Whether it is an error only in that somebody stopped it.
pub(super) fn is_cancelled(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Cancelled))
        || matches!(error.downcast_ref(), Some(StudyError::Cancelled))
}
