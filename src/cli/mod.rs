//! The command line: one file a command. Parse, call, print, exit code.

mod arguments;
mod attendant;
mod browse;
mod build;
mod cache;
mod cat;
mod ci;
mod ci_arguments;
mod compare;
mod comparer;
mod copy;
mod copy_arguments;
mod extract;
mod help;
mod index;
mod index_arguments;
mod inspect;
mod integrity;
mod list;
mod local_images;
mod locate;
mod log;
mod manual;
mod named;
mod open_arguments;
mod opener;
mod output;
mod pace;
mod rebuild;
mod rebuild_arguments;
mod rebuilder;
mod remote_arguments;
mod samples;
mod sbom;
#[cfg(test)]
mod screenshots;
mod settings;
mod share;
mod signals;
mod suggestion;
mod tags;
mod transferring;
mod viewed;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use crossbeam_channel::bounded;

use arguments::{Arguments, Command};
pub(crate) use open_arguments::OpenArguments;
#[cfg(test)]
pub(crate) use {arguments::ComparingArguments, opener::Opener};

use nixdive_app::Examined;
use nixdive_image::reference::{Location, Reference};
use nixdive_source::open::{Keep, OpenError, OpenOptions, Opened, Programs, Progress, open};

/// Exit code for errors; 1 is reserved for failing rules of `--ci`.
const COULD_NOT: u8 = 2;

/// Runs the program with the arguments it was started with.
#[must_use]
pub fn run() -> ExitCode {
    let words = log::with_verbosity_behind(std::env::args_os());
    let is_short_help = words.iter().any(|word| word == "-h");
    let command = if is_short_help { help::command_with_short_help() } else { help::command() };
    let parsed = command.try_get_matches_from(words);
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let result = log::start(arguments.verbose).and_then(|()| perform(arguments));
    match result {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            let interrupted = error.downcast_ref::<signals::Interrupted>();
            ExitCode::from(interrupted.map_or(COULD_NOT, signals::Interrupted::exit_code))
        }
    }
}

/// Runs the command that was given.
fn perform(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let prints_itself =
        arguments.browse.print_config || matches!(arguments.command, Some(Command::Completions { .. } | Command::Man));
    if !prints_itself {
        settings::check_named()?;
    }
    match arguments.command {
        Some(Command::Inspect(inspect)) => inspect::run(&inspect),
        Some(Command::Ls(list)) => list::run(&list),
        Some(Command::Cat(cat)) => cat::run(&cat),
        Some(Command::Extract(extract)) => extract::run(&extract),
        Some(Command::Why(why)) => why::run(&why),
        Some(Command::Build(build)) => build::run(&build),
        Some(Command::Compare(compare)) => compare::run(&compare),
        Some(Command::Share(share)) => share::run(&share),
        Some(Command::Sbom(sbom)) => sbom::run(&sbom),
        Some(Command::Rebuild(rebuild)) => rebuild::run(&rebuild),
        Some(Command::Ci(rules)) => ci::run(&rules),
        Some(Command::Copy(copy)) => copy::run(&copy),
        Some(Command::Index(index)) => index::run(&index),
        Some(Command::Tags(tags)) => tags::run(&tags),
        Some(Command::Cache(cache)) => cache::run(&cache),
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man) => manual::page(),
        None => browse::run(&arguments.browse),
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is not an error: the reader has seen enough.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(COULD_NOT) } else { ExitCode::SUCCESS }
}

/// Opens the image named on the command line, for a command that prints a report. Ctrl-C ends the program.
fn open_for(image: &OsString, arguments: &OpenArguments, keep: Keep) -> anyhow::Result<Opened> {
    open_parsed(&Reference::parse(image)?, arguments, keep)
}

/// Opens a reference for a command that prints a report.
fn open_parsed(reference: &Reference, arguments: &OpenArguments, keep: Keep) -> anyhow::Result<Opened> {
    let options = OpenOptions { programs: Programs::Foreground, ..arguments.options(keep) };
    let mut opened = open_reference(reference, &options, &Progress::new())?;
    integrity::enforce(&mut opened.image, arguments.integrity)?;
    Ok(opened)
}

/// Opens an image named on the command line, to be examined.
fn examined(image: &OsString, arguments: &OpenArguments, keep: Keep) -> anyhow::Result<Examined> {
    examined_reference(&Reference::parse(image)?, arguments, keep)
}

/// Opens a reference, to be examined.
fn examined_reference(reference: &Reference, arguments: &OpenArguments, keep: Keep) -> anyhow::Result<Examined> {
    let options = OpenOptions { programs: Programs::Foreground, ..arguments.options(keep) };
    let progress = Progress::new();
    let mut examined =
        Examined::open(options, progress.cancel(), |options| open_reference(reference, options, &progress))?;
    integrity::enforce(&mut examined.opened.image, arguments.integrity)?;
    Ok(examined)
}

/// Opens a reference, or the sample image built into the program if the reference names it.
pub(crate) fn open_reference(
    reference: &Reference,
    options: &OpenOptions,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    if let Some(bytes) = samples::embedded(reference) {
        return nixdive_source::open::open_embedded(bytes, samples::EMBEDDED, options, progress);
    }
    let is_remote = matches!(reference.location, Location::Registry(_) | Location::Name(_) | Location::Engine(..));
    if !is_remote || options.programs != Programs::Foreground || !pace::is_watched() {
        return open(reference, options, progress);
    }
    let (finished, watched) = bounded::<()>(0);
    std::thread::scope(|scope| {
        scope.spawn(|| pace::tell(progress, &watched));
        let opened = open(reference, options, progress);
        drop(finished);
        opened
    })
}
