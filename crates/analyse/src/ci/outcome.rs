use serde::{Serialize, Serializer};

/// How a rule came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It is turned off, or was passed over with a warning.
    Skip,
    /// Something that is needed to judge it is missing.
    Error,
}

impl Status {
    /// In four letters, as dive writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
            Self::Error => "ERR ",
        }
    }
}

/// Unit of a rule's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Layers, files, packages, hits.
    Count,
    /// Percent of what it was.
    Percent,
    /// A ratio from 0 to 1.
    Ratio,
}

/// A number of a rule: counts stay whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A count; negative where something shrank.
    Whole(i64),
    /// A ratio or percentage.
    Real(f64),
}

impl Number {
    /// A count; one beyond what JSON readers hold is as large as it gets.
    #[must_use]
    pub fn count(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Whole(count) => serializer.serialize_i64(count),
            Self::Real(ratio) if ratio.is_finite() => serializer.serialize_f64(ratio),
            Self::Real(_) => serializer.serialize_none(),
        }
    }
}

/// The type of object that a piece of evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EvidenceKind {
    /// A store path.
    StorePath,
    /// A package of a database in the image.
    Package,
    /// A file.
    File,
    /// A directory with all below it.
    Directory,
    /// A layer.
    Layer,
    /// Layers of the base image together.
    Base,
    /// Part of the configuration.
    Config,
    /// A finding.
    Finding,
}

/// One thing that led to a result. Texts are safe to print.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Type of the object.
    pub kind: EvidenceKind,
    /// Its name.
    pub name: String,
    /// How many bytes it adds, or fewer than none; `None` where bytes are not what matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_bytes: Option<i64>,
    /// A sentence without a full stop: `perl-5.36.0 adds 58 MB, brought in by openssl-3.0.9 (bin/c_rehash)`.
    pub text: String,
    /// Chain of references to a store path, root first; empty for other evidence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

impl Evidence {
    /// Evidence without a chain.
    #[must_use]
    pub fn new(kind: EvidenceKind, name: impl Into<String>, delta_bytes: Option<i64>, text: impl Into<String>) -> Self {
        Self { kind, name: name.into(), delta_bytes, text: text.into(), chain: Vec::new() }
    }
}

/// A rule, judged. Texts are safe to print.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleResult {
    /// Stable name of the rule, without values: `max-growth/unpacked`.
    pub id: String,
    /// How it came out.
    pub status: Status,
    /// Measured value.
    pub actual: Option<Number>,
    /// Allowed value.
    pub limit: Option<Number>,
    /// Unit of both values.
    pub unit: Unit,
    /// A sentence without a full stop.
    pub message: String,
    /// Evidence for the result, most important first.
    pub evidence: Vec<Evidence>,
    /// File and line that ask for it; `None` for flags and defaults.
    #[serde(skip)]
    pub place: Option<(String, u32)>,
    /// True if the rule is one of dive's and uses dive's message.
    #[serde(skip)]
    pub is_dives: bool,
}

/// Overall result of all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// All rules hold.
    Pass,
    /// At least one does not.
    Fail,
    /// None is known to fail, and at least one could not be judged.
    Error,
}

/// All rules, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// dive's first, then in the order in which they are asked for.
    pub rules: Vec<RuleResult>,
    /// Problems to look at although no rule failed because of them. Safe to print.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// Returns the overall result of the rules.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let any = |status| self.rules.iter().any(|rule| rule.status == status);
        if any(Status::Fail) {
            Verdict::Fail
        } else if any(Status::Error) {
            Verdict::Error
        } else {
            Verdict::Pass
        }
    }

    /// How many came out so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.rules.iter().filter(|rule| rule.status == status).count()
    }

    /// Returns `true` if no rules are configured.
    #[must_use]
    pub fn is_without_rules(&self) -> bool {
        self.rules.iter().all(|rule| rule.is_dives && rule.status == Status::Skip)
    }
}
