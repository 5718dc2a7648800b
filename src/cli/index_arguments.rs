use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::integrity::IncompleteArguments;
use super::open_arguments::OpenArguments;
use super::remote_arguments::LoginArguments;
use nixdive_transfer::index::TagRules;

/// Formats of `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IndexFormat {
    /// Plain text
    Text,
    /// JSON, schema nixdive.index/1
    Json,
}

/// `nixdive index`.
#[derive(Debug, Args)]
pub struct IndexArguments {
    /// Destination: docker://HOST/NAME[:TAG], oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME]
    #[arg(value_name = "DST")]
    pub destination: OsString,
    /// Images, one for each platform; an index counts as all images in it
    #[arg(required = true, value_name = "SRC")]
    pub images: Vec<OsString>,
    /// Tags for the index.
    #[command(flatten)]
    pub tags: TagArguments,
    /// Annotation for the index; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_annotation)]
    pub annotation: Vec<(String, String)>,
    /// Fail if two images are for the same platform [default: clients get the first]
    #[arg(long)]
    pub distinct: bool,
    /// Compression for uncompressed layers: none, gzip[:LEVEL] or zstd[:LEVEL] [default: gzip]
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub compression: Option<String>,
    /// No progress output
    #[arg(short, long)]
    pub quiet: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = IndexFormat::Text)]
    pub format: IndexFormat,
    /// Credentials for the source and the destination.
    #[command(flatten)]
    pub logins: LoginArguments,
    /// How to treat an incomplete image.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// Options for opening them.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Tags by flocken's rules.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tags")]
pub struct TagArguments {
    /// Tag to set; repeatable
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Branch that was built: sets a tag of that name, and latest on the default branch
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Branch whose images are tagged latest [default: main]
    #[arg(long, value_name = "NAME", requires = "branch")]
    pub default_branch: Option<String>,
    /// Set the tag latest
    #[arg(long)]
    pub latest: bool,
    /// Version, such as v1.2.3: sets the tags 1.2.3, 1.2 and 1; a pre-release (with `-`) sets only the first
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

impl TagArguments {
    /// Returns the tag rules, including the tag named in the destination.
    pub fn rules(&self, destination: Option<&str>) -> TagRules {
        TagRules {
            tags: destination.map(str::to_owned).into_iter().chain(self.tag.iter().cloned()).collect(),
            branch: self.branch.clone(),
            default_branch: self.default_branch.clone(),
            latest: self.latest,
            version: self.version.clone(),
        }
    }
}

fn parse_annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
