use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::arguments::OpenArguments;
use super::integrity::IncompleteArguments;
use super::remote_arguments::LoginArguments;

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CopyFormat {
    /// For reading, on standard error
    Text,
    /// For programs, on standard output: schema nixdive.copy/1
    Json,
}

/// `nixdive copy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Manifest and blobs keep their digests where the destination can hold them as they are. Layers that \
    are plain and that no manifest names (docker-archives, image.json of nix2container) are compressed on the way to \
    registries and OCI layouts. What is there already is not sent; layers of which the digest is known, or which an image \
    under the same tag or one of --siblings has, are not even read. Signatures and other referrers are not copied."
)]
pub struct CopyArguments {
    /// The image, from anywhere
    #[arg(value_name = "FROM")]
    pub image: OsString,
    /// Where to: docker://HOST/NAME:TAG, docker-archive:FILE[:NAME] (also .gz and .zst), oci:DIRECTORY[:NAME],
    /// oci-archive:FILE[:NAME], dir:DIRECTORY, docker-daemon:NAME:TAG, podman:NAME:TAG, or - for a docker-archive on
    /// standard output
    #[arg(value_name = "TO", required = true)]
    pub destinations: Vec<OsString>,
    /// Copy all images of an index, and the index
    #[arg(long, conflicts_with = "platform")]
    pub all: bool,
    /// Compress plain layers so: none, gzip or zstd, with a level if you like, such as zstd:19. Without it gzip
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub compression: Option<String>,
    /// An image at the same registry that may have some of the layers; as often as needed
    #[arg(long, value_name = "docker://NAME")]
    pub siblings: Vec<OsString>,
    /// Say nothing of how far it is, and nothing at the end
    #[arg(short, long)]
    pub quiet: bool,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = CopyFormat::Text)]
    pub format: CopyFormat,
    /// Who it is for registries.
    #[command(flatten)]
    pub logins: LoginArguments,
    /// What becomes of an image that is not whole.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}
