use std::fmt::Write as _;
use std::io::{self, Write};

use super::{CiReport, whole_message};
use nixdive_analyse::ci::Status;

/// One suite, a test case a rule: the form that Jenkins, GitLab and others read (the de-facto `junit-10.xsd`).
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let outcome = report.outcome;
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        outcome.rules.len(),
        outcome.count(Status::Fail),
        outcome.count(Status::Error),
        outcome.count(Status::Skip)
    );
    let image = escape(&report.image.identity.requested);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"nixdive\" {counts}>")?;
    writeln!(out, "  <testsuite name=\"{image}\" {counts}>")?;
    for rule in &outcome.rules {
        let (name, message) = (escape(&rule.id), escape(&rule.message));
        write!(out, "    <testcase classname=\"nixdive\" name=\"{name}\"")?;
        let whole = escape(&whole_message(rule));
        match rule.status {
            Status::Pass => writeln!(out, "/>")?,
            Status::Skip => writeln!(out, "><skipped message=\"{message}\"/></testcase>")?,
            Status::Fail => {
                writeln!(out, "><failure type=\"rule\" message=\"{message}\">{whole}</failure></testcase>")?;
            }
            Status::Error => {
                writeln!(out, "><error type=\"notJudged\" message=\"{message}\">{whole}</error></testcase>")?;
            }
        }
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Text for XML 1.0, in content and in attributes. Characters that XML does not allow are replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            _ => escaped.push(character),
        }
    }
    escaped
}
