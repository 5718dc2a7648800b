//! What an image's file bytes are for. Rules by path come before rules by the name of what owns a file; who has another
//! opinion finds all names in the tables here.

use hashbrown::HashMap;

use super::Side;
use super::bytes::BothSides;
use super::equivalents::SoftwareId;
use super::files::visible_files;
use super::owners::Owners;
use crate::image::{Kind, NodeId};

/// What bytes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// What the image is made for: the program of its configuration, and what belongs to no package.
    Application,
    /// Perl, Python, Java and their like, with their standard libraries.
    LanguageRuntime,
    /// Libraries that programs load.
    SharedLibraries,
    /// glibc, musl, and the loader.
    CLibrary,
    /// Shells and the tools that scripts expect.
    ShellAndCoreutils,
    /// apt, dpkg, apk, rpm, their databases and keys.
    PackageManager,
    /// Manuals, documentation, translations, time zones.
    DocumentationAndLocales,
    /// Caches, logs, compiled byte code, and files that upper layers hide and the image ships all the same.
    CachesAndWaste,
    /// Below `/etc`, and configuration files with a store path of their own.
    Configuration,
    /// The rest.
    Other,
}

impl Category {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Application,
        Self::LanguageRuntime,
        Self::SharedLibraries,
        Self::CLibrary,
        Self::ShellAndCoreutils,
        Self::PackageManager,
        Self::DocumentationAndLocales,
        Self::CachesAndWaste,
        Self::Configuration,
        Self::Other,
    ];

    /// A name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::LanguageRuntime => "language runtime",
            Self::SharedLibraries => "shared libraries",
            Self::CLibrary => "C library",
            Self::ShellAndCoreutils => "shell and coreutils",
            Self::PackageManager => "package manager and its database",
            Self::DocumentationAndLocales => "documentation and locales",
            Self::CachesAndWaste => "caches and waste",
            Self::Configuration => "configuration",
            Self::Other => "other",
        }
    }

    /// A name for programs.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::LanguageRuntime => "languageRuntime",
            Self::SharedLibraries => "sharedLibraries",
            Self::CLibrary => "cLibrary",
            Self::ShellAndCoreutils => "shellAndCoreutils",
            Self::PackageManager => "packageManager",
            Self::DocumentationAndLocales => "documentationAndLocales",
            Self::CachesAndWaste => "cachesAndWaste",
            Self::Configuration => "configuration",
            Self::Other => "other",
        }
    }
}

/// File bytes of one category on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryBytes {
    /// Which.
    pub category: Category,
    /// Sums of file bytes; over all categories those of the image, hidden files included.
    pub bytes: BothSides<u64>,
}

/// Sums of both sides by category; all categories, in their order.
pub(super) fn compare(left: &Side<'_>, right: &Side<'_>, owners: &BothSides<Owners>) -> Vec<CategoryBytes> {
    let (left, right) = (sums(left, &owners.left), sums(right, &owners.right));
    let of = |sums: &HashMap<Category, u64>, category| sums.get(&category).copied().unwrap_or_default();
    let row = |category| CategoryBytes {
        category,
        bytes: BothSides { left: of(&left, category), right: of(&right, category) },
    };
    Category::ALL.into_iter().map(row).collect()
}

fn sums(side: &Side<'_>, owners: &Owners) -> HashMap<Category, u64> {
    let mut sums: HashMap<Category, u64> = HashMap::new();
    let tree = &side.image.tree;
    let classifier = Classifier::new(side, owners);
    let mut visible = 0u64;
    for (node, id) in visible_files(tree) {
        let occurrence = tree.occurrence(id);
        if occurrence.kind == Kind::File && occurrence.bytes > 0 {
            visible = visible.saturating_add(occurrence.bytes);
            let sum = sums.entry(classifier.category(node)).or_default();
            *sum = sum.saturating_add(occurrence.bytes);
        }
    }
    let hidden = side.image.file_bytes().saturating_sub(visible);
    let waste = sums.entry(Category::CachesAndWaste).or_default();
    *waste = waste.saturating_add(hidden);
    sums
}

