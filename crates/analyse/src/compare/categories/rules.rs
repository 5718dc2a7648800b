//! Names and places by what they are for.

use super::Category;

/// Directories where users usually put their own files.
pub(super) const OWN_PLACES: [&[u8]; 8] =
    [b"/app/", b"/srv/", b"/opt/", b"/home/", b"/var/www/", b"/usr/local/", b"/usr/src/", b"/workspace/"];

/// Ends of the names of store paths that hold configuration.
pub(super) const CONFIGURATION_SUFFIXES: [&str; 9] =
    [".conf", ".cfg", ".ini", ".json", ".toml", ".yaml", ".yml", ".properties", "-config"];

const CACHE_PLACES: [&[u8]; 8] = [
    b"/var/cache/",
    b"/var/lib/apt/lists/",
    b"/var/log/",
    b"/tmp/",
    b"/var/tmp/",
    b"/root/.cache/",
    b"/root/.npm/",
    b"/usr/share/mime/mime.cache",
];
const MANAGER_PLACES: [&[u8]; 14] = [
    b"/var/lib/dpkg/",
    b"/var/lib/apt/",
    b"/etc/apt/",
    b"/etc/dpkg/",
    b"/var/lib/rpm/",
    b"/usr/lib/sysimage/",
    b"/usr/share/rpm/",
    b"/var/lib/dnf/",
    b"/etc/yum",
    b"/etc/dnf/",
    b"/lib/apk/",
    b"/usr/lib/apk/",
    b"/etc/apk/",
    b"/nix/var/",
];
const DOCUMENT_PARTS: [&[u8]; 13] = [
    b"/share/doc/",
    b"/share/man/",
    b"/share/info/",
    b"/share/help/",
    b"/share/gtk-doc/",
    b"/share/locale/",
    b"/share/i18n/",
    b"/share/zoneinfo/",
    b"/share/bug/",
    b"/share/lintian/",
    b"/share/common-licenses/",
    b"/lib/locale/",
    b"/share/doc-base/",
];

/// Returns the category that a path implies, whoever owns the file.
pub(super) fn by_place(path: &[u8]) -> Option<Category> {
    let contains = |part: &&[u8]| memchr::memmem::find(path, part).is_some();
    if CACHE_PLACES.iter().any(|place| path.starts_with(place))
        || memchr::memmem::find(path, b"/__pycache__/").is_some()
        || path.ends_with(b".pyc")
    {
        return Some(Category::CachesAndWaste);
    }
    if MANAGER_PLACES.iter().any(|place| path.starts_with(place)) {
        return Some(Category::PackageManager);
    }
    DOCUMENT_PARTS.iter().any(contains).then_some(Category::DocumentationAndLocales)
}

const C_LIBRARIES: [&str; 6] = ["glibc", "libc6", "libc-bin", "musl", "uclibc", "libc-utils"];
const RUNTIMES: [&str; 27] = [
    "perl",
    "libperl",
    "python",
    "libpython",
    "ruby",
    "libruby",
    "nodejs",
    "node",
    "libnode",
    "php",
    "openjdk",
    "jdk",
    "jre",
    "temurin",
    "zulu",
    "java",
    "lua",
    "luajit",
    "libluajit",
    "erlang",
    "guile",
    "tcl",
    "dotnet",
    "mono",
    "cpython",
    "pypy",
    "ghc",
];
const MANAGERS: [&str; 23] = [
    "apt",
    "dpkg",
    "libapt-pkg",
    "debconf",
    "debian-archive-keyring",
    "ubuntu-keyring",
    "gpgv",
    "apk-tools",
    "libapk",
    "alpine-keys",
    "rpm",
    "librpm",
    "dnf",
    "libdnf",
    "yum",
    "microdnf",
    "librepo",
    "libsolv",
    "zypper",
    "libzypp",
    "nix",
    "pip",
    "setuptools",
];
const TOOLS: [&str; 40] = [
    "bash",
    "dash",
    "zsh",
    "busybox",
    "busybox-binsh",
    "coreutils",
    "sed",
    "gnused",
    "grep",
    "gnugrep",
    "gawk",
    "mawk",
    "findutils",
    "diffutils",
    "tar",
    "gnutar",
    "gzip",
    "bzip2",
    "xz",
    "util-linux",
    "util-linux-extra",
    "bsdutils",
    "debianutils",
    "hostname",
    "login",
    "passwd",
    "mount",
    "procps",
    "ncurses-base",
    "ncurses-bin",
    "sysvinit-utils",
    "init-system-helpers",
    "e2fsprogs",
    "logsave",
    "which",
    "less",
    "shadow",
    "base-files",
    "base-passwd",
    "adduser",
];

/// Returns the category that a software name in lower case implies.
pub(super) fn by_name(name: &str) -> Option<Category> {
    // The name itself, or it with a version or a further part: `perl`, `perl-base`, `python3.11`, not `perltidy`.
    let begins = |known: &&str| {
        name.strip_prefix(*known).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphabetic()))
    };
    if C_LIBRARIES.iter().any(&begins) {
        Some(Category::CLibrary)
    } else if TOOLS.contains(&name) || begins(&"bash") || begins(&"coreutils") {
        Some(Category::ShellAndCoreutils)
    } else if MANAGERS.iter().any(&begins) {
        Some(Category::PackageManager)
    } else if RUNTIMES.iter().any(begins) {
        Some(Category::LanguageRuntime)
    } else if matches!(name, "tzdata" | "locales" | "glibc-locales" | "man-db" | "libc-l10n") {
        Some(Category::DocumentationAndLocales)
    } else {
        None
    }
}

/// Returns `true` if a file name belongs to a C library.
pub(super) fn is_c_library(name: &[u8]) -> bool {
    let begins = [&b"ld-linux"[..], b"ld-musl-", b"libc.musl-", b"libc.so", b"libc-2.", b"libm.so", b"libpthread.so"];
    begins.iter().any(|known| name.starts_with(known))
}

/// Returns `true` if a file name is that of a shared library.
pub(super) fn is_shared_library(name: &[u8]) -> bool {
    name.ends_with(b".so") || memchr::memmem::find(name, b".so.").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_before_names() {
        let cases: [(&[u8], Option<Category>); 8] = [
            (b"/usr/share/doc/perl/README", Some(Category::DocumentationAndLocales)),
            (b"/share/man/man1/x.1.gz", Some(Category::DocumentationAndLocales)),
            (b"/var/lib/apt/lists/x", Some(Category::CachesAndWaste)),
            (b"/var/lib/dpkg/status", Some(Category::PackageManager)),
            (b"/lib/apk/db/installed", Some(Category::PackageManager)),
            (b"/app/__pycache__/a.pyc", Some(Category::CachesAndWaste)),
            (b"/app/main.py", None),
            (b"/usr/bin/perl", None),
        ];
        for (path, category) in cases {
            assert_eq!(by_place(path), category, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn names_tell_what_software_is_for() {
        let cases = [
            ("perl-base", Some(Category::LanguageRuntime)),
            ("python3.11-minimal", Some(Category::LanguageRuntime)),
            ("perltidy", None),
            ("libc6", Some(Category::CLibrary)),
            ("glibc", Some(Category::CLibrary)),
            ("libcap2", None),
            ("apt", Some(Category::PackageManager)),
            ("bash", Some(Category::ShellAndCoreutils)),
            ("nginx", None),
        ];
        for (name, category) in cases {
            assert_eq!(by_name(name), category, "{name}");
        }
    }
}
