//! Amounts as people write them: `20MB`, `5 MiB`, `2%`.

/// Why an amount cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not begin with a number.
    #[error("`{0}` does not begin with a number; write an amount as 20MB, 5MiB or 1000")]
    NoNumber(String),
    /// Its unit is unknown.
    #[error("unknown unit in `{0}`; use B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024)")]
    NoUnit(String),
    /// It exceeds the largest number supported.
    #[error("`{0}` is too large")]
    TooLarge(String),
    /// A percentage without a number.
    #[error("not a percentage: `{0}`; write it as 5%")]
    NoPercentage(String),
}

/// How much something may grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quota {
    /// A number of bytes, or of the objects counted.
    Amount(u64),
    /// A percentage of the previous value.
    Percent(f64),
}

/// Reads an amount of bytes. MB is 10^6 and MiB 2^20; without a unit bytes are meant; commas between digits count for
/// nothing. Source of the units: go-humanize's `ParseBytes`, which dive reads them with.
///
/// # Errors
/// [`QuantityError`].
pub fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    let shown = || nixdive_base::text::display_in_sentence(text.trim());
    let trimmed = text.trim();
    let end = trimmed.find(|character: char| !matches!(character, '0'..='9' | '.' | ',')).unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at(end);
    let digits: String = digits.chars().filter(|&digit| digit != ',').collect();
    let unit = unit_bytes(unit.trim()).ok_or_else(|| {
        if digits.is_empty() { QuantityError::NoNumber(shown()) } else { QuantityError::NoUnit(shown()) }
    })?;
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit).ok_or_else(|| QuantityError::TooLarge(shown()));
    }
    let number: f64 = digits.parse().map_err(|_| QuantityError::NoNumber(shown()))?;
    let bytes = number * unit as f64;
    if bytes >= u64::MAX as f64 {
        return Err(QuantityError::TooLarge(shown()));
    }
    Ok(bytes as u64)
}

fn unit_bytes(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "p" | "pb" => 1_000_000_000_000_000,
        "e" | "eb" => 1_000_000_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        "pi" | "pib" => 1 << 50,
        "ei" | "eib" => 1 << 60,
        _ => return None,
    })
}

/// Reads an amount or a percentage.
///
/// # Errors
/// [`QuantityError`].
pub fn parse_quota(text: &str) -> Result<Quota, QuantityError> {
    match text.trim().strip_suffix('%') {
        Some(number) => parse_percent(number).map(Quota::Percent),
        None => parse_bytes(text).map(Quota::Amount),
    }
}

/// Reads a percentage that has no sign behind it.
pub(super) fn parse_percent(text: &str) -> Result<f64, QuantityError> {
    let number: Option<f64> = text.trim().parse().ok();
    number
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| QuantityError::NoPercentage(nixdive_base::text::display_in_sentence(text.trim())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_decimal_or_binary() {
        let amounts = [
            ("1000", 1000),
            ("0B", 0),
            ("20MB", 20_000_000),
            ("5 MiB", 5 << 20),
            ("1.5k", 1500),
            ("1,024 KiB", 1 << 20),
            (" 1GB ", 1_000_000_000),
        ];
        for (text, bytes) in amounts {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        assert!(matches!(parse_bytes("12bananas"), Err(QuantityError::NoUnit(_))));
        assert!(matches!(parse_bytes("MB"), Err(QuantityError::NoNumber(_))));
        assert!(matches!(parse_bytes("-1"), Err(QuantityError::NoNumber(_) | QuantityError::NoUnit(_))));
        assert!(matches!(parse_bytes("99999999999999EB"), Err(QuantityError::TooLarge(_))));
    }

    #[test]
    fn a_quota_is_an_amount_or_a_share() {
        assert_eq!(parse_quota("5%"), Ok(Quota::Percent(5.0)));
        assert_eq!(parse_quota("2.5 %"), Ok(Quota::Percent(2.5)));
        assert_eq!(parse_quota("10MiB"), Ok(Quota::Amount(10 << 20)));
        for bad in ["%", "-5%", "nan%", "inf%", "x%"] {
            assert!(parse_quota(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_amount_or_an_error(text in "\\PC{0,20}") {
            let _ = (parse_bytes(&text), parse_quota(&text));
        }

        #[test]
        fn whole_bytes_read_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse_bytes(&bytes.to_string()), Ok(bytes));
        }
    }
}
