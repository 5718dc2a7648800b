//! Builds installables with `nix build`, and opens the result.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::program::{Running, in_words};
use crate::formats::{Choice, SourceError};
use crate::open::{OpenError, Opened, Opening};
use nixdive_image::reference::{Program, Start};
use nixdive_nix::StorePath;

/// Maximum bytes of paths that a build may print.
const MAX_PRINTED: u64 = 1 << 20;
/// Time that Nix may take to end after it has printed its result.
const PATIENCE: Duration = Duration::from_secs(600);

/// Result of a build.
pub(in crate::open) enum Built {
    /// A single path.
    Path(PathBuf),
    /// Several outputs of a package, none of which is an image.
    Outputs(Vec<StorePath>),
}

/// One result in the output of `nix build --json`.
#[derive(Deserialize)]
struct BuiltDocument {
    #[serde(default)]
    outputs: BTreeMap<String, Option<String>>,
    /// Used instead of outputs if the installable is a store path.
    path: Option<String>,
}

/// Returns the paths that were built; none if the output of Nix cannot be parsed.
fn built_paths(printed: &[u8]) -> Vec<String> {
    let built: Vec<BuiltDocument> = serde_json::from_slice(printed).unwrap_or_default();
    let paths = built.into_iter().flat_map(|built| built.outputs.into_values().flatten().chain(built.path));
    let mut paths: Vec<String> = paths.collect();
    paths.sort();
    paths.dedup();
    paths
}

impl Opening<'_> {
    /// Opens the image of a program: one that Nix builds, or one that a script writes.
    pub(in crate::open) fn program(&self, program: &Program) -> Result<Opened, OpenError> {
        match program.start() {
            Start::Build(_) => match self.build(program)? {
                Built::Path(path) => self.path(&path),
                Built::Outputs(outputs) => self.closure(&outputs),
            },
            Start::Run(_) | Start::BuildAndRun(_) => self.run_script(program, |output| self.pipe(output))?,
        }
    }

    /// Builds an installable that consists of a single file or directory.
    pub(in crate::open) fn build_one(&self, program: &Program) -> Result<PathBuf, OpenError> {
        match self.build(program)? {
            Built::Path(path) => Ok(path),
            Built::Outputs(_) => {
                let reason = "builds several outputs of a package, none of which is an image";
                Err(self.source_error(SourceError::NotAnImage(reason.to_owned())))
            }
        }
    }

    /// Builds an installable with Nix.
    pub(in crate::open) fn build(&self, program: &Program) -> Result<Built, OpenError> {
        let (Start::Build(installable) | Start::BuildAndRun(installable)) = program.start() else {
            return Err(self.source_error(SourceError::NotAnImage("is a script; scripts are run, not built".into())));
        };
        let mut command = self.command("nix")?;
        command.args(["--extra-experimental-features", "nix-command flakes", "build", "--no-link"]);
        // `--print-out-paths` requires Nix 2.9.
        command.args(["--json", "--"]).arg(installable);
        let started = Running::start(&mut command, self.options.programs, true, self.cancel());
        let mut running = started.map_err(|error| self.not_started(&error))?;
        let mut printed = Vec::new();
        let read = running.stdout().take(MAX_PRINTED).read_to_end(&mut printed);
        self.cancel().check().map_err(|_| OpenError::Cancelled)?;
        read.map_err(|error| self.io_error(error))?;
        let status = running.wait(PATIENCE).map_err(|error| self.io_error(error))?;
        self.cancel().check().map_err(|_| OpenError::Cancelled)?;
        match status {
            Some(status) if status.success() => {}
            Some(status) => return Err(self.not_built(in_words(status), running.said())),
            None => return Err(self.not_built("did not exit".to_owned(), running.said())),
        }
        match built_paths(&printed).as_slice() {
            [] => Err(self.not_built("reported no output path".to_owned(), running.said())),
            [one] => Ok(Built::Path(PathBuf::from(one))),
            several => {
                let outputs: Option<Vec<StorePath>> =
                    several.iter().map(|path| self.package_at(Path::new(path))).collect();
                if let Some(outputs) = outputs {
                    return Ok(Built::Outputs(outputs));
                }
                let choice = |path: &String| Choice { reference: path.clone(), title: path.clone(), platform: None };
                Err(self.source_error(SourceError::Several(several.iter().map(choice).collect())))
            }
        }
    }

    fn not_started(&self, error: &io::Error) -> OpenError {
        if error.kind() != io::ErrorKind::NotFound {
            return self.not_built(format!("cannot be run: {error}"), Vec::new());
        }
        let reason = "must be built by Nix, but found no nix on PATH; build it elsewhere and give its result";
        self.source_error(SourceError::NotAnImage(reason.to_owned()))
    }

    fn not_built(&self, how: String, said: Vec<u8>) -> OpenError {
        self.source_error(SourceError::Program { what: "nix build", how, said })
    }
}
