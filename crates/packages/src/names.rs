//! Names of software taken apart, so that the same is known under the names of different package systems.

use std::collections::BTreeSet;

/// `libssl.so.3` of `libssl.so.3` and `libz.so.1` of `libz.so.1.2.13`: the name with the first number of the version.
#[must_use]
pub fn soname(file: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(file).ok()?;
    let (library, version) = text.split_once(".so.")?;
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    (text.starts_with("lib") && !major.is_empty()).then(|| format!("{library}.so.{major}"))
}

/// The names under which software may be known elsewhere: as it is, and without what package systems add.
#[must_use]
pub fn normal_names(name: &str, kind: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let name = name.to_ascii_lowercase().replace('_', "-");
    let plain = name.split(':').next().unwrap_or_default().to_owned();
    // Debian: `libpcre2-8-0`, `zlib1g`, `libssl3`, `nginx-light`, `perl-base`.
    let mut stem = plain.clone();
    if matches!(kind, "deb" | "rpm" | "apk") {
        for suffix in ["-base", "-light", "-full", "-core", "-minimal", "-common", "-libs", "-bin", "-utils", "-data"] {
            if let Some(shorter) = stem.strip_suffix(suffix).filter(|shorter| shorter.len() >= 3) {
                stem = shorter.to_owned();
            }
        }
        if stem.starts_with("lib") || stem.ends_with("1g") {
            for shorter in without_numbers(&stem).into_iter().filter(|shorter| shorter.len() >= 3) {
                let bare = shorter.strip_prefix("lib").filter(|bare| bare.len() >= 3);
                names.extend(bare.map(str::to_owned));
                names.insert(shorter);
            }
        }
    }
    for prefix in ["gnu", "python3-", "python3.11-"] {
        names.extend(plain.strip_prefix(prefix).filter(|rest| rest.len() >= 3).map(str::to_owned));
    }
    names.extend([stem, plain]);
    names.retain(|name| name.len() >= 2);
    names
}

/// A name with ever fewer of the version numbers at its end: `libpcre2-8-0`, `libpcre2-8`, `libpcre2`, `libpcre`.
fn without_numbers(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let mut rest =
        name.strip_suffix('g').filter(|rest| rest.ends_with(|last: char| last.is_ascii_digit())).unwrap_or(name);
    for _ in 0..4 {
        let shorter = rest.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.').trim_end_matches('-');
        if shorter == rest {
            break;
        }
        names.push(shorter.to_owned());
        rest = shorter;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_known_by_name_and_major_version() {
        let cases: [(&[u8], Option<&str>); 6] = [
            (b"libz.so.1.2.13", Some("libz.so.1")),
            (b"libssl.so.3", Some("libssl.so.3")),
            (b"libpcre2-8.so.0.11.0", Some("libpcre2-8.so.0")),
            (b"libfoo.so", None),
            (b"ld-linux-x86-64.so.2", None),
            (b"libx.so.\xff", None),
        ];
        for (file, expected) in cases {
            assert_eq!(soname(file).as_deref(), expected);
        }
    }

    #[test]
    fn package_systems_names_are_taken_apart() {
        let cases = [
            ("zlib1g", "deb", "zlib"),
            ("libssl3", "deb", "ssl"),
            ("nginx-light", "deb", "nginx"),
            ("perl-base", "deb", "perl"),
            ("libpcre2-8-0", "deb", "pcre2"),
            ("gnused", "nix", "sed"),
            ("openssl", "nix", "openssl"),
        ];
        for (name, kind, expected) in cases {
            assert!(normal_names(name, kind).contains(expected), "{name}: {:?}", normal_names(name, kind));
        }
    }
}
