use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::integrity::IncompleteArguments;
use super::open_arguments::OpenArguments;

/// `nixdive ci`.
#[derive(Debug, Args)]
pub struct CiArguments {
    /// Image to check
    pub image: OsString,
    /// Rules to check.
    #[command(flatten)]
    pub rules: RuleArguments,
    /// Options for opening it.
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Rules that `ci` and `--ci` check.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "CI rules")]
pub struct RuleArguments {
    /// File with dive's rules, YAML; replaces dive's flags [default: .dive-ci if it exists]
    #[arg(long, value_name = "FILE")]
    pub ci_config: Option<PathBuf>,
    /// Minimum efficiency, 0 to 1 (dive's rule) [default: 0.9]
    #[arg(long = "lowestEfficiency", value_name = "RATIO")]
    pub lowest_efficiency: Option<String>,
    /// Maximum wasted bytes (dive's rule) [default: disabled]
    #[arg(long = "highestWastedBytes", value_name = "AMOUNT")]
    pub highest_wasted_bytes: Option<String>,
    /// Maximum wasted share of the bytes above the base layer, 0 to 1 (dive's rule) [default: 0.1]
    #[arg(long = "highestUserWastedPercent", value_name = "RATIO")]
    pub highest_user_wasted_percent: Option<String>,
    /// File with rules and budgets, YAML [default: .nixdive-ci if it exists]
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Image, or file written by --update-baseline, to measure growth against
    #[arg(long, value_name = "IMAGE|FILE.json")]
    pub baseline: Option<OsString>,
    /// Write this image's figures to FILE, for --baseline
    #[arg(long, value_name = "FILE")]
    pub update_baseline: Option<PathBuf>,
    /// Maximum image size [default metric: unpacked bytes]
    #[arg(long, value_name = "[METRIC=]AMOUNT")]
    pub max_size: Vec<String>,
    /// Maximum growth since the baseline; repeatable, all must hold [default metric: unpacked bytes]
    #[arg(long, value_name = "[METRIC=]AMOUNT|PERCENT%")]
    pub max_growth: Vec<String>,
    /// Fail if a package matches this glob; prefix with deb:, apk:, rpm:, python: or nix: to limit the type
    #[arg(long, value_name = "[KIND:]NAME")]
    pub forbid_package: Vec<String>,
    /// Fail if a file matches this glob (* within a directory, ** across), links of lower layers followed
    #[arg(long, value_name = "PATH")]
    pub forbid_path: Vec<String>,
    /// Fail unless the image equals this one, bit for bit
    #[arg(long, value_name = "IMAGE")]
    pub reproducible: Option<OsString>,
    /// Without a baseline: fail, or skip growth rules with a warning
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_missing_baseline: Option<OnMissing>,
    /// Treat warnings as errors: budgets that match nothing, unknown keys
    #[arg(long)]
    pub strict: bool,
    /// How to treat an incomplete image.
    #[command(flatten)]
    pub incomplete: IncompleteArguments,
    /// Exit with 0 even if a rule fails
    #[arg(long)]
    pub exit_zero: bool,
    /// Output format on standard output [default: text]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Also write the verdict to FILE; repeatable
    #[arg(long, value_name = "FORMAT=FILE", value_parser = parse_output)]
    pub output: Vec<(Format, PathBuf)>,
}

impl RuleArguments {
    /// Returns the first of these flags that was given; all of them need `--ci`.
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

/// Choices of `--on-missing-baseline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnMissing {
    /// Fail: growth cannot be checked
    Fail,
    /// Skip growth rules with a warning
    Warn,
}

/// Formats of `ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Plain text: dive's lines, then nixdive's
    Text,
    /// JSON, schema nixdive.ci/1
    Json,
    /// JUnit XML, a test case for each rule
    Junit,
    /// SARIF 2.1.0
    Sarif,
    /// Markdown, for pull requests
    Markdown,
    /// GitHub Actions annotations
    Github,
    /// GitLab code quality report
    Gitlab,
    /// HTML, one self-contained file
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
    let (format, file) = text.split_once('=').ok_or("expected FORMAT=FILE, such as json=size.json")?;
    let format = Format::from_str(format, true).map_err(|_| format!("unknown format; expected one of {names}"))?;
    if file.is_empty() {
        return Err("missing file name; expected FORMAT=FILE".to_owned());
    }
    Ok((format, PathBuf::from(file)))
}
