/// Oddities of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddity {
    /// It had a `..`, which was held at the root.
    pub climbs: bool,
}

/// A name as an archive writes it, as a path below the root: without leading, trailing or double slashes, without
/// `.`, and with every `..` resolved and held at the root. The root itself is empty. Replaces what `path` held.
pub fn normalize(raw: &[u8], path: &mut Vec<u8>) -> Oddity {
    path.clear();
    // Most names are plain, and long ones are copied at once.
    let is_plain = !raw.starts_with(b"/")
        && !raw.starts_with(b".")
        && !raw.ends_with(b"/")
        && !memchr::memchr_iter(b'/', raw).any(|at| matches!(raw.get(at + 1), Some(b'.' | b'/')));
    if is_plain {
        path.extend_from_slice(raw);
        return Oddity::default();
    }
    let mut oddity = Oddity::default();
    for part in raw.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                oddity.climbs = true;
                path.truncate(memchr::memrchr(b'/', path).unwrap_or(0));
            }
            name => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(name);
            }
        }
    }
    oddity
}
