//! Debian Policy 5.6.12, "Version", and deb-version(7): `[epoch:]upstream[-revision]`.

use std::cmp::Ordering;

use super::{compare_numbers, run_length};

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left_upstream, left_revision) = split(left);
    let (right_epoch, right_upstream, right_revision) = split(right);
    compare_numbers(left_epoch.as_bytes(), right_epoch.as_bytes())
        .then_with(|| compare_part(left_upstream.as_bytes(), right_upstream.as_bytes()))
        .then_with(|| compare_part(left_revision.as_bytes(), right_revision.as_bytes()))
}

fn split(version: &str) -> (&str, &str, &str) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (epoch, rest) = version.split_once(':').filter(|(epoch, _)| is_number(epoch)).unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Compares runs of non-digits by letters and runs of digits by number, in turn; a tilde sorts
/// before the end.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let is_other = |byte: u8| !byte.is_ascii_digit();
        let (own, other) = (run_length(left, is_other), run_length(right, is_other));
        let order = compare_letters(&left[..own], &right[..other]);
        if order.is_ne() {
            return order;
        }
        (left, right) = (&left[own..], &right[other..]);
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let (own, other) = (run_length(left, is_digit), run_length(right, is_digit));
        let order = compare_numbers(&left[..own], &right[..other]);
        if order.is_ne() {
            return order;
        }
        (left, right) = (&left[own..], &right[other..]);
    }
    Ordering::Equal
}

fn compare_letters(left: &[u8], right: &[u8]) -> Ordering {
    let rank = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(&byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(&byte) => i32::from(byte) + 256,
    };
    let length = left.len().max(right.len());
    (0..length)
        .map(|place| rank(left.get(place)).cmp(&rank(right.get(place))))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair as `dpkg --compare-versions` has it.
    pub(super) const PAIRS: [(&str, &str, Ordering); 14] = [
        ("1.0", "1.0", Ordering::Equal),
        ("1.0~rc1", "1.0", Ordering::Less),
        ("1.0~~", "1.0~", Ordering::Less),
        ("1.0~~a", "1.0~", Ordering::Less),
        ("1.0", "1.0a", Ordering::Less),
        ("1.0a", "1.0+", Ordering::Less),
        ("1.9", "1.10", Ordering::Less),
        ("1.01", "1.1", Ordering::Equal),
        ("1:0.1", "9", Ordering::Greater),
        ("0:1", "1", Ordering::Equal),
        ("1.22.1-9", "1.22.1-9+deb12u10", Ordering::Less),
        ("2.36-9+deb12u9", "2.36-9+deb12u10", Ordering::Less),
        ("1.0-1", "1.0-1.1", Ordering::Less),
        ("1.0", "1.0-0", Ordering::Equal),
    ];

    #[test]
    fn versions_are_in_debians_order() {
        for (left, right, order) in PAIRS {
            assert_eq!(compare(left, right), order, "{left} {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} {left}");
        }
    }

    #[test]
    fn dpkg_agrees() {
        let dpkg = |left: &str, operator: &str, right: &str| {
            let arguments = ["--compare-versions", left, operator, right];
            std::process::Command::new("dpkg").args(arguments).status().map(|status| status.success())
        };
        for (left, right, order) in PAIRS {
            let operator = match order {
                Ordering::Less => "lt",
                Ordering::Equal => "eq",
                Ordering::Greater => "gt",
            };
            match dpkg(left, operator, right) {
                Ok(agrees) => assert!(agrees, "{left} {operator} {right}"),
                Err(_) => {
                    assert_ne!(std::env::var("NIXDIVE_LIVE").as_deref(), Ok("1"), "dpkg is not installed");
                    println!("skipped: dpkg is not installed");
                    return;
                }
            }
        }
    }
}