struct Classifier<'a> {
    side: &'a Side<'a>,
    owners: &'a Owners,
    /// Names that software of the application has in its name.
    stems: Vec<String>,
    known: HashMap<SoftwareId, Option<Category>>,
}

impl<'a> Classifier<'a> {
    fn new(side: &'a Side<'a>, owners: &'a Owners) -> Self {
        let mut classifier = Self { side, owners, stems: Vec::new(), known: HashMap::new() };
        let named = owners.of_programs().map(|id| side.software_name(id).to_ascii_lowercase());
        classifier.stems = named.filter(|name| name.len() >= 3 && by_name(name).is_none()).collect();
        classifier.stems.sort();
        classifier.stems.dedup();
        classifier.known = side.software().map(|id| (id, classifier.of_software(id))).collect();
        classifier
    }

    fn of_software(&self, id: SoftwareId) -> Option<Category> {
        let name = self.side.software_name(id).to_ascii_lowercase();
        if let Some(category) = by_name(&name) {
            return Some(category);
        }
        if self.stems.iter().any(|stem| name.contains(stem.as_str())) {
            return Some(Category::Application);
        }
        let is_nix = matches!(id, SoftwareId::StorePath(_));
        if is_nix && CONFIGURATION_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            return Some(Category::Configuration);
        }
        // What has no version is made for this image and comes from no package collection.
        let is_own = is_nix && self.side.software_version(id).is_empty();
        let is_python = self.side.software_kind(id) == "python";
        (is_own || is_python).then_some(Category::Application)
    }

    fn category(&self, node: NodeId) -> Category {
        let path = self.side.image.tree.path(node);
        let owner = self.owners.of(node);
        let inner = inner_path(&path, owner);
        if let Some(category) = by_place(inner) {
            return category;
        }
        if let Some(category) = owner.and_then(|owner| self.known.get(&owner).copied().flatten()) {
            return category;
        }
        let name = memchr::memrchr(b'/', inner).map_or(inner, |slash| inner.get(slash + 1..).unwrap_or_default());
        if is_c_library(name) {
            return Category::CLibrary;
        }
        if inner.starts_with(b"/etc/") {
            return Category::Configuration;
        }
        if is_shared_library(name) {
            return Category::SharedLibraries;
        }
        match owner {
            Some(_) => Category::Other,
            None if self.owners.programs.contains(&node) || OWN_PLACES.iter().any(|own| inner.starts_with(own)) => {
                Category::Application
            }
            None => Category::Other,
        }
    }
}

/// A path within its store path, as it would be below `/` or `/usr`.
fn inner_path(path: &[u8], owner: Option<SoftwareId>) -> &[u8] {
    let in_store = matches!(owner, Some(SoftwareId::StorePath(_)));
    let below = path.strip_prefix(b"/nix/store/").filter(|_| in_store);
    below.and_then(|below| below.get(memchr::memchr(b'/', below)?..)).unwrap_or(path)
}

/// Where people put what is their own.
const OWN_PLACES: [&[u8]; 8] =
    [b"/app/", b"/srv/", b"/opt/", b"/home/", b"/var/www/", b"/usr/local/", b"/usr/src/", b"/workspace/"];

const CONFIGURATION_SUFFIXES: [&str; 9] =
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

fn by_place(path: &[u8]) -> Option<Category> {
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

/// What a name of software in lower case says of it.
fn by_name(name: &str) -> Option<Category> {
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

fn is_c_library(name: &[u8]) -> bool {
    let begins = [&b"ld-linux"[..], b"ld-musl-", b"libc.musl-", b"libc.so", b"libc-2.", b"libm.so", b"libpthread.so"];
    begins.iter().any(|known| name.starts_with(known))
}

fn is_shared_library(name: &[u8]) -> bool {
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
