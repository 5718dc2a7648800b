use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::OpenArguments;
use super::integrity::IncompleteArguments;

/// `nixdive ci`.
#[derive(Debug, Args)]
pub struct CiArguments {
    /// The image
    pub image: OsString,
    /// The rules.
    #[command(flatten)]
    pub rules: RuleArguments,
    /// How to open it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// What `--ci` judges an image by.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rules, with --ci")]
pub struct RuleArguments {
    /// dive's rules, YAML; without it .dive-ci where there is one. A file replaces dive's flags
    #[arg(long, value_name = "FILE")]
    pub ci_config: Option<PathBuf>,
    /// dive's: the least efficiency, 0 to 1; 0.9 by default
    #[arg(long = "lowestEfficiency", value_name = "RATIO")]
    pub lowest_efficiency: Option<String>,
    /// dive's: the most wasted bytes; disabled by default
    #[arg(long = "highestWastedBytes", value_name = "AMOUNT")]
    pub highest_wasted_bytes: Option<String>,
    /// dive's: the most that may be wasted of the bytes above the base layer, 0 to 1; 0.1 by default
    #[arg(long = "highestUserWastedPercent", value_name = "RATIO")]
    pub highest_user_wasted_percent: Option<String>,
    /// Budgets and more, YAML; without it .nixdive-ci where there is one
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// What growth is measured against: an image, or a file of --update-baseline
    #[arg(long, value_name = "IMAGE|FILE.json")]
    pub baseline: Option<OsString>,
    /// Write what this image is to FILE, for --baseline
    #[arg(long, value_name = "FILE")]
    pub update_baseline: Option<PathBuf>,
    /// The most that the image may be; unpacked bytes unless another metric is named
    #[arg(long, value_name = "[METRIC=]AMOUNT")]
    pub max_size: Vec<String>,
    /// The most that it may grow; unpacked bytes unless another metric is named. Given twice, both must hold
    #[arg(long, value_name = "[METRIC=]AMOUNT|PERCENT%")]
    pub max_growth: Vec<String>,
    /// Fail if a package matches this glob; deb:, apk:, rpm:, python:, nix: give the kind
    #[arg(long, value_name = "[KIND:]NAME")]
    pub forbid_package: Vec<String>,
    /// Fail if a file matches this glob (* within a directory, ** across), also where engines follow links of lower layers
    #[arg(long, value_name = "PATH")]
    pub forbid_path: Vec<String>,
    /// An image that this one is to equal, bit for bit
    #[arg(long, value_name = "IMAGE")]
    pub reproducible: Option<OsString>,
    /// Without a baseline: fail, or pass growth over with a warning
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_missing_baseline: Option<OnMissing>,
    /// What is a warning otherwise cannot be judged: budgets that match nothing, unknown keys
    #[arg(long)]
    pub strict: bool,
    /// What becomes of an image that is not whole.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// Exit with 0 also where a rule fails
    #[arg(long)]
    pub exit_zero: bool,
    /// The form of the verdict on standard output
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Also write the verdict to FILE; may be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_output)]
    pub output: Vec<(Format, PathBuf)>,
}

impl RuleArguments {
    /// The first of these flags that is given: none of them means anything without `--ci`.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.ci_config.is_some(), "--ci-config"),
            (self.lowest_efficiency.is_some(), "--lowestEfficiency"),
            (self.highest_wasted_bytes.is_some(), "--highestWastedBytes"),
            (self.highest_user_wasted_percent.is_some(), "--highestUserWastedPercent"),
            (self.rules.is_some(), "--rules"),
            (self.baseline.is_some(), "--baseline"),
            (self.update_baseline.is_some(), "--update-baseline"),
            (!self.max_size.is_empty(), "--max-size"),
            (!self.max_growth.is_empty(), "--max-growth"),
            (!self.forbid_package.is_empty(), "--forbid-package"),
            (!self.forbid_path.is_empty(), "--forbid-path"),
            (self.reproducible.is_some(), "--reproducible"),
            (self.on_missing_baseline.is_some(), "--on-missing-baseline"),
            (self.strict, "--strict"),
            (self.exit_zero, "--exit-zero"),
            (self.format.is_some(), "--format"),
            (!self.output.is_empty(), "--output"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }
}

/// What happens without a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnMissing {
    /// Growth cannot be judged
    Fail,
    /// Growth is passed over with a warning
    Warn,
}

/// Forms of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// dive's lines, and our own behind them
    Text,
    /// For programs: schema nixdive.ci/1
    Json,
    /// XML, a test case a rule
    Junit,
    /// SARIF 2.1.0
    Sarif,
    /// For pull requests
    Markdown,
    /// Annotations of GitHub Actions
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// One file for a browser
    Html,
}

impl From<Format> for nixdive_report::CiFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
            Format::Junit => Self::Junit,
            Format::Sarif => Self::Sarif,
            Format::Markdown => Self::Markdown,
            Format::Github => Self::Github,
            Format::Gitlab => Self::Gitlab,
            Format::Html => Self::Html,
        }
    }
}

fn parse_output(text: &str) -> Result<(Format, PathBuf), String> {
    let names = "text, json, junit, sarif, markdown, github, gitlab, html";
    let (format, file) = text.split_once('=').ok_or("write it as FORMAT=FILE, such as json=size.json")?;
    let format = Format::from_str(format, true).map_err(|_| format!("there is no such form; there are {names}"))?;
    if file.is_empty() {
        return Err("the file has no name".to_owned());
    }
    Ok((format, PathBuf::from(file)))
}
