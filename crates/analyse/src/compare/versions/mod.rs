//! The order of versions, each kind of package by its own rules.

mod apk;
mod deb;
mod nix;
mod pep440;
mod rpm;

use std::cmp::Ordering;

use nixdive_packages::PackageKind;

pub use nix::compare_versions as compare_nix_versions;

/// Which of two versions of one package is the newer. Every text has its place in the order, also one that the rules of
/// its kind do not allow.
#[must_use]
pub fn compare_package_versions(kind: PackageKind, left: &str, right: &str) -> Ordering {
    match kind {
        PackageKind::Deb => deb::compare(left, right),
        PackageKind::Rpm => rpm::compare(left, right),
        PackageKind::Apk => apk::compare(left, right),
        PackageKind::Python => pep440::compare(left, right),
    }
}

/// Two runs of digits as numbers of any length.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    let strip = |digits: &[u8]| digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    let (left, right) = (&left[strip(left)..], &right[strip(right)..]);
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// The length of the run at the beginning for which something holds.
fn run_length(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|&&byte| holds(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [PackageKind; 4] = [PackageKind::Deb, PackageKind::Apk, PackageKind::Rpm, PackageKind::Python];

    proptest! {
        #[test]
        fn every_kind_orders_any_texts(
            texts in proptest::collection::vec("[0-9a-c.~^+:_! -]{0,8}(alpha|rc|pre|dev|p|r)?[0-9]{0,2}", 3..4)
        ) {
            type Compare<'c> = &'c dyn Fn(&str, &str) -> Ordering;
            let comparisons: [Compare<'_>; 5] = [
                &|left, right| compare_package_versions(KINDS[0], left, right),
                &|left, right| compare_package_versions(KINDS[1], left, right),
                &|left, right| compare_package_versions(KINDS[2], left, right),
                &|left, right| compare_package_versions(KINDS[3], left, right),
                &|left, right| compare_nix_versions(left, right),
            ];
            for compare in comparisons {
                for text in &texts {
                    prop_assert_eq!(compare(text, text), Ordering::Equal);
                }
                prop_assert_eq!(compare(&texts[0], &texts[1]), compare(&texts[1], &texts[0]).reverse());
            }
        }
    }
}
