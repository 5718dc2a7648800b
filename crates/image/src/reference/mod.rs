//! The grammar of image references: what the user typed, before anything is opened.
//!
//! Transports are those of `containers-transports(5)`: `docker-archive:FILE[:REFERENCE|:@INDEX]`,
//! `oci:DIRECTORY[:REFERENCE]`, `oci-archive:FILE[:REFERENCE]`, `dir:DIRECTORY`; `nix:FILE` is that of nix2container's
//! skopeo; `rootfs:DIRECTORY` and `stream:SCRIPT` are ours. `docker://NAME` lies in a registry, `docker-daemon:NAME`,
//! Transports are those of `containers-transports(5)`: `docker-archive:FILE[:REFERENCE|:@INDEX]`,
//! `oci:DIRECTORY[:REFERENCE]`, `oci-archive:FILE[:REFERENCE]`, `dir:DIRECTORY`; `nix:FILE` is that
//! of nix2container's skopeo; `rootfs:DIRECTORY` and `stream:SCRIPT` are ours. `docker://NAME` is
//! in a registry, `docker-daemon:NAME`, `podman:NAME` and `containerd:NAME` in an engine. Without a
//! transport it is a path, and the format is detected from the content; `-` is standard input. A
//! text that is not an existing path is an installable if it reads as one of Nix (`.#image`,
//! `flake:…`); otherwise, if it could be the name of an image, it is searched for in engines, then
//! in registries.
//!
//! The user's input is a [`Reference`], which may name a [`Program`] to start. A reference in a
//! file is a [`DataReference`], which cannot.

mod data;
mod image_name;
mod program;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use data::{DataReference, DataReferenceError, named_image};
pub use image_name::ImageName;
pub use program::{Program, Start};

/// How an image is stored, where the user says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// An archive as `docker save` writes it.
    DockerArchive,
    /// An OCI layout directory.
    Oci,
    /// An OCI layout in a tar file.
    OciArchive,
    /// A directory of skopeo's, one file a blob.
    Dir,
    /// An extracted root directory.
    Rootfs,
    /// A build result of Nix: nix2container's `image.json`, an archive, or any store path.
    Nix,
    /// A script that writes an archive to its standard output, such as dockerTools' streamLayeredImage makes. It is run.
    Stream,
    /// A registry.
    Docker,
    /// Docker's engine.
    DockerDaemon,
    /// podman's.
    Podman,
    /// containerd's content store.
    Containerd,
}

impl Transport {
    /// Transports that are followed by a path.
    const OF_PATHS: [Self; 7] =
        [Self::DockerArchive, Self::Oci, Self::OciArchive, Self::Dir, Self::Rootfs, Self::Nix, Self::Stream];
    /// Transports that are followed by the name of an image.
    const OF_NAMES: [Self; 4] = [Self::Docker, Self::DockerDaemon, Self::Podman, Self::Containerd];

    /// As it is typed, without the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DockerArchive => "docker-archive",
            Self::Oci => "oci",
            Self::OciArchive => "oci-archive",
            Self::Dir => "dir",
            Self::Rootfs => "rootfs",
            Self::Nix => "nix",
            Self::Stream => "stream",
            Self::Docker => "docker",
            Self::DockerDaemon => "docker-daemon",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
        }
    }

    fn takes_selector(self) -> bool {
        matches!(self, Self::DockerArchive | Self::Oci | Self::OciArchive)
    }
}

/// Location of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `-`.
    StandardInput,
    /// A file, a directory, or a symbolic link to one.
    Path(PathBuf),
    /// Something to build or to run, which then is, or writes, the image.
    Program(Program),
    /// An image in a registry.
    Registry(ImageName),
    /// An image in an engine, as it names its images: by name, or by the beginning of an ID.
    Engine(Engine, String),
    /// A name alone: in an engine of this machine, else in a registry.
    Name(ImageName),
}

