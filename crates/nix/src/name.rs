//! Names of store paths taken apart: package, version, output.

/// Splits a name as Nix's `builtins.parseDrvName` does: the version begins after the first dash
/// that something other than a letter follows. The version is empty without such a dash.
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

/// Words that belong to a version though they have no digit: `2.0-beta`, `0-unstable-2024-01-01`.
const VERSION_WORDS: [&str; 36] = [
    "a",
    "alpha",
    "b",
    "beta",
    "canary",
    "ce",
    "dev",
    "dfsg",
    "dirty",
    "eap",
    "edge",
    "ee",
    "final",
    "ga",
    "git",
    "head",
    "lts",
    "m",
    "main",
    "master",
    "milestone",
    "nightly",
    "p",
    "patch",
    "post",
    "pre",
    "preview",
    "prerelease",
    "r",
    "rc",
    "release",
    "rev",
    "snapshot",
    "stable",
    "tip",
    "unstable",
];

/// A name taken apart: `openssl-3.0.9-dev` is package `openssl`, version `3.0.9`, output `dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackageName<'n> {
    /// Without version and output.
    pub name: &'n str,
    /// Empty where the name has none.
    pub version: &'n str,
    /// The part after the version: a usual output, or words that distinguish a build from the plain
    /// package, as in `python3-3.11.2-env` and `vim-9.1-wrapped`; `out` if nothing follows.
    pub output: &'n str,
}

