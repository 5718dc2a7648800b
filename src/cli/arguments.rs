//! The commands and the arguments of those that have no file of their own for them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::ci_arguments::{CiArguments, RuleArguments};
use super::copy_arguments::CopyArguments;
use super::help::{AFTER_LONG_HELP, AFTER_SHORT_HELP, USAGE};
use super::index_arguments::IndexArguments;
use super::integrity::IncompleteArguments;
use super::open_arguments::{DockerfileArguments, Engine, NamedArguments, OpenArguments};
use super::rebuild_arguments::RebuildArguments;
use nixdive_analyse::compare::CompareOptions;

/// Inspect, compare and rebuild container images, with an understanding of Nix.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(override_usage = USAGE, after_help = AFTER_SHORT_HELP, after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// Subcommand to run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Log decisions to standard error: -v info, -vv debug, -vvv trace; see also NIXDIVE_LOG
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 900)]
    pub verbose: u8,
    /// Arguments for browsing, when no subcommand is given.
    #[command(flatten)]
    pub browse: BrowseArguments,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a report: layers, figures, waste, largest files
    Inspect(InspectArguments),
    /// List the files of an image
    Ls(ListArguments),
    /// Print a file of an image
    Cat(CatArguments),
    /// Copy a file or a directory out of an image
    Extract(ExtractArguments),
    /// Explain why a store path is in an image
    Why(WhyArguments),
    /// Build an image with docker, podman or buildah, and browse it
    Build(BuildArguments),
    /// Compare two images: differences, shared content, causes of growth
    Compare(CompareArguments),
    /// Show what several images share
    Share(ShareArguments),
    /// Write a smaller image with the same behaviour, as a Nix image
    Rebuild(Box<RebuildArguments>),
    /// Check an image against rules: size, growth, forbidden content, dive's rules
    Ci(Box<CiArguments>),
    /// Print a bill of materials: packages and store paths
    Sbom(SbomArguments),
    /// Copy an image to registries, engines or files, skipping layers already there
    Copy(Box<CopyArguments>),
    /// Create a multi-platform index and push it with its images
    Index(Box<IndexArguments>),
    /// List the tags of a repository
    Tags(TagsArguments),
    /// List or clear the cache of registry images
    Cache(CacheArguments),
    /// Print shell completions
    Completions {
        /// Shell to print completions for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Arguments for browsing in the terminal. Prints a text report if standard output is not a terminal.
#[derive(Debug, Args)]
pub struct BrowseArguments {
    /// Image to read
    pub image: Option<OsString>,
    /// With one more image: compare; with several: show what they share
    #[arg(value_name = "OTHERS")]
    pub others: Vec<OsString>,
    /// Options for the comparison.
    #[command(flatten)]
    pub comparing: ComparingArguments,
    /// Images for the names in Compose and Kubernetes files.
    #[command(flatten)]
    pub named: NamedArguments,
    /// Image to build first.
    #[command(flatten)]
    pub dockerfile: DockerfileArguments,
    /// Print the default settings as a configuration file
    #[arg(long)]
    pub print_config: bool,
    /// Write dive's JSON export to FILE instead of browsing
    #[arg(short = 'j', long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Check the image against rules instead of browsing; implied by CI=true
    #[arg(long, requires = "image")]
    pub ci: bool,
    /// Rules to check.
    #[command(flatten)]
    pub rules: RuleArguments,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive build`.
#[derive(Debug, Args)]
pub struct BuildArguments {
    /// Engine to build with [default: first of docker, podman, buildah found]
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// Options for opening the result.
    #[command(flatten)]
    pub open: OpenArguments,
    /// Arguments for the engine's build, passed unchanged; put nixdive's options before them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "BUILD-ARGUMENT")]
    pub arguments: Vec<OsString>,
}

/// Formats of `inspect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Plain text
    Text,
    /// JSON, schema nixdive.inspect/1
    Json,
    /// Markdown, for pull requests
    Markdown,
    /// HTML, one self-contained file
    Html,
    /// References of the Nix store, as nix-store --query --tree prints them
    Tree,
}

/// `nixdive inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Image to read
    pub image: OsString,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Also report problems and possible savings (docs/findings.md); reads file contents, prints no secret
    #[arg(long)]
    pub findings: bool,
    /// Print only the manifest or index, byte for byte as the registry stores it
    #[arg(long, conflicts_with_all = ["format", "findings"])]
    pub raw: bool,
    /// Do not escape control characters on a terminal, with --raw; pipes and files always get the stored bytes
    #[arg(long, requires = "raw")]
    pub raw_bytes: bool,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive tags`.
#[derive(Debug, Args)]
pub struct TagsArguments {
    /// Repository: docker://HOST/NAME
    pub image: OsString,
    /// List the referrers of this image instead: signatures, bills of materials, attestations
    #[arg(long)]
    pub referrers: bool,
    /// Options for reaching the registry.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive cache`.
#[derive(Debug, Args)]
pub struct CacheArguments {
    /// Subcommand to run.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// Subcommands of `nixdive cache`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheCommand {
    /// List cached images and blobs, most recently used first
    List,
    /// Remove everything from the cache
    Clear,
    /// Print the path of the cache
    Path,
}

/// `nixdive ls`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Image to read
    pub image: OsString,
    /// Directory or file to list
    #[arg(default_value = "/")]
    pub path: OsString,
    /// Show mode, owner, bytes and link targets
    #[arg(short, long)]
    pub long: bool,
    /// List directories recursively
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Use only the layers up to this one: number from 0, or digest
    #[arg(long, value_name = "N")]
    pub layer: Option<String>,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive cat`.
#[derive(Debug, Args)]
pub struct CatArguments {
    /// Image to read
    pub image: OsString,
    /// File to print; symbolic links are followed within the image
    pub path: OsString,
    /// Use only the layers up to this one: number from 0, or digest
    #[arg(long, value_name = "N")]
    pub layer: Option<String>,
    /// Do not escape control characters on a terminal; pipes and files always get the file's bytes
    #[arg(long)]
    pub raw_bytes: bool,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive extract`.
#[derive(Debug, Args)]
pub struct ExtractArguments {
    /// Image to read
    pub image: OsString,
    /// File or directory to extract
    #[arg(default_value = "/")]
    pub path: OsString,
    /// Directory to write into, created if missing; nothing is written outside it
    #[arg(short, long, value_name = "DEST")]
    pub output: PathBuf,
    /// Use only the layers up to this one: number from 0, or digest
    #[arg(long, value_name = "N")]
    pub layer: Option<String>,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Formats of `why`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhyFormat {
    /// Plain text
    Text,
    /// JSON, schema nixdive.why/1
    Json,
}

/// `nixdive why`.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// Image to read
    pub image: OsString,
    /// Store path: full path, name with or without version and output, or beginning of the hash
    #[arg(value_name = "PATH-OR-NAME")]
    pub wanted: String,
    /// Show all chains, not only the shortest
    #[arg(long)]
    pub all: bool,
    /// Show the files and the bytes around each reference
    #[arg(long)]
    pub precise: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = WhyFormat::Text)]
    pub format: WhyFormat,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Options for a comparison.