impl Location {
    /// The kind of location that a reference was resolved to, and the rule that decided it: words for the log.
    #[must_use]
    pub fn kind_and_reason(&self, transport: Option<Transport>) -> (&'static str, &'static str) {
        let kind = match self {
            Self::StandardInput => "standard input",
            Self::Path(_) => "path",
            Self::Program(_) => "program",
            Self::Registry(_) => "registry",
            Self::Engine(..) => "engine",
            Self::Name(_) => "name",
        };
        let why = match self {
            _ if transport.is_some() => "transport prefix",
            Self::StandardInput => "`-`",
            Self::Path(_) => "existing path, or neither an installable nor an image name",
            Self::Program(_) => "no such path, and the form of a Nix installable",
            Self::Name(_) => "no such path, and the form of an image name",
            Self::Registry(_) | Self::Engine(..) => "named by a file, or chosen from a list",
        };
        (kind, why)
    }
}

/// A container engine on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Docker.
    Docker,
    /// podman.
    Podman,
    /// containerd.
    Containerd,
}

impl Engine {
    /// How it is written in front of a name, without the colon.
    #[must_use]
    pub fn transport(self) -> Transport {
        match self {
            Self::Docker => Transport::DockerDaemon,
            Self::Podman => Transport::Podman,
            Self::Containerd => Transport::Containerd,
        }
    }
}

/// Which of several images is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By `name:tag`, by tag alone, or by digest.
    Name(String),
    /// `@N`: by position, from 0.
    Position(usize),
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Position(position) => write!(formatter, "@{position}"),
        }
    }
}

/// A parsed reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// As typed; bytes that are not UTF-8 replaced.
    pub text: String,
    /// `None`: to be found by content.
    pub transport: Option<Transport>,
    /// Location of the image.
    pub location: Location,
    /// Which one there.
    pub selector: Option<Selector>,
}

/// Error for a text that is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("empty image reference; expected a file, a directory, or `-` for standard input")]
    Empty,
    /// A transport with nothing behind its colon.
    #[error("`{0}:` needs a path after the colon")]
    NoPath(&'static str),
    /// A transport that the name of an image should follow.
    #[error("`{0}` needs the name of an image, as in {0}alpine:3.20; not a valid name: {1}")]
    NoName(&'static str, String),
    /// One of skopeo's transports that this program does not read.
    #[error(
        "unsupported transport `{0}:`; copy the image to a file first, for example with `skopeo copy {0}:… oci-archive:image.tar`"
    )]
    Unsupported(String),
}

const OTHER_TRANSPORTS: [&str; 3] = ["containers-storage", "ostree", "sif"];

