//! Results of Nix that are not archives.

pub(super) mod closure;
pub(super) mod installable;
mod program;
mod script;
mod store_path;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::{OpenError, Opened, Opening, seekable};
use crate::formats::{MAX_DOCUMENT_BYTES, SourceError, read_nix2container};
use nixdive_base::text::display_name;
use nixdive_scan::tar::{BLOCK, Header};
use nixdive_scan::{Section, compression};

/// Returns `true` if a file begins like a JSON document.
pub(super) fn looks_like_json(start: &[u8]) -> bool {
    matches!(start.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'['))
}

/// Returns `true` if a file begins like a script; `false` if it cannot be read.
#[must_use]
pub fn is_script(file: &File) -> bool {
    let mut start = [0; 2];
    file.read_exact_at(&mut start, 0).is_ok() && start == *b"#!"
}

/// Returns `true` if a file begins like an archive or like JSON, or cannot be read.
pub(super) fn may_be_an_image(file: &File) -> bool {
    let mut start = [0; BLOCK];
    let mut filled = 0;
    while let Some(rest) = start.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) => return true,
        }
    }
    let start = start.get(..filled).unwrap_or_default();
    let is_tar = start.first_chunk::<BLOCK>().is_some_and(|block| Header::parse(block).is_some());
    compression::detect(start).is_some() || looks_like_json(start) || is_tar
}

/// Extends the error for a directory without an image by a hint about the flake in it, if there is one.
pub(super) fn not_built(directory: &Path, error: SourceError) -> SourceError {
    match error {
        SourceError::NotAnImage(reason) if directory.join("flake.nix").is_file() => {
            let shown = display_name(directory.as_os_str().as_encoded_bytes());
            let path = if directory.is_absolute() || shown.starts_with('.') { "" } else { "./" };
            SourceError::NotAnImage(format!(
                "{reason}\nhint: the directory contains a flake.nix; `nixdive flake:{path}{shown}` builds and opens it"
            ))
        }
        other => other,
    }
}

impl Opening<'_> {
    /// Creates the command for a program that produces an image.
    fn command(&self, program: impl AsRef<OsStr>) -> Result<Command, OpenError> {
        let refused = |error| self.source_error(SourceError::Refused(error));
        self.options.execution.command(program).map_err(refused)
    }

    /// Opens nix2container's `image.json`.
    pub(super) fn image_json(&self, section: &Section) -> Result<Opened, OpenError> {
        let length = section.length();
        if length > MAX_DOCUMENT_BYTES {
            let name = "the JSON document".to_owned();
            return Err(self.source_error(SourceError::TooLong { name, length, most: MAX_DOCUMENT_BYTES }));
        }
        let mut bytes = vec![0; length as usize];
        let count = section.read_full_at(&mut bytes, 0).map_err(|error| self.io_error(error))?;
        bytes.truncate(count);
        let read = read_nix2container(&bytes, &self.request(), &self.options.store, self.cancel());
        let (layout, layers) = read.map_err(|error| self.source_error(error))?;
        self.progress.identified(&layout);
        seekable::open_layers(self, &layers, layout, None)
    }
}
