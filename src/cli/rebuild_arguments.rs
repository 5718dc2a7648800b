use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::OpenArguments;
use super::integrity::IncompleteArguments;

/// Forms of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For reading
    Text,
    /// For programs: schema nixdive.plan/1
    Json,
}

/// How finely packages are taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Granularity {
    /// Of each package the files that are needed
    File,
    /// All of each package that is needed
    Package,
}

/// How store paths are put into layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    /// By bytes, by what siblings share, and by what changes together
    Stable,
    /// As dockerTools does
    Popularity,
    /// As nix2container does, its tar streams included
    Nix2container,
}

/// `nixdive rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArguments {
    /// The image; or a store path or installable, of whose closure an image is made
    pub image: OsString,
    /// More store paths or installables that are in the image and linked to its root, as dockerTools' `contents`
    #[arg(value_name = "STORE PATH")]
    pub more: Vec<OsString>,
    /// Where to write: FILE, docker-archive:FILE[:NAME] (also .gz and .zst), oci:DIRECTORY[:NAME], oci-archive:FILE,
    /// nix:FILE, - for standard output, or docker://HOST/NAME:TAG; as often as needed. Without it the plan is printed
    #[arg(short, long, value_name = "DESTINATION")]
    pub output: Vec<OsString>,
    /// Print what would be kept and dropped, and why, and write nothing
    #[arg(long)]
    pub plan: bool,
    /// The form of the plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Prove that programs of the image find what they need, and write nothing
    #[arg(long, conflicts_with_all = ["output", "plan"])]
    pub check: bool,
    /// Which part stays.
    #[command(flatten)]
    pub choices: ChoiceArguments,
    /// What it starts.
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Of a store path: the image that comes below, its layers as they are
    #[arg(long, value_name = "IMAGE")]
    pub from: Option<OsString>,
    /// How it is written.
    #[command(flatten)]
    pub write: WriteArguments,
    /// A flake that builds it with nixpkgs.
    #[command(flatten)]
    pub emit: EmitArguments,
    /// What becomes of an image that is not whole.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// What puts an image together in a flake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Builder {
    /// nixpkgs' dockerTools.buildLayeredImage
    Dockertools,
    /// nix2container.buildImage
    Nix2container,
}

/// A flake for those who want nixpkgs to build the image.
#[derive(Debug, Args)]
#[command(next_help_heading = "With nixpkgs")]
pub struct EmitArguments {
    /// Write a flake that builds the image with nixpkgs: programs by their packages there, its own files beside it
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "check")]
    pub emit_nix: Option<PathBuf>,
    /// What puts the image together in it
    #[arg(long, value_enum, default_value_t = Builder::Dockertools, requires = "emit_nix")]
    pub builder: Builder,
    /// Build it with nix, and compare the image with the result
    #[arg(long, requires = "emit_nix", conflicts_with_all = ["output", "plan"])]
    pub build: bool,
}

/// What is kept and dropped.
#[derive(Debug, Args)]
#[command(next_help_heading = "What stays")]
pub struct ChoiceArguments {
    /// Keep what no program seems to need: patterns for paths, names of packages or store paths
    #[arg(long, value_name = "GLOB")]
    pub keep: Vec<String>,
    /// Drop a class (unreachable, docs, locales, dev, static-libs, pycache, tests, debug, package-manager), or what
    /// matches a pattern
    #[arg(long, value_name = "CLASS|GLOB")]
    pub drop: Vec<String>,
    /// Overwrite the references of a store path, or of a file in one, to another store path
    #[arg(long, value_name = "FROM=>TO")]
    pub cut: Vec<String>,
    /// How finely packages of a distribution are taken apart
    #[arg(long, value_enum, default_value_t = Granularity::File)]
    pub granularity: Granularity,
}

/// Fields of the configuration that are set anew.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArguments {
    /// The program, or a JSON list of it and its arguments
    #[arg(long, value_name = "PROGRAM|JSON")]
    pub entrypoint: Option<String>,
    /// Its arguments: one, or a JSON list
    #[arg(long, value_name = "ARGUMENT|JSON")]
    pub cmd: Option<String>,
    /// A variable of the environment, set or replaced
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Where it starts
    #[arg(long, value_name = "DIRECTORY")]
    pub workdir: Option<String>,
    /// Who it runs as
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// A port that it listens on
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub expose: Vec<String>,
    /// A directory that is mounted from outside
    #[arg(long, value_name = "DIRECTORY")]
    pub volume: Vec<String>,
    /// A label, set or replaced
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// The signal that ends it
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,
    /// Fields as the `config` of dockerTools and nix2container has them, in a JSON file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How an image is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct WriteArguments {
    /// Maximum number of layers of the whole image [default: 100]; engines take at most 125
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_layers: Option<u16>,
    /// How store paths are put into layers
    #[arg(long, value_enum, default_value_t = Strategy::Stable)]
    pub strategy: Strategy,
    /// An image that is deployed beside this one: what both have gets layers that both have
    #[arg(long, value_name = "IMAGE")]
    pub siblings: Vec<OsString>,
    /// Date the image and its files: seconds since 1970, or «now»; without it both are the same on every run
    #[arg(long, value_name = "SECONDS|now")]
    pub created: Option<String>,
    /// Layers in OCI destinations: zstd[:LEVEL], gzip[:LEVEL], none
    #[arg(long, value_name = "METHOD")]
    pub compression: Option<String>,
}
