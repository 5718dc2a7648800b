use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::ci_arguments::{CiArguments, RuleArguments};
use super::copy_arguments::CopyArguments;
use super::index_arguments::IndexArguments;
use super::integrity::{IncompleteArguments, Integrity};
use super::rebuild_arguments::RebuildArguments;
use super::remote_arguments::RemoteArguments;
use nixdive_analyse::compare::CompareOptions;
use nixdive_image::Platform;
use nixdive_image::execution::Permission;
use nixdive_scan::{UnpackLimit, Wanted};
use nixdive_source::build;
use nixdive_source::open::{Keep, OpenOptions, Remote, Verify};

/// Environment variable with the same effect as `--no-exec`.
const NO_EXECUTION: &str = "NIXDIVE_NO_EXEC";
/// Reason to give when a program may not be started.
const NO_EXECUTION_REASON: &str = "--no-exec or NIXDIVE_NO_EXEC refuses every program";

/// The four uses, at the top of the help.
const USAGE: &str = "\
nixdive [OPTIONS] [IMAGE]          browse an image, or pick one found here
       nixdive [OPTIONS] IMAGE IMAGE...   compare two images; with more: show what they share
       nixdive --ci [OPTIONS] IMAGE       check an image against rules
       nixdive COMMAND [OPTIONS]          rebuild, copy, report and more: see the commands below";

/// Note at the end of `-h`.
const AFTER_SHORT_HELP: &str = "\
IMAGE is a file, a directory, `-` for standard input, docker://NAME, podman:NAME, a store path or .#PACKAGE. \
See --help for all options and kinds of images, and nixdive COMMAND -h for a command.

Exit codes: 0 success, 1 a rule failed, 2 error";

/// Notes at the end of `--help`.
const AFTER_LONG_HELP: &str = "\
Images: docker-archive, OCI layout or archive, or skopeo directory, plain or compressed. The format is detected from the \
content; `-` is standard input. To force it: docker-archive:FILE[:REFERENCE], oci:DIRECTORY[:REFERENCE], \
oci-archive:FILE[:REFERENCE], dir:DIRECTORY, rootfs:DIRECTORY, nix:FILE. Registries and engines: docker://NAME, \
docker-daemon:NAME, podman:NAME, containerd:NAME, or a bare NAME. Built by Nix: nix2container's image.json, store paths, \
installables. Without an image, nixdive lists those it finds here.

Programs: only these start one: an installable (.#ATTRIBUTE, FLAKE#ATTRIBUTE, flake:DIR or flake:FLAKE), which nix \
builds; stream:SCRIPT and stream:.#ATTRIBUTE, which run a script; build and --dockerfile, which run docker, podman or \
buildah; rebuild --emit-nix --build, which runs nix; and credential helpers named in your own docker or podman \
configuration. References in rule files, Compose and Kubernetes files never start one. --no-exec, or NIXDIVE_NO_EXEC=1, \
forbids all programs.

Environment: NIXDIVE_LOG sets the log level (off, error, warn, info, debug, trace), or levels by target \
(registry=trace,cache=debug); NIXDIVE_LOG_FILE names a file to append the log to.

Exit codes: 0 success, 1 a rule failed, 2 error, 128+N interrupted by signal N";

/// Subcommands as the help groups them.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Look into an image", &["inspect", "ls", "cat", "extract", "why", "sbom"]),
    ("Compare and check", &["compare", "share", "ci"]),
    ("Write an image", &["rebuild", "build", "copy", "index"]),
    ("More", &["tags", "cache", "completions", "man"]),
];

/// Options of browsing that `-h` lists; `--help` lists all of them.
const IMPORTANT: [&str; 11] = [
    "platform",
    "offline",
    "no_exec",
    "ci",
    "rules",
    "baseline",
    "max_size",
    "semantic",
    "dockerfile",
    "json",
    "verbose",
];

/// Returns the command line's grammar.
pub fn command() -> clap::Command {
    Arguments::command().mut_args(|argument| {
        let is_short = argument.is_positional() || IMPORTANT.contains(&argument.get_id().as_str());
        argument.hide_short_help(!is_short)
    })
}

/// Returns the grammar with a short help that fits a screen: subcommands in groups, and the important options. `--help`
/// keeps all options under their headings.
pub fn command_with_short_help() -> clap::Command {
    let command = command();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        groups(&command)
    );
    command.help_template(template)
}

/// Describes the subcommands, a heading for each group.
fn groups(command: &clap::Command) -> String {
    let mut text = String::new();
    for (heading, names) in GROUPS {
        text.push_str(&format!("{heading}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            text.push_str(&format!("  {name:<12} {}\n", about.map(ToString::to_string).unwrap_or_default()));
        }
        text.push('\n');
    }
    text
}

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

#[cfg(test)]
mod tests {
    use super::{GROUPS, IMPORTANT, command, command_with_short_help};

    #[test]
    fn the_grammar_of_the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn short_help_fits_a_screen_and_names_every_subcommand_once() {
        let help = command_with_short_help().term_width(100).render_help().to_string();
        assert!(help.lines().count() <= 60, "{} lines:\n{help}", help.lines().count());
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command();
        for subcommand in command.get_subcommands() {
            assert_eq!(grouped.iter().filter(|name| **name == subcommand.get_name()).count(), 1, "{subcommand}");
        }
        for option in IMPORTANT {
            assert!(command.get_arguments().any(|argument| argument.get_id() == option), "{option}");
        }
    }

    #[test]
    fn long_help_lists_every_option() {
        let mut command = command().term_width(100);
        let help = command.render_long_help().to_string();
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(help.contains(&format!("--{option}")), "{option}");
        }
    }
}
