//! Nix manual, `builtins.compareVersions`: runs of digits, and of what is neither digit, dot nor dash.

use std::cmp::Ordering;

use nixdive_packages::versions::{compare_numbers, run_length};

/// Which of two versions is the newer, as `builtins.compareVersions` has it.
#[must_use]
pub fn compare_nix_versions(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while !left.is_empty() || !right.is_empty() {
        let (one, other) = (component(&mut left), component(&mut right));
        let order = compare_components(one, other);
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes the next component off a version, separators before it left out.
fn component<'v>(version: &mut &'v [u8]) -> &'v [u8] {
    let rest = &version[run_length(version, |byte| matches!(byte, b'.' | b'-'))..];
    let length = match rest.first().is_some_and(u8::is_ascii_digit) {
        true => run_length(rest, |byte| byte.is_ascii_digit()),
        false => run_length(rest, |byte| !byte.is_ascii_digit() && !matches!(byte, b'.' | b'-')),
    };
    let (component, rest) = rest.split_at(length);
    *version = rest;
    component
}

fn compare_components(one: &[u8], other: &[u8]) -> Ordering {
    let is_number = |text: &[u8]| text.first().is_some_and(u8::is_ascii_digit);
    if one == other {
        return Ordering::Equal;
    }
    match (is_number(one), is_number(other)) {
        (true, true) => return compare_numbers(one, other),
        (_, true) if one.is_empty() => return Ordering::Less,
        (true, _) if other.is_empty() => return Ordering::Greater,
        _ => {}
    }
    match (one, other) {
        (b"pre", _) => Ordering::Less,
        (_, b"pre") => Ordering::Greater,
        // A number is newer than a word: `2.3a` is older than `2.3.1`.
        (_, _) if is_number(other) => Ordering::Less,
        (_, _) if is_number(one) => Ordering::Greater,
        _ => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(&str, &str, i32); 13] = [
        ("1.0", "2.3", -1),
        ("2.1", "2.3", -1),
        ("2.3", "2.3", 0),
        ("2.5", "2.3", 1),
        ("3.1", "2.3", 1),
        ("2.3.1", "2.3", 1),
        ("2.3.1", "2.3a", 1),
        ("2.3pre1", "2.3", -1),
        ("2.3pre3", "2.3pre12", -1),
        ("2.3a", "2.3c", -1),
        ("2.3pre1", "2.3c", -1),
        ("2.3pre1", "2.3q", -1),
        ("1.01", "1.1", 0),
    ];

    #[test]
    fn versions_are_in_nixs_order() {
        for (left, right, order) in PAIRS {
            assert_eq!(compare_nix_versions(left, right), order.cmp(&0), "{left} {right}");
            assert_eq!(compare_nix_versions(right, left), 0.cmp(&order), "{right} {left}");
        }
    }

    #[test]
    fn nix_agrees() {
        let Some(lab) = nixdive_nix::live::lab("nix_agrees") else { return };
        let terms: Vec<String> =
            PAIRS.iter().map(|(left, right, _)| format!("(builtins.compareVersions {left:?} {right:?})")).collect();
        let expression = format!("[ {} ]", terms.join(" "));
        let printed = lab.run("nix-instantiate", &["--eval", "--strict", "-E", &expression]);
        let expected: Vec<String> = PAIRS.iter().map(|(_, _, order)| order.to_string()).collect();
        assert_eq!(printed.trim(), format!("[ {} ]", expected.join(" ")));
    }

    proptest::proptest! {
        #[test]
        fn any_texts_are_ordered(left in "[0-9a-c.~^+:_! -]{0,8}", right in "[0-9a-c.~^+:_! -]{0,8}(pre)?[0-9]{0,2}") {
            proptest::prop_assert_eq!(compare_nix_versions(&left, &left), Ordering::Equal);
            let order = compare_nix_versions(&left, &right);
            proptest::prop_assert_eq!(order, compare_nix_versions(&right, &left).reverse());
        }
    }
}
