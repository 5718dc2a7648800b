//! Times of RFC 3339 in UTC, to the second.

use nixdive_image::seconds_of;

/// Turns a time into `YYYY-MM-DDThh:mm:ssZ`; `None` for what is none.
pub(super) fn in_utc(text: &str) -> Option<String> {
    let seconds = seconds_of(text)?;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    (0..=9999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60))
}

/// Returns the Gregorian date `days` days after 1970-01-01, by the algorithm of H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms".
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use nixdive_image::days_since_1970;

    #[test]
    fn times_are_turned_to_utc() {
        // `date -u -d TIME +%FT%TZ`
        let cases = [
            ("1970-01-01T00:00:01+00:00", Some("1970-01-01T00:00:01Z")),
            ("2024-02-29T23:30:00.123456789-01:30", Some("2024-03-01T01:00:00Z")),
            ("2000-01-01T00:00:00+02:00", Some("1999-12-31T22:00:00Z")),
            ("2024-05-06T07:08:09Z", Some("2024-05-06T07:08:09Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("yesterday", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-01T00:00:00", None),
        ];
        for (text, expected) in cases {
            assert_eq!(in_utc(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn days_are_dates_and_back(days in -700_000i64..2_900_000) {
            let (year, month, day) = date(days);
            prop_assert_eq!(days_since_1970(year, month, day), days);
        }

        #[test]
        fn any_text_is_a_time_or_none(text in "\\PC{0,30}") {
            let _ = in_utc(&text);
        }
    }
}
