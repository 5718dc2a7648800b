//! rpm-version(7): `[epoch:]version[-release]`, each part by runs of digits and letters, with `~` and `^`.

use std::cmp::Ordering;

use super::{compare_numbers, run_length};

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left_version, left_release) = split(left);
    let (right_epoch, right_version, right_release) = split(right);
    compare_numbers(left_epoch.as_bytes(), right_epoch.as_bytes())
        .then_with(|| compare_part(left_version.as_bytes(), right_version.as_bytes()))
        .then_with(|| compare_part(left_release.as_bytes(), right_release.as_bytes()))
}

fn split(text: &str) -> (&str, &str, &str) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (epoch, rest) = text.split_once(':').filter(|(epoch, _)| is_number(epoch)).unwrap_or(("0", text));
    let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, version, release)
}

/// Compares two version parts. Characters other than letters, digits, tildes and carets only
/// separate. A tilde sorts before the end, a caret after it and before anything else; a number
/// sorts after letters, more runs after fewer.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    let separates = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^';
    loop {
        left = &left[run_length(left, separates)..];
        right = &right[run_length(right, separates)..];
        match (left.first(), right.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (left, right) = (&left[1..], &right[1..]);
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => {
                let kinds = (one.is_ascii_digit(), other.is_ascii_digit());
                if kinds.0 != kinds.1 {
                    return kinds.0.cmp(&kinds.1);
                }
                let belongs = |byte: u8| if kinds.0 { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
                let (own, others) = (run_length(left, belongs), run_length(right, belongs));
                let order = match kinds.0 {
                    true => compare_numbers(&left[..own], &right[..others]),
                    false => left[..own].cmp(&right[..others]),
                };
                if order.is_ne() {
                    return order;
                }
                (left, right) = (&left[own..], &right[others..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_rpms_order() {
        // Rows of rpm-version(7) and of rpm's own documentation of tilde and caret.
        let pairs = [
            ("1.0", "1.0", Ordering::Equal),
            ("1.0", "2.0", Ordering::Less),
            ("2.0.1", "2.0.1a", Ordering::Less),
            ("5.5p1", "5.5p10", Ordering::Less),
            ("10xyz", "10.1xyz", Ordering::Less),
            ("xyz.4", "8", Ordering::Less),
            ("1.0010", "1.9", Ordering::Greater),
            ("1.05", "1.5", Ordering::Equal),
            ("2_0", "2.0", Ordering::Equal),
            ("1.0~rc1", "1.0", Ordering::Less),
            ("1.0~rc1", "1.0~rc1~git", Ordering::Greater),
            ("1.0^", "1.0", Ordering::Greater),
            ("1.0^git1", "1.01", Ordering::Less),
            ("1.0^20160101", "1.0.1", Ordering::Less),
            ("1.0~rc1^git1", "1.0~rc1", Ordering::Greater),
            ("1:1.0-1", "2.0-1", Ordering::Greater),
            ("1.0-1.el9", "1.0-2.el9", Ordering::Less),
        ];
        for (left, right, order) in pairs {
            assert_eq!(compare(left, right), order, "{left} {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} {left}");
        }
    }
}
