use hashbrown::HashSet;

use super::Abilities;

/// Maximum length of a path, bytes.
const MOST_PATH: usize = 512;
/// Maximum number of paths kept for a file.
const MOST_PATHS: usize = 65_536;
/// Maximum length of a library's name, bytes.
const MOST_LIBRARY: usize = 128;

/// Constants of a program, in parts.
pub(super) struct Constants<'a>(pub Vec<&'a [u8]>);

/// Absolute path in a program or a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    /// Path as written.
    pub path: Box<[u8]>,
    /// True if it is only the beginning of a path, followed by a format or a variable.
    pub is_prefix: bool,
    /// True if it is the value of a setting: `CC=/usr/bin/cc`.
    pub is_value: bool,
}

/// Returns absolute paths among constants in order, without duplicates.
pub(super) fn absolute_paths_of(constants: &Constants<'_>) -> Vec<Named> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for part in &constants.0 {
        collect(part, &mut seen, &mut found);
    }
    found
}

/// Returns absolute paths in a text in order, without duplicates.
pub(crate) fn absolute_paths(text: &[u8]) -> Vec<Named> {
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    collect(text, &mut seen, &mut found);
    found
}

fn collect<'a>(bytes: &'a [u8], seen: &mut HashSet<(&'a [u8], bool)>, found: &mut Vec<Named>) {
    let mut end = 0;
    for slash in memchr::memchr_iter(b'/', bytes) {
        if slash < end || found.len() >= MOST_PATHS || !begins(bytes, slash) {
            continue;
        }
        let rest = bytes.get(slash..).unwrap_or_default();
        let length = rest.iter().take(MOST_PATH).take_while(|&&byte| is_path_byte(byte)).count();
        end = slash + length;
        let path = rest.get(..length).unwrap_or_default();
        let follows = rest.get(length).copied();
        let is_prefix = matches!(follows, Some(b'%' | b'$' | b'{' | b'*' | b'<'));
        let path = if is_prefix { path } else { trim_sentence(path) };
        // `/` alone, `//`, `/*` and the like are not paths.
        let is_value = slash.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'=');
        if path.iter().filter(|&&byte| byte.is_ascii_alphanumeric()).count() >= 2 && seen.insert((path, is_value)) {
            found.push(Named { path: path.into(), is_prefix, is_value });
        }
    }
}

