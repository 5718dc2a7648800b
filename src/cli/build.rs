use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use super::arguments::BuildArguments;
use super::named::{self, Wanted};
use super::open_arguments::{DockerfileArguments, Engine, NamedArguments, OpenArguments};
use super::{browse, inspect};
use nixdive_base::text::display_in_sentence;
use nixdive_image::reference::Reference;
use nixdive_report::Format;
use nixdive_source::build::{self, BuildError, Built, dockerfile_arguments};

/// Arguments for the engine's build, white space between them.
const MORE: &str = "NIXDIVE_BUILD_ARGUMENTS";

/// Builds an image as the engine does with these arguments, and browses it; a text report where standard output is no
/// terminal.
pub fn run(arguments: &BuildArguments) -> anyhow::Result<ExitCode> {
    let mut open = arguments.open.clone();
    let mut engine_arguments = from_environment();
    engine_arguments.extend(arguments.arguments.iter().cloned());
    let last = arguments.arguments.last().map(|last| last.to_string_lossy().into_owned()).unwrap_or_default();
    let built = built(arguments.engine, &engine_arguments, &format!("build {last}"), &mut open)?;
    let reference = Reference::parse(&built.path())?;
    if std::io::stdout().is_terminal() {
        return browse::browse(&open, Some(&reference), Some(&built));
    }
    inspect::report(&reference, &open, Format::Text, false)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the images named on the command line, with the one built from a Dockerfile first. `check` rejects a wrong
/// number of images before anything is built. The result can be opened for as long as it is kept.
///
/// # Errors
/// If [`named::expand`] or the build fails.
pub(super) fn wanted(
    images: &[OsString],
    named: &NamedArguments,
    dockerfile: &DockerfileArguments,
    open: &mut OpenArguments,
    check: &dyn Fn(usize) -> anyhow::Result<()>,
) -> anyhow::Result<(Wanted, Option<Built>)> {
    let Some(path) = &dockerfile.dockerfile else {
        // Behind `--` no argument is an option.
        let images: Vec<OsString> = images.iter().chain(&dockerfile.behind).cloned().collect();
        let wanted = named::expand(&images, named)?;
        check(wanted.images.len())?;
        return Ok((wanted, None));
    };
    let mut wanted = named::expand(images, named)?;
    check(wanted.images.len().saturating_add(1))?;
    let mut more = from_environment();
    more.extend(dockerfile.behind.iter().cloned());
    let arguments = dockerfile_arguments(path, &more)?;
    let title = format!("build {}", path.display());
    let built = built(dockerfile.engine, &arguments, &title, open)?;
    wanted.images.insert(0, Reference::parse(&built.path())?);
    wanted.users.insert(0, String::new());
    Ok((wanted, Some(built)))
}

fn from_environment() -> Vec<OsString> {
    let more = std::env::var(MORE).unwrap_or_default();
    more.split_whitespace().map(OsString::from).collect()
}

/// Builds, and has the result shown under a title.
fn built(
    engine: Option<Engine>,
    arguments: &[OsString],
    title: &str,
    open: &mut OpenArguments,
) -> anyhow::Result<Built> {
    let execution = open.execution();
    let engine = build::Engine::find(engine.map(Into::into), execution);
    let built = engine.and_then(|engine| build::build(engine, arguments, execution));
    let built = built.map_err(|error| {
        if let BuildError::Stopped(signal) = error {
            // Everything is tidy: the signal may do what it does. Where it does not end the program, the error does.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        error
    })?;
    let title = display_in_sentence(&format!("{} {title}", built.engine));
    open.titles.push((built.path().to_string_lossy().into_owned(), title));
    Ok(built)
}
