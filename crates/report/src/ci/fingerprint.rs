use super::super::names::hexadecimal;
use super::CiReport;
use nixdive_analyse::ci::RuleResult;
use nixdive_nix::Sha256Hash;

/// Identifies one rule's result for one image in whatever compares reports: the digest of the image's name, the rule's
/// id and the file that asks for it. Measured values, tags, digests and lines are left out, as they change with commits.
pub(super) fn fingerprint(report: &CiReport<'_>, rule: &RuleResult) -> String {
    let file = rule.place.as_ref().map_or("", |(file, _)| file.trim_start_matches("./"));
    // No part contains the separator's NUL, so that no two lists of parts run into one text.
    let parts = [report.name, &rule.id, file].map(|part| part.replace('\0', "\\0"));
    hexadecimal(&Sha256Hash::of(parts.join("\0").as_bytes()).0)
}
