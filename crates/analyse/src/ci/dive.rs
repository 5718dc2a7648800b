use super::outcome::{Number, RuleResult, Status, Unit};
use super::quantity::parse_bytes;
use crate::analysis::Figures;

/// Values of dive's rules as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiveRules {
    /// `lowestEfficiency`, a ratio from 0 to 1.
    pub lowest_efficiency: String,
    /// `highestWastedBytes`, an amount.
    pub highest_wasted_bytes: String,
    /// `highestUserWastedPercent`, a ratio from 0 to 1 in spite of its name.
    pub highest_user_wasted_percent: String,
}

impl Default for DiveRules {
    fn default() -> Self {
        Self {
            lowest_efficiency: "0.9".to_owned(),
            highest_wasted_bytes: "disabled".to_owned(),
            highest_user_wasted_percent: "0.1".to_owned(),
        }
    }
}

/// Why a value of dive's rules means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiveError {
    /// Not a number, or not between 0 and 1.
    #[error("{rule}: not a ratio from 0 to 1: `{value}`; `disabled` turns the rule off")]
    Ratio {
        /// Which rule.
        rule: &'static str,
        /// The value as written, safe to print.
        value: String,
    },
    /// Not an amount.
    #[error("{rule}: {error}; `disabled` turns the rule off")]
    Amount {
        /// Which rule.
        rule: &'static str,
        /// Reason why the amount is invalid.
        error: super::QuantityError,
    },
}

/// A value that is understood: what was written, and what it means; `None` for a rule that is off.
#[derive(Debug, Clone, PartialEq)]
struct Threshold<T> {
    written: String,
    value: Option<T>,
}

/// dive's rules with values that are understood.
#[derive(Debug, Clone, PartialEq)]
pub struct DiveThresholds {
    efficiency: Threshold<f64>,
    wasted_bytes: Threshold<u64>,
    user_wasted: Threshold<f64>,
}

const EFFICIENCY: &str = "lowestEfficiency";
const WASTED_BYTES: &str = "highestWastedBytes";
const USER_WASTED: &str = "highestUserWastedPercent";

impl DiveRules {
    /// Reads the values.
    ///
    /// # Errors
    /// The first that means nothing.
    pub fn read(&self) -> Result<DiveThresholds, DiveError> {
        let amount = |text: &str| parse_bytes(text).map_err(|error| DiveError::Amount { rule: WASTED_BYTES, error });
        Ok(DiveThresholds {
            efficiency: threshold(&self.lowest_efficiency, |text| ratio(EFFICIENCY, text))?,
            wasted_bytes: threshold(&self.highest_wasted_bytes, amount)?,
            user_wasted: threshold(&self.highest_user_wasted_percent, |text| ratio(USER_WASTED, text))?,
        })
    }
}

fn threshold<T>(written: &str, read: impl FnOnce(&str) -> Result<T, DiveError>) -> Result<Threshold<T>, DiveError> {
    let off = matches!(written.trim().to_lowercase().as_str(), "" | "disabled" | "off" | "false");
    let value = if off { None } else { Some(read(written)?) };
    Ok(Threshold { written: nixdive_base::text::display_name(written.as_bytes()).into_owned(), value })
}

fn ratio(rule: &'static str, text: &str) -> Result<f64, DiveError> {
    let number: Option<f64> = text.trim().parse().ok();
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| DiveError::Ratio { rule, value: nixdive_base::text::display_in_sentence(text) })
}

impl DiveThresholds {
    /// Judges the figures of an image as dive does: a rule fails strictly beyond its threshold. In dive's order, by name.
    #[must_use]
    pub fn judge(&self, figures: &Figures) -> Vec<RuleResult> {
        let wasted_share = figures.user_wasted_percent;
        vec![
            result(USER_WASTED, &self.user_wasted, Number::Real, Number::Real(wasted_share), Unit::Ratio, |limit| {
                (wasted_share > limit).then(|| {
                    format!(
                        "too many bytes wasted, relative to the user bytes added \
                         (%-user-wasted-bytes={} > threshold={limit})",
                        as_go(wasted_share)
                    )
                })
            }),
            result(
                WASTED_BYTES,
                &self.wasted_bytes,
                Number::count,
                Number::count(figures.wasted_bytes),
                Unit::Bytes,
                |limit| {
                    (figures.wasted_bytes > limit).then(|| {
                        let wasted = figures.wasted_bytes;
                        format!("too many bytes wasted (wasted-bytes={wasted} > threshold={limit})")
                    })
                },
            ),
            result(
                EFFICIENCY,
                &self.efficiency,
                Number::Real,
                Number::Real(figures.efficiency),
                Unit::Ratio,
                |limit| {
                    (limit > figures.efficiency).then(|| {
                        let efficiency = as_go(figures.efficiency);
                        format!("image efficiency is too low (efficiency={efficiency} < threshold={limit})")
                    })
                },
            ),
        ]
    }
}

/// Two digits, and infinity in Go's words.
fn as_go(ratio: f64) -> String {
    if ratio.is_infinite() { "+Inf".to_owned() } else { format!("{ratio:.2}") }
}

fn result<T: Copy>(
    id: &str,
    threshold: &Threshold<T>,
    number: impl Fn(T) -> Number,
    actual: Number,
    unit: Unit,
    failure: impl FnOnce(T) -> Option<String>,
) -> RuleResult {
    let (status, message) = match threshold.value {
        None => (Status::Skip, "disabled".to_owned()),
        Some(limit) => match failure(limit) {
            Some(message) => (Status::Fail, message),
            None => (Status::Pass, threshold.written.clone()),
        },
    };
    RuleResult {
        id: id.to_owned(),
        status,
        actual: Some(actual),
        limit: threshold.value.map(number),
        unit,
        message,
        evidence: Vec::new(),
        place: None,
        is_dives: true,
    }
}
