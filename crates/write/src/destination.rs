//! Destinations of a rebuilt image, as the user types them.
//!
//! `docker-archive:FILE[:REFERENCE]`, `oci:DIRECTORY[:REFERENCE]` and `oci-archive:FILE[:REFERENCE]` follow
//! `containers-transports(5)`: the path ends at the first colon. `nix:FILE` is an `image.json` of nix2container, `-` a
//! docker-archive on standard output. A path without a prefix is a docker-archive.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nixdive_base::text::display_name;
use nixdive_image::Compression;

/// Destination of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// File in the format of `docker load`.
    DockerArchive {
        /// Path of the file; its extension selects the compression.
        file: PathBuf,
        /// Name of the image, as `NAME:TAG`.
        reference: Option<String>,
    },
    /// Uncompressed docker-archive on standard output.
    StandardOutput,
    /// New or existing directory with an OCI layout.
    OciLayout {
        /// Path of the directory.
        directory: PathBuf,
        /// Name of the image in the layout.
        reference: Option<String>,
    },
    /// OCI layout in a tar file.
    OciArchive {
        /// Path of the file.
        file: PathBuf,
        /// Name of the image in the layout.
        reference: Option<String>,
    },
    /// nix2container's `image.json`. Layers that cannot be generated from store paths are written to the directory
    /// `FILE.layers` next to it.
    NixJson {
        /// Path of the file.
        file: PathBuf,
    },
}

/// Reasons why a text is not a valid destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Empty text.
    #[error(
        "empty destination: expected a file, oci:DIRECTORY, oci-archive:FILE, nix:FILE, or `-` for standard output"
    )]
    Empty,
    /// Transport without a path after its colon.
    #[error("`{0}:` needs a path after the colon")]
    NoPath(&'static str),
    /// Reference that engines reject.
    #[error("invalid image name `{0}`: expected NAME or NAME:TAG in lower-case letters, digits and . _ - /")]
    Reference(String),
    /// Reference for a format that cannot store one.
    #[error("an image.json cannot store a name: use nix:FILE without `:{0}`")]
    NameOfNix(String),
    /// Transport that cannot be written to.
    #[error("cannot write to `{0}:` here; write to oci-archive:FILE and send it with `nixdive copy`")]
    Unsupported(String),
    /// Unknown transport.
    #[error(
        "`{0}`: unknown transport `{1}:`; expected one of {KNOWN}\nhint: a registry is written as \
         `docker://HOST[:PORT]/NAME`, a file of that name as `./{0}`"
    )]
    Unknown(String, String),
}

/// Prefixes of destinations, for `rebuild` and `copy` together.
const KNOWN: &str =
    "docker-archive:, oci:, oci-archive:, nix: (rebuild), dir: (copy), docker://, docker-daemon:, podman:";
/// Transports of skopeo that cannot be written to. A file of such a name is typed as `./NAME:…`.
const OTHERS: [&str; 8] =
    ["docker", "docker-daemon", "containers-storage", "dir", "ostree", "sif", "containerd", "rootfs"];

