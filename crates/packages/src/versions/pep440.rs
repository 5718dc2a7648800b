//! PEP 440, "Version scheme": `[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local]`, with its normal forms.

use std::cmp::Ordering;

use super::{compare_numbers, run_length};

/// A pre-release by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pre {
    Alpha,
    Beta,
    Candidate,
}

#[derive(Debug, Default)]
struct Version<'v> {
    epoch: &'v [u8],
    release: Vec<&'v [u8]>,
    pre: Option<(Pre, &'v [u8])>,
    post: Option<&'v [u8]>,
    dev: Option<&'v [u8]>,
    local: Option<&'v [u8]>,
}

/// Versions that PEP 440 does not allow come before those that it does, in byte order.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim().to_ascii_lowercase(), right.trim().to_ascii_lowercase());
    match (parse(left.as_bytes()), parse(right.as_bytes())) {
        (Some(one), Some(other)) => compare_parsed(&one, &other),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => left.cmp(&right),
    }
}

fn compare_parsed(one: &Version<'_>, other: &Version<'_>) -> Ordering {
    compare_numbers(one.epoch, other.epoch)
        .then_with(|| compare_releases(&one.release, &other.release))
        .then_with(|| rank(one).cmp(&rank(other)))
        .then_with(|| compare_numbers(one.pre.map_or(&[], |(_, n)| n), other.pre.map_or(&[], |(_, n)| n)))
        .then_with(|| compare_optional(one.post, other.post, Ordering::Less))
        .then_with(|| compare_optional(one.dev, other.dev, Ordering::Greater))
        .then_with(|| compare_local(one.local, other.local))
}

/// Development releases of a final version first, then pre-releases, then the rest.
fn rank(version: &Version<'_>) -> u8 {
    match version.pre {
        Some((pre, _)) => 1 + pre as u8,
        None if version.post.is_none() && version.dev.is_some() => 0,
        None => 4,
    }
}

/// `absent`: how a version without compares to one with.
fn compare_optional(one: Option<&[u8]>, other: Option<&[u8]>, absent: Ordering) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => compare_numbers(one, other),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => absent,
        (Some(_), None) => absent.reverse(),
    }
}

fn compare_releases(one: &[&[u8]], other: &[&[u8]]) -> Ordering {
    let part = |list: &[&'_ [u8]], place: usize| list.get(place).map_or(Vec::new(), |part| part.to_vec());
    let places = 0..one.len().max(other.len());
    let mut orders = places.map(|place| compare_numbers(&part(one, place), &part(other, place)));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Parts between dots, dashes and underscores: numbers after words, more parts after fewer.
fn compare_local(one: Option<&[u8]>, other: Option<&[u8]>) -> Ordering {
    let (Some(one), Some(other)) = (one, other) else { return one.is_some().cmp(&other.is_some()) };
    let split = |text: &'_ [u8]| -> Vec<Vec<u8>> {
        text.split(|byte| matches!(byte, b'.' | b'-' | b'_')).map(<[u8]>::to_vec).collect()
    };
    let (one, other) = (split(one), split(other));
    for (own, others) in one.iter().zip(&other) {
        let is_number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        let order = match (is_number(own), is_number(others)) {
            (true, true) => compare_numbers(own, others),
            (false, false) => own.cmp(others),
            (own, others) => own.cmp(&others),
        };
        if order.is_ne() {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

fn parse(text: &[u8]) -> Option<Version<'_>> {
    let mut rest = text.strip_prefix(b"v").unwrap_or(text);
    let mut version = Version::default();
    let digits = |text: &[u8]| run_length(text, |byte| byte.is_ascii_digit());
    if rest.get(digits(rest)) == Some(&b'!') && digits(rest) > 0 {
        version.epoch = &rest[..digits(rest)];
        rest = &rest[version.epoch.len() + 1..];
    }
    loop {
        let length = digits(rest);
        if length == 0 {
            return None;
        }
        version.release.push(&rest[..length]);
        rest = &rest[length..];
        match rest {
            [b'.', next, ..] if next.is_ascii_digit() => rest = &rest[1..],
            _ => break,
        }
    }
    if let Some((kind, number, after)) = labelled(rest, &PRE) {
        version.pre = Some((kind, number));
        rest = after;
    }
    if let Some(([b'-'], after)) = rest.split_at_checked(1).filter(|(_, after)| digits(after) > 0) {
        version.post = Some(&after[..digits(after)]);
        rest = &after[digits(after)..];
    } else if let Some(((), number, after)) = labelled(rest, &POST) {
        version.post = Some(number);
        rest = after;
    }
    if let Some(((), number, after)) = labelled(rest, &[(&b"dev"[..], ())]) {
        version.dev = Some(number);
        rest = after;
    }
    if let Some(local) = rest.strip_prefix(b"+").filter(|local| !local.is_empty()) {
        version.local = Some(local);
        rest = &[];
    }
    rest.is_empty().then_some(version)
}

/// Longer labels before those that they begin with.
const PRE: [(&[u8], Pre); 8] = [
    (b"alpha", Pre::Alpha),
    (b"a", Pre::Alpha),
    (b"beta", Pre::Beta),
    (b"b", Pre::Beta),
    (b"preview", Pre::Candidate),
    (b"pre", Pre::Candidate),
    (b"rc", Pre::Candidate),
    (b"c", Pre::Candidate),
];
const POST: [(&[u8], ()); 3] = [(b"post", ()), (b"rev", ()), (b"r", ())];

/// `[.-_]label[.-_][digits]`: what the label means, its number, and the rest.
fn labelled<'v, T: Copy>(text: &'v [u8], labels: &[(&[u8], T)]) -> Option<(T, &'v [u8], &'v [u8])> {
    let is_separator = |byte: &u8| matches!(byte, b'.' | b'-' | b'_');
    let inner = if text.first().is_some_and(is_separator) { &text[1..] } else { text };
    let (meaning, rest) = labels.iter().find_map(|(label, meaning)| Some((*meaning, inner.strip_prefix(*label)?)))?;
    let after = if rest.first().is_some_and(is_separator) { &rest[1..] } else { rest };
    let length = run_length(after, |byte| byte.is_ascii_digit());
    if length == 0 {
        return Some((meaning, &[], rest));
    }
    Some((meaning, &after[..length], &after[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_of_pep_440() {
        // "Summary of permitted suffixes and relative ordering", put together.
        let ascending = [
            "not-a-version",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.15",
            "1.1.dev1",
            "1!0.1",
        ];
        for (place, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(compare(left, right), place.cmp(&other), "{left} {right}");
            }
        }
    }

    #[test]
    fn other_spellings_are_the_same_version() {
        for (left, right) in [
            ("1.0", "1.0.0"),
            ("1.1RC1", "1.1c1"),
            ("1.1.a1", "1.1-alpha_1"),
            ("v1.0", "1.0"),
            ("1.0-1", "1.0.post1"),
            ("1.0.rev", "1.0post0"),
            ("1.00", "1.0"),
        ] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} {right}");
        }
    }
}
