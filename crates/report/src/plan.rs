//! The plan of a rebuild.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{OWN, write_pretty};
use super::names::{grouped, shortened};
use super::table::{Align, Table};
use nixdive_base::text::display_bytes;
use nixdive_image::Image;
use nixdive_rebuild::plan::{ClassRow, Decision, Plan, Row, RowSubject};

/// Name and version of the JSON form.
pub const PLAN_SCHEMA: &str = "nixdive.plan/1";

/// Minimum size of a row that is listed by itself, bytes.
const LEAST_BYTES: u64 = 10_000;
/// Number of rows that are always listed by themselves.
const ALWAYS_SHOWN: usize = 30;
/// Characters of a reason that the table shows.
const MOST_REASON: usize = 160;
/// Maximum number of uncertainties listed.
const MOST_DOUBTS: usize = 20;

/// All that is said of a plan.
#[derive(Debug)]
pub struct PlanReport<'a> {
    /// The image that is rebuilt.
    pub image: &'a Image,
    /// Plan of the rebuild.
    pub plan: &'a Plan,
}

impl PlanReport<'_> {
    /// Writes it for people.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let plan = self.plan;
        let (before, after) = (plan.bytes_before(), plan.bytes_after());
        writeln!(out, "{}", summary(before, after))?;
        let (kept, dropped): (Vec<&Row>, Vec<&Row>) = plan.rows.iter().partition(|row| row.decision.is_kept());
        write_rows("Keep", &kept, out)?;
        write_rows("Drop", &dropped, out)?;
        if !plan.cuts.is_empty() {
            writeln!(out, "\nCut")?;
            plan.cuts.iter().try_for_each(|cut| writeln!(out, "  {cut}"))?;
        }
        if !plan.classes.is_empty() {
            writeln!(out, "\nClasses of files in what is kept (--drop CLASS drops them)")?;
            classes(&plan.classes).write_text(out)?;
        }
        let doubts: Vec<String> = plan.doubts.iter().cloned().chain(plan.rows.iter().filter_map(doubt_of)).collect();
        if !doubts.is_empty() {
            writeln!(out, "\nWhat to know")?;
            doubts.iter().take(MOST_DOUBTS).try_for_each(|doubt| writeln!(out, "  {doubt}"))?;
            if doubts.len() > MOST_DOUBTS {
                writeln!(out, "  … and {} more; --format json has them all", doubts.len() - MOST_DOUBTS)?;
            }
        }
        Ok(())
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// If writing to `out` fails.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let plan = self.plan;
        let document = Document {
            schema: PLAN_SCHEMA,
            image: &self.image.identity.requested,
            bytes: Bytes { before: plan.bytes_before(), after: plan.bytes_after() },
            rows: plan.rows.iter().map(RowDocument::of).collect(),
            classes: plan.classes.iter().map(ClassDocument::of).collect(),
            cuts: &plan.cuts,
            doubts: &plan.doubts,
            complete: self.image.is_complete(),
            warnings: self.image.defects.iter().map(|defect| defect.message.as_str()).collect(),
        };
        write_pretty(&document, OWN, out)
    }
}

/// Returns the effect of a rebuild in one line.
fn summary(before: u64, after: u64) -> String {
    let part = if before == 0 { 0.0 } else { 100.0 * before.saturating_sub(after) as f64 / before as f64 };
    format!("Files: {} → {} (−{part:.1} %)", display_bytes(before), display_bytes(after))
}

fn write_rows(heading: &str, rows: &[&Row], out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let bytes = |row: &Row| if row.decision.is_kept() { row.kept_bytes } else { row.bytes_before() };
    let mut sorted: Vec<&Row> = rows.to_vec();
    sorted.sort_by_key(|row| std::cmp::Reverse(bytes(row)));
    let sum: u64 = rows.iter().map(|row| bytes(row)).fold(0, u64::saturating_add);
    let rest: u64 = rows.iter().map(|row| row.bytes_before()).fold(0, u64::saturating_add).saturating_sub(sum);
    let rest = if rest > 0 { format!(" (the other {} are removed)", display_bytes(rest)) } else { String::new() };
    writeln!(out, "\n{heading}  {}{rest}", display_bytes(sum))?;
    let mut table = Table::new([("bytes", Align::Right), ("what", Align::Left), ("why", Align::Left)]);
    let shown = sorted.iter().take_while(|row| bytes(row) >= LEAST_BYTES).count().max(ALWAYS_SHOWN.min(sorted.len()));
    for row in sorted.iter().take(shown) {
        let asked = match row.decision {
            Decision::KeepAsked | Decision::DropAsked => "requested: ",
            Decision::Keep | Decision::Drop => "",
        };
        let why = row.evidence.first().cloned().unwrap_or_default();
        let why = shortened(format!("{asked}{why}"), MOST_REASON);
        table.row([display_bytes(bytes(row)), row.name.clone(), why]);
    }
    table.write_text(out)?;
    let rest = sorted.get(shown..).unwrap_or_default();
    if !rest.is_empty() {
        let bytes: u64 = rest.iter().map(|row| bytes(row)).fold(0, u64::saturating_add);
        writeln!(out, "  and {} smaller ones, {} together", grouped(rest.len() as u64), display_bytes(bytes))?;
    }
    Ok(())
}

fn classes(rows: &[ClassRow]) -> Table<4> {
    let columns = [("bytes", Align::Right), ("files", Align::Right), ("class", Align::Left), ("", Align::Left)];
    let mut table = Table::new(columns);
    for row in rows {
        let stays = if row.is_kept { "" } else { "dropped" };
        table.row([display_bytes(row.bytes), grouped(row.files), row.class.id().to_owned(), stays.to_owned()]);
    }
    table
}

fn doubt_of(row: &Row) -> Option<String> {
    row.doubt.as_ref().map(|doubt| format!("{}: {doubt}", row.name))
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    image: &'a str,
    bytes: Bytes,
    rows: Vec<RowDocument<'a>>,
    classes: Vec<ClassDocument>,
    cuts: &'a [String],
    doubts: &'a [String],
    complete: bool,
    warnings: Vec<&'a str>,
}

/// Bytes of files.
#[derive(Serialize)]
struct Bytes {
    before: u64,
    after: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowDocument<'a> {
    kind: &'static str,
    name: &'a str,
    decision: &'static str,
    asked: bool,
    bytes_before: u64,
    bytes_after: u64,
    evidence: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'a str>,
}

impl<'a> RowDocument<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            kind: match row.subject {
                RowSubject::StorePath(_) => "storePath",
                RowSubject::Package(_) => "package",
                RowSubject::Files(_) => "files",
                RowSubject::Class(_) => "class",
            },
            name: &row.name,
            decision: if row.decision.is_kept() { "keep" } else { "drop" },
            asked: matches!(row.decision, Decision::KeepAsked | Decision::DropAsked),
            bytes_before: row.bytes_before(),
            bytes_after: row.bytes_after(),
            evidence: &row.evidence,
            doubt: row.doubt.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ClassDocument {
    class: &'static str,
    files: u64,
    bytes: u64,
    decision: &'static str,
}

impl ClassDocument {
    fn of(row: &ClassRow) -> Self {
        let decision = if row.is_kept { "keep" } else { "drop" };
        Self { class: row.class.id(), files: row.files, bytes: row.bytes, decision }
    }
}
