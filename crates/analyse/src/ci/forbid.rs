use std::collections::HashSet;

use super::budget::Subject;
use super::facts::Facts;
use super::judge::pending;
use super::outcome::{Evidence, EvidenceKind, Number, RuleResult, Status, Unit};
use super::snapshot::{PackageRow, Snapshot};
use nixdive_base::text::display_bytes;

/// Hits that are named.
const MOST_HITS: usize = 20;

/// Judges that nothing of a subject is there.
pub(super) fn forbid(subject: &Subject, place: Option<&(String, u32)>, facts: &Facts<'_>) -> RuleResult {
    let mut rule = pending(format!("forbid/{}", subject.id()), Unit::Count, place);
    let mut part = subject.part_of(facts.snapshot).unwrap_or_default();
    let followed = facts.followed.and_then(|followed| subject.part_of(followed));
    let only_followed = followed.map(|followed| add_followed(&mut part, followed)).unwrap_or_default();
    let count = part.packages.len() + part.store_paths.len() + part.files.len();
    let mut hits: Vec<Evidence> = Vec::new();
    for row in part.packages.iter().take(MOST_HITS) {
        let note = if only_followed.packages.contains(row) { ONLY_FOLLOWED } else { "" };
        let text = format!("{} {} {}, {}{note}", row.kind, row.name, row.version, display_bytes(row.installed_bytes));
        hits.push(Evidence::new(EvidenceKind::Package, row.name.clone(), None, text));
    }
    for row in part.store_paths.iter().take(MOST_HITS) {
        hits.push(store_hit(&row.path, row.nar_bytes, facts));
    }
    for row in part.files.iter().take(MOST_HITS) {
        let note = if only_followed.files.contains(row) { ONLY_FOLLOWED } else { "" };
        let text = format!("{}, {}{note}", row.path, display_bytes(row.bytes));
        hits.push(Evidence::new(EvidenceKind::File, row.path.clone(), None, text));
    }
    tell_hits(&mut rule, &subject.describe(), count, hits);
    rule
}

/// Note on a match that is not in the displayed tree.
const ONLY_FOLLOWED: &str = ", if a link of a lower layer is followed, as umoci and the vfs storage driver do";

/// Adds to `part` what only the other reading of the image has, and returns that.
fn add_followed(part: &mut Snapshot, followed: Snapshot) -> Snapshot {
    let files: HashSet<&str> = part.files.iter().map(|row| row.path.as_str()).collect();
    let packages: HashSet<&PackageRow> = part.packages.iter().collect();
    let only = Snapshot {
        files: followed.files.into_iter().filter(|row| !files.contains(row.path.as_str())).collect(),
        packages: followed.packages.into_iter().filter(|row| !packages.contains(row)).collect(),
        ..Snapshot::default()
    };
    // In front, so that they are among the hits that are named.
    part.files.splice(0..0, only.files.iter().cloned());
    part.packages.splice(0..0, only.packages.iter().cloned());
    only
}

fn store_hit(path: &str, nar_bytes: u64, facts: &Facts<'_>) -> Evidence {
    let reason = facts.reasons.and_then(|reasons| reasons.of(path));
    let by = reason.as_ref().map(|reason| format!(", brought in by {}", reason.by)).unwrap_or_default();
    let text = format!("{path}, NAR {}{by}", display_bytes(nar_bytes));
    let chain = reason.map(|reason| reason.chain).unwrap_or_default();
    Evidence { chain, ..Evidence::new(EvidenceKind::StorePath, path, None, text) }
}

/// Ends the judgement of a rule that wants none of something: `hits` are the first of `count`.
pub(super) fn tell_hits(rule: &mut RuleResult, what: &str, count: usize, mut hits: Vec<Evidence>) {
    rule.actual = Some(Number::count(count as u64));
    rule.limit = Some(Number::Whole(0));
    rule.status = if count == 0 { Status::Pass } else { Status::Fail };
    rule.message = match hits.first() {
        None => format!("{what}: none"),
        Some(first) if count == 1 => format!("{what} must not be present, but one is: {}", first.text),
        Some(first) => format!("{what} must not be present, but {count} are: {}, …", first.text),
    };
    hits.truncate(MOST_HITS);
    rule.evidence = hits;
}