impl<'n> PackageName<'n> {
    /// Takes a store path's name apart. A last part counts as output when it is one that packages usually have, so
    /// `web-root` stays whole; behind a version, any words do that belong to no version. `.drv` is left out.
    #[must_use]
    pub fn parse(name: &'n str) -> Self {
        let name = name.strip_suffix(".drv").unwrap_or(name);
        let (stem, output) = match name.rsplit_once('-') {
            Some((stem, last)) if !stem.is_empty() && OUTPUTS.binary_search(&last).is_ok() => (stem, last),
            _ => (name, "out"),
        };
        let (package, version) = split_version(stem);
        // A name that begins with a dash and a digit has no package left; then all of it is the name.
        if package.is_empty() {
            return Self { name: stem, version: "", output };
        }
        let plain = without_words(version);
        match name.get(package.len() + 1 + plain.len() + 1..) {
            Some(words) if plain.len() < version.len() => Self { name: package, version: plain, output: words },
            _ => Self { name: package, version, output },
        }
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

/// A version without the words behind it that belong to no version.
fn without_words(version: &str) -> &str {
    let mut plain = version;
    while let Some((rest, word)) = plain.rsplit_once('-') {
        let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
        if rest.is_empty() || !is_word || VERSION_WORDS.contains(&word.to_ascii_lowercase().as_str()) {
            break;
        }
        plain = rest;
    }
    plain
}

/// Processors by which the platforms that nixpkgs builds for begin. A variant may follow: `armv7l`, `mips64el`.
const PROCESSORS: [&str; 26] = [
    "aarch64",
    "alpha",
    "arm",
    "avr",
    "hppa",
    "i386",
    "i486",
    "i586",
    "i686",
    "javascript",
    "loongarch64",
    "m68k",
    "microblaze",
    "mips",
    "mmix",
    "msp430",
    "or1k",
    "powerpc",
    "riscv32",
    "riscv64",
    "rx",
    "s390",
    "sparc",
    "vc4",
    "wasm",
    "x86_64",
];
/// Vendors in the names of platforms.
const VENDORS: [&str; 6] = ["apple", "none", "pc", "unknown", "w64", "ibm"];
/// Kernels and ABIs in the names of platforms, by their beginnings.
const SYSTEMS: [&str; 24] = [
    "android", "cygwin", "darwin", "eabi", "elf", "freebsd", "genode", "ghcjs", "gnu", "ios", "linux", "macos",
    "mingw", "mmixware", "msvc", "musl", "netbsd", "none", "openbsd", "redox", "solaris", "uclibc", "wasi", "windows",
];

/// The name of a package without the platform that a cross compiler is for, at its beginning or end, and without the
/// stage of a bootstrap: `gcc` of `aarch64-unknown-linux-gnu-gcc` and of `x86_64-unknown-linux-musl-stage-final-gcc`.
#[must_use]
pub fn without_platform(name: &str) -> &str {
    let rest = name.strip_prefix(platform(name)).unwrap_or(name);
    let rest = rest.strip_prefix('-').unwrap_or(name);
    let rest = ["stage-final-", "stage-static-"].iter().find_map(|stage| rest.strip_prefix(stage)).unwrap_or(rest);
    let ends = rest.match_indices('-').map(|(dash, _)| dash);
    let mut ends = ends.filter(|&dash| rest.get(dash + 1..).is_some_and(|end| !end.is_empty() && platform(end) == end));
    ends.next().and_then(|dash| rest.get(..dash)).filter(|rest| !rest.is_empty()).unwrap_or(rest)
}

/// The platform that a text begins with, or nothing: a processor, perhaps a vendor, then at least one system.
fn platform(text: &str) -> &str {
    let mut parts = text.split('-');
    let Some(processor) = parts.next().filter(|part| PROCESSORS.iter().any(|known| part.starts_with(known))) else {
        return "";
    };
    let (mut length, mut systems) = (processor.len(), 0);
    for (place, part) in parts.enumerate() {
        let is_system = SYSTEMS.iter().any(|known| part.starts_with(known));
        let is_vendor = place == 0 && VENDORS.contains(&part);
        if !(is_system || is_vendor) {
            break;
        }
        systems += usize::from(is_system);
        length += 1 + part.len();
    }
    // Some processors for small devices have no system.
    if systems > 0 || matches!(processor, "avr" | "msp430") { text.get(..length).unwrap_or_default() } else { "" }
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
    fn words_behind_a_version_are_no_part_of_it() {
        let cases = [
            ("python3-3.11.2-env", ("python3", "3.11.2", "env")),
            ("python3-3.11.2", ("python3", "3.11.2", "out")),
            ("vim-9.1.0148-wrapped", ("vim", "9.1.0148", "wrapped")),
            ("neovim-0.9.5-unwrapped", ("neovim", "0.9.5", "unwrapped")),
            ("gcc-wrapper-13.2.0", ("gcc-wrapper", "13.2.0", "out")),
            ("ghc-9.4.7-with-packages", ("ghc", "9.4.7", "with-packages")),
            ("openjdk-17.0.7+7-minimal-jre", ("openjdk", "17.0.7+7", "minimal-jre")),
            ("steam-1.0.0.78-fhsenv-rootfs", ("steam", "1.0.0.78", "fhsenv-rootfs")),
            ("perl-5.38.2-env-man", ("perl", "5.38.2", "env-man")),
            ("foo-0-unstable-2024-01-01", ("foo", "0-unstable-2024-01-01", "out")),
            ("foo-2.0-beta", ("foo", "2.0-beta", "out")),
            ("foo-2.0-RC", ("foo", "2.0-RC", "out")),
            ("foo-2.0-rc1", ("foo", "2.0-rc1", "out")),
            ("foo-2.0-rc-env", ("foo", "2.0-rc", "env")),
            ("bash-5.2-p15", ("bash", "5.2-p15", "out")),
            ("foo-_x", ("foo", "_x", "out")),
        ];
        for (name, (package, version, output)) in cases {
            assert_eq!(PackageName::parse(name), PackageName { name: package, version, output }, "{name}");
        }
    }

    #[test]
    fn the_platform_of_a_cross_compiler_is_no_part_of_its_name() {
        let cases = [
            ("x86_64-unknown-linux-musl-gcc", "gcc"),
            ("aarch64-unknown-linux-gnu-binutils-wrapper", "binutils-wrapper"),
            ("armv7l-unknown-linux-gnueabihf-gcc-wrapper", "gcc-wrapper"),
            ("arm-none-eabi-gcc", "gcc"),
            ("riscv64-none-elf-binutils", "binutils"),
            ("i686-w64-mingw32-gcc", "gcc"),
            ("aarch64-apple-darwin-clang", "clang"),
            ("wasm32-unknown-wasi-clang-wrapper", "clang-wrapper"),
            ("avr-gcc", "gcc"),
            ("x86_64-unknown-linux-musl-stage-final-gcc", "gcc"),
            ("powerpc64le-unknown-linux-gnu-binutils", "binutils"),
            ("s390x-unknown-linux-gnu-gcc", "gcc"),
            ("mips64el-unknown-linux-gnuabi64-gcc", "gcc"),
            ("gcc-x86_64-unknown-linux-musl", "gcc"),
            ("hello-aarch64-unknown-linux-gnu", "hello"),
            ("x86_64-linux-gnu-gcc", "gcc"),
            ("gcc", "gcc"),
            ("gcc-wrapper", "gcc-wrapper"),
            ("stdenv-linux", "stdenv-linux"),
            ("arm-trusted-firmware", "arm-trusted-firmware"),
            ("x86_64-unknown-linux-musl", "x86_64-unknown-linux-musl"),
            ("linux-headers", "linux-headers"),
        ];
        for (name, rest) in cases {
            assert_eq!(without_platform(name), rest, "{name}");
        }
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
