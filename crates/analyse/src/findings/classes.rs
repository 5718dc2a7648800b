use nixdive_image::{FileTree, NodeId};

/// Bytes that a path has on Linux at most; longer ones are of no known class.
const MOST_PATH: usize = 4096;

/// The purpose of a file, going by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The history of a source tree.
    VersionControl,
    /// A cache that a package manager keeps to be faster next time.
    PackageCache,
    /// Logs and temporary files.
    Temporary,
    /// Compilers and their installers.
    BuildTools,
    /// Manuals and documentation, licences left out.
    Documentation,
    /// Message catalogues and locale data.
    Locales,
    /// Headers, static libraries, descriptions for compilers.
    Development,
    /// Tests that come with a library.
    TestSuite,
    /// Compiled Python.
    Bytecode,
}

/// A class and the length in bytes of the leading part of the path that names the directory of all
/// such files.
pub type Classified = (Class, usize);

/// Directories of one class, the whole of them.
const DIRECTORIES: &[(&str, Class)] = &[
    ("/var/lib/apt/lists", Class::PackageCache),
    ("/var/cache/apt", Class::PackageCache),
    ("/var/cache/apk", Class::PackageCache),
    ("/etc/apk/cache", Class::PackageCache),
    ("/var/cache/dnf", Class::PackageCache),
    ("/var/cache/libdnf5", Class::PackageCache),
    ("/var/cache/yum", Class::PackageCache),
    ("/var/cache/zypp", Class::PackageCache),
    ("/var/cache/pacman/pkg", Class::PackageCache),
    ("/var/cache/man", Class::PackageCache),
    ("/usr/local/share/.cache", Class::PackageCache),
    ("/go/pkg/mod/cache", Class::PackageCache),
    ("/usr/local/cargo/registry", Class::PackageCache),
    ("/var/log", Class::Temporary),
    ("/var/tmp", Class::Temporary),
    ("/var/crash", Class::Temporary),
    ("/tmp", Class::Temporary),
    ("/usr/local/go", Class::BuildTools),
    ("/usr/local/rustup", Class::BuildTools),
    ("/usr/local/cargo/bin", Class::BuildTools),
];

/// The same, in a user's home.
const IN_HOME: &[(&str, Class)] = &[
    (".cache", Class::PackageCache),
    (".npm/_cacache", Class::PackageCache),
    (".npm/_logs", Class::PackageCache),
    (".yarn/cache", Class::PackageCache),
    (".cargo/registry", Class::PackageCache),
    (".m2/repository", Class::PackageCache),
    (".gradle/caches", Class::PackageCache),
    (".composer/cache", Class::PackageCache),
    (".nuget/packages", Class::PackageCache),
    (".rustup", Class::BuildTools),
];

/// Prefixes under which installations have their `share`, `include` and `lib`.
const PREFIXES: &[&str] = &["/usr/local", "/usr"];

/// Returns the purpose of a file outside the store. `path` is absolute.
pub fn classify(path: &[u8]) -> Option<Classified> {
    if let Some(found) = version_control(path) {
        return Some(found);
    }
    for &(directory, class) in DIRECTORIES {
        if is_below(path, directory) {
            return Some((class, directory.len()));
        }
    }
    if let Some(home) = home(path) {
        let rest = path.get(home..).unwrap_or_default();
        for &(directory, class) in IN_HOME {
            if is_below(rest.strip_prefix(b"/").unwrap_or_default(), directory) {
                return Some((class, home + 1 + directory.len()));
            }
        }
    }
    let is_database = path.starts_with(b"/var/lib/dpkg/") || path.starts_with(b"/var/cache/debconf/");
    if is_database && path.ends_with(b"-old") {
        return Some((Class::PackageCache, path.len()));
    }
    let prefix = PREFIXES.iter().find(|prefix| is_below(path, prefix)).map_or(0, |prefix| prefix.len());
    if prefix > 0 {
        return installed(path, prefix);
    }
    test_suite(path).or_else(|| bytecode(path))
}

/// Returns the purpose of a file in a store path, whose own path takes the first `store` bytes of
/// `path`.
pub fn classify_in_store(path: &[u8], store: usize) -> Option<Classified> {
    version_control(path).or_else(|| installed(path, store))
}

