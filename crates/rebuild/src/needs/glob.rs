use super::view::View;
use nixdive_image::NodeId;

/// Maximum number of files that one pattern may match.
const MOST_MATCHES: usize = 10_000;

/// Returns the paths that match a shell pattern: `*`, `?` and `[…]`, none of which matches a slash or a leading dot. A
/// pattern without any of these matches itself, if it exists.
pub(super) fn expand(view: &View<'_>, pattern: &[u8]) -> Vec<NodeId> {
    let mut found = vec![NodeId::ROOT];
    for part in pattern.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for &directory in &found {
            if next.len() >= MOST_MATCHES {
                break;
            }
            if !is_pattern(part) {
                next.extend(view.walk(directory, part).end.ok());
                continue;
            }
            let wanted = |&node: &NodeId| {
                let name = view.tree.name(node);
                (name.first() != Some(&b'.') || part.first() == Some(&b'.')) && matches(part, name)
            };
            next.extend(view.children(directory).filter(wanted));
        }
        next.truncate(MOST_MATCHES);
        found = next;
    }
    found
}

/// Returns `true` if a text contains a wildcard.
pub(super) fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
}

/// Matches a name with a pattern, in time proportional to the product of their lengths.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut on) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while on < name.len() {
        let step = one(pattern.get(at..).unwrap_or_default(), name.get(on).copied().unwrap_or_default());
        match (pattern.get(at), step) {
            (Some(b'*'), _) => {
                star = Some((at, on));
                at += 1;
            }
            (Some(_), Some(length)) => {
                at += length;
                on += 1;
            }
            _ => match star {
                Some((star_at, star_on)) => {
                    star = Some((star_at, star_on + 1));
                    (at, on) = (star_at + 1, star_on + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|&byte| byte == b'*')
}

/// Returns the length of the first element of a pattern if it matches a byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => {
            let end = memchr::memchr(b']', pattern.get(2..)?)? + 2;
            let set = pattern.get(1..end)?;
            let (negated, set) = match set.first() {
                Some(b'!' | b'^') => (true, set.get(1..)?),
                _ => (false, set),
            };
            let range = |range: &[u8]| matches!(range, &[from, b'-', to] if (from..=to).contains(&byte));
            let holds = set.contains(&byte) || set.windows(3).any(range);
            (holds != negated).then_some(end + 1)
        }
        &plain => (plain == byte).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nixdive_image::testing::{path, tree};

    #[test]
    fn patterns_match_as_in_a_shell() {
        let cases: [(&str, &str, bool); 9] = [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.confx", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?x", "ax", true),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[0-9]*", "x", false),
            ("**", "", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_names_what_is_there() {
        let tree = tree(&[&["f etc/m/b.conf 1", "f etc/m/a.conf 1", "f etc/m/.c.conf 1", "l etc/n -> m"]]);
        let view = View::new(&tree).unwrap();
        let found = |pattern: &str| -> Vec<String> {
            expand(&view, pattern.as_bytes()).into_iter().map(|node| path(&tree, node)).collect()
        };
        assert_eq!(found("/etc/n/*.conf"), ["/etc/m/a.conf", "/etc/m/b.conf"]);
        assert_eq!(found("/etc/m/a.conf"), ["/etc/m/a.conf"]);
        assert!(found("/etc/x/*").is_empty());
    }
}