impl Destination {
    /// Parses a destination as the user typed it.
    ///
    /// # Errors
    /// If the text is not a valid destination.
    pub fn parse(text: &OsStr) -> Result<Self, DestinationError> {
        let bytes = text.as_bytes();
        match bytes {
            b"" => return Err(DestinationError::Empty),
            b"-" => return Ok(Self::StandardOutput),
            _ => {}
        }
        let colon = memchr::memchr(b':', bytes);
        let (transport, rest) = match colon.and_then(|colon| bytes.split_at_checked(colon)) {
            Some((transport, rest)) => (transport, rest.get(1..).unwrap_or_default()),
            None => return Ok(Self::archive(text)),
        };
        let known = match transport {
            b"docker-archive" => "docker-archive",
            b"oci" => "oci",
            b"oci-archive" => "oci-archive",
            b"nix" => "nix",
            other => {
                let shown = String::from_utf8_lossy(other);
                if OTHERS.contains(&&*shown) {
                    return Err(DestinationError::Unsupported(shown.into_owned()));
                }
                if is_transport(other, rest) && !has_directory(text) {
                    let text = display_name(bytes).into_owned();
                    return Err(DestinationError::Unknown(text, display_name(other).into_owned()));
                }
                return Ok(Self::archive(text));
            }
        };
        let (path, reference) = split_reference(rest);
        if path.is_empty() {
            return Err(DestinationError::NoPath(known));
        }
        let path = PathBuf::from(OsStr::from_bytes(path));
        if known == "nix" {
            return match reference {
                Some(reference) => Err(DestinationError::NameOfNix(display_name(reference).into_owned())),
                None => Ok(Self::NixJson { file: path }),
            };
        }
        let reference = reference.map(|reference| checked(reference, known == "docker-archive")).transpose()?;
        Ok(match known {
            "docker-archive" => Self::DockerArchive { file: path, reference },
            "oci" => Self::OciLayout { directory: path, reference },
            _ => Self::OciArchive { file: path, reference },
        })
    }

    fn archive(text: &OsStr) -> Self {
        Self::DockerArchive { file: PathBuf::from(text), reference: None }
    }

    /// Returns the file or directory; `None` for standard output.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::StandardOutput => None,
            Self::DockerArchive { file, .. } | Self::OciArchive { file, .. } | Self::NixJson { file } => Some(file),
            Self::OciLayout { directory, .. } => Some(directory),
        }
    }

    /// Returns the compression of a docker-archive, chosen by its extension: `.gz`, `.tgz`, `.zst` or `.tzst`.
    #[must_use]
    pub fn outer_compression(&self) -> Compression {
        let Self::DockerArchive { file, .. } = self else { return Compression::None };
        match file.extension().map(OsStr::as_bytes) {
            Some(b"gz" | b"tgz") => Compression::Gzip,
            Some(b"zst" | b"tzst") => Compression::Zstd,
            _ => Compression::None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, reference) = match self {
            Self::StandardOutput => return formatter.write_str("standard output"),
            Self::DockerArchive { reference, .. } => ("docker-archive", reference.as_deref()),
            Self::OciLayout { reference, .. } => ("oci", reference.as_deref()),
            Self::OciArchive { reference, .. } => ("oci-archive", reference.as_deref()),
            Self::NixJson { .. } => ("nix", None),
        };
        let path = self.path().map(|path| path.as_os_str().as_bytes()).unwrap_or_default();
        write!(formatter, "{transport}:{}", display_name(path))?;
        reference.map_or(Ok(()), |reference| write!(formatter, ":{reference}"))
    }
}

/// Returns `true` if the text before the first colon looks like a transport or a registry's host: a word without a
/// slash or a dot, or a word without a slash that is followed by a port. A leading `./` marks a path.
fn is_transport(prefix: &[u8], rest: &[u8]) -> bool {
    let is_word = prefix.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_+".contains(byte));
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_host = !prefix.contains(&b'/') && digits > 0 && rest.get(digits) == Some(&b'/');
    is_word || is_host
}

/// Returns `true` if a text is a path into an existing directory.
fn has_directory(text: &OsStr) -> bool {
    Path::new(text).parent().is_some_and(|parent| !parent.as_os_str().is_empty() && parent.is_dir())
}

fn split_reference(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b':', rest).and_then(|colon| rest.split_at_checked(colon)) {
        Some((path, reference)) => (path, reference.get(1..)),
        None => (rest, None),
    }
}

