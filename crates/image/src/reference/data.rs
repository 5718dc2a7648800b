//! References that stand in files: rule files, files of Compose and Kubernetes. Whoever wrote the file may not be whoever
//! runs this program, so they name images and nothing else: files below the file's own directory, registries, engines.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::{ImageName, Location, Reference, ReferenceError, Transport, bare_name, named, program};

/// Directory of Nix's build results, which only Nix writes to.
const STORE: &str = "/nix/store";

/// A reference that stands in a file. It never names a [`Program`](super::Program), standard input, or a file outside the
/// directory of the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataReference(Reference);

/// Why a text in a file names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DataReferenceError {
    /// It asks for a program to be started.
    #[error("`{0}` would start a program; only an argument on the command line may do that")]
    Program(String),
    /// It names standard input.
    #[error("`{0}`: a file cannot name standard input")]
    StandardInput(String),
    /// An absolute path, or one with `..`.
    #[error("`{0}`: a path in a file is relative to the file's directory and contains no `..`")]
    Outside(String),
    /// A symbolic link on the way leads out of the directory.
    #[error("`{0}` is a symbolic link that leads out of the file's directory")]
    LeadsOut(String),
    /// A store path that Nix would have to build, or that is none.
    #[error("`{0}`: only `nix:0/nix/store/HASH-NAME`, without `.drv`, names an image in the Nix store")]
    StorePath(String),
    /// Not the name of an image.
    #[error("`{0}` is not the name of an image")]
    NotAName(String),
    /// Wrong for any reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl DataReference {
    /// Parses a text that stands in a file of `directory`.
    ///
    /// # Errors
    /// If the text names anything but an image that data may name.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, DataReferenceError> {
        let shown = || text.escape_debug().to_string();
        if text.is_empty() {
            return Err(ReferenceError::Empty.into());
        }
        if text == "-" {
            return Err(DataReferenceError::StandardInput(shown()));
        }
        let is_file = is_below(text.as_bytes()) && directory.join(text).exists();
        if is_file {
            return Self::at(text, None, text.as_bytes(), None, directory);
        }
        if let Some((prefix, rest)) = text.split_once(':') {
            if prefix == Transport::Stream.name() || prefix == "flake" {
                return Err(DataReferenceError::Program(shown()));
            }
            if let Some(transport) = named(&Transport::OF_PATHS, prefix.as_bytes()) {
                return Self::behind(text, transport, rest.as_bytes(), directory);
            }
            if let Some(transport) = named(&Transport::OF_NAMES, prefix.as_bytes())
                && (transport != Transport::Docker || rest.starts_with("//"))
            {
                return Ok(Self(Reference::remote(text.to_owned(), transport, rest)?));
            }
            if super::OTHER_TRANSPORTS.contains(&prefix) {
                return Err(ReferenceError::Unsupported(prefix.to_owned()).into());
            }
        }
        if program::is_installable(text) {
            return Err(DataReferenceError::Program(shown()));
        }
        match bare_name(text) {
            Some(name) => {
                let location = Location::Name(name);
                Ok(Self(Reference { text: text.to_owned(), transport: None, location, selector: None }))
            }
            None => Self::at(text, None, text.as_bytes(), None, directory),
        }
    }

    fn behind(text: &str, transport: Transport, rest: &[u8], directory: &Path) -> Result<Self, DataReferenceError> {
        if transport == Transport::Nix && rest.starts_with(b"0/") {
            return Self::in_store(text, rest.get(1..).unwrap_or_default());
        }
        let parsed = Reference::behind_transport(text.to_owned(), transport, rest, directory)?;
        match parsed.location {
            Location::Path(path) => {
                Self::at(text, Some(transport), path.as_os_str().as_bytes(), parsed.selector, directory)
            }
            Location::StandardInput => Err(DataReferenceError::StandardInput(text.escape_debug().to_string())),
            _ => Err(DataReferenceError::Program(text.escape_debug().to_string())),
        }
    }

    /// nix-snapshotter's way to name an image in the store.
    fn in_store(text: &str, path: &[u8]) -> Result<Self, DataReferenceError> {
        let name = path.strip_prefix(STORE.as_bytes()).and_then(|rest| rest.strip_prefix(b"/")).unwrap_or_default();
        let in_hash = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._?=".contains(byte);
        let (hash, rest) = name.split_at_checked(32).unwrap_or_default();
        let is_store_path = !hash.is_empty()
            && hash.iter().all(in_hash)
            && rest.len() > 1
            && rest.starts_with(b"-")
            && rest.iter().all(in_name)
            && !rest.ends_with(b".drv");
        if !is_store_path {
            return Err(DataReferenceError::StorePath(text.escape_debug().to_string()));
        }
        let location = Location::Path(PathBuf::from(OsStr::from_bytes(path)));
        Ok(Self(Reference { text: text.to_owned(), transport: Some(Transport::Nix), location, selector: None }))
    }

    /// A file or directory below `directory`.
    fn at(
        text: &str,
        transport: Option<Transport>,
        path: &[u8],
        selector: Option<super::Selector>,
        directory: &Path,
    ) -> Result<Self, DataReferenceError> {
        if !is_below(path) {
            return Err(DataReferenceError::Outside(text.escape_debug().to_string()));
        }
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let full = directory.join(OsStr::from_bytes(path));
        if leads_out(directory, &full) {
            return Err(DataReferenceError::LeadsOut(text.escape_debug().to_string()));
        }
        Ok(Self(Reference { text: text.to_owned(), transport, location: Location::Path(full), selector }))
    }

    /// As a reference to be opened, which starts no program.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.0
    }

    /// As a reference to be opened, which starts no program.
    #[must_use]
    pub fn into_reference(self) -> Reference {
        self.0
    }
}