#[derive(Debug, Clone, Args)]
pub struct ComparingArguments {
    /// Ignore metadata-only changes: timestamps, author, history, rebuilds with equal content
    #[arg(long)]
    pub semantic: bool,
    /// Match the same software across package systems even if both images use the same one
    #[arg(long)]
    pub equivalent: bool,
    /// Allow comparing images for different platforms
    #[arg(long)]
    pub different_platforms: bool,
}

impl ComparingArguments {
    /// Returns the options of the comparison.
    pub fn options(&self) -> CompareOptions {
        CompareOptions { semantic: self.semantic, equivalent: self.equivalent }
    }

    /// Returns the first of these flags that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.semantic, "--semantic"),
            (self.equivalent, "--equivalent"),
            (self.different_platforms, "--different-platforms"),
        ];
        given.into_iter().find_map(|(is_given, flag)| is_given.then_some(flag))
    }
}

/// Formats of `compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// Plain text
    Text,
    /// JSON, schema nixdive.compare/1
    Json,
    /// Markdown, for pull requests
    Markdown,
    /// HTML, one self-contained file
    Html,
    /// Lines of nix store diff-closures, sizes in KiB as Nix 2.8 prints them
    DiffClosures,
}

/// `nixdive compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Old and new image, or a Compose or Kubernetes file that names two
    #[arg(num_args = 1..=2, value_names = ["OLD", "NEW"])]
    pub images: Vec<OsString>,
    /// Images for the names in Compose and Kubernetes files.
    #[command(flatten)]
    pub named: NamedArguments,
    /// Image to build first.
    #[command(flatten)]
    pub dockerfile: DockerfileArguments,
    /// Output format
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
    /// Options for the comparison.
    #[command(flatten)]
    pub comparing: ComparingArguments,
    /// Options for opening them.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Formats of `sbom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SbomFormat {
    /// Plain text
    Text,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    Spdx,
}

/// `nixdive sbom`.
#[derive(Debug, Args)]
pub struct SbomArguments {
    /// Image to read
    pub image: OsString,
    /// Output format
    #[arg(long, value_enum, default_value_t = SbomFormat::Text)]
    pub format: SbomFormat,
    /// How to treat an incomplete image.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive share`.
#[derive(Debug, Args)]
pub struct ShareArguments {
    /// Images, at least two; a Compose or Kubernetes file counts as all images it names
    #[arg(required = true)]
    pub images: Vec<OsString>,
    /// Images for the names in Compose and Kubernetes files.
    #[command(flatten)]
    pub named: NamedArguments,
    /// Maximum number of layers per image in the proposed layering
    #[arg(long, value_name = "N", default_value_t = nixdive_analyse::compare::SharingOutline::MAX_LAYERS)]
    pub max_layers: usize,
    /// Output format
    #[arg(long, value_enum, default_value_t = ShareFormat::Text)]
    pub format: ShareFormat,
    /// Options for opening them.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Formats of `share`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShareFormat {
    /// Plain text
    Text,
    /// JSON, schema nixdive.share/1
    Json,
    /// Markdown, for pull requests
    Markdown,
    /// HTML, one self-contained file
    Html,
}