/// How files are called that images come in: a name that ends so and is not there is a file that is missing.
const FILE_ENDINGS: [&str; 10] =
    [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2", ".json", ".oci", ".gz", ".zst"];

impl Reference {
    /// Parses what the user typed. A path that exists is that path, whatever colons are in it.
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub fn parse(text: &OsStr) -> Result<Self, ReferenceError> {
        let bytes = text.as_bytes();
        let shown = text.to_string_lossy().into_owned();
        if bytes.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if bytes == b"-" {
            let location = Location::StandardInput;
            return Ok(Self { text: shown, transport: None, location, selector: None });
        }
        let plain = PathBuf::from(text);
        if let Some(colon) = memchr::memchr(b':', bytes)
            && !plain.exists()
        {
            let (name, rest) = (&bytes[..colon], &bytes[colon + 1..]);
            if let Some(transport) = named(&Transport::OF_PATHS, name) {
                return Self::behind_transport(shown, transport, rest, Path::new(""));
            }
            if let Some(transport) = named(&Transport::OF_NAMES, name)
                && (transport != Transport::Docker || rest.starts_with(b"//"))
            {
                return Self::remote(shown, transport, &String::from_utf8_lossy(rest));
            }
            if let Some(other) = OTHER_TRANSPORTS.into_iter().find(|other| other.as_bytes() == name) {
                return Err(ReferenceError::Unsupported(other.to_owned()));
            }
        }
        let location = match text.to_str().filter(|text| program::is_installable(text) && !plain.exists()) {
            Some(installable) => Location::Program(Program::installable(installable)),
            None => match text.to_str().filter(|_| plain.symlink_metadata().is_err()).and_then(bare_name) {
                Some(name) => Location::Name(name),
                None => Location::Path(plain),
            },
        };
        Ok(Self { text: shown, transport: None, location, selector: None })
    }

    fn remote(text: String, transport: Transport, rest: &str) -> Result<Self, ReferenceError> {
        let prefix = match transport {
            Transport::Docker => "docker://",
            Transport::DockerDaemon => "docker-daemon:",
            Transport::Podman => "podman:",
            _ => "containerd:",
        };
        let shown = || format!("`{}`", rest.trim_start_matches('/').escape_debug());
        let no_name = || ReferenceError::NoName(prefix, shown());
        let engine = match transport {
            Transport::Docker => {
                let name = ImageName::parse(rest.trim_start_matches("//")).ok_or_else(no_name)?;
                let location = Location::Registry(name);
                return Ok(Self { text, transport: Some(transport), location, selector: None });
            }
            Transport::DockerDaemon => Engine::Docker,
            Transport::Podman => Engine::Podman,
            _ => Engine::Containerd,
        };
        let rest = rest.trim_start_matches("//");
        let is_id = rest.len() >= 7 && rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
        if !is_id && ImageName::parse(rest).is_none() {
            return Err(no_name());
        }
        Ok(Self {
            text,
            transport: Some(transport),
            location: Location::Engine(engine, rest.to_owned()),
            selector: None,
        })
    }

    /// The local file or directory that is named: the image, or the script that writes it.
    #[must_use]
    pub fn local_path(&self) -> Option<&Path> {
        match &self.location {
            Location::Path(path) => Some(path),
            Location::Program(program) => match program.start() {
                Start::Run(script) => Some(script),
                Start::Build(_) | Start::BuildAndRun(_) => None,
            },
            _ => None,
        }
    }

    /// `base`: where relative paths begin.
    fn behind_transport(text: String, transport: Transport, rest: &[u8], base: &Path) -> Result<Self, ReferenceError> {
        let (path, selector) = if transport.takes_selector() { split_selector(rest, base) } else { (rest, None) };
        // nix-snapshotter's way to write it: an address of a host that is none, and the path behind it.
        let path = if transport == Transport::Nix {
            path.strip_prefix(b"0").filter(|rest| rest.starts_with(b"/")).unwrap_or(path)
        } else {
            path
        };
        if path.is_empty() {
            return Err(ReferenceError::NoPath(transport.name()));
        }
        let location = if path == b"-" || path == b"/dev/stdin" {
            Location::StandardInput
        } else {
            match transport {
                Transport::Stream => Location::Program(streamed(path)),
                _ => Location::Path(PathBuf::from(OsStr::from_bytes(path))),
            }
        };
        Ok(Self { text, transport: Some(transport), location, selector })
    }

    /// The reference that chooses one of several images of the same source.
    #[must_use]
    pub fn choosing(&self, transport: Transport, selector: &Selector) -> String {
        let path = match &self.location {
            Location::StandardInput => "-".to_owned(),
            Location::Path(path) => path.display().to_string(),
            Location::Program(program) => match program.start() {
                Start::Build(installable) | Start::BuildAndRun(installable) => installable.to_owned(),
                Start::Run(script) => script.display().to_string(),
            },
            Location::Registry(name) | Location::Name(name) => name.to_string(),
            Location::Engine(_, name) => name.clone(),
        };
        format!("{}:{path}:{selector}", transport.name())
    }
}

/// The script behind `stream:`: a file, or an installable that Nix builds one of.
fn streamed(path: &[u8]) -> Program {
    let file = PathBuf::from(OsStr::from_bytes(path));
    match std::str::from_utf8(path).ok().filter(|text| program::is_installable(text) && !file.exists()) {
        Some(installable) => Program::built_script(installable),
        None => Program::script(file),
    }
}

/// Returns `true` if a text ends like the name of an image file.
fn is_file_name(text: &str) -> bool {
    FILE_ENDINGS.iter().any(|ending| text.ends_with(ending))
}

fn named(transports: &[Transport], name: &[u8]) -> Option<Transport> {
    transports.iter().copied().find(|transport| transport.name().as_bytes() == name)
}

/// The name of an image that a text without a transport may be: one with a tag, a digest or a host, or a plain word. What
/// ends as files do, or lies below a directory that is there, is a path.
fn bare_name(text: &str) -> Option<ImageName> {
    let name = ImageName::parse(text)?;
    let first = text.split('/').next().unwrap_or_default();
    let is_file =
        is_file_name(text) || (name.given_host().is_none() && text.contains('/') && Path::new(first).is_dir());
    let plain_word = name.given_host().is_none() && !name.path().contains('.');
    let is_name = name.given_tag().is_some() || name.digest().is_some() || name.given_host().is_some() || plain_word;
    (is_name && !is_file).then_some(name)
}

/// Path and selector around a colon: the whole is the path when it exists as one, then the longest part in front of a
/// colon that does, else the part in front of the first colon, as skopeo has it.
fn split_selector<'r>(rest: &'r [u8], base: &Path) -> (&'r [u8], Option<Selector>) {
    let exists = |path: &[u8]| base.join(OsStr::from_bytes(path)).exists();
    if exists(rest) {
        return (rest, None);
    }
    let existing = memchr::memrchr_iter(b':', rest).find(|&colon| exists(&rest[..colon]));
    let Some(colon) = existing.or_else(|| memchr::memchr(b':', rest)) else { return (rest, None) };
    let selector = String::from_utf8_lossy(&rest[colon + 1..]).into_owned();
    if selector.is_empty() {
        return (&rest[..colon], None);
    }
    let position = selector.strip_prefix('@').and_then(|digits| digits.parse().ok());
    let selector = position.map_or(Selector::Name(selector), Selector::Position);
    (&rest[..colon], Some(selector))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Reference, ReferenceError> {
        Reference::parse(OsStr::new(text))
    }

    #[test]
    fn transports_are_written_as_skopeo_writes_them() {
        let name = |name: &str| Some(Selector::Name(name.to_owned()));
        let table = [
            ("image.tar", None, "image.tar", None),
            ("docker-archive:a.tar", Some(Transport::DockerArchive), "a.tar", None),
            ("docker-archive:a.tar:web:1.0", Some(Transport::DockerArchive), "a.tar", name("web:1.0")),
            ("docker-archive:a.tar:@2", Some(Transport::DockerArchive), "a.tar", Some(Selector::Position(2))),
            ("oci:dir:latest", Some(Transport::Oci), "dir", name("latest")),
            ("oci-archive:/tmp/x.tar", Some(Transport::OciArchive), "/tmp/x.tar", None),
            ("dir:some:where", Some(Transport::Dir), "some:where", None),
            ("rootfs:/srv/root", Some(Transport::Rootfs), "/srv/root", None),
            ("nix:image.json", Some(Transport::Nix), "image.json", None),
            ("nix:0/nix/store/x.tar", Some(Transport::Nix), "/nix/store/x.tar", None),
            ("with:colon.tar", None, "with:colon.tar", None),
        ];
        for (text, transport, path, selector) in table {
            let reference = parse(text).unwrap();
            assert_eq!(reference.transport, transport, "{text}");
            assert_eq!(reference.location, Location::Path(PathBuf::from(path)), "{text}");
            assert_eq!(reference.selector, selector, "{text}");
        }
    }

    #[test]
    fn programs_are_installables_and_scripts() {
        let start = |text: &str| match parse(text).unwrap().location {
            Location::Program(program) => match program.start() {
                Start::Build(installable) => format!("build {installable}"),
                Start::Run(script) => format!("run {}", script.display()),
                Start::BuildAndRun(installable) => format!("build {installable} and run it"),
            },
            other => format!("{other:?}"),
        };
        for text in [".#image", "nixpkgs#hello", "github:owner/repo/branch#a.b", "/some/flake#"] {
            assert_eq!(start(text), format!("build {text}"));
        }
        assert_eq!(start("stream:./result"), "run ./result");
        assert_eq!(start("stream:.#image"), "build .#image and run it");
        assert_eq!(parse("image#1.tar").unwrap().location, Location::Path("image#1.tar".into()));
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("image#1.tar");
        std::fs::write(&file, "").unwrap();
        assert_eq!(Reference::parse(file.as_os_str()).unwrap().location, Location::Path(file));
    }

    #[test]
    fn standard_input_is_a_dash() {
        assert_eq!(parse("-").unwrap().location, Location::StandardInput);
        assert_eq!(parse("docker-archive:-").unwrap().location, Location::StandardInput);
    }

    #[test]
    fn what_is_no_reference_says_why() {
        assert_eq!(parse(""), Err(ReferenceError::Empty));
        assert_eq!(parse("oci:"), Err(ReferenceError::NoPath("oci")));
        assert_eq!(parse("sif:x.sif"), Err(ReferenceError::Unsupported("sif".into())));
        assert!(matches!(parse("docker://"), Err(ReferenceError::NoName("docker://", _))));
        assert!(matches!(parse("podman:../x"), Err(ReferenceError::NoName("podman:", _))));
    }

    #[test]
    fn names_lie_in_registries_and_engines() {
        let name = |text| ImageName::parse(text).unwrap();
        for (text, location) in [
            ("docker://alpine", Location::Registry(name("alpine"))),
            ("docker://h.example:5000/a/b:1", Location::Registry(name("h.example:5000/a/b:1"))),
            ("docker-daemon:web:1", Location::Engine(Engine::Docker, "web:1".into())),
            ("podman:localhost/web", Location::Engine(Engine::Podman, "localhost/web".into())),
            ("containerd:3f2a9c1b7d", Location::Engine(Engine::Containerd, "3f2a9c1b7d".into())),
            ("alpine:3.20", Location::Name(name("alpine:3.20"))),
            ("h.example/x/y:tag", Location::Name(name("h.example/x/y:tag"))),
            ("nowhere-alpine", Location::Name(name("nowhere-alpine"))),
            ("image.tar", Location::Path("image.tar".into())),
            ("src/missing", Location::Path("src/missing".into())),
            ("./alpine", Location::Path("./alpine".into())),
            ("/no/such", Location::Path("/no/such".into())),
        ] {
            assert_eq!(parse(text).unwrap().location, location, "{text}");
        }
    }

    #[test]
    fn a_path_with_a_colon_can_be_chosen_from() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("build-12:30");
        std::fs::create_dir(&directory).unwrap();
        let archive = directory.join("image.tar");
        std::fs::write(&archive, "").unwrap();
        let several = Reference::parse(archive.as_os_str()).unwrap();
        let chosen = parse(&several.choosing(Transport::DockerArchive, &Selector::Name("web:1".to_owned()))).unwrap();
        assert_eq!(chosen.location, Location::Path(archive));
        assert_eq!(chosen.selector, Some(Selector::Name("web:1".to_owned())));
    }

    proptest! {
        #[test]
        fn anything_may_be_typed(bytes in prop::collection::vec(any::<u8>(), 0..30), prefix in any_prefix()) {
            let text = [prefix.as_bytes(), &bytes].concat();
            match Reference::parse(OsStr::from_bytes(&text)) {
                Ok(reference) => prop_assert!(!reference.text.is_empty()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }

        #[test]
        fn a_choice_leads_back_to_its_image(path in "[a-z/][a-z0-9./-]{0,20}", name in "[a-z/]{1,9}(:[a-z0-9.]{1,5})?", at in any::<u16>()) {
            let location = Location::Path(PathBuf::from(&path));
            let several = Reference { text: path, transport: None, location, selector: None };
            for selector in [Selector::Name(name), Selector::Position(usize::from(at))] {
                for transport in [Transport::DockerArchive, Transport::Oci, Transport::OciArchive] {
                    let chosen = parse(&several.choosing(transport, &selector)).unwrap();
                    prop_assert_eq!(chosen.transport, Some(transport));
                    prop_assert_eq!(&chosen.location, &several.location);
                    prop_assert_eq!(chosen.selector.as_ref(), Some(&selector));
                }
            }
        }
    }

    fn any_prefix() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "",
            "oci:",
            "docker-archive:",
            "dir:",
            "rootfs:",
            "docker:",
            "oci-archive:x:@",
            "-",
            ":",
        ])
    }
}
