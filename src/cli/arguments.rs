use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

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

/// The variable of the environment that does what `--no-exec` does.
const NO_EXECUTION: &str = "NIXDIVE_NO_EXEC";
/// What forbids programs then.
const NO_EXECUTION_REASON: &str = "--no-exec or NIXDIVE_NO_EXEC refuses every program";

/// Inspect, compare and rebuild container images, with an understanding of Nix.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = "An image is a docker-archive, an OCI layout or archive, or a directory of skopeo's, plain or \
    compressed, found by its content; «-» is standard input. To say the kind: docker-archive:FILE[:REFERENCE], \
    oci:DIRECTORY[:REFERENCE], oci-archive:FILE[:REFERENCE], dir:DIRECTORY, rootfs:DIRECTORY, nix:FILE. Images in \
    registries and engines are docker://NAME, docker-daemon:NAME, podman:NAME, containerd:NAME, or a bare NAME. What Nix \
    built counts too: nix2container's image.json and store paths. Without an image, \
    nixdive shows those it finds here; two images are compared, more are held against each other.\n\n\
    Only these start a program: an installable (.#ATTRIBUTE, FLAKE#ATTRIBUTE, flake:DIR or flake:FLAKE), which nix builds; \
    stream:SCRIPT and stream:.#ATTRIBUTE, which run a script; build and --dockerfile, which run docker, podman or buildah; \
    rebuild --emit-nix --build, which runs nix; and credential helpers named in your own docker or podman \
    configuration. Files never do: references in rule files, Compose and Kubernetes files name images only. --no-exec, \
    or NIXDIVE_NO_EXEC=1, refuses every program.\n\n\
    Environment: NIXDIVE_LOG sets the log level (off, error, warn, info, debug, trace), or levels by target \
    (registry=trace,cache=debug); NIXDIVE_LOG_FILE names a file to append the log to.\n\nExit codes: 0 done, 1 a rule failed, 2 could not.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Log decisions to standard error: -v info, -vv debug, -vvv trace; see also NIXDIVE_LOG
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 900)]
    pub verbose: u8,
    /// Without a command: browse.
    #[command(flatten)]
    pub browse: BrowseArguments,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print what an image is made of: layers, figures, waste, largest files
    Inspect(InspectArguments),
    /// List the files of an image
    Ls(ListArguments),
    /// Print a file of an image
    Cat(CatArguments),
    /// Copy a file or a directory out of an image
    Extract(ExtractArguments),
    /// Tell why a store path is in an image
    Why(WhyArguments),
    /// Build an image with docker, podman or buildah, and browse it
    Build(BuildArguments),
    /// Compare two images: what differs, what is shared, why one grew
    Compare(CompareArguments),
    /// Tell what several images share
    Share(ShareArguments),
    /// Write a smaller image with the same behaviour, as a Nix image
    Rebuild(Box<RebuildArguments>),
    /// Judge an image by rules: sizes, growth, what is forbidden; dive's rules too
    Ci(Box<CiArguments>),
    /// Print a bill of materials: packages and store paths
    Sbom(SbomArguments),
    /// Copy an image to registries, files and directories; what is there already is not sent
    Copy(Box<CopyArguments>),
    /// Make an index of images for several platforms, and send it with them
    Index(Box<IndexArguments>),
    /// Print the tags of a repository
    Tags(TagsArguments),
    /// Show what is kept of registries, or remove it
    Cache(CacheArguments),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Browsing in the terminal; a text report where standard output is none.
