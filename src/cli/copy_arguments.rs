use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::integrity::IncompleteArguments;
use super::open_arguments::OpenArguments;
use super::remote_arguments::LoginArguments;

/// Formats of `copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CopyFormat {
    /// Plain text, on standard error
    Text,
    /// JSON on standard output, schema nixdive.copy/1
    Json,
}

/// `nixdive copy`.
#[derive(Debug, Args)]
#[command(
    after_help = "Manifest and blobs keep their digests if the destination can store them unchanged. Uncompressed layers \
    without a manifest (docker-archive, nix2container's image.json) are compressed for registries and OCI layouts. Layers \
    that the destination already has are skipped; those with a known digest, or that the image under the same tag or one \
    of --siblings contains, are not even read. Signatures and other referrers are not copied."
)]
pub struct CopyArguments {
    /// Image to copy, from any source
    #[arg(value_name = "FROM")]
    pub image: OsString,
    /// Destinations: docker://HOST/NAME:TAG, docker-archive:FILE[:NAME] (also .gz and .zst), oci:DIRECTORY[:NAME],
    /// oci-archive:FILE[:NAME], dir:DIRECTORY, docker-daemon:NAME:TAG, podman:NAME:TAG, or - for a docker-archive on
    /// standard output
    #[arg(value_name = "TO", required = true)]
    pub destinations: Vec<OsString>,
    /// Copy all images of an index, and the index itself
    #[arg(long, conflicts_with = "platform")]
    pub all: bool,
    /// Compression for uncompressed layers: none, gzip[:LEVEL] or zstd[:LEVEL] [default: gzip]
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub compression: Option<String>,
    /// Image at the same registry that may contain some of the layers; repeatable
    #[arg(long, value_name = "docker://NAME")]
    pub siblings: Vec<OsString>,
    /// No progress output, no summary
    #[arg(short, long)]
    pub quiet: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = CopyFormat::Text)]
    pub format: CopyFormat,
    /// Credentials for the source and the destination.
    #[command(flatten)]
    pub logins: LoginArguments,
    /// How to treat an incomplete image.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}
