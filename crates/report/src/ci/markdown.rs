use std::io::{self, Write};

use super::super::page::{Page, quoted};
use super::CiReport;
use super::text::word;
use nixdive_analyse::ci::{RuleResult, Status, Verdict};

/// Most characters of the whole: GitHub takes 65,536 in a comment.
const MOST_CHARACTERS: usize = 60_000;
/// Rules that are listed in the table.
const MOST_RULES: usize = 100;
/// Characters of a sentence.
const MOST_IN_SENTENCE: usize = 300;

/// The verdict first, then each rule that failed with what led to it, then all rules, folded.
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::default();
    let verdict = report.outcome.verdict();
    let sign = match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Error => "⚠️",
    };
    page.markup("## ").markup(sign).markup(" ").markup(word(verdict)).markup(": ");
    page.text(&brief(&report.image.identity.requested)).markup("\n");
    if let Some(baseline) = report.baseline {
        page.markup("\nMeasured against ").text(&brief(baseline)).markup(".\n");
    }
    let mut left_out = 0usize;
    for rule in report.problems() {
        let part = problem(rule);
        // Room is kept for what comes behind.
        if page.characters() + part.characters() < MOST_CHARACTERS / 2 {
            page.append(&part);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        page.markup("\n… and ").text(&left_out.to_string()).markup(" more that did not pass.\n");
    }
    for warning in report.outcome.warnings.iter().take(20) {
        page.markup("\n> ⚠️ ").text(&brief(warning)).markup("\n");
    }
    all_rules(report, &mut page);
    page.write(out)
}

fn all_rules(report: &CiReport<'_>, page: &mut Page) {
    let count = report.outcome.rules.len();
    page.markup("\n<details><summary>All rules (").text(&count.to_string()).markup(")</summary>\n\n");
    page.markup("| | rule | result |\n| --- | --- | --- |\n");
    let mut shown = 0;
    for rule in report.outcome.rules.iter().take(MOST_RULES) {
        let mut row = Page::default();
        row.row([rule.status.word().trim(), &brief(&rule.id), &brief(&rule.message)]);
        if page.characters() + row.characters() > MOST_CHARACTERS - 200 {
            break;
        }
        page.append(&row);
        shown += 1;
    }
    page.left_out(count, shown).markup("\n</details>\n");
}

fn problem(rule: &RuleResult) -> Page {
    let mut part = Page::default();
    part.markup(if rule.status == Status::Fail { "\n❌ **" } else { "\n⚠️ **" });
    part.text(&brief(&rule.id)).markup("**: ").text(&brief(&rule.message)).markup("\n");
    let (first, rest) = rule.evidence.split_at(rule.evidence.len().min(3));
    if !first.is_empty() {
        part.markup("\n");
    }
    for found in first {
        part.markup("- ").text(&brief(&found.text)).markup("\n");
    }
    if !rest.is_empty() {
        part.markup("\n<details><summary>").text(&rest.len().to_string()).markup(" more</summary>\n\n");
        for found in rest {
            part.markup("- ").text(&brief(&found.text)).markup("\n");
        }
        part.markup("\n</details>\n");
    }
    part
}

/// Returns a text on one line, marked as not being markup; only the beginning of a long one.
fn brief(text: &str) -> String {
    quoted(&super::super::names::shortened(super::super::names::one_line(text), MOST_IN_SENTENCE))
}
