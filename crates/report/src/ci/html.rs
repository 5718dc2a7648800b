//! The verdict as one file for a browser.

use std::io::{self, Write};

use super::{CiReport, text};
use crate::html::{
    Cell, Digests, Figure, Kind, Markup, Page, Paths, Table, compressed, digests, exact, files, layers_table, map,
    warnings,
};
use crate::names::{grouped, percent, signed};
use crate::sections::title;
use nixdive_analyse::ci::{Evidence, Number, RuleResult, Status, Unit, Verdict};
use nixdive_base::text::{display_bytes, display_in_sentence};

/// Maximum number of failed rules shown with evidence.
const MOST_PROBLEMS: usize = 200;
/// Pieces of evidence of one rule that are shown at once.
const UNFOLDED: usize = 6;
/// Further ones that are folded.
const MOST_EVIDENCE: usize = 20;
/// Maximum size of all evidence, bytes.
const MOST_BYTES: usize = 500_000;
/// Store paths of a chain.
const MOST_STEPS: usize = 40;

pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let image = report.image;
    let verdict = report.outcome.verdict();
    let mut subtitle = Markup::default();
    digests(image, Digests::Whole, &mut subtitle);
    let mut page = Page::new(&format!("{}: {}", text::word(verdict), title(image)), subtitle);
    page.set_paths(Paths::of_image(image));
    page.section("verdict", "Verdict", headline(report, verdict));
    problems(report, &mut page);
    page.table_section("rules", "Rules", Markup::default(), rules(report));
    map(&mut page, "Every area is as large as its file bytes. Choose a directory to look into it.");
    page.table_section("layers", "Layers", Markup::default(), layers_table(image));
    files(&mut page, image);
    page.write(out)
}

fn headline(report: &CiReport<'_>, verdict: Verdict) -> Markup {
    let mut content = Markup::default();
    let (class, sentence) = match verdict {
        Verdict::Pass => ("verdict pass", "All rules passed."),
        Verdict::Fail => ("verdict fail", "At least one rule failed."),
        Verdict::Error => ("verdict error", "No rule failed, but at least one could not be checked."),
    };
    content.open("p", &[("class", class)]).element("strong", &[], text::word(verdict)).text(" ").text(sentence);
    if let Some(baseline) = report.baseline {
        content.text(" Measured against ").element("code", &[], &display_in_sentence(baseline)).text(".");
    }
    content.close("p").line();
    let figures = &report.assessment.figures;
    let list = [
        Figure {
            name: "Unpacked",
            value: display_bytes(figures.unpacked_bytes),
            detail: exact(figures.unpacked_bytes),
            meaning: "The layers' tar streams: about what the image takes on a host.",
        },
        compressed(report.image),
        Figure {
            name: "Efficiency",
            value: percent(figures.efficiency),
            detail: String::new(),
            meaning: "Share of bytes that are neither duplicated nor deleted later, as dive counts it.",
        },
        Figure {
            name: "Wasted",
            value: display_bytes(figures.wasted_bytes),
            detail: exact(figures.wasted_bytes),
            meaning: "All copies of paths that layers write more than once or remove, as dive counts them.",
        },
    ];
    Figure::write_all(&list, &mut content);
    warnings(report.outcome.warnings.iter().map(String::as_str), &mut content);
    content
}

fn problems(report: &CiReport<'_>, page: &mut Page<'_>) {
    let found: Vec<&RuleResult> = report.problems().collect();
    if found.is_empty() {
        return;
    }
    let mut content = Markup::default();
    let mut told = 0;
    for rule in found.iter().take(MOST_PROBLEMS) {
        if content.as_str().len() > MOST_BYTES {
            break;
        }
        told += 1;
        content.open("article", &[("class", if rule.status == Status::Fail { "problem fail" } else { "problem" })]);
        content.open("h3", &[]).element("code", &[], &display_in_sentence(&rule.id)).close("h3");
        content.element("p", &[], &display_in_sentence(&rule.message));
        if !rule.evidence.is_empty() {
            all_evidence(&rule.evidence, &mut content);
        }
        content.close("article").line();
    }
    let more = found.len().saturating_sub(told);
    if more > 0 {
        content.element("p", &[], &format!("… and {more} more, which the table of rules has."));
    }
    page.section("problems", "Failed rules, with evidence", content);
}

/// The weightiest first, the rest folded.
fn all_evidence(list: &[Evidence], out: &mut Markup) {
    let (first, rest) = list.split_at(list.len().min(UNFOLDED));
    out.open("ul", &[]);
    first.iter().for_each(|found| evidence(found, out));
    out.close("ul");
    if rest.is_empty() {
        return;
    }
    out.open("details", &[]).element("summary", &[], &format!("{} more", rest.len())).open("ul", &[]);
    let (told, more) = rest.split_at(rest.len().min(MOST_EVIDENCE));
    told.iter().for_each(|found| evidence(found, out));
    if !more.is_empty() {
        out.element("li", &[], &format!("… and {} more", more.len()));
    }
    out.close("ul").close("details");
}

fn evidence(found: &Evidence, out: &mut Markup) {
    out.open("li", &[]).text(&display_in_sentence(&found.text));
    if found.chain.len() > 1 {
        out.open("ol", &[("class", "way")]);
        for step in found.chain.iter().take(MOST_STEPS) {
            out.open("li", &[]).element("code", &[], &display_in_sentence(step)).close("li");
        }
        if found.chain.len() > MOST_STEPS {
            out.element("li", &[], "…");
        }
        out.close("ol");
    }
    out.close("li");
}

fn rules(report: &CiReport<'_>) -> Table {
    let columns = [
        ("result", Kind::Text),
        ("rule", Kind::Code),
        ("measured", Kind::Text),
        ("limit", Kind::Text),
        ("says", Kind::Text),
    ];
    let mut table = Table::new("rules-table", "All rules, in the order in which they are checked", &columns);
    for rule in &report.outcome.rules {
        let result = match rule.status {
            Status::Pass => "holds",
            Status::Fail => "fails",
            Status::Skip => "skipped",
            Status::Error => "not checked",
        };
        table.row(vec![
            Cell::text(result),
            Cell::text(&rule.id),
            measured(rule.actual, rule.unit),
            measured(rule.limit, rule.unit),
            Cell::text(&rule.message),
        ]);
    }
    table
}

fn measured(number: Option<Number>, unit: Unit) -> Cell {
    let text = match (number, unit) {
        (None, _) => return Cell::Unknown,
        (Some(Number::Whole(bytes)), Unit::Bytes) if bytes < 0 => signed(bytes),
        (Some(Number::Whole(bytes)), Unit::Bytes) => display_bytes(bytes.unsigned_abs()),
        (Some(Number::Whole(count)), _) if count < 0 => format!("-{}", grouped(count.unsigned_abs())),
        (Some(Number::Whole(count)), _) => grouped(count.unsigned_abs()),
        (Some(Number::Real(ratio)), Unit::Percent) => format!("{ratio:.2} %"),
        (Some(Number::Real(ratio)), _) => format!("{ratio:.4}"),
    };
    Cell::text(&text)
}
