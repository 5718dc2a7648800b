//! `nixdive --ci`: rules are gathered, images opened, verdicts printed.

mod gather;
mod image_name;
mod sides;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::ci_arguments::{CiArguments, Format, RuleArguments};
use super::open_arguments::OpenArguments;
use super::output;
use nixdive_analyse::ci::{
    Against, Configuration, Facts, FindingFact, ImageDifference, Outcome, Snapshot, Subject, Verdict, judge, to_json,
};
use nixdive_base::text::display_name;
use nixdive_image::reference::Reference;
use nixdive_report::{CiFormat, CiReport};
use sides::{Baseline, Looks, Side};

/// Exit code of an image that a rule fails.
const RULE_FAILED: u8 = 1;
/// Maximum size of a GitHub step summary, bytes.
const MOST_SUMMARY_BYTES: u64 = 1 << 20;

/// Returns `true` if the environment asks for rules, as dive understands it.
pub fn is_asked_by_environment() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1" || value == "yes")
}

/// `nixdive ci`.
pub fn run(arguments: &CiArguments) -> anyhow::Result<ExitCode> {
    check(&Reference::parse(&arguments.image)?, &arguments.rules, &arguments.open)
}

/// Judges an image.
pub fn check(image: &Reference, arguments: &RuleArguments, open: &OpenArguments) -> anyhow::Result<ExitCode> {
    let gathered = gather::gather(arguments)?;
    let rules = &gathered.configuration;
    let has_own = gathered.has_own_rules || arguments.update_baseline.is_some() || gathered.baseline.is_some();
    let open = &open.certifying(arguments.incomplete);
    let judges_findings = !rules.findings.is_empty();
    let content = judges_findings || arguments.reproducible.is_some();
    let side = Side::open(image, open, Looks { in_full: has_own, content })?;
    let found = if judges_findings { Some(side.findings()?) } else { None };
    let snapshot = if has_own { side.snapshot()? } else { Snapshot::default() };
    let followed = if has_own { side.followed_snapshot(open)? } else { None };
    let baseline = match &gathered.baseline {
        None => Baseline::None,
        Some(named) => Baseline::read(named, open, rules.on_missing_baseline)?,
    };
    let differences = match &arguments.reproducible {
        None => None,
        Some(other) => Some((shown(other), side.differences(&Reference::parse(other)?, open)?)),
    };
    let mut outcome =
        judged(rules, &side, (&snapshot, followed.as_ref()), &baseline, differences.as_ref(), found.as_deref())?;
    if outcome.is_without_rules() && arguments.update_baseline.is_none() {
        anyhow::bail!(
            "no rules configured: dive's are disabled and no others are set\nhint: add one, such as --max-size 300MB"
        );
    }
    for warning in &outcome.warnings {
        output::note(&format!("warning: {warning}"));
    }
    // These were reported when the image was opened.
    let defects = side.examined.image().defects.iter().map(|defect| defect.message.clone());
    outcome.warnings = defects.chain(outcome.warnings).collect();
    let named = baseline.name();
    let directory = std::env::current_dir().ok();
    let name = image_name::image_name(&side.examined.image().identity, image, directory.as_deref());
    let report = CiReport {
        image: side.examined.image(),
        name: &name,
        assessment: side.examined.assessment(),
        outcome: &outcome,
        baseline: named,
    };
    let stored = match arguments.update_baseline {
        Some(_) => Some(to_json(&with_path_bytes(snapshot, rules))?),
        None => None,
    };
    write(&report, stored, arguments)?;
    Ok(match outcome.verdict() {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail if arguments.exit_zero => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(RULE_FAILED),
        Verdict::Error => ExitCode::from(super::COULD_NOT),
    })
}

fn judged(
    rules: &Configuration,
    side: &Side,
    (snapshot, followed): (&Snapshot, Option<&Snapshot>),
    baseline: &Baseline,
    differences: Option<&(String, Vec<ImageDifference>)>,
    findings: Option<&[FindingFact]>,
) -> anyhow::Result<Outcome> {
    let facts = Facts {
        figures: &side.examined.assessment().figures,
        snapshot,
        followed,
        reasons: side.reasons()?,
        findings,
        differences: differences.map(|(name, found)| (name.as_str(), found.as_slice())),
    };
    let against = match baseline {
        Baseline::None => Against::NotGiven,
        Baseline::Missing { reason, .. } => Against::Missing(reason),
        Baseline::Found { snapshot, .. } => Against::Baseline(snapshot),
    };
    Ok(judge(rules, &facts, against))
}

/// Budgets of paths are measured now: the stored baseline holds only the largest files.
fn with_path_bytes(mut snapshot: Snapshot, rules: &Configuration) -> Snapshot {
    for budget in &rules.budgets {
        if let Subject::Path(glob) = &budget.subject {
            let matching = snapshot.files.iter().filter(|row| glob.matches(row.path.as_bytes()));
            let bytes = matching.map(|row| row.bytes).fold(0, u64::saturating_add);
            snapshot.path_bytes.insert(glob.as_str().to_owned(), bytes);
        }
    }
    snapshot
}

/// Everything is made before anything is written, and all files take their places together.
fn write(report: &CiReport<'_>, baseline: Option<Vec<u8>>, arguments: &RuleArguments) -> anyhow::Result<()> {
    let format = arguments.format.unwrap_or(Format::Text);
    let printed = rendered(report, format)?;
    let mut files: Vec<(&Path, Vec<u8>)> = Vec::new();
    for (format, file) in &arguments.output {
        files.push((file, rendered(report, *format)?));
    }
    files.extend(arguments.update_baseline.as_deref().zip(baseline));
    output::write_all(&files)?;
    output::print(|out| out.write_all(&printed))?;
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        annotate(report, format)?;
    }
    Ok(())
}

fn rendered(report: &CiReport<'_>, format: Format) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    report.write(format.into(), &mut bytes)?;
    Ok(bytes)
}

/// In GitHub Actions: annotations on standard error, where they are read too, and the summary of the step.
fn annotate(report: &CiReport<'_>, printed: Format) -> anyhow::Result<()> {
    if printed != Format::Github {
        let mut annotations = Vec::new();
        report.write(CiFormat::Github, &mut annotations)?;
        io::stderr().write_all(&annotations)?;
    }
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else { return Ok(()) };
    let mut summary = Vec::new();
    report.write(CiFormat::Markdown, &mut summary)?;
    append(Path::new(&file), &summary).map_err(|error| anyhow::anyhow!("GITHUB_STEP_SUMMARY: {error}"))
}

fn append(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::options().append(true).create(true).open(file)?;
    let there = file.metadata()?.len();
    // Beyond that GitHub drops the whole summary, also what other steps wrote.
    if there.saturating_add(bytes.len() as u64) > MOST_SUMMARY_BYTES {
        return Ok(());
    }
    file.write_all(bytes)
}

/// A name from the command line, safe to print.
fn shown(name: &OsStr) -> String {
    display_name(name.as_encoded_bytes()).into_owned()
}
