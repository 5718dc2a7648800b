use std::io::{self, Write};

use serde_json::{Value, json};

use super::super::json::{OWN, write_pretty};
use super::fingerprint::fingerprint;
use super::{CiReport, whole_message};
use nixdive_analyse::ci::{RuleResult, Status};

/// SARIF 2.1.0 (OASIS): all rules, and a result for each that did not come out well.
pub(super) fn write(report: &CiReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = report.outcome.rules.iter().map(rule_document).collect();
    let places = report.outcome.rules.iter().enumerate();
    let results: Vec<Value> = places
        .filter(|(_, rule)| matches!(rule.status, Status::Fail | Status::Error))
        .map(|(place, rule)| result_document(report, place, rule))
        .collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "nixdive",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "results": results,
        }],
    });
    write_pretty(&document, OWN, out)
}

fn rule_document(rule: &RuleResult) -> Value {
    json!({"id": rule.id, "shortDescription": {"text": format!("nixdive: {}", rule.id)}})
}

fn result_document(report: &CiReport<'_>, place: usize, rule: &RuleResult) -> Value {
    let (file, line) = report.location(rule);
    json!({
        "ruleId": rule.id,
        "ruleIndex": place,
        "level": "error",
        "message": {"text": whole_message(rule)},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&file)},
            "region": {"startLine": line},
        }}],
        "partialFingerprints": {"imageRule/v1": fingerprint(report, rule)},
    })
}

/// A path as a relative URI (RFC 3986): what is not unreserved or a slash is escaped.
fn uri(path: &str) -> String {
    use std::fmt::Write;
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
