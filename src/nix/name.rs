//! Names of store paths taken apart: package, version, output.

/// Splits a name as Nix's `builtins.parseDrvName` does: the version begins after the first dash that something other
/// than a letter follows. The version is empty where there is no such dash.
#[must_use]
pub fn split_version(name: &str) -> (&str, &str) {
    let bytes = name.as_bytes();
    let dash = bytes.windows(2).position(|pair| pair[0] == b'-' && !pair[1].is_ascii_alphabetic());
    match dash {
        Some(dash) => (name.get(..dash).unwrap_or(name), name.get(dash + 1..).unwrap_or_default()),
        None => (name, ""),
    }
}

/// Outputs that nixpkgs packages have besides `out`, which leaves no suffix.
const OUTPUTS: [&str; 30] = [
    "bin",
    "client",
    "data",
    "debug",
    "dev",
    "devdoc",
    "devman",
    "dist",
    "doc",
    "dylib",
    "examples",
    "getent",
    "info",
    "installed",
    "lib",
    "lib32",
    "lib64",
    "libgcc",
    "man",
    "modules",
    "out",
    "py",
    "python",
    "server",
    "static",
    "terminfo",
    "tests",
    "tools",
    "tsrc",
    "tzdata",
];

/// A name taken apart: `openssl-3.0.9-dev` is package `openssl`, version `3.0.9`, output `dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackageName<'n> {
    /// Without version and output.
    pub name: &'n str,
    /// Empty where the name has none.
    pub version: &'n str,
    /// `out` where the name has no suffix that is a usual output.
    pub output: &'n str,
}

impl<'n> PackageName<'n> {
    /// Takes a store path's name apart. A last part counts as output when it is one that packages usually have, so
    /// `web-root` stays whole; `.drv` is left out.
    #[must_use]
    pub fn parse(name: &'n str) -> Self {
        let name = name.strip_suffix(".drv").unwrap_or(name);
        let (stem, output) = match name.rsplit_once('-') {
            Some((stem, last)) if !stem.is_empty() && OUTPUTS.binary_search(&last).is_ok() => (stem, last),
            _ => (name, "out"),
        };
        let (name, version) = split_version(stem);
        // A name that begins with a dash and a digit has no package left; then all of it is the name.
        if name.is_empty() { Self { name: stem, version: "", output } } else { Self { name, version, output } }
    }

    /// Takes a store path's name apart as `nix store diff-closures` does: any last part in lower-case letters counts
    /// as output, so `web-root` is `web` with output `root`.
    #[must_use]
    pub fn parse_as_diff_closures(name: &'n str) -> Self {
        let is_output = |last: &str| {
            matches!(last, "lib32" | "lib64")
                || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_lowercase()))
        };
        let (stem, output) = match name.rsplit_once('-') {
            Some((stem, last)) if is_output(last) => (stem, last),
            _ => (name, ""),
        };
        let (name, version) = split_version(stem);
        Self { name, version, output }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_begin_where_parse_drv_name_says() {
        // `nix-instantiate --eval -E 'builtins.parseDrvName "…"'`
        let cases = [
            ("perl-5.36.0-man", ("perl", "5.36.0-man")),
            ("foo-bar", ("foo-bar", "")),
            ("foo-_x", ("foo", "_x")),
            ("foo--1", ("foo", "-1")),
            ("-1", ("", "1")),
            ("foo-", ("foo-", "")),
            ("x-.5", ("x", ".5")),
            ("", ("", "")),
        ];
        for (name, parts) in cases {
            assert_eq!(split_version(name), parts, "{name}");
        }
    }

    #[test]
    fn outputs_are_told_from_names() {
        let cases = [
            ("openssl-3.0.9-dev", ("openssl", "3.0.9", "dev")),
            ("openssl-3.0.9", ("openssl", "3.0.9", "out")),
            ("gcc-12.2.0-lib", ("gcc", "12.2.0", "lib")),
            ("zlib-1.2.13.dfsg", ("zlib", "1.2.13.dfsg", "out")),
            ("web-root", ("web-root", "", "out")),
            ("nginx.conf", ("nginx.conf", "", "out")),
            ("python3.11-numpy-1.24.2", ("python3.11-numpy", "1.24.2", "out")),
            ("hello-2.12.1.drv", ("hello", "2.12.1", "out")),
            ("-dev", ("-dev", "", "out")),
            ("-1", ("-1", "", "out")),
        ];
        for (name, (package, version, output)) in cases {
            assert_eq!(PackageName::parse(name), PackageName { name: package, version, output }, "{name}");
        }
        assert!(OUTPUTS.is_sorted());
    }

    #[test]
    fn diff_closures_takes_any_last_word_for_an_output() {
        let whole = PackageName::parse_as_diff_closures("web-root");
        assert_eq!((whole.name, whole.version, whole.output), ("web", "", "root"));
        let versioned = PackageName::parse_as_diff_closures("glibc-2.36-lib64");
        assert_eq!((versioned.name, versioned.version, versioned.output), ("glibc", "2.36", "lib64"));
        assert_eq!(PackageName::parse_as_diff_closures("perl-5.36.0").output, "");
    }
}
