//! `nixdive rebuild`: the plan, and the image written from it.

mod checked;
mod closure;
mod configure;
mod emit;
mod outputs;
mod sent;
mod written;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::open_arguments::OpenArguments;
use super::rebuild_arguments::{self, ChoiceArguments, PlanFormat, RebuildArguments, Strategy, WriteArguments};
use super::{examined, open_for, output};
use nixdive_base::cancel::Cancel;
use nixdive_base::text::{counted, display_name};
use nixdive_image::Image;
use nixdive_image::reference::Reference;
use nixdive_nix::StorePath;
use nixdive_nix::study::StoreOutline;
use nixdive_rebuild::choices::{Choices, Cut};
use nixdive_rebuild::package_image::Granularity;
use nixdive_rebuild::plan::Plan;
use nixdive_rebuild::session::Survey;
use nixdive_rebuild::{Composition, ImageContent};
use nixdive_report::PlanReport;
use nixdive_source::open::{Keep, Opened};
use nixdive_write::layering::{self, Sibling};
use nixdive_write::{LayerCompression, WriteOptions};
use outputs::Outputs;
use written::{Words, Writing};

/// Rebuilds an image, or says how it would be.
pub fn run(arguments: &RebuildArguments) -> anyhow::Result<ExitCode> {
    let choices = choices(&arguments.choices)?;
    let destinations = Outputs::parse(&arguments.output)?;
    let options = write_options(arguments)?;
    let open = arguments.open.certifying(arguments.incomplete);
    let mut examined = examined(&arguments.image, &open, Keep::Aside)?;
    if arguments.check {
        return checked::check(&examined.opened);
    }
    let paths = closure::opened_paths(examined.image());
    if !paths.is_empty() {
        return of_store_paths(paths, arguments, &examined.opened, &destinations, &options);
    }
    if let Some(more) = arguments.more.first() {
        let image = shown(&arguments.image);
        anyhow::bail!("only one image can be rebuilt at a time; unexpected argument {} after {image}", shown(more));
    }
    if arguments.from.is_some() {
        anyhow::bail!("--from needs store paths to put on the base image; {} is an image", shown(&arguments.image));
    }
    configure::apply(&arguments.config, &mut examined.opened.image.config)?;
    let (opened, store) = (&examined.opened, examined.store()?);
    let store = store.filter(|store| !store.store.paths.is_empty());
    if let Some(directory) = &arguments.emit.emit_nix {
        emit::write(directory, arguments, &examined, &choices)?;
        if arguments.emit.build {
            return emit::build(directory, &arguments.image, &arguments.open);
        } else if destinations.is_empty() && !arguments.plan {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let cancel = Cancel::new();
    let survey = match store {
        Some(store) => Survey::of_store(&opened.image, Arc::clone(store))?,
        None => {
            let packages = Arc::clone(examined.packages());
            Survey::of_packages(&opened.image, &opened.contents, packages, &choices, &cancel)?
        }
    };
    let basis = survey.basis(&opened.image, granularity(arguments.choices.granularity));
    let selected = basis.select(&choices)?;
    let plan = basis.plan(&selected, &choices)?;
    if arguments.plan || destinations.is_empty() {
        print_plan(&opened.image, &plan, arguments.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let content = ImageContent::new(&opened.image.tree, &opened.contents);
    let composition = basis.compose(&selected, &content, &cancel)?;
    let words = Words { before: Some(&opened.image), notes: notes(&plan) };
    write(arguments, &composition, &content, &destinations, &options, &words)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes an image of a closure.
fn of_store_paths(
    paths: Vec<StorePath>,
    arguments: &RebuildArguments,
    opened: &Opened,
    destinations: &Outputs,
    options: &WriteOptions,
) -> anyhow::Result<ExitCode> {
    let path = shown(&arguments.image);
    let chosen = &arguments.choices;
    if !(chosen.keep.is_empty() && chosen.drop.is_empty() && chosen.cut.is_empty()) {
        anyhow::bail!(
            "--keep, --drop and --cut are about images; of {path} make one first, as in \
             `nixdive rebuild {path} -o - | nixdive rebuild - --drop docs -o small.tar`"
        );
    }
    if arguments.emit.emit_nix.is_some() {
        anyhow::bail!("--emit-nix needs an image; {path} is already built by Nix");
    }
    if arguments.plan || destinations.is_empty() {
        anyhow::bail!("{path} and its closure are kept completely; missing --output DESTINATION");
    }
    let paths = closure::named_paths(paths, arguments)?;
    let (composed, base) = closure::of_paths(paths, arguments)?;
    let below = base.as_ref().unwrap_or(opened);
    let base_blobs = closure::base_blobs(arguments, &below.image)?;
    let content = ImageContent::new(&below.image.tree, &below.contents);
    let content = content.with_base(composed.base_layers).with_base_blobs(base_blobs);
    let words = Words { before: None, notes: composed.notes };
    write(arguments, &composed.composition, &content, destinations, options, &words)?;
    Ok(ExitCode::SUCCESS)
}

/// Default maximum number of layers.
const DEFAULT_MAX_LAYERS: u16 = 100;

/// Refuses a number of layers into which the image does not fit, and warns of one that engines refuse.
fn check_max_layers(given: usize, composition: &Composition) -> anyhow::Result<()> {
    let (base, outside) = (composition.base.len(), usize::from(!composition.outside.is_empty()));
    let least = base + outside + usize::from(!composition.store_paths.is_empty());
    if given < least {
        let parts = [
            (base > 0).then(|| format!("{} of the base image", counted(base, "layer"))),
            (outside > 0).then(|| "1 for files outside the store".to_owned()),
            (least > base + outside).then(|| "1 for store paths".to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        anyhow::bail!("--max-layers {given}: the image needs at least {least}: {}", parts.join(", "));
    }
    output::warn_of_max_layers(given);
    Ok(())
}

/// Chooses layers and writes.
fn write(
    arguments: &RebuildArguments,
    composition: &Composition,
    content: &ImageContent<'_>,
    destinations: &Outputs,
    options: &WriteOptions,
    words: &Words<'_>,
) -> anyhow::Result<()> {
    let siblings = siblings(&arguments.write.siblings, &arguments.open)?;
    let strategy = strategy(arguments.write.strategy);
    let max_layers = usize::from(arguments.write.max_layers.unwrap_or(DEFAULT_MAX_LAYERS));
    if let Some(given) = arguments.write.max_layers {
        check_max_layers(usize::from(given), composition)?;
    }
    let layers = strategy.assign(composition, &siblings, max_layers);
    let options = WriteOptions { form: strategy.tar_form(), ..options.clone() };
    let writing = Writing { composition, layers: &layers, content, options: &options, words };
    if destinations.remote.is_empty() {
        return writing.write(&destinations.files);
    }
    writing.send(destinations, &arguments.open.remote())
}

/// Notes on a plan that is carried out.
fn notes(plan: &Plan) -> Vec<String> {
    let of_rows = plan.rows.iter().filter_map(|row| Some(format!("{}: {}", row.name, row.doubt.as_ref()?)));
    plan.doubts.iter().cloned().chain(of_rows).collect()
}

fn shown(text: &OsString) -> String {
    display_name(text.as_encoded_bytes()).into_owned()
}

fn print_plan(image: &Image, plan: &Plan, format: PlanFormat) -> anyhow::Result<()> {
    let report = PlanReport { image, plan };
    output::print(|out| match format {
        PlanFormat::Text => report.write_text(out),
        PlanFormat::Json => report.write_json(out),
    })
}

fn choices(arguments: &ChoiceArguments) -> anyhow::Result<Choices> {
    let mut choices = Choices::default();
    arguments.keep.iter().try_for_each(|text| choices.keep(text))?;
    arguments.drop.iter().try_for_each(|text| choices.drop(text))?;
    choices.cut = arguments.cut.iter().map(|text| Cut::parse(text)).collect::<Result<_, _>>()?;
    Ok(choices)
}

fn granularity(granularity: rebuild_arguments::Granularity) -> Granularity {
    match granularity {
        rebuild_arguments::Granularity::File => Granularity::File,
        rebuild_arguments::Granularity::Package => Granularity::Package,
    }
}

fn strategy(strategy: Strategy) -> layering::Strategy {
    match strategy {
        Strategy::Stable => layering::Strategy::Stable,
        Strategy::Popularity => layering::Strategy::Popularity,
        Strategy::Nix2container => layering::Strategy::Nix2container,
    }
}

fn write_options(arguments: &RebuildArguments) -> anyhow::Result<WriteOptions> {
    let mut options = WriteOptions { created: created(&arguments.write)?, ..WriteOptions::default() };
    if let Some(text) = &arguments.write.compression {
        options.compression = LayerCompression::parse(text)?;
    }
    options.protected = inputs(std::iter::once(&arguments.image).chain(&arguments.write.siblings))?;
    Ok(options)
}

/// The files and directories that images are read from.
fn inputs<'a>(images: impl Iterator<Item = &'a OsString>) -> anyhow::Result<Vec<PathBuf>> {
    let mut inputs = Vec::new();
    for image in images {
        inputs.extend(Reference::parse(image)?.local_path().map(Path::to_owned));
    }
    Ok(inputs)
}

fn created(arguments: &WriteArguments) -> anyhow::Result<Option<u64>> {
    match arguments.created.as_deref() {
        None => Ok(None),
        Some("now") => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            Ok(Some(now.as_secs()))
        }
        Some(text) => match text.parse() {
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => anyhow::bail!("--created: expected seconds since 1970, or `now`"),
        },
    }
}

/// Store paths of the images deployed next to this one.
fn siblings(images: &[OsString], arguments: &OpenArguments) -> anyhow::Result<Vec<Sibling>> {
    let sibling = |image: &OsString| {
        let opened = open_for(image, arguments, Keep::Trees)?;
        let tree = &opened.image.tree;
        let outline = StoreOutline::new(tree);
        let paths = outline.store.paths.iter().zip(&outline.entries);
        let bytes =
            |(known, entries): (&nixdive_nix::contents::ImageStorePath, &nixdive_nix::contents::PathEntries)| {
                (known.path.base_name().to_owned(), entries.nar_bytes(tree).unwrap_or_default())
            };
        Ok(paths.map(bytes).collect())
    };
    images.iter().map(sibling).collect()
}
