use std::io::{self, Write};

use super::{CiReport, whole_message};

/// Workflow commands of GitHub Actions, a line each: an error for each rule that did not come out well, then warnings.
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    for rule in report.problems() {
        let place = match &rule.place {
            Some((file, line)) => format!(",file={},line={line}", property(file)),
            None => String::new(),
        };
        let title = property(&format!("nixdive {}", rule.id));
        writeln!(out, "::error title={title}{place}::{}", data(&whole_message(rule)))?;
    }
    for warning in &report.outcome.warnings {
        writeln!(out, "::warning title=nixdive::{}", data(warning))?;
    }
    Ok(())
}

/// Text behind a command: percent signs and line ends are escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property: also what ends one.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
