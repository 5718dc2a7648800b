//! The order of versions, by the rules of each package system.

pub(crate) mod apk;
pub(crate) mod deb;
pub(crate) mod pep440;
pub(crate) mod rpm;

use std::cmp::Ordering;

/// Compares two runs of digits as numbers of any length.
#[must_use]
pub fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let strip = |digits: &[u8]| digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    let (left, right) = (&left[strip(left)..], &right[strip(right)..]);
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Length of the longest prefix whose bytes all satisfy a condition.
pub fn run_length(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|&&byte| holds(byte)).count()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use crate::PackageKind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kind_orders_any_texts(
            texts in proptest::collection::vec("[0-9a-c.~^+:_! -]{0,8}(alpha|rc|pre|dev|p|r)?[0-9]{0,2}", 3..4)
        ) {
            for &kind in PackageKind::ALL {
                for text in &texts {
                    prop_assert_eq!(kind.compare_versions(text, text), Ordering::Equal);
                }
                let order = kind.compare_versions(&texts[0], &texts[1]);
                prop_assert_eq!(order, kind.compare_versions(&texts[1], &texts[0]).reverse());
            }
        }
    }
}
