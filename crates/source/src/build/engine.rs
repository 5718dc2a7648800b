use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::BuildError;
use nixdive_image::execution::{ExecutionRefused, Permission};

/// Time after which an engine that does not answer counts as not running.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program that builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Docker, by its command line.
    Docker,
    /// Podman.
    Podman,
    /// Buildah.
    Buildah,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.program())
    }
}

impl Engine {
    /// All engines, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Buildah];

    /// Name of its command.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// Returns the requested engine, or the first that is found. If several are found, Docker counts only if its daemon
    /// answers.
    ///
    /// # Errors
    /// If no engine is found, or programs must not be started.
    pub fn find(wanted: Option<Self>, execution: Permission) -> Result<Self, BuildError> {
        if let Some(engine) = wanted {
            return if engine.is_on_path() { Ok(engine) } else { Err(BuildError::NotOnPath(engine)) };
        }
        execution.check(Self::Docker.program())?;
        let there: Vec<Self> = Self::ALL.into_iter().filter(|engine| engine.is_on_path()).collect();
        match there.as_slice() {
            [] => Err(BuildError::NoEngine),
            [Self::Docker, other, ..] if !daemon_answers(execution)? => Ok(*other),
            [first, ..] => Ok(*first),
        }
    }

    fn is_on_path(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|directory| directory.join(self.program())).any(|file| {
            std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
    }

    /// The first arguments of a build.
    pub(super) fn build_arguments(self) -> &'static [&'static str] {
        match self {
            // Understood by every version of Buildah.
            Self::Buildah => &["bud"],
            Self::Docker | Self::Podman => &["build"],
        }
    }

    /// Returns the arguments with which the engine writes an image to standard output as a docker-archive.
    pub(super) fn save_arguments(self, identity: &str) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::Docker => &["image", "save", identity],
            Self::Podman => &["save", "--quiet", "--format", "docker-archive", identity],
            Self::Buildah => &["push", "--quiet", identity, "docker-archive:/dev/stdout"],
        };
        arguments.iter().map(|&argument| argument.to_owned()).collect()
    }
}

fn daemon_answers(execution: Permission) -> Result<bool, ExecutionRefused> {
    let mut command = execution.command(Engine::Docker.program())?;
    command.args(["version", "--format", "{{.Server.Version}}"].map(OsStr::new));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Ok(false) };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Ok(Some(status)) => return Ok(status.success()),
            Err(_) => break,
        }
    }
    // It may have ended in the meantime.
    let _ = child.kill();
    let _ = child.wait();
    Ok(false)
}
