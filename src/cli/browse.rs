use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use crossbeam_channel::unbounded;

use super::arguments::{BrowseArguments, ComparingArguments};
use super::local_images::LocalImages;
use super::named::Wanted;
use super::open_arguments::OpenArguments;
use super::opener::Opener;
use super::{build, ci, compare, inspect, log, open_parsed, output, samples, settings, share};
use nixdive_analyse::analysis::assess;
use nixdive_analyse::compare::SharingOutline;
use nixdive_base::text::{counted, display_bytes};
use nixdive_image::reference::Reference;
use nixdive_report::{CompareFormat, Format, ShareFormat, write_dive_export};
use nixdive_source::build::Built;
use nixdive_source::formats::{Discovered, discover};
use nixdive_source::open::Keep;
use nixdive_tui::{self, Choice, Ended, Opening, Options, Settings, Start};

/// Directory of sample images in this program's source tree.
const SAMPLES: &str = "sample-images";

/// Browses an image in the terminal, or writes dive's export or a text report.
pub fn run(arguments: &BrowseArguments) -> anyhow::Result<ExitCode> {
    if arguments.print_config {
        std::io::stdout().write_all(Settings::default_document().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut open = arguments.open.clone();
    let given: Vec<OsString> = arguments.image.iter().chain(&arguments.others).cloned().collect();
    let (wanted, built) = build::wanted(&given, &arguments.named, &arguments.dockerfile, &mut open, &|_| Ok(()))?;
    let code = images(arguments, &wanted, &open, built.as_ref());
    drop(built);
    code
}

/// Shows the images that are wanted.
pub(super) fn images(
    arguments: &BrowseArguments,
    wanted: &Wanted,
    open: &OpenArguments,
    built: Option<&Built>,
) -> anyhow::Result<ExitCode> {
    match wanted.images.as_slice() {
        [] if arguments.json.is_some() || !std::io::stdout().is_terminal() => {
            anyhow::bail!("which image? expected a file, a directory, or `-` for standard input; see nixdive --help");
        }
        [] => browse(open, None, built),
        [image] => one(arguments, image, open, built),
        _ => several(arguments, wanted, open, built),
    }
}

/// Compares two images, or shows what several share; as a text report if standard output is not a terminal.
fn several(
    arguments: &BrowseArguments,
    wanted: &Wanted,
    open: &OpenArguments,
    built: Option<&Built>,
) -> anyhow::Result<ExitCode> {
    if arguments.json.is_some() {
        anyhow::bail!("--json needs one image; to compare two: nixdive compare --format json");
    } else if arguments.ci {
        anyhow::bail!("--ci needs one image; give the other one with --baseline");
    } else if let Some(flag) = arguments.rules.first_given() {
        anyhow::bail!("{flag} needs --ci, or the command nixdive ci");
    }
    together(wanted, &arguments.comparing, open, built)
}

/// Compares or shares, once all other options are handled.
pub(super) fn together(
    wanted: &Wanted,
    comparing: &ComparingArguments,
    open: &OpenArguments,
    built: Option<&Built>,
) -> anyhow::Result<ExitCode> {
    if std::io::stdout().is_terminal() {
        let names = wanted.images.iter().map(|image| title(open, image)).collect();
        let start = Start::Comparing { names, options: comparing.options() };
        let images = wanted.images.clone();
        return display(open, start, built, |opener| opener.start_together(Opening::FIRST, images, comparing));
    }
    match wanted.images.len() {
        // What a file names runs together: what its images share is the question, not in what they differ.
        2 if !wanted.is_named => {
            let (options, mixed) = (comparing.options(), comparing.different_platforms);
            compare::report(wanted, open, options, mixed, CompareFormat::Text)?;
        }
        _ => share::report(wanted, open, SharingOutline::MAX_LAYERS, ShareFormat::Text)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn one(
    arguments: &BrowseArguments,
    image: &Reference,
    open: &OpenArguments,
    built: Option<&Built>,
) -> anyhow::Result<ExitCode> {
    if let Some(flag) = arguments.comparing.first_given() {
        anyhow::bail!("{flag} needs two images, got one");
    } else if let Some(file) = &arguments.json {
        let opened = open_parsed(image, open, Keep::Trees)?;
        let assessment = assess(&opened.image);
        output::write_whole(file, |out| write_dive_export(&opened.image, &assessment, out))?;
    } else if arguments.ci || ci::is_asked_by_environment() {
        return ci::check(image, &arguments.rules, open);
    } else if let Some(flag) = arguments.rules.first_given() {
        anyhow::bail!("{flag} needs --ci, or the command nixdive ci");
    } else if std::io::stdout().is_terminal() {
        return browse(open, Some(image), built);
    } else {
        inspect::report(image, open, Format::Text, false)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Browses an image in the terminal. Where it was built just now, the interface sees to signals from here on.
pub(super) fn browse(
    open: &OpenArguments,
    image: Option<&Reference>,
    built: Option<&Built>,
) -> anyhow::Result<ExitCode> {
    let start = match image {
        Some(image) => Start::Loading(title(open, image)),
        None => Start::Choosing(choices()),
    };
    display(open, start, built, |opener| {
        if let Some(image) = image {
            opener.start(Opening::FIRST, image.clone());
        }
    })
}

/// Title of an image while it is being opened.
fn title(open: &OpenArguments, image: &Reference) -> String {
    let typed = &image.text;
    let title = open.titles.iter().find(|(known, _)| known == typed).map(|(_, title)| title.clone());
    title.unwrap_or_else(|| typed.clone())
}

/// Runs the interface, after `begin` has the images opened with which it starts.
fn display(
    open: &OpenArguments,
    start: Start,
    built: Option<&Built>,
    begin: impl FnOnce(&mut Opener),
) -> anyhow::Result<ExitCode> {
    let settings = settings::read()?;
    let (sender, receiver) = unbounded();
    let mut opener = Opener::new(open.clone(), sender);
    begin(&mut opener);
    if let Some(built) = built {
        built.hand_over_signals();
    }
    let silence = log::Silence::new();
    let ended =
        nixdive_tui::run(receiver, |effect| opener.perform(effect), start, Options::from_environment(), settings);
    opener.stop();
    drop(silence);
    Ok(match ended? {
        Ended::Quit => ExitCode::SUCCESS,
        Ended::Signal(number) => ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX)),
        Ended::Closed => ExitCode::from(super::COULD_NOT),
    })
}

/// Images found here, and the built-in sample.
fn choices() -> Vec<Choice> {
    let engines = LocalImages::ask();
    let mut choices: Vec<Choice> =
        [".", SAMPLES].iter().flat_map(|place| discover(Path::new(place))).map(|image| found(&image)).collect();
    choices.extend(engines.choices());
    choices.push(Choice {
        reference: samples::EMBEDDED.to_owned(),
        title: "a small sample".to_owned(),
        detail: format!("Nix image within this program, {}", display_bytes(samples::embedded_bytes())),
    });
    choices
}

fn found(image: &Discovered) -> Choice {
    let mut detail = image.kind.clone();
    if let Some(bytes) = image.stored_bytes {
        detail.push_str(&format!(", {}", display_bytes(bytes)));
    }
    if let Some(age) = image.modified.and_then(|time| SystemTime::now().duration_since(time).ok()) {
        detail.push_str(&format!(", {} old", in_words(age.as_secs())));
    }
    let title = image.path.display().to_string();
    // A file that is called `stream:x` stays a file, also when it is gone by the time that it is chosen.
    let reference = if image.path.is_absolute() { title.clone() } else { format!("./{title}") };
    Choice { title, reference, detail }
}

/// A length of time to one unit.
fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(count, unit)
}
