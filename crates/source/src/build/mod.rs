//! Images built by a container engine: built, saved as an archive, and removed when the program ends.

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

/// Maximum bytes of a file with an image's digest.
const MAX_IDENTITY_BYTES: usize = 256;

/// Reason why no image was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No engine was found.
    #[error("no engine to build with: none of docker, podman and buildah is on PATH")]
    NoEngine,
    /// The requested engine was not found.
    #[error("{0}: not found on PATH")]
    NotOnPath(Engine),
    /// The engine failed.
    #[error("{engine} {what} {how}{}", last_lines(.said))]
    Failed {
        /// The engine.
        engine: Engine,
        /// Its task: `build`, `save`.
        what: &'static str,
        /// How it ended, as part of a sentence.
        how: String,
        /// Its last lines, safe to print.
        said: Vec<String>,
    },
    /// The build succeeded without naming an image.
    #[error("{0}: the build reported no image")]
    NoImage(Engine),
    /// Programs must not be started.
    #[error(transparent)]
    Refused(#[from] ExecutionRefused),
    /// An argument that this program needs for itself.
    #[error("--iidfile: reserved, since nixdive uses it to find the image that was built")]
    OwnArgument,
    /// A path without a Dockerfile.
    #[error("{}: {reason}", path.display())]
    NoDockerfile {
        /// The path.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The user or the system asked the program to end.
    #[error("stopped by signal {0}")]
    Stopped(i32),
    /// The system reports an error.
    #[error("{what}: {error}")]
    Io {
        /// Object of the failed operation.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

fn last_lines(said: &[String]) -> String {
    said.iter().map(|line| format!("\n  {line}")).collect()
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> BuildError {
    move |error| BuildError::Io { what, error }
}

/// An image that was built, in a docker-archive without a name. The archive vanishes when this value is dropped or the
/// program ends.
#[derive(Debug)]
pub struct Built {
    archive: File,
    afterwards: AfterSignals,
    /// The engine that built it.
    pub engine: Engine,
    /// Digest of the image, as the engine prints it.
    pub identity: String,
}

impl Built {
    /// Returns the path at which this process can open the archive while this value lives.
    #[must_use]
    pub fn path(&self) -> OsString {
        format!("/dev/fd/{}", self.archive.as_raw_fd()).into()
    }

    /// Lets another signal handler take over termination signals from now on.
    pub fn hand_over_signals(&self) {
        self.afterwards.follow(false);
    }
}

/// Builds with an engine's own arguments and saves the result. Passes the engine's output on to standard error as it
/// arrives.
///
/// # Errors
/// See [`BuildError`]. After [`BuildError::Stopped`], nothing is left to clean up.
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

/// Creates a temporary directory for the engine's output, and removes those that killed runs left behind.
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

/// Reads a digest: `sha256:…`, or its digits alone.
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

/// Returns the arguments that build a Dockerfile, or the one in a directory, preceded by further arguments for the
/// engine.
///
/// # Errors
/// [`BuildError::NoDockerfile`] if the path has none.
pub fn dockerfile_arguments(path: &Path, more: &[OsString]) -> Result<Vec<OsString>, BuildError> {
    let no = |reason: String| BuildError::NoDockerfile { path: path.to_owned(), reason };
    let found = std::fs::metadata(path).map_err(|error| no(error.to_string()))?;
    let mut arguments = more.to_vec();
    if found.is_dir() {
        let names = ["Dockerfile", "Containerfile"];
        let Some(name) = names.iter().find(|name| path.join(name).is_file()) else {
            return Err(no("no Dockerfile in this directory".to_owned()));
        };
        arguments.extend(["--file".into(), plain(&path.join(name)), plain(path)]);
    } else {
        let context = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        arguments.extend(["--file".into(), plain(path), plain(context)]);
    }
    Ok(arguments)
}

/// Returns a path that no engine mistakes for an option.
fn plain(path: &Path) -> OsString {
    let is_option = |text: &OsStr| text.as_encoded_bytes().starts_with(b"-");
    if is_option(path.as_os_str()) { Path::new(".").join(path).into() } else { path.into() }
}
