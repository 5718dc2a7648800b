use super::Subject;
use super::budget::{Budget, Growth, Measure, Require};
use super::configuration::{Configuration, OnMissingBaseline};
use super::evidence::{delta, growth, largest, signed_bytes};
use super::facts::{Against, Facts, FindingFact};
use super::forbid::{forbid, tell_hits};
use super::outcome::{Evidence, EvidenceKind, Number, Outcome, RuleResult, Status, Unit};
use super::snapshot::Snapshot;
use nixdive_base::text::display_bytes;

/// Judges an image by all rules.
#[must_use]
pub fn judge(rules: &Configuration, facts: &Facts<'_>, against: Against<'_>) -> Outcome {
    let mut judge = Judge { rules, facts, against, outcome: Outcome { rules: Vec::new(), warnings: Vec::new() } };
    judge.outcome.rules = rules.dive.judge(facts.figures);
    for budget in &rules.budgets {
        judge.budget(budget);
    }
    let paths = rules.forbidden_paths.iter().map(|written| (Subject::Path(written.value.clone()), &written.place));
    let store_paths =
        rules.forbidden_store_paths.iter().map(|written| (Subject::StorePath(written.value.clone()), &written.place));
    let packages = rules.forbidden_packages.iter().map(|written| (written.value.clone(), &written.place));
    for (subject, place) in packages.chain(paths).chain(store_paths) {
        judge.outcome.rules.push(forbid(&subject, place.as_ref(), facts));
    }
    judge.findings();
    judge.reproducible();
    number_repeated(&mut judge.outcome.rules);
    judge.outcome
}

struct Judge<'a> {
    rules: &'a Configuration,
    facts: &'a Facts<'a>,
    against: Against<'a>,
    outcome: Outcome,
}

/// Returns the description of a rule before it is checked.
pub(super) fn pending(id: String, unit: Unit, place: Option<&(String, u32)>) -> RuleResult {
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
                    self.warn(format!("no {} in the image: the budget matches nothing", subject.describe()), &mut rule)
                }
                Measure::Unknown(reason) => {
                    rule.status = Status::Error;
                    rule.message = format!("cannot measure {}: {reason}", subject.describe());
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
            Against::Baseline(baseline) => self.grown(subject, baseline),
            _ => Vec::new(),
        };
        if rule.evidence.is_empty() {
            let part = subject.part_of(self.facts.snapshot);
            rule.evidence = largest(part.as_ref().unwrap_or(self.facts.snapshot), self.facts.reasons.as_ref());
        }
    }

    /// Lists what made a subject grow; for a figure of the whole image, everything that grew.
    fn grown(&self, subject: &Subject, baseline: &Snapshot) -> Vec<Evidence> {
        let (now, before) = (subject.part_of(self.facts.snapshot), subject.part_of(baseline));
        let now = now.as_ref().unwrap_or(self.facts.snapshot);
        growth(now, before.as_ref().unwrap_or(baseline), self.facts.reasons.as_ref())
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
                "the baseline is for {}, the image for {}; choose the same platform with --platform, or recreate the baseline",
                baseline.platform, image.platform
            );
            return;
        }
        let before = subject.measure(baseline, Some(baseline));
        let (now, before) = match (now, before) {
            (Measure::Unknown(reason), _) | (_, Measure::Unknown(reason)) => {
                rule.status = Status::Error;
                rule.message = format!("cannot measure the growth of {}: {reason}", subject.describe());
                return;
            }
            (Measure::Nothing, Measure::Nothing) => {
                let message =
                    format!("no {} in the image or the baseline: the budget matches nothing", subject.describe());
                return self.warn(message, rule);
            }
            (now, before) => (known(now), known(before)),
        };
        self.compare(rule, subject, grow, (now, before));
        if rule.status == Status::Fail {
            rule.evidence = self.grown(subject, baseline);
        }
    }

    fn without_baseline(&mut self, rule: &mut RuleResult) {
        let reason = match self.against {
            Against::Missing(reason) => format!("the baseline is missing: {reason}"),
            _ => "no baseline to measure growth against; name one with --baseline".to_owned(),
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

    fn findings(&mut self) {
        let rules = &self.rules.findings;
        let is_allowed = |id: &str| rules.allow.iter().any(|allowed| allowed.value == id);
        if let Some(severity) = &rules.fail {
            let rule = pending("findings/severity".to_owned(), Unit::Count, severity.place.as_ref());
            let least = severity.value;
            self.finding(rule, |fact| fact.severity >= least && !is_allowed(&fact.id));
        }
        for id in &rules.forbid {
            let shown = nixdive_base::text::display_in_sentence(&id.value);
            let rule = pending(format!("findings/{shown}"), Unit::Count, id.place.as_ref());
            self.finding(rule, |fact| fact.id == id.value && !is_allowed(&fact.id));
        }
    }

    fn finding(&mut self, mut rule: RuleResult, is_meant: impl Fn(&FindingFact) -> bool) {
        match self.facts.findings {
            None => {
                rule.status = Status::Error;
                rule.message = "findings are not computed in this run".to_owned();
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
                let hits: Vec<Evidence> = hits.collect();
                tell_hits(&mut rule, "findings", hits.len(), hits);
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
            rule.message = format!("identical to {other}, bit for bit");
        } else {
            rule.status = Status::Fail;
            rule.message = format!(
                "differs from {other}: {}",
                differences.iter().map(|found| found.title.as_str()).collect::<Vec<_>>().join("; ")
            );
            rule.evidence = differences.iter().flat_map(|found| found.evidence.iter().cloned()).collect();
        }
        self.outcome.rules.push(rule);
    }
}

/// Formats tell rules apart by their ids: the second of one id gets `#2` behind it.
fn number_repeated(rules: &mut [RuleResult]) {
    let mut seen: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for rule in rules {
        let times = seen.entry(rule.id.clone()).or_insert(0);
        *times += 1;
        if *times > 1 {
            rule.id.push_str(&format!("#{times}"));
        }
    }
}

fn known(measure: Measure) -> u64 {
    match measure {
        Measure::Known(count) => count,
        Measure::Nothing | Measure::Unknown(_) => 0,
    }
}
