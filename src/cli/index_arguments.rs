use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::arguments::OpenArguments;
use super::integrity::IncompleteArguments;
use super::remote_arguments::LoginArguments;
use nixdive_transfer::index::TagRules;

/// Forms of what is said about an index that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IndexFormat {
    /// For reading
    Text,
    /// For programs: schema nixdive.index/1
    Json,
}

/// `nixdive index`.
#[derive(Debug, Args)]
pub struct IndexArguments {
    /// Where it goes: docker://HOST/NAME[:TAG], oci:DIRECTORY[:NAME] or oci-archive:FILE[:NAME]
    #[arg(value_name = "DST")]
    pub destination: OsString,
    /// The images, one for each platform; an index stands for all images in it
    #[arg(required = true, value_name = "SRC")]
    pub images: Vec<OsString>,
    /// Which tags it gets.
    #[command(flatten)]
    pub tags: TagArguments,
    /// An annotation of the index, as often as needed
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_annotation)]
    pub annotation: Vec<(String, String)>,
    /// Refuse two images for one platform; without it clients get the first
    #[arg(long)]
    pub distinct: bool,
    /// Compress plain layers so: none, gzip or zstd, with a level if you like, such as zstd:19. Without it gzip
    #[arg(long, value_name = "METHOD[:LEVEL]")]
    pub compression: Option<String>,
    /// Say nothing of how far it is
    #[arg(short, long)]
    pub quiet: bool,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = IndexFormat::Text)]
    pub format: IndexFormat,
    /// Who it is for registries.
    #[command(flatten)]
    pub logins: LoginArguments,
    /// What becomes of an image that is not whole.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// How to open them.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// flocken's rules for tags.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tags")]
pub struct TagArguments {
    /// A tag, as often as needed
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// The branch that was built: a tag of its name, and latest on the default branch
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// The branch whose images are latest [default: main]
    #[arg(long, value_name = "NAME", requires = "branch")]
    pub default_branch: Option<String>,
    /// The tag latest
    #[arg(long)]
    pub latest: bool,
    /// The version, as v1.2.3: the tags 1.2.3, 1.2 and 1; of a pre-release, which has a «-», the first alone
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

impl TagArguments {
    /// The rules that the arguments mean, with the tag that stands in the destination.
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
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}