#[derive(Debug, Args)]
pub struct BrowseArguments {
    /// The image
    pub image: Option<OsString>,
    /// Further images: one is compared with the first, more are held against each other
    #[arg(value_name = "OTHERS")]
    pub others: Vec<OsString>,
    /// How images are compared.
    #[command(flatten)]
    pub comparing: ComparingArguments,
    /// Which images are meant by files that name them.
    #[command(flatten)]
    pub named: NamedArguments,
    /// An image that is built first.
    #[command(flatten)]
    pub dockerfile: DockerfileArguments,
    /// Print the default settings, a file to begin with
    #[arg(long)]
    pub print_config: bool,
    /// Write dive's JSON export to FILE instead of browsing
    #[arg(short = 'j', long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Judge the image by rules instead of browsing; also with CI=true in the environment
    #[arg(long, requires = "image")]
    pub ci: bool,
    /// The rules.
    #[command(flatten)]
    pub rules: RuleArguments,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// How an image is opened.
#[derive(Debug, Clone, Args)]
pub struct OpenArguments {
    /// Choose from an image for several platforms
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = parse_platform)]
    pub platform: Option<Platform>,
    /// Also verify the digests of large uncompressed layers; ci, sbom, rebuild, copy and index always do
    #[arg(long)]
    pub verify: bool,
    /// Limit in GiB for what a compressed stream unpacks to; one that keeps to 200 times its size may exceed it
    #[arg(long, value_name = "GIB", default_value_t = 4)]
    pub unpack_limit: u64,
    /// Start no program: build and run nothing, and ask no credential helper
    #[arg(long, env = NO_EXECUTION, hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub no_exec: bool,
    /// Limit in GiB for names and attributes of all layers together, which are kept in memory
    #[arg(long, value_name = "GIB", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub name_limit: u64,
    /// Limit in millions for the entries of all layers together, which are kept in memory
    #[arg(long, value_name = "MILLIONS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub entry_limit: u16,
    /// What to show in place of references that nobody typed.
    #[arg(skip)]
    pub titles: Vec<(String, String)>,
    /// Whether the image is certified, so that what it says of itself is not enough.
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
    /// Whether programs may be started.
    pub fn execution(&self) -> Permission {
        if self.no_exec { Permission::refused(NO_EXECUTION_REASON) } else { Permission::granted() }
    }

    /// How registries and engines are reached.
    pub fn remote(&self) -> Remote {
        self.remote.remote(self.execution())
    }

    /// The options that the arguments mean.
    pub fn options(&self, keep: Keep) -> OpenOptions {
        let certifies = self.integrity != Integrity::Warn;
        OpenOptions {
            platform: self.platform.clone(),
            verify: if self.verify || certifies { Verify::All } else { Verify::Cheap },
            keep,
            name_limit: self.name_limit.saturating_mul(1 << 30),
            entry_limit: usize::from(self.entry_limit).saturating_mul(1_000_000),
            wanted: Some(Wanted {
                is_wanted: |path| nixdive_packages::wanted(path).is_some(),
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

/// Which images are meant by files that name them.
#[derive(Debug, Clone, Default, Args)]
pub struct NamedArguments {
    /// The image of a service, a container or a reference in a file of Compose or Kubernetes; may be repeated
    #[arg(long, value_name = "NAME=IMAGE", value_parser = parse_mapping)]
    pub map: Vec<Mapping>,
}

/// An image that is built from a Dockerfile first.
#[derive(Debug, Clone, Default, Args)]
pub struct DockerfileArguments {
    /// Build the image of this Dockerfile, or of the one in this directory, and take it as the first image
    #[arg(long, value_name = "DIR|FILE")]
    pub dockerfile: Option<PathBuf>,
    /// What builds it: the first that is there, without this
    #[arg(long, value_enum, requires = "dockerfile")]
    pub engine: Option<Engine>,
    /// With --dockerfile: arguments for the engine's build
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
    /// What builds: the first of docker, podman and buildah that is there, without this
    #[arg(long, value_enum)]
    pub engine: Option<Engine>,
    /// How to open the result.
    #[command(flatten)]
    pub open: OpenArguments,
    /// Arguments of the engine's build, as they are; those of nixdive go in front
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "BUILD-ARGUMENT")]
    pub arguments: Vec<OsString>,
}

/// `NAME=IMAGE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// A service, a container, or a reference as it is written.
    pub name: String,
    /// An image that this program opens.
    pub image: OsString,
}

fn parse_mapping(text: &str) -> Result<Mapping, String> {
    match text.split_once('=') {
        Some((name, image)) if !name.is_empty() && !image.is_empty() => {
            Ok(Mapping { name: name.to_owned(), image: image.into() })
        }
        _ => Err("write it as web=web.tar".to_owned()),
    }
}

fn parse_platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "write it as linux/amd64 or linux/arm/v7".to_owned())
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading
    Text,
    /// For programs: schema nixdive.inspect/1
    Json,
    /// For pull requests
    Markdown,
    /// One file for a browser
    Html,
    /// The references of the Nix store, as nix-store --query --tree prints them
    Tree,
}

/// `nixdive inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// The image
    pub image: OsString,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Judge it by the rules of docs/findings.md; reads the files' content, and shows no secret
    #[arg(long)]
    pub findings: bool,
    /// Print the manifest or index as the registry stores it, and nothing else
    #[arg(long, conflicts_with_all = ["format", "findings"])]
    pub raw: bool,
    /// With --raw, write control characters to a terminal as they are; a pipe or file always gets the stored bytes
    #[arg(long, requires = "raw")]
    pub raw_bytes: bool,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive tags`.
#[derive(Debug, Args)]
pub struct TagsArguments {
    /// The repository: docker://HOST/NAME
    pub image: OsString,
    /// Print what refers to the image of this name instead: signatures, bills of materials, attestations
    #[arg(long)]
    pub referrers: bool,
    /// How to reach it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive cache`.
#[derive(Debug, Args)]
pub struct CacheArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// What to do with the cache.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheCommand {
    /// Print what is in it, what was used last first
    List,
    /// Remove all that is in it
    Clear,
    /// Print where it lies
    Path,
}

