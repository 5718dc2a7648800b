//! Classification of files by path.

/// Directories of programs in the usual search path.
const PROGRAM_DIRECTORIES: [&[u8]; 6] =
    [b"/bin", b"/sbin", b"/usr/bin", b"/usr/sbin", b"/usr/local/bin", b"/usr/local/sbin"];

/// Files that a package of nixpkgs provides as data: their location, the package, and the path in it that they become a
/// link to. Without such a path, programs find the data in another way.
pub(super) struct DataRule {
    pub path: &'static str,
    pub attribute: &'static str,
    pub below: Option<&'static str>,
}

const fn data(path: &'static str, attribute: &'static str, below: Option<&'static str>) -> DataRule {
    DataRule { path, attribute, below }
}

const CERTIFICATES: &str = "cacert";
/// Path that replaces certificate bundles at the locations that distributions use.
const BUNDLE: Option<&str> = Some("etc/ssl/certs/ca-bundle.crt");

const DATA: [DataRule; 24] = [
    data("/etc/ssl/certs/ca-certificates.crt", CERTIFICATES, BUNDLE),
    data("/etc/ssl/certs/ca-bundle.crt", CERTIFICATES, BUNDLE),
    data("/etc/ssl/cert.pem", CERTIFICATES, BUNDLE),
    data("/etc/ssl/ca-bundle.pem", CERTIFICATES, BUNDLE),
    data("/etc/pki/tls/certs/ca-bundle.crt", CERTIFICATES, BUNDLE),
    data("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", CERTIFICATES, BUNDLE),
    data("/etc/ssl/certs/", CERTIFICATES, None),
    data("/etc/pki/", CERTIFICATES, None),
    data("/etc/ca-certificates/", CERTIFICATES, None),
    data("/etc/ca-certificates.conf", CERTIFICATES, None),
    data("/usr/share/ca-certificates/", CERTIFICATES, None),
    data("/usr/share/pki/", CERTIFICATES, None),
    data("/usr/share/zoneinfo/", "tzdata", Some("share/zoneinfo")),
    data("/etc/mime.types", "mailcap", Some("etc/mime.types")),
    data("/etc/services", "iana-etc", Some("etc/services")),
    data("/etc/protocols", "iana-etc", Some("etc/protocols")),
    data("/usr/share/terminfo/", "ncurses", Some("share/terminfo")),
    data("/lib/terminfo/", "ncurses", None),
    data("/usr/lib/terminfo/", "ncurses", None),
    data("/etc/terminfo/", "ncurses", None),
    data("/usr/share/fonts/truetype/dejavu/", "dejavu_fonts", Some("share/fonts/truetype")),
    data("/usr/lib/locale/", "glibcLocales", None),
    data("/usr/share/i18n/", "glibcLocales", None),
    data("/usr/share/locale/", "glibcLocales", None),
];

/// Returns the rule that applies to a path.
pub(super) fn data_rule(path: &[u8]) -> Option<&'static DataRule> {
    DATA.iter().find(|rule| {
        let of_rule = rule.path.as_bytes();
        if of_rule.ends_with(b"/") { path.starts_with(of_rule) } else { path == of_rule }
    })
}

const CACHE: &str = "a cache";
const LOG: &str = "a log";

/// Paths that are not carried over, with the reason.
const LEFT_OUT: [(&str, &str); 27] = [
    ("/etc/hostname", "written by the container runtime"),
    ("/etc/hosts", "written by the container runtime"),
    ("/etc/resolv.conf", "written by the container runtime"),
    ("/etc/mtab", "written by the container runtime"),
    ("/etc/machine-id", "generated on every machine"),
    ("/.dockerenv", "written by the container runtime"),
    ("/etc/ld.so.", "programs of nixpkgs find their libraries without it"),
    ("/etc/ld-musl-", "programs of nixpkgs find their libraries without it"),
    ("/etc/shadow", "accounts of nixpkgs' images have no passwords"),
    ("/etc/gshadow", "accounts of nixpkgs' images have no passwords"),
    ("/etc/passwd-", "a backup or lock file of tools"),
    ("/etc/group-", "a backup or lock file of tools"),
    ("/etc/subuid-", "a backup or lock file of tools"),
    ("/etc/subgid-", "a backup or lock file of tools"),
    ("/etc/.pwd.lock", "a backup or lock file of tools"),
    ("/var/lib/dpkg/", "state of the package manager"),
    ("/var/lib/apt/", "state of the package manager"),
    ("/var/lib/pam/", "state of the package manager"),
    ("/var/lib/rpm/", "state of the package manager"),
    ("/var/lib/dnf/", "state of the package manager"),
    ("/usr/lib/sysimage/rpm/", "state of the package manager"),
    ("/lib/apk/", "state of the package manager"),
    ("/etc/apk/", "state of the package manager"),
    ("/etc/apt/", "state of the package manager"),
    ("/var/cache/", CACHE),
    ("/var/log/", LOG),
    ("/dev/", "created by the container runtime"),
];

