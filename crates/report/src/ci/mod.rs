//! Verdicts of rules, in the forms that people and CI systems read.

mod fingerprint;
mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod markdown;
mod sarif;
mod text;

use std::io::{self, Write};

use nixdive_analyse::analysis::Assessment;
use nixdive_analyse::ci::{Outcome, RuleResult, Status};
use nixdive_image::Image;

pub use json::CI_SCHEMA;

/// The form of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CiFormat {
    /// dive's lines; rules of our own behind them, with what led to them.
    Text,
    /// `nixdive.ci/1`.
    Json,
    /// JUnit's XML: one test case a rule.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
    /// For a pull request.
    Markdown,
    /// Workflow commands of GitHub Actions.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// One file for a browser.
    Html,
}

/// All that a run of rules says.
#[derive(Debug, Clone, Copy)]
pub struct CiReport<'a> {
    /// The image.
    pub image: &'a Image,
    /// Name of the image that stays the same between builds: without tag, digest and
    /// machine-specific directories.
    pub name: &'a str,
    /// dive's figures and the paths behind them.
    pub assessment: &'a Assessment,
    /// The rules, judged.
    pub outcome: &'a Outcome,
    /// Reference of the baseline, as given.
    pub baseline: Option<&'a str>,
}

impl CiReport<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write(&self, format: CiFormat, out: &mut dyn Write) -> io::Result<()> {
        match format {
            CiFormat::Text => text::write(self, out),
            CiFormat::Json => json::write(self, out),
            CiFormat::Junit => junit::write(self, out),
            CiFormat::Sarif => sarif::write(self, out),
            CiFormat::Markdown => markdown::write(self, out),
            CiFormat::Github => github::write(self, out),
            CiFormat::Gitlab => gitlab::write(self, out),
            CiFormat::Html => html::write(self, out),
        }
    }

    /// The rules that did not come out well.
    fn problems(&self) -> impl Iterator<Item = &RuleResult> {
        self.outcome.rules.iter().filter(|rule| matches!(rule.status, Status::Fail | Status::Error))
    }

    /// The file that a rule stands in, or the image, and the line.
    fn location(&self, rule: &RuleResult) -> (String, u32) {
        match &rule.place {
            Some((file, line)) => (file.clone(), *line),
            None => (nixdive_base::text::display_name(self.image.identity.requested.as_bytes()).into_owned(), 1),
        }
    }
}

/// A rule's sentence with what led to it, a line each.
fn whole_message(rule: &RuleResult) -> String {
    let lines = std::iter::once(rule.message.as_str()).chain(rule.evidence.iter().map(|found| found.text.as_str()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
