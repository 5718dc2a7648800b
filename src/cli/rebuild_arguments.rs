use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::integrity::IncompleteArguments;
use super::open_arguments::OpenArguments;

/// Formats of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Plain text
    Text,
    /// JSON, schema nixdive.plan/1
    Json,
}

/// Units in which packages of a distribution are kept or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Granularity {
    /// Keep only the files of a package that are needed
    File,
    /// Keep a package completely if any of it is needed
    Package,
}

/// Strategies for putting store paths into layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    /// By size, by what siblings share, and by what changes together
    Stable,
    /// Like dockerTools
    Popularity,
    /// Like nix2container, with identical tar streams
    Nix2container,
}

/// `nixdive rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArguments {
    /// Image, or a store path or installable whose closure becomes an image
    pub image: OsString,
    /// More store paths or installables to include and link into the root, like dockerTools' contents
    #[arg(value_name = "STORE PATH")]
    pub more: Vec<OsString>,
    /// Destination, repeatable: FILE, docker-archive:FILE[:NAME] (also .gz and .zst), oci:DIRECTORY[:NAME],
    /// oci-archive:FILE, nix:FILE, docker://HOST/NAME:TAG, - for standard output [default: print the plan]
    #[arg(short, long, value_name = "DESTINATION")]
    pub output: Vec<OsString>,
    /// Print what would be kept and dropped, and why; write nothing
    #[arg(long)]
    pub plan: bool,
    /// Output format of the plan
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Verify that the image's programs find what they need; write nothing
    #[arg(long, conflicts_with_all = ["output", "plan"])]
    pub check: bool,
    /// Files to keep and drop.
    #[command(flatten)]
    pub choices: ChoiceArguments,
    /// Configuration of the new image.
    #[command(flatten)]
    pub config: ConfigArguments,
    /// Base image for store paths; its layers are used unchanged
    #[arg(long, value_name = "IMAGE")]
    pub from: Option<OsString>,
    /// Options for writing it.
    #[command(flatten)]
    pub write: WriteArguments,
    /// Options for a flake that builds it with nixpkgs.
    #[command(flatten)]
    pub emit: EmitArguments,
    /// How to treat an incomplete image.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Builders of an image in a flake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Builder {
    /// nixpkgs' dockerTools.buildLayeredImage
    Dockertools,
    /// nix2container.buildImage
    Nix2container,
}

/// Options for a flake that builds the image with nixpkgs.
#[derive(Debug, Args)]
#[command(next_help_heading = "With nixpkgs")]
pub struct EmitArguments {
    /// Write a flake that builds the image with nixpkgs: programs from its packages, other files next to it
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "check")]
    pub emit_nix: Option<PathBuf>,
    /// Builder that the flake uses
    #[arg(long, value_enum, default_value_t = Builder::Dockertools, requires = "emit_nix")]
    pub builder: Builder,
    /// Build the flake with nix and compare the image with the result
    #[arg(long, requires = "emit_nix", conflicts_with_all = ["output", "plan"])]
    pub build: bool,
}

/// Options for what to keep and drop.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keep and drop")]
pub struct ChoiceArguments {
    /// Keep matching files even if nothing needs them: path globs, names of packages or store paths
    #[arg(long, value_name = "GLOB")]
    pub keep: Vec<String>,
    /// Drop a class (unreachable, docs, locales, dev, static-libs, pycache, tests, debug, package-manager), or files
    /// that match a glob
    #[arg(long, value_name = "CLASS|GLOB")]
    pub drop: Vec<String>,
    /// Overwrite references from one store path, or a file in it, to another store path
    #[arg(long, value_name = "FROM=>TO")]
    pub cut: Vec<String>,
    /// Units in which packages of a distribution are kept or dropped
    #[arg(long, value_enum, default_value_t = Granularity::File)]
    pub granularity: Granularity,
}

/// Fields of the image's configuration to set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArguments {
    /// Program to start, or a JSON list of it and its arguments
    #[arg(long, value_name = "PROGRAM|JSON")]
    pub entrypoint: Option<String>,
    /// Argument of the program, or a JSON list of arguments
    #[arg(long, value_name = "ARGUMENT|JSON")]
    pub cmd: Option<String>,
    /// Environment variable to set or replace; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Working directory
    #[arg(long, value_name = "DIRECTORY")]
    pub workdir: Option<String>,
    /// User to run as
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,
    /// Port that the program listens on; repeatable
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub expose: Vec<String>,
    /// Directory that is mounted from outside; repeatable
    #[arg(long, value_name = "DIRECTORY")]
    pub volume: Vec<String>,
    /// Label to set or replace; repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub label: Vec<String>,
    /// Signal that stops the program
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,
    /// JSON file with fields as in the config of dockerTools and nix2container
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options for writing an image.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct WriteArguments {
    /// Maximum number of layers; engines accept at most 125 [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_layers: Option<u16>,
    /// Strategy for putting store paths into layers
    #[arg(long, value_enum, default_value_t = Strategy::Stable)]
    pub strategy: Strategy,
    /// Image deployed next to this one; content that both contain gets shared layers; repeatable
    #[arg(long, value_name = "IMAGE")]
    pub siblings: Vec<OsString>,
    /// Date of the image and its files: seconds since 1970, or now [default: fixed, so that runs are reproducible]
    #[arg(long, value_name = "SECONDS|now")]
    pub created: Option<String>,
    /// Compression of layers in OCI destinations: none, gzip[:LEVEL] or zstd[:LEVEL]
    #[arg(long, value_name = "METHOD")]
    pub compression: Option<String>,
}