/// Returns the purpose of a file in an installation whose prefix takes the first `prefix` bytes.
fn installed(path: &[u8], prefix: usize) -> Option<Classified> {
    let inner = path.get(prefix..).unwrap_or_default();
    let directories: &[(&str, Class)] = &[
        ("/share/doc", Class::Documentation),
        ("/share/man", Class::Documentation),
        ("/share/info", Class::Documentation),
        ("/share/gtk-doc", Class::Documentation),
        ("/share/devhelp", Class::Documentation),
        ("/share/help", Class::Documentation),
        ("/man", Class::Documentation),
        ("/doc", Class::Documentation),
        ("/info", Class::Documentation),
        ("/share/locale", Class::Locales),
        ("/share/i18n", Class::Locales),
        ("/lib/locale", Class::Locales),
        ("/include", Class::Development),
        ("/share/aclocal", Class::Development),
        ("/share/pkgconfig", Class::Development),
        ("/share/cmake", Class::Development),
    ];
    for &(directory, class) in directories {
        if is_below(inner, directory) {
            // A licence has to go with what it is a licence of.
            let kept = class == Class::Documentation && is_licence(name(path));
            return (!kept).then_some((class, prefix + directory.len()));
        }
    }
    let in_library = inner.starts_with(b"/lib");
    if in_library && name(path).ends_with(b".a") {
        return Some((Class::Development, parent_length(path)));
    }
    if in_library && let Some(end) = component(inner, &[b"pkgconfig", b"cmake"]) {
        return Some((Class::Development, prefix + end));
    }
    test_suite(path).or_else(|| bytecode(path))
}

fn version_control(path: &[u8]) -> Option<Classified> {
    component(path, &[b".git", b".hg", b".svn"]).map(|end| (Class::VersionControl, end))
}

fn bytecode(path: &[u8]) -> Option<Classified> {
    component(path, &[b"__pycache__"]).map(|end| {
        // One row for all of a Python installation, not one for each directory.
        let tree = component(path, &[b"site-packages", b"dist-packages"]).or_else(|| python_library(path));
        (Class::Bytecode, tree.unwrap_or(end))
    })
}

/// The tests that come with libraries of Python and Node.
fn test_suite(path: &[u8]) -> Option<Classified> {
    let library =
        component(path, &[b"site-packages", b"dist-packages", b"node_modules"]).or_else(|| python_library(path))?;
    let rest = path.get(library..)?;
    let end = component(rest, &[b"tests", b"test", b"idle_test"])?;
    Some((Class::TestSuite, library + end))
}

/// Returns the end of `lib/python3.11` in a path.
fn python_library(path: &[u8]) -> Option<usize> {
    let mut end = 0;
    let mut last: &[u8] = b"";
    for part in path.split(|&byte| byte == b'/') {
        end += part.len();
        if last.starts_with(b"lib") && part.strip_prefix(b"python").is_some_and(|rest| rest.contains(&b'.')) {
            return (end < path.len()).then_some(end);
        }
        last = part;
        end += 1;
    }
    None
}

/// Returns the end of the first directory in a path whose name is among `names`.
fn component(path: &[u8], names: &[&[u8]]) -> Option<usize> {
    let mut end = 0;
    for part in path.split(|&byte| byte == b'/') {
        end += part.len();
        if end >= path.len() {
            return None;
        }
        if names.contains(&part) {
            return Some(end);
        }
        end += 1;
    }
    None
}

/// How long a path's home directory is, where it lies in one.
fn home(path: &[u8]) -> Option<usize> {
    if is_below(path, "/root") {
        return Some(5);
    }
    let rest = path.strip_prefix(b"/home/")?;
    memchr::memchr(b'/', rest).map(|length| length + 6)
}

fn is_below(path: &[u8], directory: &str) -> bool {
    path.strip_prefix(directory.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

fn parent_length(path: &[u8]) -> usize {
    memchr::memrchr(b'/', path).unwrap_or_default()
}

/// Returns `true` if a file is a licence or a notice, which must accompany the software.
pub(super) fn is_licence(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [&b"copyright"[..], b"licen", b"copying", b"notice"].iter().any(|start| name.starts_with(start))
}

/// The absolute path of a node; `None` for one that is longer than Linux has them, and costly to put together.
pub(super) fn short_path(tree: &FileTree, node: NodeId) -> Option<Vec<u8>> {
    let (mut bytes, mut at) = (0usize, node);
    while let Some(parent) = tree.parent(at) {
        bytes = bytes.saturating_add(tree.name(at).len() + 1);
        if bytes > MOST_PATH {
            return None;
        }
        at = parent;
    }
    Some(tree.path(node))
}

/// Returns `true` if a path belongs to documentation, an example or a test, where keys and
/// passwords are made up.
pub(super) fn is_made_up(path: &[u8]) -> bool {
    let made_up: [&[u8]; 18] = [
        b"doc",
        b"docs",
        b"documentation",
        b"man",
        b"example",
        b"examples",
        b"sample",
        b"samples",
        b"demo",
        b"test",
        b"tests",
        b"testing",
        b"testdata",
        b"test-data",
        b"fixtures",
        b"spec",
        b"__tests__",
        b"idle_test",
    ];
    let named = [&b"example"[..], b"sample", b"dummy", b"_test.", b"test_"];
    let lower = path.to_ascii_lowercase();
    let is_named = |part: &[u8]| named.iter().any(|word| memchr::memmem::find(part, word).is_some());
    component(&lower, &made_up).is_some() || lower.split(|&byte| byte == b'/').any(is_named)
}
