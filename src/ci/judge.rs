use super::budget::{Budget, Growth, Measure, Require, is_store_path};
use super::configuration::{Configuration, OnMissingBaseline, Written};
use super::evidence::{delta, growth, largest, signed_bytes};
use super::facts::{Against, Facts, FindingFact};
use super::outcome::{Evidence, EvidenceKind, Number, Outcome, RuleResult, Status, Unit};
use super::{Glob, Subject};
use crate::image::display_bytes;

/// Hits that evidence of something forbidden names.
const MOST_HITS: usize = 20;

/// Judges an image by all rules.
#[must_use]
pub fn judge(rules: &Configuration, facts: &Facts<'_>, against: Against<'_>) -> Outcome {
    let mut judge = Judge { rules, facts, against, outcome: Outcome { rules: Vec::new(), warnings: Vec::new() } };
    judge.outcome.rules = rules.dive.judge(facts.figures);
    for budget in &rules.budgets {
        judge.budget(budget);
    }
    for subject in &rules.forbidden_packages {
        judge.forbid_package(subject);
    }
    judge.forbid_paths();
    judge.forbid_store_paths();
    judge.findings();
    judge.reproducible();
    judge.outcome
}

struct Judge<'a> {
    rules: &'a Configuration,
    facts: &'a Facts<'a>,
    against: Against<'a>,
    outcome: Outcome,
}

/// What a rule is, before it is judged.
fn pending(id: String, unit: Unit, place: Option<&(String, u32)>) -> RuleResult {
    RuleResult {
        id,
        status: Status::Pass,
        actual: None,
        limit: None,
        unit,
        message: String::new(),
        evidence: Vec::new(),
        place: place.cloned(),
        is_dives: false,
    }
}

pub(super) fn amount(count: u64, unit: Unit) -> String {
    match unit {
        Unit::Bytes if count >= 1000 => format!("{} ({count} bytes)", display_bytes(count)),
        Unit::Bytes => format!("{count} bytes"),
        _ => count.to_string(),
    }
}