/// Trees that a language's package of nixpkgs provides, if no package of the image owns them.
const RUNTIME_TREES: [&str; 14] = [
    "/usr/local/include/",
    "/usr/local/lib/node_modules/npm/",
    "/usr/local/lib/node_modules/corepack/",
    "/opt/yarn-",
    "/opt/java/openjdk/",
    "/usr/local/openjdk-",
    "/usr/lib/jvm/",
    "/usr/local/go/",
    "/usr/local/lib/ruby/",
    "/usr/local/lib/erlang/",
    "/usr/local/lib/perl5/",
    "/usr/local/lib/php/",
    "/usr/local/share/man/",
    "/usr/share/man/",
];

/// Returns the reason why a path is not carried over, if any.
pub(super) fn left_out(path: &[u8]) -> Option<&'static str> {
    LEFT_OUT.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes())).map(|(_, why)| *why)
}

/// Returns `true` if a directory is not created for its contents. Log and cache directories are, as programs write to
/// them.
pub(super) fn is_left_directory(path: &[u8]) -> bool {
    let inside = [path, b"/"].concat();
    left_out(&inside).is_some_and(|why| why != CACHE && why != LOG) || data_rule(&inside).is_some()
}

/// Returns `true` if an unowned file is part of a language runtime.
pub(super) fn is_of_runtime(path: &[u8]) -> bool {
    RUNTIME_TREES.iter().any(|tree| path.starts_with(tree.as_bytes())) || is_of_python_library(path)
}

/// Matches `/usr/local/lib/python3.11/…`, except modules installed into it.
fn is_of_python_library(path: &[u8]) -> bool {
    let below = path.strip_prefix(b"/usr/local/lib/python3.").or_else(|| path.strip_prefix(b"/usr/lib/python3."));
    let Some(below) = below else { return false };
    ![&b"/site-packages/"[..], b"/dist-packages/"].iter().any(|part| memchr::memmem::find(below, part).is_some())
}

/// Returns `true` if a file is in a directory of the usual search path.
pub(super) fn is_in_program_directory(path: &[u8]) -> bool {
    memchr::memrchr(b'/', path)
        .is_some_and(|slash| PROGRAM_DIRECTORIES.contains(&path.get(..slash).unwrap_or_default()))
}

/// Returns `true` if a directory is named like a directory of programs.
pub(super) fn is_in_some_bin(path: &[u8]) -> bool {
    let mut parts = path.rsplit(|&byte| byte == b'/');
    parts.nth(1).is_some_and(|directory| matches!(directory, b"bin" | b"sbin"))
}

/// Returns `true` if a file is where the linker searches for libraries.
pub(super) fn is_in_library_directory(path: &[u8]) -> bool {
    ["/lib/", "/lib64/", "/lib32/", "/usr/lib/", "/usr/lib64/", "/usr/lib32/", "/usr/local/lib/", "/usr/local/lib64/"]
        .iter()
        .any(|directory| path.starts_with(directory.as_bytes()))
}

/// Returns `true` if a file name is that of a library.
pub(super) fn is_library_name(name: &[u8]) -> bool {
    name.ends_with(b".so") || memchr::memmem::find(name, b".so.").is_some()
}

/// Returns `true` if an attribute provides only data.
pub(in crate::emit) fn is_data(attribute: &str) -> bool {
    DATA.iter().any(|rule| rule.attribute == attribute && attribute != "ncurses")
}
