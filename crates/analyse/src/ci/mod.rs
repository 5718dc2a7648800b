//! Rules over an image: dive's three, budgets, growth against a baseline, what is forbidden, and what is to be
//! reproducible. Plain data in, plain data out.

mod baseline;
mod budget;
mod configuration;
mod dive;
mod evidence;
mod facts;
mod forbid;

mod judge;
mod metric;
mod outcome;
mod quantity;
mod reasons;
mod reproducible;
mod snapshot;

pub use baseline::{BASELINE_SCHEMA, MAX_BASELINE_BYTES, from_json, to_json};
pub use budget::{Budget, Growth, Require, Subject};
pub use configuration::{Configuration, FindingRules, OnMissingBaseline, RuleFile, RuleFileError, Written};
pub use dive::{DiveError, DiveRules, DiveThresholds};
pub use facts::{Against, Facts, FindingFact, Severity};

pub use judge::judge;
pub use metric::Metric;
pub use outcome::{Evidence, EvidenceKind, Number, Outcome, RuleResult, Status, Unit, Verdict};
pub use quantity::{QuantityError, Quota, parse_bytes, parse_quota};
pub use reasons::{Reason, Reasons};
pub use reproducible::{ImageDifference, SameContent, differences};
pub use snapshot::{LayerRow, PackageRow, PathRow, Snapshot, StorePathRow, Totals};

#[cfg(test)]
mod tests;
