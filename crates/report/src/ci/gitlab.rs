use std::io::{self, Write};

use serde_json::{Value, json};

use super::super::json::{OWN, write_pretty};
use super::fingerprint::fingerprint;
use super::{CiReport, whole_message};
use nixdive_analyse::ci::Status;

/// GitLab's code quality report: a list of issues. Fingerprints hold neither a measured value nor a tag, so that an issue
/// stays the same from commit to commit.
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let issue = |rule| {
        let (path, line) = report.location(rule);
        json!({
            "description": whole_message(rule),
            "check_name": rule.id,
            "fingerprint": fingerprint(report, rule),
            "severity": if rule.status == Status::Fail { "major" } else { "critical" },
            "location": {"path": path, "lines": {"begin": line}},
        })
    };
    let issues: Vec<Value> = report.problems().map(issue).collect();
    write_pretty(&issues, OWN, out)
}