impl Judge<'_> {
    fn warn(&mut self, message: String, rule: &mut RuleResult) {
        rule.status = if self.rules.strict { Status::Error } else { Status::Skip };
        rule.message.clone_from(&message);
        if !self.rules.strict {
            self.outcome.warnings.push(format!("{}: {message}", rule.id));
        }
    }

    fn budget(&mut self, budget: &Budget) {
        let subject = &budget.subject;
        let measure = subject.measure(self.facts.snapshot, self.against.snapshot());
        if let Some(limit) = budget.max {
            let mut rule = pending(format!("max-size/{}", subject.id()), subject.unit(), budget.place.as_ref());
            rule.limit = Some(Number::count(limit));
            match measure {
                Measure::Known(actual) => self.maximum(&mut rule, subject, actual, limit),
                Measure::Nothing => {
                    self.warn(format!("no {} in the image: the budget holds nothing", subject.describe()), &mut rule)
                }
                Measure::Unknown(reason) => {
                    rule.status = Status::Error;
                    rule.message = format!("{} cannot be told: {reason}", subject.describe());
                }
            }
            self.outcome.rules.push(rule);
        }
        if let Some(grow) = budget.grow {
            let mut rule = pending(format!("max-growth/{}", subject.id()), subject.unit(), budget.place.as_ref());
            self.growth(&mut rule, subject, grow, measure);
            self.outcome.rules.push(rule);
        }
    }

    fn maximum(&self, rule: &mut RuleResult, subject: &Subject, actual: u64, limit: u64) {
        let (unit, what) = (subject.unit(), subject.describe());
        rule.actual = Some(Number::count(actual));
        if actual <= limit {
            rule.message = format!("{what}: {} of at most {}", amount(actual, unit), amount(limit, unit));
            return;
        }
        rule.status = Status::Fail;
        let over = amount(actual - limit, unit);
        rule.message =
            format!("{what}: {}, {over} more than the {} allowed", amount(actual, unit), amount(limit, unit));
        rule.evidence = match self.against {
            Against::Baseline(baseline) => growth(self.facts.snapshot, baseline, self.facts.reasons.as_ref()),
            _ => Vec::new(),
        };
        if rule.evidence.is_empty() {
            rule.evidence = largest(self.facts.snapshot, self.facts.reasons.as_ref());
        }
    }

    fn growth(&mut self, rule: &mut RuleResult, subject: &Subject, grow: Growth, now: Measure) {
        let baseline = match self.against {
            Against::Baseline(baseline) => baseline,
            Against::NotGiven | Against::Missing(_) => return self.without_baseline(rule),
        };
        let image = self.facts.snapshot;
        if baseline.platform != image.platform {
            rule.status = Status::Error;
            rule.message = format!(
                "the baseline is for {} and the image for {}; choose the same with --platform, or make the baseline anew",
                baseline.platform, image.platform
            );
            return;
        }
        let before = subject.measure(baseline, Some(baseline));
        let (now, before) = match (now, before) {
            (Measure::Unknown(reason), _) | (_, Measure::Unknown(reason)) => {
                rule.status = Status::Error;
                rule.message = format!("growth of {} cannot be told: {reason}", subject.describe());
                return;
            }
            (Measure::Nothing, Measure::Nothing) => {
                let message =
                    format!("no {} in the image or the baseline: the budget holds nothing", subject.describe());
                return self.warn(message, rule);
            }
            (now, before) => (known(now), known(before)),
        };
        self.compare(rule, subject, grow, (now, before));
        if rule.status == Status::Fail {
            rule.evidence = growth(image, baseline, self.facts.reasons.as_ref());
        }
    }

    fn without_baseline(&mut self, rule: &mut RuleResult) {
        let reason = match self.against {
            Against::Missing(reason) => format!("the baseline is not there: {reason}"),
            _ => "growth is measured against a baseline, and there is none; name one with --baseline".to_owned(),
        };
        match self.rules.on_missing_baseline {
            OnMissingBaseline::Fail => {
                rule.status = Status::Error;
                rule.message = reason;
            }
            OnMissingBaseline::Warn => self.warn(reason, rule),
        }
    }

    fn compare(&self, rule: &mut RuleResult, subject: &Subject, grow: Growth, (now, before): (u64, u64)) {
        let grown = delta(now, before);
        let percent = match before {
            0 if grown <= 0 => 0.0,
            0 => f64::INFINITY,
            _ => grown as f64 * 100.0 / before as f64,
        };
        let beyond_amount = grow.amount.map(|limit| i128::from(now) - i128::from(before) > i128::from(limit));
        let beyond_percent = grow.percent.map(|limit| percent > limit);
        let fails = match (beyond_amount, beyond_percent) {
            (Some(amount), Some(percent)) if grow.require == Require::Any => amount && percent,
            (amount, percent) => amount == Some(true) || percent == Some(true),
        };
        // Where both are bounded, the numbers are those of the bound that is broken.
        let by_percent = match (grow.amount, grow.percent) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(_)) => beyond_amount != Some(true) && beyond_percent == Some(true),
        };
        if by_percent {
            (rule.unit, rule.actual, rule.limit) =
                (Unit::Percent, Some(Number::Real(percent)), grow.percent.map(Number::Real));
        } else {
            (rule.actual, rule.limit) = (Some(Number::Whole(grown)), grow.amount.map(Number::count));
        }
        let unit = subject.unit();
        let change = if unit == Unit::Bytes { signed_bytes(grown) } else { format!("{grown:+}") };
        let share = if percent.is_finite() { format!("{percent:+.1} %") } else { "from nothing".to_owned() };
        let numbers = format!("{} → {}, {change}, {share}", amount(before, unit), amount(now, unit));
        let limits: Vec<String> =
            [grow.amount.map(|limit| amount(limit, unit)), grow.percent.map(|limit| format!("{limit} %"))]
                .into_iter()
                .flatten()
                .collect();
        let limits = limits.join(if grow.require == Require::Any { " or " } else { " and " });
        rule.message = format!("{}: {numbers}; growth of at most {limits} is allowed", subject.describe());
        rule.status = if fails { Status::Fail } else { Status::Pass };
    }

    fn forbid_package(&mut self, written: &Written<Subject>) {
        let Subject::Package { kind, name } = &written.value else { return };
        let mut rule = pending(format!("forbid/{}", written.value.id()), Unit::Count, written.place.as_ref());
        let snapshot = self.facts.snapshot;
        let mut hits: Vec<Evidence> = Vec::new();
        let packages = snapshot.packages.iter().filter(|row| kind.as_ref().is_none_or(|kind| *kind == row.kind));
        for row in packages.filter(|row| name.matches(row.name.as_bytes())) {
            let text = format!("{} {} {}, {}", row.kind, row.name, row.version, display_bytes(row.installed_bytes));
            hits.push(Evidence::new(EvidenceKind::Package, row.name.clone(), None, text));
        }
        if kind.as_deref().is_none_or(|kind| kind == "nix") {
            let rows = snapshot.store_paths.iter().filter(|row| name.matches(row.name.as_bytes()));
            hits.extend(rows.map(|row| self.store_hit(&row.path, row.nar_bytes)));
        }
        self.forbidden(rule_with(&mut rule, "packages", name), hits);
        self.outcome.rules.push(rule);
    }

    fn forbid_paths(&mut self) {
        for written in &self.rules.forbidden_paths {
            let glob = &written.value;
            let id = format!("forbid/path/{}", crate::image::display_in_sentence(glob.as_str()));
            let mut rule = pending(id, Unit::Count, written.place.as_ref());
            let snapshot = self.facts.snapshot;
            let files = snapshot.files.iter().filter(|row| glob.matches(row.path.as_bytes())).map(|row| {
                let text = format!("{}, {}", row.path, display_bytes(row.bytes));
                Evidence::new(EvidenceKind::File, row.path.clone(), None, text)
            });
            let hits = files.collect();
            self.forbidden(rule_with(&mut rule, "paths", glob), hits);
            self.outcome.rules.push(rule);
        }
    }

    fn forbid_store_paths(&mut self) {
        for written in &self.rules.forbidden_store_paths {
            let glob = &written.value;
            let id = format!("forbid/storePath/{}", crate::image::display_in_sentence(glob.as_str()));
            let mut rule = pending(id, Unit::Count, written.place.as_ref());
            let rows = self.facts.snapshot.store_paths.iter().filter(|row| is_store_path(glob, &row.path));
            let hits = rows.map(|row| self.store_hit(&row.path, row.nar_bytes)).collect();
            self.forbidden(rule_with(&mut rule, "store paths", glob), hits);
            self.outcome.rules.push(rule);
        }
    }

    fn store_hit(&self, path: &str, nar_bytes: u64) -> Evidence {
        let reason = self.facts.reasons.and_then(|reasons| reasons.of(path));
        let by = reason.as_ref().map(|reason| format!(", brought in by {}", reason.by)).unwrap_or_default();
        let text = format!("{path}, NAR {}{by}", display_bytes(nar_bytes));
        let chain = reason.map(|reason| reason.chain).unwrap_or_default();
        Evidence { chain, ..Evidence::new(EvidenceKind::StorePath, path, None, text) }
    }

    fn forbidden(&self, (rule, what): (&mut RuleResult, String), mut hits: Vec<Evidence>) {
        let count = hits.len() as u64;
        rule.actual = Some(Number::count(count));
        rule.limit = Some(Number::Whole(0));
        rule.status = if count == 0 { Status::Pass } else { Status::Fail };
        rule.message = match hits.first() {
            None => format!("{what}: none"),
            Some(first) if count == 1 => format!("{what} are forbidden, and one is there: {}", first.text),
            Some(first) => format!("{what} are forbidden, and {count} are there: {}, …", first.text),
        };
        hits.truncate(MOST_HITS);
        rule.evidence = hits;
    }

    fn findings(&mut self) {
        let rules = &self.rules.findings;
        let is_allowed = |id: &str| rules.allow.iter().any(|allowed| allowed.value == id);
        if let Some(severity) = &rules.fail {
            let rule = pending("findings/severity".to_owned(), Unit::Count, severity.place.as_ref());
            let least = severity.value;
            self.finding(rule, |fact| fact.severity >= least && !is_allowed(&fact.id));
        }
        for id in &rules.forbid {
            let shown = crate::image::display_in_sentence(&id.value);
            let rule = pending(format!("findings/{shown}"), Unit::Count, id.place.as_ref());
            self.finding(rule, |fact| fact.id == id.value && !is_allowed(&fact.id));
        }
    }

    fn finding(&mut self, mut rule: RuleResult, is_meant: impl Fn(&FindingFact) -> bool) {
        match self.facts.findings {
            None => {
                rule.status = Status::Error;
                rule.message = "findings are not looked for in this run".to_owned();
            }
            Some(findings) => {
                let hits = findings.iter().filter(|fact| is_meant(fact)).map(|fact| {
                    Evidence::new(
                        EvidenceKind::Finding,
                        fact.id.clone(),
                        Some(delta(fact.bytes, 0)),
                        fact.title.clone(),
                    )
                });
                self.forbidden((&mut rule, "findings".to_owned()), hits.collect());
            }
        }
        self.outcome.rules.push(rule);
    }

    fn reproducible(&mut self) {
        let Some((other, differences)) = self.facts.differences else { return };
        let mut rule = pending("reproducible".to_owned(), Unit::Count, None);
        rule.actual = Some(Number::count(differences.iter().map(|difference| difference.count).sum()));
        rule.limit = Some(Number::Whole(0));
        if differences.is_empty() {
            rule.message = format!("bit for bit the same as {other}");
        } else {
            rule.status = Status::Fail;
            rule.message = format!(
                "not the same as {other}: {}",
                differences.iter().map(|found| found.title.as_str()).collect::<Vec<_>>().join("; ")
            );
            rule.evidence = differences.iter().flat_map(|found| found.evidence.iter().cloned()).collect();
        }
        self.outcome.rules.push(rule);
    }
}

fn known(measure: Measure) -> u64 {
    match measure {
        Measure::Known(count) => count,
        Measure::Nothing | Measure::Unknown(_) => 0,
    }
}

fn rule_with<'r>(rule: &'r mut RuleResult, what: &str, glob: &Glob) -> (&'r mut RuleResult, String) {
    (rule, format!("{what} {}", crate::image::display_in_sentence(glob.as_str())))
}
