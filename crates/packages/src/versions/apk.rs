//! apk-package(5), "Versions": `digits{.digits}[letter]{_suffix[digits]}[~hash][-r#]`.

use std::cmp::Ordering;

use super::{compare_numbers, run_length};

/// Suffixes in their order; those before the end of a version come first, then those behind it.
const BEFORE: [&[u8]; 4] = [b"alpha", b"beta", b"pre", b"rc"];
const BEHIND: [&[u8]; 5] = [b"cvs", b"svn", b"git", b"hg", b"p"];

/// A part of a version; where two versions part ways, the variant that comes later here is the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// `_alpha`, `_rc` and so on: older than the same version without.
    Before(usize),
    /// Text that no rule allows.
    Invalid,
    End,
    /// `-r#`
    Revision,
    /// `~hash`
    Commit,
    /// `_p` and so on.
    Behind(usize),
    Letter,
    Number,
}

struct Part<'v> {
    rank: Rank,
    digits: &'v [u8],
}

pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    let mut is_first = true;
    loop {
        let (one, other) = (part(&mut left, is_first), part(&mut right, is_first));
        let order = one.rank.cmp(&other.rank).then_with(|| compare_digits(&one, &other, is_first));
        if order.is_ne() || one.rank == Rank::End {
            return order;
        }
        if one.rank == Rank::Invalid {
            return left.cmp(right);
        }
        is_first = false;
    }
}

fn compare_digits(one: &Part<'_>, other: &Part<'_>, is_first: bool) -> Ordering {
    let is_fraction = |part: &Part<'_>| !is_first && part.rank == Rank::Number && part.digits.starts_with(b"0");
    match one.rank {
        // With a zero in front later numbers are read like what stands behind a decimal point.
        Rank::Number if is_fraction(one) || is_fraction(other) => one.digits.cmp(other.digits),
        Rank::Letter | Rank::Commit => one.digits.cmp(other.digits),
        _ => compare_numbers(one.digits, other.digits),
    }
}

fn part<'v>(version: &mut &'v [u8], is_first: bool) -> Part<'v> {
    let text = *version;
    let digits_at = |start: usize| run_length(text.get(start..).unwrap_or_default(), |byte| byte.is_ascii_digit());
    let (rank, start, end) = match text.first() {
        None => (Rank::End, 0, 0),
        Some(byte) if byte.is_ascii_digit() && is_first => (Rank::Number, 0, digits_at(0)),
        Some(b'.') if !is_first && digits_at(1) > 0 => (Rank::Number, 1, 1 + digits_at(1)),
        Some(byte) if !is_first && byte.is_ascii_lowercase() => (Rank::Letter, 0, 1),
        Some(b'-') if text.get(1) == Some(&b'r') && digits_at(2) > 0 => (Rank::Revision, 2, 2 + digits_at(2)),
        Some(b'~') => {
            let length = run_length(&text[1..], |byte| byte.is_ascii_hexdigit());
            (Rank::Commit, 1, 1 + length)
        }
        Some(b'_') => {
            let length = run_length(&text[1..], |byte| byte.is_ascii_lowercase());
            let name = &text[1..1 + length];
            let place = |list: &[&[u8]]| list.iter().position(|known| *known == name);
            let rank = place(&BEFORE).map(Rank::Before).or_else(|| place(&BEHIND).map(Rank::Behind));
            match rank {
                Some(rank) => (rank, 1 + length, 1 + length + digits_at(1 + length)),
                None => (Rank::Invalid, 0, 0),
            }
        }
        Some(_) => (Rank::Invalid, 0, 0),
    };
    *version = text.get(end..).unwrap_or_default();
    Part { rank, digits: text.get(start..end).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_apks_order() {
        let pairs = [
            ("1.1.22-r3", "1.1.24-r2", Ordering::Less),
            ("2.34", "0.1.0_alpha", Ordering::Greater),
            ("0.1.0_alpha", "0.1.0_alpha", Ordering::Equal),
            ("0.1.0_alpha", "0.1.3_alpha", Ordering::Less),
            ("0.1.0_alpha2", "0.1.0_alpha", Ordering::Greater),
            ("1.0_rc1", "1.0", Ordering::Less),
            ("1.0_pre2", "1.0_rc1", Ordering::Less),
            ("1.0", "1.0_p1", Ordering::Less),
            ("1.0_git20200101", "1.0_p1", Ordering::Less),
            ("1.0", "1.0a", Ordering::Less),
            ("1.0a", "1.0b", Ordering::Less),
            ("1.0a", "1.0.1", Ordering::Less),
            ("1.0-r1", "1.0-r10", Ordering::Less),
            ("1.0", "1.0-r0", Ordering::Less),
            ("1.0-r5", "1.0.1", Ordering::Less),
            ("1.05", "1.1", Ordering::Less),
            ("01.1", "1.1", Ordering::Equal),
            ("1.2", "1.10", Ordering::Less),
        ];
        for (left, right, order) in pairs {
            assert_eq!(compare(left, right), order, "{left} {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} {left}");
        }
    }
}
