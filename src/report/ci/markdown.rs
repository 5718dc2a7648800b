use std::io::{self, Write};

use super::super::markdown::code;
use super::CiReport;
use super::text::word;
use crate::ci::{RuleResult, Status, Verdict};

/// Most characters of the whole: GitHub takes 65,536 in a comment.
const MOST_CHARACTERS: usize = 60_000;
/// Rules that are listed in the table.
const MOST_RULES: usize = 100;
/// Characters of a sentence.
const MOST_IN_SENTENCE: usize = 300;

/// The verdict first, then each rule that failed with what led to it, then all rules, folded.
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    let verdict = report.outcome.verdict();
    let sign = match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Error => "⚠️",
    };
    let image = code(&short(&report.image.identity.requested));
    text.push_str(&format!("## {sign} {}: {image}\n", word(verdict)));
    if let Some(baseline) = report.baseline {
        text.push_str(&format!("\nMeasured against {}.\n", code(&short(baseline))));
    }
    let mut left_out = 0usize;
    for rule in report.problems() {
        let part = problem(rule);
        // Room is kept for what comes behind.
        if text.chars().count() + part.chars().count() < MOST_CHARACTERS / 2 {
            text.push_str(&part);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        text.push_str(&format!("\n… and {left_out} more that did not come out well.\n"));
    }
    for warning in report.outcome.warnings.iter().take(20) {
        text.push_str(&format!("\n> ⚠️ {}\n", code(&short(warning))));
    }
    let count = report.outcome.rules.len();
    text.push_str(&format!(
        "\n<details><summary>All rules ({count})</summary>\n\n| | rule | result |\n| --- | --- | --- |\n"
    ));
    let mut shown = 0;
    for rule in report.outcome.rules.iter().take(MOST_RULES) {
        let row = format!(
            "| {} | {} | {} |\n",
            rule.status.word().trim(),
            code(&short(&rule.id)),
            code(&short(&rule.message))
        );
        if text.chars().count() + row.chars().count() > MOST_CHARACTERS - 200 {
            break;
        }
        text.push_str(&row);
        shown += 1;
    }
    if shown < count {
        text.push_str(&format!("\n… and {} more.\n", count - shown));
    }
    text.push_str("\n</details>\n");
    out.write_all(text.as_bytes())
}

fn problem(rule: &RuleResult) -> String {
    let sign = if rule.status == Status::Fail { "❌" } else { "⚠️" };
    let mut part = format!("\n{sign} **{}**: {}\n", code(&short(&rule.id)), code(&short(&rule.message)));
    let (first, rest) = rule.evidence.split_at(rule.evidence.len().min(3));
    if !first.is_empty() {
        part.push('\n');
    }
    for found in first {
        part.push_str(&format!("- {}\n", code(&short(&found.text))));
    }
    if !rest.is_empty() {
        part.push_str(&format!("\n<details><summary>{} more</summary>\n\n", rest.len()));
        for found in rest {
            part.push_str(&format!("- {}\n", code(&short(&found.text))));
        }
        part.push_str("\n</details>\n");
    }
    part
}

fn short(text: &str) -> String {
    super::super::names::shortened(super::super::names::one_line(text), MOST_IN_SENTENCE)
}