/// The image that a file of Compose or Kubernetes names: a plain text is a name there, also where a file is called so;
/// behind a transport it is what [`DataReference::parse`] takes.
///
/// # Errors
/// As [`DataReference::parse`], and if a text without a transport is not the name of an image.
pub fn named_image(text: &str, directory: &Path) -> Result<DataReference, DataReferenceError> {
    let prefix = text.split_once(':').map(|(prefix, _)| prefix.as_bytes()).unwrap_or_default();
    let has_transport = named(&Transport::OF_PATHS, prefix).is_some()
        || named(&Transport::OF_NAMES, prefix).is_some_and(|transport| transport != Transport::Docker)
        || text.starts_with("docker://")
        || prefix == b"flake";
    if has_transport {
        return DataReference::parse(text, directory);
    }
    let shown = || text.escape_debug().to_string();
    if text.contains('#') {
        return Err(DataReferenceError::Program(shown()));
    }
    let Some(name) = ImageName::parse(text) else {
        let is_path = text.starts_with(['/', '.', '~']);
        return Err(if is_path && !is_below(text.as_bytes()) {
            DataReferenceError::Outside(shown())
        } else {
            DataReferenceError::NotAName(shown())
        });
    };
    // What would be taken for a file where it is typed can only be in a registry.
    let is_name = bare_name(text).is_some() && Path::new(text).symlink_metadata().is_err();
    let (transport, location, text) = if is_name {
        (None, Location::Name(name), text.to_owned())
    } else {
        (Some(Transport::Docker), Location::Registry(name), format!("docker://{text}"))
    };
    Ok(DataReference(Reference { text, transport, location, selector: None }))
}

