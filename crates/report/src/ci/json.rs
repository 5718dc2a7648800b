use std::io::{self, Write};

use serde::Serialize;

use super::super::json::{OWN, write_pretty};
use super::CiReport;
use nixdive_analyse::ci::{RuleResult, Verdict};
use nixdive_image::Digest;

/// Name and version of the JSON form.
pub const CI_SCHEMA: &str = "nixdive.ci/1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: &'static str,
    image: ImageDocument<'a>,
    baseline: Option<&'a str>,
    verdict: Verdict,
    figures: Figures,
    rules: &'a [RuleResult],
    /// True if the whole image could be read, and nothing of it is altered or unverified.
    complete: bool,
    warnings: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageDocument<'a> {
    requested: &'a str,
    manifest_digest: Option<&'a str>,
    config_digest: Option<&'a str>,
    platform: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    unpacked_bytes: u64,
    compressed_bytes: Option<u64>,
    visible_file_bytes: u64,
    efficiency: f64,
    wasted_bytes: u64,
    user_wasted_percent: Option<f64>,
}

pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (identity, figures) = (&report.image.identity, &report.assessment.figures);
    let document = Document {
        schema: CI_SCHEMA,
        image: ImageDocument {
            requested: &identity.requested,
            manifest_digest: identity.manifest_digest.as_ref().map(Digest::as_str),
            config_digest: identity.config_digest.as_ref().map(Digest::as_str),
            platform: report.image.config.platform.to_string(),
        },
        baseline: report.baseline,
        verdict: report.outcome.verdict(),
        figures: Figures {
            unpacked_bytes: figures.unpacked_bytes,
            compressed_bytes: figures.compressed_bytes,
            visible_file_bytes: figures.visible_file_bytes,
            efficiency: figures.efficiency,
            wasted_bytes: figures.wasted_bytes,
            user_wasted_percent: Some(figures.user_wasted_percent).filter(|ratio| ratio.is_finite()),
        },
        rules: &report.outcome.rules,
        complete: report.image.is_complete(),
        warnings: &report.outcome.warnings,
    };
    write_pretty(&document, OWN, out)
}
