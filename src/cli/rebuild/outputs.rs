use std::ffi::OsString;

use nixdive_transfer::{CopyDestination, CopyDestinationError};
use nixdive_write::Destination;

/// Destinations of an image.
pub struct Outputs {
    /// Files and layouts.
    pub files: Vec<Destination>,
    /// Destinations that receive the image once it is written: registries, engines, and skopeo directories.
    pub remote: Vec<CopyDestination>,
}

impl Outputs {
    /// Reads what the user typed.
    pub fn parse(texts: &[OsString]) -> anyhow::Result<Self> {
        let mut outputs = Self { files: Vec::new(), remote: Vec::new() };
        for text in texts {
            match CopyDestination::parse(text) {
                Ok(CopyDestination::File(file)) => outputs.files.push(file),
                Ok(remote) => outputs.remote.push(remote),
                Err(CopyDestinationError::Nix) => outputs.files.push(Destination::parse(text)?),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(outputs)
    }

    /// Returns `true` if nothing is written.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.remote.is_empty()
    }
}
