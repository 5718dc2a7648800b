//! Images that a container engine builds: built, saved as an archive, and forgotten when the program ends.

mod engine;
mod run;

pub use engine::Engine;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nixdive_base::beneath::{Directory, TemporaryDirectory, remove_abandoned};
use nixdive_image::execution::{ExecutionRefused, Permission};
use run::{AfterSignals, Ended, run};

/// The most bytes that a file with an image's digest may have.
const MAX_IDENTITY_BYTES: usize = 256;

/// Why there is no built image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// None of the engines is there.
    #[error("to build an image one of docker, podman and buildah is needed, and none is on PATH")]
    NoEngine,
    /// The one that is wanted is not there.
    #[error("there is no {0} on PATH")]
    NotOnPath(Engine),
    /// It ended otherwise than well.
    #[error("{engine} {what} {how}{}", last_lines(.said))]
    Failed {
        /// Which.
        engine: Engine,
        /// What it was to do: `build`, `save`.
        what: &'static str,
        /// How it ended, in words.
        how: String,
        /// Its last lines, safe to print.
        said: Vec<String>,
    },
    /// Its build succeeded and told of no image.
    #[error("{0} has built nothing: it told of no image")]
    NoImage(Engine),
    /// No program may be started.
    #[error(transparent)]
    Refused(#[from] ExecutionRefused),
    /// An argument that is needed for finding the image.
    #[error("--iidfile tells this program what was built; it cannot be given")]
    OwnArgument,
    /// A path that has no Dockerfile.
    #[error("{}: {reason}", path.display())]
    NoDockerfile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The person at the terminal, or the system, wants the program to end.
    #[error("stopped by signal {0}")]
    Stopped(i32),
    /// The system refuses.
    #[error("{what}: {error}")]
    Io {
        /// At what.
        what: &'static str,
        /// What it said.
        error: io::Error,
    },
}

fn last_lines(said: &[String]) -> String {
    said.iter().map(|line| format!("\n  {line}")).collect()
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> BuildError {
    move |error| BuildError::Io { what, error }
}

/// An image that was built, in a docker-archive without a name: it is gone when this is, however the program ends.
#[derive(Debug)]
pub struct Built {
    archive: File,
    afterwards: AfterSignals,
    /// Who built it.
    pub engine: Engine,
    /// Its digest, as the engine gives it.
    pub identity: String,
}

impl Built {
    /// Where the archive can be opened while this lives, by this program alone.
    #[must_use]
    pub fn path(&self) -> OsString {
        format!("/dev/fd/{}", self.archive.as_raw_fd()).into()
    }

    /// Signals to end are seen to by somebody else from now on.
    pub fn hand_over_signals(&self) {
        self.afterwards.follow(false);
    }
}

/// Builds with an engine's own arguments, and saves the result. What the engine says goes to standard error as it comes.
///
/// # Errors
/// [`BuildError`]. After [`BuildError::Stopped`] nothing is left to clean up.
pub fn build(engine: Engine, arguments: &[OsString], execution: Permission) -> Result<Built, BuildError> {
    let is_own =
        |argument: &OsString| argument == "--iidfile" || argument.as_encoded_bytes().starts_with(b"--iidfile=");
    if arguments.iter().any(is_own) {
        return Err(BuildError::OwnArgument);
    }
    let afterwards = AfterSignals::new().map_err(io_error("signals"))?;
    let place = scratch_directory().map_err(io_error("a temporary directory"))?;
    let identity_file = place.path().join("image");
    let mut command = execution.command(engine.program())?;
    command.args(engine.build_arguments()).arg("--iidfile").arg(&identity_file).args(arguments);
    // Standard input may be a Dockerfile or a context.
    command.stdin(Stdio::inherit()).stdout(Stdio::piped());
    ended(engine, "build", run(&mut command, &afterwards).map_err(io_error(engine.program()))?)?;
    let identity = read_identity(&identity_file).ok_or(BuildError::NoImage(engine))?;
    drop(place);

    let archive = tempfile::tempfile().map_err(io_error("a temporary file"))?;
    let out = archive.as_fd().try_clone_to_owned().map_err(io_error("a temporary file"))?;
    let mut command = execution.command(engine.program())?;
    command.args(engine.save_arguments(&identity)).stdin(Stdio::null()).stdout(Stdio::from(out));
    ended(engine, "save", run(&mut command, &afterwards).map_err(io_error(engine.program()))?)?;
    Ok(Built { archive, afterwards, engine, identity })
}

/// A temporary directory for what the engine writes. What killed runs left is removed.
fn scratch_directory() -> io::Result<TemporaryDirectory> {
    let parent = Directory::open(&std::env::temp_dir())?;
    remove_abandoned(&parent);
    TemporaryDirectory::new(&parent, 0o700)
}

fn ended(engine: Engine, what: &'static str, ended: Ended) -> Result<(), BuildError> {
    match ended {
        Ended::Well => Ok(()),
        Ended::Badly { how, said } => Err(BuildError::Failed { engine, what, how, said }),
        Ended::Stopped(signal) => Err(BuildError::Stopped(signal)),
    }
}

/// `sha256:…`, or the digits alone.
fn read_identity(file: &Path) -> Option<String> {
    use std::io::Read;
    let mut text = String::new();
    let file = File::open(file).ok()?;
    file.take(u64::try_from(MAX_IDENTITY_BYTES).ok()?).read_to_string(&mut text).ok()?;
    let identity = text.trim();
    let digits = identity.strip_prefix("sha256:").unwrap_or(identity);
    let is_digest = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| identity.to_owned())
}

/// The arguments by which a Dockerfile, or the one in a directory, is built, with more of the engine's in front.
///
/// # Errors
/// [`BuildError::NoDockerfile`].
pub fn dockerfile_arguments(path: &Path, more: &[OsString]) -> Result<Vec<OsString>, BuildError> {
    let no = |reason: String| BuildError::NoDockerfile { path: path.to_owned(), reason };
    let found = std::fs::metadata(path).map_err(|error| no(error.to_string()))?;
    let mut arguments = more.to_vec();
    if found.is_dir() {
        let names = ["Dockerfile", "Containerfile"];
        let Some(name) = names.iter().find(|name| path.join(name).is_file()) else {
            return Err(no("there is no Dockerfile in it".to_owned()));
        };
        arguments.extend(["--file".into(), plain(&path.join(name)), plain(path)]);
    } else {
        let context = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        arguments.extend(["--file".into(), plain(path), plain(context)]);
    }
    Ok(arguments)
}

/// A path that no engine takes for an option.
fn plain(path: &Path) -> OsString {
    let is_option = |text: &OsStr| text.as_encoded_bytes().starts_with(b"-");
    if is_option(path.as_os_str()) { Path::new(".").join(path).into() } else { path.into() }
}
