use std::borrow::Cow;

use hashbrown::HashMap;

use super::set::trim_slashes;

/// Largest database file that is read, bytes.
pub const MAX_DATABASE_BYTES: u64 = 64 << 20;

/// A file of an image that is part of a package database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Database {
    /// `/var/lib/dpkg/status`: all packages.
    DpkgStatus,
    /// `/var/lib/dpkg/status.d/NAME`: one package, in images assembled without dpkg.
    DpkgStatusPart,
    /// `/var/lib/dpkg/status.d/NAME.md5sums`: the files of that package.
    DpkgChecksums,
    /// `/var/lib/dpkg/info/NAME[:ARCHITECTURE].list`: the files of one package.
    DpkgFileList,
    /// `/var/lib/dpkg/diversions`: files that lie elsewhere than their package says.
    DpkgDiversions,
    /// `/lib/apk/db/installed`: all packages with their files.
    ApkInstalled,
    /// `rpmdb.sqlite`: all packages with their files.
    RpmSqlite,
    /// `Packages.db`: the same in RPM's own format.
    RpmNdb,
    /// `Packages`: the same as a Berkeley DB hash.
    RpmBerkeley,
    /// `container-manifest-2`: all packages of an image assembled without an RPM database.
    RpmManifest,
    /// `manifest.wall` of chisel: all packages of which the image holds slices, with their files.
    ChiselManifest,
    /// `*.dist-info/METADATA`, `*.egg-info/PKG-INFO`, `*.egg/EGG-INFO/PKG-INFO` or a file `*.egg-info`: one
    /// distribution.
    PythonMetadata,
    /// `*.dist-info/RECORD`: its files.
    PythonRecord,
    /// `*.egg-info/installed-files.txt`: its files.
    PythonInstalledFiles,
}

const RPM_DIRECTORIES: [&[u8]; 3] = [b"var/lib/rpm", b"usr/lib/sysimage/rpm", b"usr/share/rpm"];

/// Which database a regular file of an image is, by its absolute path; a leading slash may be left out.
#[must_use]
pub fn wanted(path: &[u8]) -> Option<Database> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let (directory, name) = match memchr::memrchr(b'/', path) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    let in_rpm = || RPM_DIRECTORIES.contains(&directory);
    let found = |holds: bool, database| holds.then_some(database);
    match name {
        b"METADATA" => found(directory.ends_with(b".dist-info"), Database::PythonMetadata),
        b"RECORD" => found(directory.ends_with(b".dist-info"), Database::PythonRecord),
        b"PKG-INFO" => {
            found(directory.ends_with(b".egg-info") || directory.ends_with(b".egg/EGG-INFO"), Database::PythonMetadata)
        }
        b"installed-files.txt" => found(directory.ends_with(b".egg-info"), Database::PythonInstalledFiles),
        b"installed" => found(matches!(directory, b"lib/apk/db" | b"usr/lib/apk/db"), Database::ApkInstalled),
        b"rpmdb.sqlite" => found(in_rpm(), Database::RpmSqlite),
        b"Packages.db" => found(in_rpm(), Database::RpmNdb),
        b"Packages" => found(in_rpm(), Database::RpmBerkeley),
        b"container-manifest-2" => found(directory == b"var/lib/rpmmanifest", Database::RpmManifest),
        b"manifest.wall" => found(directory.ends_with(b"chisel"), Database::ChiselManifest),
        _ if directory.starts_with(b"var/lib/dpkg") => wanted_of_dpkg(directory, name),
        _ => found(name.len() > b".egg-info".len() && name.ends_with(b".egg-info"), Database::PythonMetadata),
    }
}

fn wanted_of_dpkg(directory: &[u8], name: &[u8]) -> Option<Database> {
    match (directory, name) {
        (b"var/lib/dpkg", b"status") => Some(Database::DpkgStatus),
        (b"var/lib/dpkg", b"diversions") => Some(Database::DpkgDiversions),
        (b"var/lib/dpkg/info", name) if name.ends_with(b".list") => Some(Database::DpkgFileList),
        (b"var/lib/dpkg/status.d", name) if name.ends_with(b".md5sums") => Some(Database::DpkgChecksums),
        (b"var/lib/dpkg/status.d", _) => Some(Database::DpkgStatusPart),
        _ => None,
    }
}

/// A database file with its content.
#[derive(Debug, Clone)]
pub struct DatabaseFile<'a> {
    /// Absolute path; a leading slash may be left out.
    pub path: Cow<'a, [u8]>,
    /// All of its bytes.
    pub content: &'a [u8],
}

/// The database files of one image by their paths.
pub(super) struct Files<'a> {
    files: &'a [DatabaseFile<'a>],
    by_path: HashMap<&'a [u8], usize>,
}

impl<'a> Files<'a> {
    /// Collects files; of two with the same path the last counts.
    pub fn new(files: &'a [DatabaseFile<'a>]) -> Self {
        Self {
            files,
            by_path: files.iter().enumerate().map(|(index, file)| (trim_slashes(&file.path), index)).collect(),
        }
    }

    /// The file of that path, without slashes at its ends: its index and its content.
    pub fn get(&self, path: &[u8]) -> Option<(usize, &'a [u8])> {
        let index = *self.by_path.get(path)?;
        Some((index, self.files.get(index)?.content))
    }
}

