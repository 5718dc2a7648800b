use std::io::{self, Write};

use super::CiReport;
use nixdive_analyse::ci::{Status, Verdict};
use nixdive_base::text::display_name;

/// dive's lines: analysis, inefficient files, rules, verdict (dive v0.13.1, its CI evaluator). Rules of our own stand
/// behind dive's, each with what led to it.
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let figures = &report.assessment.figures;
    let (mut wasted, mut share) = (String::new(), "0 %".to_owned());
    if figures.wasted_bytes > 0 {
        wasted = format!("({})", as_dive(figures.wasted_bytes));
        let percent = figures.user_wasted_percent * 100.0;
        share = if percent.is_finite() { format!("{percent:.2} %") } else { "+Inf %".to_owned() };
    }
    writeln!(out, "Analysis:")?;
    writeln!(out, "  {:<18} {:.2} %", "efficiency:", figures.efficiency * 100.0)?;
    writeln!(out, "  {:<18} {} bytes {wasted}", "wastedBytes:", figures.wasted_bytes)?;
    writeln!(out, "  {:<18} {share}", "userWastedPercent:")?;
    writeln!(out)?;
    inefficient_files(report, out)?;
    writeln!(out)?;
    writeln!(out, "Evaluation:")?;
    for rule in &report.outcome.rules {
        writeln!(out, "  {}  {} ({})", rule.status.word(), rule.id, rule.message)?;
        for found in &rule.evidence {
            writeln!(out, "          {}", found.text)?;
        }
    }
    writeln!(out)?;
    writeln!(out, "{}", summary(report))
}

fn inefficient_files(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    if report.assessment.wasted.is_empty() {
        return writeln!(out, "Inefficient Files: (None)");
    }
    writeln!(out, "Inefficient Files:")?;
    writeln!(out, "  {:<5}  {:<12}  File Path", "Count", "Wasted Space")?;
    for wasted in &report.assessment.wasted {
        let path = report.image.tree.path(wasted.node);
        writeln!(out, "  {:<5}  {:<12}  {}", wasted.count, as_dive(wasted.bytes), display_name(&path))?;
    }
    Ok(())
}

/// The last line: the verdict, and how many rules came out how.
pub(super) fn summary(report: &CiReport<'_>) -> String {
    let counts = [("pass", Status::Pass), ("fail", Status::Fail), ("error", Status::Error), ("skip", Status::Skip)];
    let counts = counts.map(|(name, status)| (name, report.outcome.count(status)));
    let counts: Vec<String> =
        counts.into_iter().filter(|&(_, count)| count > 0).map(|(name, count)| format!("{name}:{count}")).collect();
    format!("{} [{}]", word(report.outcome.verdict()), counts.join(" "))
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Error => "ERROR",
    }
}

/// Bytes as dive writes them: powers of 1000, one digit behind the point below ten (go-humanize's `Bytes`).
fn as_dive(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut power = 0;
    let mut unit = 1u64;
    while power + 1 < UNITS.len() && bytes / unit >= 1000 {
        unit = unit.saturating_mul(1000);
        power += 1;
    }
    if power == 0 {
        return format!("{bytes} B");
    }
    let value = (bytes as f64 / unit as f64 * 10.0 + 0.5).floor() / 10.0;
    let name = UNITS.get(power).copied().unwrap_or_default();
    if value < 10.0 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

#[cfg(test)]
mod tests {
    use super::as_dive;

    #[test]
    fn bytes_are_written_as_dive_writes_them() {
        // `humanize.Bytes` of go-humanize 1.0.1.
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (6405, "6.4 kB"),
            (12810, "13 kB"),
            (32025, "32 kB"),
            (82_854_982, "83 MB"),
            (999_999, "1000 kB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(as_dive(bytes), text);
        }
    }
}
