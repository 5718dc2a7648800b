use std::borrow::Cow;

use hashbrown::HashMap;

use super::set::trim_slashes;

/// Largest database file that is read, bytes.
pub const MAX_DATABASE_BYTES: u64 = 64 << 20;

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
            let _ = crate::is_wanted(path.as_bytes());
        }
    }
}