/// `nixdive ls`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The image
    pub image: OsString,
    /// The directory or file to list
    #[arg(default_value = "/")]
    pub path: OsString,
    /// With mode, owner, bytes and link targets
    #[arg(short, long)]
    pub long: bool,
    /// With everything below
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// As the image is with the layers up to this one: its number from 0, or its digest
    #[arg(long, value_name = "N")]
    pub layer: Option<String>,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive cat`.
#[derive(Debug, Args)]
pub struct CatArguments {
    /// The image
    pub image: OsString,
    /// The file; symbolic links are followed within the image
    pub path: OsString,
    /// As the image is with the layers up to this one: its number from 0, or its digest
    #[arg(long, value_name = "N")]
    pub layer: Option<String>,
    /// Write control characters to a terminal as they are; a pipe or file always gets the file's bytes
    #[arg(long)]
    pub raw_bytes: bool,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive extract`.
#[derive(Debug, Args)]
pub struct ExtractArguments {
    /// The image
    pub image: OsString,
    /// The file or directory
    #[arg(default_value = "/")]
    pub path: OsString,
    /// The directory to write into; made where it is missing, and never left
    #[arg(short, long, value_name = "DEST")]
    pub output: PathBuf,
    /// As the image is with the layers up to this one: its number from 0, or its digest
    #[arg(long, value_name = "N")]
    pub layer: Option<String>,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhyFormat {
    /// For reading
    Text,
    /// For programs: schema nixdive.why/1
    Json,
}

/// `nixdive why`.
#[derive(Debug, Args)]
pub struct WhyArguments {
    /// The image
    pub image: OsString,
    /// The store path: whole, by its name with or without version and output, or by the beginning of its hash
    #[arg(value_name = "PATH-OR-NAME")]
    pub wanted: String,
    /// All chains, not only the shortest
    #[arg(long)]
    pub all: bool,
    /// With the files and the bytes around each reference
    #[arg(long)]
    pub precise: bool,
    /// The form of the answer
    #[arg(long, value_enum, default_value_t = WhyFormat::Text)]
    pub format: WhyFormat,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// How images are compared.
#[derive(Debug, Clone, Args)]
pub struct ComparingArguments {
    /// Leave out what has no meaning: timestamps, author, history, rebuilds with equal content
    #[arg(long)]
    pub semantic: bool,
    /// Match the same software across package systems also where both images are built alike
    #[arg(long)]
    pub equivalent: bool,
    /// Compare images for different platforms too
    #[arg(long)]
    pub different_platforms: bool,
}

impl ComparingArguments {
    /// The options that the arguments mean.
    pub fn options(&self) -> CompareOptions {
        CompareOptions { semantic: self.semantic, equivalent: self.equivalent }
    }

    /// The first that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.semantic, "--semantic"),
            (self.equivalent, "--equivalent"),
            (self.different_platforms, "--different-platforms"),
        ];
        given.into_iter().find_map(|(is_given, flag)| is_given.then_some(flag))
    }
}

/// Forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// For reading
    Text,
    /// For programs: schema nixdive.compare/1
    Json,
    /// For pull requests
    Markdown,
    /// One file for a browser
    Html,
    /// The lines of `nix store diff-closures`, sizes in KiB as Nix 2.8 prints them
    DiffClosures,
}

/// `nixdive compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// The old image and the new one; or a file of Compose or Kubernetes that names two
    #[arg(num_args = 1..=2, value_names = ["OLD", "NEW"])]
    pub images: Vec<OsString>,
    /// Which images are meant by files that name them.
    #[command(flatten)]
    pub named: NamedArguments,
    /// An image that is built first.
    #[command(flatten)]
    pub dockerfile: DockerfileArguments,
    /// The form of the comparison
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
    /// How they are compared.
    #[command(flatten)]
    pub comparing: ComparingArguments,
    /// How to open them.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Forms of a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SbomFormat {
    /// For reading
    Text,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SPDX 2.3, JSON
    Spdx,
}

/// `nixdive sbom`.
#[derive(Debug, Args)]
pub struct SbomArguments {
    /// The image
    pub image: OsString,
    /// The form of the bill
    #[arg(long, value_enum, default_value_t = SbomFormat::Text)]
    pub format: SbomFormat,
    /// What becomes of an image that is not whole.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// `nixdive share`.
#[derive(Debug, Args)]
pub struct ShareArguments {
    /// The images, two at least; files of Compose or Kubernetes stand for the images that they name
    #[arg(required = true)]
    pub images: Vec<OsString>,
    /// Which images are meant by files that name them.
    #[command(flatten)]
    pub named: NamedArguments,
    /// Layers that an image may have where layers are proposed that would share more
    #[arg(long, value_name = "N", default_value_t = nixdive_analyse::compare::SharingOutline::MAX_LAYERS)]
    pub max_layers: usize,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = ShareFormat::Text)]
    pub format: ShareFormat,
    /// How to open them.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Forms of what images share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShareFormat {
    /// For reading
    Text,
    /// For programs: schema nixdive.share/1
    Json,
    /// For pull requests
    Markdown,
    /// One file for a browser
    Html,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_grammar_of_the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
