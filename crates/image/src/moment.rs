//! Times of RFC 3339, to the second.

/// Seconds between 1970 and a time of RFC 3339, fractions left out; `None` for what is none.
#[must_use]
pub fn seconds_of(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let byte = |place: usize| text.as_bytes().get(place).copied();
    let is_valid = separators.iter().all(|&(place, wanted)| byte(place) == Some(wanted))
        && matches!(byte(10), Some(b'T' | b't' | b' '))
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_valid {
        return None;
    }
    let rest = text.get(19..)?;
    let fraction = rest.strip_prefix('.').map(|digits| digits.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    let offset = offset_seconds(fraction.unwrap_or(rest))?;
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59) - offset)
}

fn offset_seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2).map(i64::from);
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

/// Days between 1970-01-01 and a date of the Gregorian calendar, by the algorithm of H. Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
#[must_use]
pub fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_seconds_since_1970() {
        // `date -u -d TIME +%s`
        let cases = [
            ("1970-01-01T00:00:01+00:00", Some(1)),
            ("2024-02-29T23:30:00.123456789-01:30", Some(1_709_254_800)),
            ("1960-01-01T00:00:00Z", Some(-315_619_200)),
            ("yesterday", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-01T00:00:00", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds_of(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_none(text in "\\PC{0,30}") {
            let _ = seconds_of(&text);
        }
    }
}