/// Returns `true` if a path stays below its start, going by its parts alone.
fn is_below(path: &[u8]) -> bool {
    let path = Path::new(OsStr::from_bytes(path));
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Returns `true` if links on the way to an existing file lead out of the directory, other than
/// into the Nix store.
fn leads_out(directory: &Path, file: &Path) -> bool {
    let (Ok(directory), Ok(file)) = (directory.canonicalize(), file.canonicalize()) else { return false };
    !file.starts_with(directory) && !file.starts_with(STORE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("below")).unwrap();
        std::fs::write(place.path().join("below/image.tar"), "").unwrap();
        std::fs::write(place.path().join("with#sign:1"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("out")).unwrap();
        std::os::unix::fs::symlink("below/image.tar", place.path().join("inside")).unwrap();
        place
    }

    #[test]
    fn data_names_images_below_its_directory_in_registries_and_in_engines() {
        let place = place();
        let found = |text: &str| DataReference::parse(text, place.path()).unwrap().into_reference();
        for (text, path) in [
            ("below/image.tar", "below/image.tar"),
            ("./below/image.tar", "./below/image.tar"),
            ("inside", "inside"),
            ("missing.tar", "missing.tar"),
            ("with#sign:1", "with#sign:1"),
            ("oci:layout:web", "layout"),
            ("docker-archive:below/image.tar:web:1", "below/image.tar"),
            ("nix:image.json", "image.json"),
        ] {
            assert_eq!(found(text).location, Location::Path(place.path().join(path)), "{text}");
        }
        assert!(matches!(found("docker://alpine:3").location, Location::Registry(_)));
        assert!(matches!(found("podman:web").location, Location::Engine(..)));
        assert!(matches!(found("alpine:3.20").location, Location::Name(_)));
        let hash = "0123456789abcdfghijklmnpqrsvwxyz";
        let stored = found(&format!("nix:0/nix/store/{hash}-image.tar"));
        assert_eq!(stored.location, Location::Path(format!("/nix/store/{hash}-image.tar").into()));
    }

    #[test]
    fn data_starts_nothing_and_stays_in_its_directory() {
        let place = place();
        let refused = |text: &str| DataReference::parse(text, place.path()).map(|found| found.0.text);
        for text in ["stream:./x.sh", "stream:below/image.tar", "stream:.#a", ".#evil", "nixpkgs#hello", "flake:x"] {
            assert!(matches!(refused(text), Err(DataReferenceError::Program(_))), "{text}");
            assert!(named_image(text, place.path()).is_err(), "{text}");
        }
        for text in ["/etc/passwd", "../x.tar", "below/../../x.tar", "oci:/tmp/x", "dir:../x", "nix:/nix/store/x"] {
            assert!(matches!(refused(text), Err(DataReferenceError::Outside(_))), "{text}");
            assert!(named_image(text, place.path()).is_err(), "{text}");
        }
        assert!(matches!(refused("out"), Err(DataReferenceError::LeadsOut(_))));
        assert!(matches!(refused("docker-archive:out"), Err(DataReferenceError::LeadsOut(_))));
        for text in ["-", "docker-archive:-", "oci-archive:/dev/stdin"] {
            assert!(matches!(refused(text), Err(DataReferenceError::StandardInput(_))), "{text}");
        }
        let hash = "0123456789abcdfghijklmnpqrsvwxyz";
        for path in ["/proc/self/cwd", "/nix/store/../x", "/nix/store", &format!("/nix/store/{hash}-x.drv"), "/etc"] {
            let text = format!("nix:0{path}");
            assert!(matches!(refused(&text), Err(DataReferenceError::StorePath(_))), "{text}");
        }
    }

    #[test]
    fn a_plain_text_in_a_manifest_is_a_name() {
        let place = place();
        let found = |text: &str| named_image(text, place.path()).map(|found| found.0.location);
        assert!(matches!(found("alpine:3.20"), Ok(Location::Name(_))));
        assert!(matches!(found("web.tar"), Ok(Location::Registry(_))));
        assert_eq!(found("oci:layout"), Ok(Location::Path(place.path().join("layout"))));
        assert!(matches!(found("a b"), Err(DataReferenceError::NotAName(_))));
    }
}
