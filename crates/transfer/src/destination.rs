//! Destinations of a copy as the user types them: those of `rebuild`, plus registries, engines and skopeo's `dir:`.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nixdive_base::text::display_name;
use nixdive_image::reference::{Engine, ImageName};
use nixdive_write::{Destination, DestinationError};

/// Destination of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyDestination {
    /// `docker://HOST/NAME[:TAG]`.
    Registry(ImageName),
    /// `docker-daemon:NAME[:TAG]`, `podman:NAME[:TAG]`.
    Engine(Engine, ImageName),
    /// `dir:DIRECTORY`.
    Directory(PathBuf),
    /// File or OCI layout.
    File(Destination),
}

/// Reasons why a text is not a valid copy destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyDestinationError {
    /// Invalid file destination, with the same message as in `rebuild`.
    #[error(transparent)]
    File(#[from] DestinationError),
    /// Invalid image name.
    #[error("invalid image name `{0}`: expected {1}HOST/NAME:TAG")]
    Name(String, &'static str),
    /// Image name with a digest.
    #[error("`{0}`: a destination cannot have a digest; use a tag")]
    Digest(String),
    /// `dir:` without a directory.
    #[error("`dir:` needs a path after the colon")]
    NoPath,
    /// `nix:` destination, which only `rebuild` can write.
    #[error("cannot copy to an image.json; use nixdive rebuild to write one")]
    Nix,
}

impl CopyDestination {
    /// Parses a destination as the user typed it.
    ///
    /// # Errors
    /// If the text is not a valid destination.
    pub fn parse(text: &OsStr) -> Result<Self, CopyDestinationError> {
        let bytes = text.as_bytes();
        if let Some(rest) = bytes.strip_prefix(b"docker://") {
            return named(rest, "docker://").map(Self::Registry);
        }
        for (prefix, engine) in [("docker-daemon:", Engine::Docker), ("podman:", Engine::Podman)] {
            if let Some(rest) = bytes.strip_prefix(prefix.as_bytes()) {
                return named(rest, prefix).map(|name| Self::Engine(engine, name));
            }
        }
        if let Some(rest) = bytes.strip_prefix(b"dir:") {
            let path = PathBuf::from(OsStr::from_bytes(rest));
            return if rest.is_empty() { Err(CopyDestinationError::NoPath) } else { Ok(Self::Directory(path)) };
        }
        match Destination::parse(text)? {
            Destination::NixJson { .. } => Err(CopyDestinationError::Nix),
            file => Ok(Self::File(file)),
        }
    }

    /// Returns the file or directory that is written, if any.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Registry(_) | Self::Engine(..) => None,
            Self::Directory(path) => Some(path),
            Self::File(file) => file.path(),
        }
    }
}

fn named(text: &[u8], prefix: &'static str) -> Result<ImageName, CopyDestinationError> {
    let shown = || display_name(text).into_owned();
    let name = std::str::from_utf8(text).ok().and_then(ImageName::parse);
    let name = name.ok_or_else(|| CopyDestinationError::Name(shown(), prefix))?;
    if name.digest().is_some() { Err(CopyDestinationError::Digest(shown())) } else { Ok(name) }
}

impl fmt::Display for CopyDestination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(name) => write!(formatter, "docker://{}", name.in_full()),
            Self::Engine(engine, name) => write!(formatter, "{}:{name}", engine.transport().name()),
            Self::Directory(path) => write!(formatter, "dir:{}", display_name(path.as_os_str().as_bytes())),
            Self::File(file) => file.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_written_as_skopeo_writes_them() {
        for (text, shown) in [
            ("docker://registry.example/team/app", "docker://registry.example/team/app:latest"),
            ("docker://localhost:5000/app:1", "docker://localhost:5000/app:1"),
            ("podman:team/app:1", "podman:team/app:1"),
            ("docker-daemon:app:1", "docker-daemon:app:1"),
            ("dir:here", "dir:here"),
            ("oci:here:1", "oci:here:1"),
            ("image.tar.gz", "docker-archive:image.tar.gz"),
            ("-", "standard output"),
        ] {
            assert_eq!(CopyDestination::parse(OsStr::new(text)).unwrap().to_string(), shown);
        }
        let digest = format!("docker://host.example/a@sha256:{}", "0".repeat(64));
        for bad in ["", "dir:", "docker://", "docker://A B", "nix:image.json", "podman:", digest.as_str()] {
            assert!(CopyDestination::parse(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