/// Returns `true` if a path can begin at this slash: the text before is not part of a path, an address or a fraction.
fn begins(bytes: &[u8], slash: usize) -> bool {
    let next_is_name = bytes.get(slash + 1).is_some_and(|&byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
    let before = slash.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or_default();
    // Options of one letter: `-I/usr/include`, `-L/usr/lib`.
    let option = || {
        let at = |back: usize| slash.checked_sub(back).and_then(|at| bytes.get(at)).copied().unwrap_or_default();
        before.is_ascii_alphabetic() && at(2) == b'-' && !is_path_byte(at(3))
    };
    let begins = !(is_path_byte(before) || matches!(before, b'}' | b'%' | b'*' | b'$' | b'<' | b'?' | b'\\' | b')'));
    // Addresses such as `http://host` have a colon before two slashes.
    next_is_name && (begins || option())
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._-+@~".contains(&byte)
}

/// Removes the full stop from a path at the end of a sentence.
fn trim_sentence(mut path: &[u8]) -> &[u8] {
    while let [rest @ .., b'.'] = path {
        path = rest;
    }
    path
}

/// Returns the capabilities that follow from constants. Strings of Go and Rust are stored without terminators, so that
/// paths cannot be extracted from them.
pub(super) fn signs(constants: &Constants<'_>) -> Abilities {
    let has = |sign: &[u8]| constants.0.iter().any(|part| memchr::memmem::find(part, sign).is_some());
    let mut found = Abilities::empty();
    let is_go = has(b"runtime.goexit");
    // Every Go program contains the directory; the function table lists the functions that it calls.
    if has(b"/usr/share/zoneinfo") && (!is_go || has(b"time.LoadLocation")) {
        found |= Abilities::ZONES;
    }
    if [&b"/etc/ssl/certs"[..], b"/etc/ssl/cert.pem", b"/etc/pki/tls/certs"].iter().any(|sign| has(sign)) {
        found |= Abilities::CERTIFICATES;
    }
    if is_go && has(b"os/exec.Command") {
        found |= Abilities::STARTS | Abilities::STARTS_BY_NAME;
    }
    found
}

/// Returns names of libraries among constants, without duplicates: `libfoo.so.1`, `mod_x.so`.
pub(super) fn libraries(constants: &Constants<'_>) -> Vec<Box<[u8]>> {
    let mut seen: HashSet<&[u8]> = HashSet::new();
    let mut found = Vec::new();
    for &part in &constants.0 {
        for at in memchr::memmem::find_iter(part, b".so") {
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+".contains(byte);
            let before = part.get(at.saturating_sub(MOST_LIBRARY)..at).unwrap_or_default();
            let start = at - before.iter().rev().take_while(|byte| is_name(byte)).count();
            let behind = part.get(at..).unwrap_or_default();
            let end = at + behind.iter().take(MOST_LIBRARY).take_while(|byte| is_name(byte)).count();
            let name = part.get(start..end).unwrap_or_default();
            let is_end = matches!(name.get(at - start + 3), None | Some(b'.'));
            let whole = part.get(end).is_none_or(|&byte| byte == 0);
            let begins = start.checked_sub(1).and_then(|at| part.get(at)).is_none_or(|&byte| byte == 0);
            if is_end && whole && begins && start < at && found.len() < super::MOST_NAMES && seen.insert(name) {
                found.push(name.into());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let shown = |named: Named| {
            let path = String::from_utf8(named.path.into_vec()).unwrap();
            if named.is_prefix { format!("{path}…") } else { path }
        };
        absolute_paths(text.as_bytes()).into_iter().map(shown).collect()
    }

    #[test]
    fn a_path_is_distinguished_from_an_address_a_fraction_and_a_format() {
        let cases: [(&str, &[&str]); 10] = [
            ("\0/etc/nginx/nginx.conf\0", &["/etc/nginx/nginx.conf"]),
            ("--prefix=/usr/share/nginx --pid=/run/a.pid", &["/usr/share/nginx", "/run/a.pid"]),
            ("http://example.org/etc/passwd", &[]),
            ("application/json text/html 1/2", &[]),
            ("/usr/share/%s/x", &["/usr/share/…"]),
            ("$HOME/.config ${D}/x %s/conf", &[]),
            ("/ // /* /.. /-", &[]),
            ("PATH=/usr/bin:/bin", &["/usr/bin", "/bin"]),
            ("See /usr/share/doc/x.", &["/usr/share/doc/x"]),
            ("-L/opt/lib x-L/opt/no", &["/opt/lib"]),
        ];
        for (text, expected) in cases {
            assert_eq!(paths(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_may_be_both_the_value_of_a_setting_and_its_own() {
        let found = absolute_paths(b"CC=/usr/bin/cc\0/usr/bin/cc\0/usr/bin/cc\0");
        assert_eq!(found.iter().map(|named| named.is_value).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn constants_without_an_end_tell_what_they_name() {
        let signs = |text: &[u8]| super::signs(&Constants(vec![b"other", text]));
        let rust = signs(b"invalid number/usr/share/zoneinfo/x509not found/etc/ssl/certsadd");
        assert_eq!(rust, Abilities::ZONES | Abilities::CERTIFICATES);
        assert_eq!(signs(b"time/usr/share/zoneinfo/x runtime.goexit"), Abilities::empty());
        assert_eq!(signs(b"/usr/share/zoneinfo/x runtime.goexit time.LoadLocation"), Abilities::ZONES);
        let starts = Abilities::STARTS | Abilities::STARTS_BY_NAME;
        assert_eq!(signs(b"runtime.goexit os/exec.Command"), starts);
    }

    #[test]
    fn names_of_libraries_stand_alone() {
        let constants =
            Constants(vec![b"\0libfoo.so.1\0libbar.so\0not a libx.so\0lib/liby.so\0.so\0a.source\0mod_z.so"]);
        let found = libraries(&constants);
        assert_eq!(found, [&b"libfoo.so.1"[..], b"libbar.so", b"mod_z.so"].map(Box::from));
    }
}
