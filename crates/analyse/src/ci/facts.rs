use super::reasons::Reasons;
use super::reproducible::ImageDifference;
use super::snapshot::Snapshot;
use crate::analysis::Figures;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Information,
    /// Costs bytes or care for nothing.
    Warning,
    /// Wrong, or dangerous.
    Problem,
}

impl Severity {
    /// Reads `information`, `warning` or `problem`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "information" | "info" => Some(Self::Information),
            "warning" => Some(Self::Warning),
            "problem" | "error" => Some(Self::Problem),
            _ => None,
        }
    }
}

/// A finding, as far as rules look at it. Texts are safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingFact {
    /// Stable id of what was found.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// A sentence.
    pub title: String,
    /// Bytes that fixing the finding would save.
    pub bytes: u64,
}

/// Everything known about the image that rules can use.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// dive's figures.
    pub figures: &'a Figures,
    /// All that budgets look at.
    pub snapshot: &'a Snapshot,
    /// The image as umoci and the vfs storage driver unpack it, where that is another one.
    pub followed: Option<&'a Snapshot>,
    /// Why store paths are there; `None` for an image without a store.
    pub reasons: Option<Reasons<'a>>,
    /// Findings; `None` where nobody looked for them.
    pub findings: Option<&'a [FindingFact]>,
    /// In what it differs from the image that it is to equal, with that image's name; `None` where none is to be equal.
    pub differences: Option<(&'a str, &'a [ImageDifference])>,
}

/// The reference that growth is measured against.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// Nobody named a baseline.
    NotGiven,
    /// The baseline that was named is not there, for that reason.
    Missing(&'a str),
    /// A baseline.
    Baseline(&'a Snapshot),
}

impl<'a> Against<'a> {
    pub(super) fn snapshot(self) -> Option<&'a Snapshot> {
        match self {
            Self::Baseline(snapshot) => Some(snapshot),
            Self::NotGiven | Self::Missing(_) => None,
        }
    }
}