/// Parses a reference by a relaxed grammar of the distribution specification: `[HOST[:PORT]/]NAME[:TAG]`. Archives for
/// Docker need a tag.
fn checked(reference: &[u8], with_tag: bool) -> Result<String, DestinationError> {
    let wrong = || DestinationError::Reference(display_name(reference).into_owned());
    let text = std::str::from_utf8(reference).map_err(|_| wrong())?;
    let last_slash = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text.get(last_slash..).and_then(|last| last.find(':')) {
        Some(colon) => (text.get(..last_slash + colon).unwrap_or_default(), text.get(last_slash + colon + 1..)),
        None => (text, None),
    };
    let is_host = |place: usize, count: usize| place == 0 && count > 1;
    let parts: Vec<&str> = name.split('/').collect();
    let good_part = |(place, part): (usize, &&str)| {
        let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
        let in_host = |byte: u8| byte.is_ascii_uppercase() || byte == b':';
        let starts = part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        starts && part.bytes().all(|byte| small(byte) || (is_host(place, parts.len()) && in_host(byte)))
    };
    // In an OCI layout a tag alone is a valid name, and tags may have upper-case letters.
    let only_tag = !with_tag && parts.len() == 1 && tag.is_none();
    let name_is_good = if only_tag { is_tag(name) } else { parts.iter().enumerate().all(good_part) };
    if !name_is_good || !tag.is_none_or(is_tag) {
        return Err(wrong());
    }
    Ok(if with_tag && tag.is_none() { format!("{text}:latest") } else { text.to_owned() })
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Destination, DestinationError> {
        Destination::parse(OsStr::new(text))
    }

    #[test]
    fn destinations_read_back_as_typed() {
        for text in [
            "docker-archive:a.tar",
            "docker-archive:a.tar:web:1",
            "docker-archive:/x/a.tar.gz:localhost:5000/web/site:v1.0_A",
            "oci:dir",
            "oci:dir:web",
            "oci:dir:V1",
            "oci-archive:a.tar:ghcr.io/web:1",
            "nix:image.json",
        ] {
            assert_eq!(parse(text).map(|known| known.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(parse("small.tar").unwrap().to_string(), "docker-archive:small.tar");
        assert_eq!(parse("./a:b.tar").unwrap().path(), Some(Path::new("./a:b.tar")));
        assert_eq!(parse("docker-archive:a.tar:web").unwrap().to_string(), "docker-archive:a.tar:web:latest");
        assert_eq!(parse("-"), Ok(Destination::StandardOutput));
    }

    #[test]
    fn what_cannot_be_written_to_is_an_error() {
        assert_eq!(parse(""), Err(DestinationError::Empty));
        assert_eq!(parse("oci:"), Err(DestinationError::NoPath("oci")));
        for (text, prefix) in [("squashfs:x", "squashfs"), ("s3:x", "s3"), ("squashfoo:x.img", "squashfoo"), (":x", "")]
        {
            assert_eq!(parse(text), Err(DestinationError::Unknown(text.into(), prefix.into())));
        }
        for host in ["localhost:5000/app", "registry.example:5000/team/app:1"] {
            let error = parse(host).unwrap_err().to_string();
            assert!(error.contains("docker://") && error.contains("oci-archive:"), "{error}");
        }
        for file in ["./s3:x", "build-1.2:x.tar", "out/12:30.tar", "/tmp/a:b"] {
            assert_eq!(parse(file).unwrap().path(), Some(Path::new(file)));
        }
        assert_eq!(parse("docker://x/y"), Err(DestinationError::Unsupported("docker".into())));
        assert_eq!(parse("nix:a:b"), Err(DestinationError::NameOfNix("b".into())));
        for bad in ["Web", "web:", "web:a b", "web::", "a//b", "-web", "web:1\u{1b}"] {
            assert!(matches!(parse(&format!("docker-archive:a:{bad}")), Err(DestinationError::Reference(_))), "{bad}");
        }
    }

    #[test]
    fn archives_are_compressed_as_their_names_say() {
        let outer = |text: &str| parse(text).unwrap().outer_compression();
        assert_eq!(outer("a.tar"), Compression::None);
        assert_eq!(outer("a.tar.gz"), Compression::Gzip);
        assert_eq!(outer("docker-archive:a.tar.zst:web"), Compression::Zstd);
        assert_eq!(outer("oci-archive:a.tar.gz"), Compression::None);
    }
}