/// Why a database cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub &'static str);

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn databases_are_known_by_their_paths() {
        let cases: [(&[u8], Option<Database>); 25] = [
            (b"/var/lib/dpkg/status", Some(Database::DpkgStatus)),
            (b"var/lib/dpkg/status", Some(Database::DpkgStatus)),
            (b"/var/lib/dpkg/status-old", None),
            (b"/var/lib/dpkg/status.d/base", Some(Database::DpkgStatusPart)),
            (b"/var/lib/dpkg/status.d/base.md5sums", Some(Database::DpkgChecksums)),
            (b"/var/lib/dpkg/info/libc6:amd64.list", Some(Database::DpkgFileList)),
            (b"/var/lib/dpkg/info/libc6:amd64.md5sums", None),
            (b"/var/lib/dpkg/diversions", Some(Database::DpkgDiversions)),
            (b"/lib/apk/db/installed", Some(Database::ApkInstalled)),
            (b"/usr/lib/apk/db/installed", Some(Database::ApkInstalled)),
            (b"/srv/lib/apk/db/installed", None),
            (b"/var/lib/rpm/rpmdb.sqlite", Some(Database::RpmSqlite)),
            (b"/usr/lib/sysimage/rpm/Packages.db", Some(Database::RpmNdb)),
            (b"/var/lib/rpm/Packages", Some(Database::RpmBerkeley)),
            (b"/srv/rpm/Packages", None),
            (b"/var/lib/rpmmanifest/container-manifest-2", Some(Database::RpmManifest)),
            (b"/var/lib/chisel/manifest.wall", Some(Database::ChiselManifest)),
            (b"/srv/manifest.wall", None),
            (b"/nix/store/x/lib/python3/site-packages/six-1.dist-info/METADATA", Some(Database::PythonMetadata)),
            (b"/opt/six-1.dist-info/RECORD", Some(Database::PythonRecord)),
            (b"/opt/six-1.egg-info/PKG-INFO", Some(Database::PythonMetadata)),
            (b"/opt/six-1.egg-info/installed-files.txt", Some(Database::PythonInstalledFiles)),
            (b"/opt/six-1.egg/EGG-INFO/PKG-INFO", Some(Database::PythonMetadata)),
            (b"/opt/six-1.egg-info", Some(Database::PythonMetadata)),
            (b"/opt/six-1.dist-info/top_level.txt", None),
        ];
        for (path, expected) in cases {
            assert_eq!(wanted(path), expected, "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn a_database_that_is_none_is_a_problem_and_the_others_are_still_read() {
        let files = [
            DatabaseFile { path: b"/var/lib/rpm/rpmdb.sqlite"[..].into(), content: b"not a database" },
            DatabaseFile { path: b"/lib/apk/db/installed"[..].into(), content: b"P:musl\nV:1.2\n" },
        ];
        let parsed = parse(&files);
        assert_eq!(parsed.packages.packages().len(), 1);
        assert_eq!(parsed.problems.len(), 1);
        assert_eq!(parsed.problems[0].path, b"var/lib/rpm/rpmdb.sqlite");
    }

    const PATHS: [&str; 14] = [
        "/var/lib/dpkg/status",
        "/var/lib/dpkg/status.d/a",
        "/var/lib/dpkg/status.d/a.md5sums",
        "/var/lib/dpkg/info/a.list",
        "/var/lib/dpkg/diversions",
        "/lib/apk/db/installed",
        "/var/lib/rpm/rpmdb.sqlite",
        "/var/lib/rpm/Packages",
        "/var/lib/rpm/Packages.db",
        "/var/lib/rpmmanifest/container-manifest-2",
        "/var/lib/chisel/manifest.wall",
        "/opt/a.dist-info/METADATA",
        "/opt/a.dist-info/RECORD",
        "/opt/a.egg-info/installed-files.txt",
    ];

    proptest! {
        #[test]
        fn no_content_of_any_database_panics(contents in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..256),
                "((Package|P|Name|Version|Status|F|R|Installed-Size)[:,= ]{0,2}[a/\" ,.\\n]{0,6}\n?){0,12}"
                    .prop_map(String::into_bytes),
            ],
            PATHS.len(),
        )) {
            let files: Vec<DatabaseFile> = PATHS
                .iter()
                .zip(&contents)
                .map(|(path, content)| DatabaseFile { path: path.as_bytes().into(), content })
                .collect();
            let parsed = parse(&files);
            for package in parsed.packages.packages() {
                for file in parsed.packages.files(package) {
                    prop_assert!(!file.name.is_empty() && !file.name.contains(&b'/'));
                }
            }
        }

        #[test]
        fn no_path_panics(path in "[/a-z.]{0,12}(METADATA|status|Packages|[.]egg-info|[.]list)?") {
            let _ = wanted(path.as_bytes());
        }
    }
}
