//! A script that writes an image to its standard output: what dockerTools' streamLayeredImage builds. It is run only
//! where it was asked for with its transport.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::program::{Running, in_words};
use crate::open::{OpenError, Opened, Opening};
use crate::source::SourceError;

/// How long a script may go on after its archive has come to its end.
const PATIENCE: Duration = Duration::from_secs(3);

impl Opening<'_> {
    /// Runs a script, and reads the archive that it writes.
    pub(in crate::open) fn script(&self, path: &Path) -> Result<Opened, OpenError> {
        self.run_script(path, |output| self.pipe(output))?
    }

    /// Runs a script, and shows to `take` what it writes.
    pub(in crate::open) fn run_script<T>(
        &self,
        path: &Path,
        take: impl FnOnce(Box<dyn Read + Send>) -> T,
    ) -> Result<T, OpenError> {
        let metadata = path.metadata().map_err(|error| self.io_error(error))?;
        if !metadata.is_file() {
            return Err(self.source_error(SourceError::NotAnImage("is no script, but a directory or a pipe".into())));
        }
        // A name without a slash would be looked for on PATH.
        let program = if path.is_absolute() { path.to_owned() } else { PathBuf::from(".").join(path) };
        let started = Running::start(&mut Command::new(program), self.options.programs, false, self.cancel());
        let mut running = started.map_err(|error| self.failed(format!("cannot be run: {error}"), Vec::new()))?;
        let result = take(Box::new(running.stdout()));
        self.cancel().check().map_err(|_| OpenError::Cancelled)?;
        // Who still writes would otherwise fail for want of a reader.
        running.stdout().drain(PATIENCE);
        let status = running.wait(PATIENCE).map_err(|error| self.io_error(error))?;
        match status {
            Some(status) if !status.success() => Err(self.failed(in_words(status), running.said())),
            _ => Ok(result),
        }
    }

    fn failed(&self, how: String, said: Vec<u8>) -> OpenError {
        self.source_error(SourceError::Program { what: "the script", how, said })
    }
}
