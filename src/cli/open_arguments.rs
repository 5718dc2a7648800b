//! Options for opening images, shared by the commands.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::integrity::Integrity;
use super::remote_arguments::RemoteArguments;
use nixdive_image::Platform;
use nixdive_image::execution::Permission;
use nixdive_scan::{UnpackLimit, Wanted};
use nixdive_source::build;
use nixdive_source::open::{Keep, OpenOptions, Remote, Verify};

/// Environment variable with the same effect as `--no-exec`.
const NO_EXECUTION: &str = "NIXDIVE_NO_EXEC";
/// Reason to give when a program may not be started.
const NO_EXECUTION_REASON: &str = "--no-exec or NIXDIVE_NO_EXEC refuses every program";

/// Options for opening an image.
#[derive(Debug, Clone, Args)]
pub struct OpenArguments {
    /// Platform of a multi-platform image, such as linux/arm64 or linux/arm/v7 [default: this machine's]
    #[arg(long, value_name = "OS/ARCH", value_parser = parse_platform)]
    pub platform: Option<Platform>,
    /// Also verify the diffIDs of large uncompressed layers; always on for ci, sbom, rebuild, copy and index
    #[arg(long)]
    pub verify: bool,
    /// Maximum unpacked size of a compressed stream, in GiB, unless it stays below 200 times its size
    #[arg(long, value_name = "GIB", default_value_t = 4)]
    pub unpack_limit: u64,
    /// Never start a program: no builds, no scripts, no credential helpers
    #[arg(long, env = NO_EXECUTION, hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub no_exec: bool,
    /// Maximum memory for names and attributes of all layers, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub name_limit: u64,
    /// Maximum number of entries in all layers, in millions
    #[arg(long, value_name = "MILLIONS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub entry_limit: u16,
    /// Titles to show in place of references that the user did not type: (reference, title).
    #[arg(skip)]
    pub titles: Vec<(String, String)>,
    /// How to treat an image that is incomplete, altered or not verified.
    #[arg(skip)]
    pub integrity: Integrity,
    /// Registries and engines.
    #[command(flatten)]
    pub remote: RemoteArguments,
}

impl Default for OpenArguments {
    fn default() -> Self {
        Self {
            platform: None,
            verify: false,
            unpack_limit: 4,
            no_exec: false,
            name_limit: 1,
            entry_limit: 20,
            titles: Vec::new(),
            integrity: Integrity::default(),
            remote: RemoteArguments::default(),
        }
    }
}

impl OpenArguments {
    /// Returns the permission to start programs.
    pub fn execution(&self) -> Permission {
        if self.no_exec { Permission::refused(NO_EXECUTION_REASON) } else { Permission::granted() }
    }

    /// Returns the settings for registries and engines.
    pub fn remote(&self) -> Remote {
        self.remote.remote(self.execution())
    }

    /// Returns the options for opening an image.
    pub fn options(&self, keep: Keep) -> OpenOptions {
        let certifies = self.integrity != Integrity::Warn;
        OpenOptions {
            platform: self.platform.clone(),
            verify: if self.verify || certifies { Verify::All } else { Verify::Cheap },
            keep,
            name_limit: self.name_limit.saturating_mul(1 << 30),
            entry_limit: usize::from(self.entry_limit).saturating_mul(1_000_000),
            wanted: Some(Wanted {
                is_wanted: nixdive_packages::is_wanted,
                identity: nixdive_packages::wanted_identity,
                most_bytes: nixdive_packages::MAX_DATABASE_BYTES,
            }),
            unpack_limit: UnpackLimit { always: self.unpack_limit.saturating_mul(1 << 30), ..UnpackLimit::default() },
            titles: self.titles.clone(),
            remote: self.remote(),
            execution: self.execution(),
            tables: !certifies,
            allow_incomplete: self.integrity == Integrity::Allow,
            ..OpenOptions::default()
        }
    }
}

/// Images for the names in Compose and Kubernetes files.
#[derive(Debug, Clone, Default, Args)]
pub struct NamedArguments {
    /// Image for a service, container or reference in a Compose or Kubernetes file; repeatable
    #[arg(long, value_name = "NAME=IMAGE", value_parser = parse_mapping)]
    pub map: Vec<Mapping>,
}

/// An image that is built from a Dockerfile first.
#[derive(Debug, Clone, Default, Args)]
pub struct DockerfileArguments {
    /// Build this Dockerfile, or the one in this directory, and use the result as the first image
    #[arg(long, value_name = "DIR|FILE")]
    pub dockerfile: Option<PathBuf>,
    /// Engine to build with [default: first of docker, podman, buildah found]
    #[arg(long, value_enum, requires = "dockerfile")]
    pub engine: Option<Engine>,
    /// Arguments for the engine's build, with --dockerfile
    #[arg(last = true, value_name = "BUILD-ARGUMENT")]
    pub behind: Vec<OsString>,
}

/// Container engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Docker
    Docker,
    /// Podman
    Podman,
    /// Buildah
    Buildah,
}

impl From<Engine> for build::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Docker => Self::Docker,
            Engine::Podman => Self::Podman,
            Engine::Buildah => Self::Buildah,
        }
    }
}

/// A `NAME=IMAGE` pair of `--map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Service, container, or reference exactly as the file writes it.
    pub name: String,
    /// Image to open for it.
    pub image: OsString,
}

fn parse_mapping(text: &str) -> Result<Mapping, String> {
    match text.split_once('=') {
        Some((name, image)) if !name.is_empty() && !image.is_empty() => {
            Ok(Mapping { name: name.to_owned(), image: image.into() })
        }
        _ => Err("expected NAME=IMAGE, such as web=web.tar".to_owned()),
    }
}

fn parse_platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "expected OS/ARCH[/VARIANT], such as linux/amd64 or linux/arm/v7".to_owned())
}
