//! Scripts that write an image to standard output, as built by dockerTools' streamLayeredImage. They run only if the
//! user gave their transport.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use super::program::{Running, in_words};
use crate::formats::SourceError;
use crate::open::{OpenError, Opening};
use nixdive_image::reference::{Program, Start};

/// Time that a script may continue after the end of its archive.
const PATIENCE: Duration = Duration::from_secs(3);

impl Opening<'_> {
    /// Runs a script, builds it with Nix first if it is an installable, and passes its output to `take`.
    pub(in crate::open) fn run_script<T>(
        &self,
        program: &Program,
        take: impl FnOnce(Box<dyn Read + Send>) -> T,
    ) -> Result<T, OpenError> {
        let path = match program.start() {
            Start::Run(path) => path.to_owned(),
            Start::Build(_) | Start::BuildAndRun(_) => self.build_one(program)?,
        };
        let metadata = path.metadata().map_err(|error| self.io_error(error))?;
        if !metadata.is_file() {
            return Err(self.source_error(SourceError::NotAnImage("not a script, but a directory or a pipe".into())));
        }
        // A name without a slash would be searched for on PATH.
        let file = if path.is_absolute() { path } else { PathBuf::from(".").join(path) };
        let started = Running::start(&mut self.command(&file)?, self.options.programs, false, self.cancel());
        let mut running = started.map_err(|error| self.failed(format!("cannot be run: {error}"), Vec::new()))?;
        let result = take(Box::new(running.stdout()));
        self.cancel().check().map_err(|_| OpenError::Cancelled)?;
        // A script that is still writing would otherwise fail without a reader.
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
