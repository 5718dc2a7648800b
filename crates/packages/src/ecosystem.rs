//! The interface of package systems. Each implements [`Ecosystem`] in a file of its own, and the list in this file names
//! them all: adding one takes that file, a line in the list, and tests.

use std::cmp::Ordering;

use super::database::{Files, Malformed};
use super::set::SetBuilder;
use super::{Distribution, Package};

/// Role of a file in a package database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Names packages: it is parsed.
    Database,
    /// Completes a database, such as a list of a package's files: it is read together with that database.
    Companion,
}

/// A database file that is to be parsed.
pub(crate) struct Source<'s> {
    /// Index among the files of the image.
    pub index: usize,
    /// Path without slashes at its ends.
    pub path: &'s [u8],
    /// All of its bytes.
    pub content: &'s [u8],
    /// All database files and companions of the image.
    pub files: &'s Files<'s>,
}

/// A package system.
pub(crate) trait Ecosystem: Sync {
    /// Name in reports and in options, such as `deb`.
    fn name(&self) -> &'static str;

    /// Returns the role of a file in this package system's database, by its directory and its name, neither with a slash
    /// at its ends; `None` for other files.
    fn part(&self, directory: &[u8], name: &[u8]) -> Option<Part>;

    /// Revision of [`Ecosystem::part`], to be raised when it accepts other files: cached layers hold only the files that
    /// an older revision accepted.
    fn revision(&self) -> u32 {
        1
    }

    /// Adds the packages of a database to the set.
    ///
    /// # Errors
    /// If the database cannot be parsed. Packages added before stay.
    fn parse(&self, source: &Source<'_>, builder: &mut SetBuilder) -> Result<(), Malformed>;

    /// Compares two versions of one package. Defined for all texts, also those that its rules do not allow.
    fn compare_versions(&self, left: &str, right: &str) -> Ordering;

    /// Package URL of a package (purl specification 1.0).
    fn package_url(&self, package: &Package, distribution: &Distribution) -> String;

    /// Returns `true` if its packages make up the distribution, and `false` if applications bring them along.
    fn is_of_distribution(&self) -> bool {
        true
    }

    /// Returns `true` if two entries of the same name, version and architecture are one package.
    fn has_one_of_each(&self) -> bool {
        self.is_of_distribution()
    }
}

macro_rules! ecosystems {
    ($($(#[$documentation:meta])* $kind:ident => $ecosystem:expr),+ $(,)?) => {
        /// The package system that a package belongs to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PackageKind {
            $($(#[$documentation])* $kind),+
        }

        impl PackageKind {
            /// All package systems, in the order in which packages are listed.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            pub(crate) fn ecosystem(self) -> &'static dyn Ecosystem {
                match self {
                    $(Self::$kind => &$ecosystem),+
                }
            }
        }
    };
}

ecosystems! {
    /// Debian's dpkg.
    Deb => super::deb::Dpkg,
    /// Alpine's apk.
    Apk => super::apk::Apk,
    /// RPM.
    Rpm => super::rpm::Rpm,
    /// A Python distribution: `*.dist-info` or `*.egg-info`.
    Python => super::python::Python,
}

impl PackageKind {
    /// Name in reports and in options: `deb`, `apk`, `rpm`, `python`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.ecosystem().name()
    }

    /// Compares two versions of one package by the rules of its package system. Defined for all texts.
    #[must_use]
    pub fn compare_versions(self, left: &str, right: &str) -> Ordering {
        self.ecosystem().compare_versions(left, right)
    }

    /// Returns `true` if its packages make up the distribution, and `false` if applications bring them along.
    #[must_use]
    pub fn is_of_distribution(self) -> bool {
        self.ecosystem().is_of_distribution()
    }
}

impl Package {
    /// Package URL of the package (purl specification 1.0).
    #[must_use]
    pub fn url(&self, distribution: &Distribution) -> String {
        self.kind.ecosystem().package_url(self, distribution)
    }
}

/// Returns the package system that a regular file belongs to, and its role, by its absolute path with or without the
/// leading slash.
pub(crate) fn part_of(path: &[u8]) -> Option<(PackageKind, Part)> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let (directory, name) = match memchr::memrchr(b'/', path) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    PackageKind::ALL.iter().find_map(|&kind| Some((kind, kind.ecosystem().part(directory, name)?)))
}

/// Returns `true` if a regular file is part of a package database, by its absolute path with or without the leading
/// slash.
#[must_use]
pub fn is_wanted(path: &[u8]) -> bool {
    part_of(path).is_some()
}

/// Returns an identity of the files that [`is_wanted`] accepts: names and revisions of all package systems. Files that
/// were captured under a different identity have to be captured again.
#[must_use]
pub fn wanted_identity() -> String {
    let revision = |kind: &PackageKind| format!("{} {}", kind.as_str(), kind.ecosystem().revision());
    PackageKind::ALL.iter().map(revision).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_known_by_their_paths() {
        type Case = (&'static [u8], Option<(PackageKind, Part)>);
        let cases: [Case; 25] = [
            (b"/var/lib/dpkg/status", Some((PackageKind::Deb, Part::Database))),
            (b"var/lib/dpkg/status", Some((PackageKind::Deb, Part::Database))),
            (b"/var/lib/dpkg/status-old", None),
            (b"/var/lib/dpkg/status.d/base", Some((PackageKind::Deb, Part::Database))),
            (b"/var/lib/dpkg/status.d/base.md5sums", Some((PackageKind::Deb, Part::Companion))),
            (b"/var/lib/dpkg/info/libc6:amd64.list", Some((PackageKind::Deb, Part::Companion))),
            (b"/var/lib/dpkg/info/libc6:amd64.md5sums", None),
            (b"/var/lib/dpkg/diversions", Some((PackageKind::Deb, Part::Companion))),
            (b"/lib/apk/db/installed", Some((PackageKind::Apk, Part::Database))),
            (b"/usr/lib/apk/db/installed", Some((PackageKind::Apk, Part::Database))),
            (b"/srv/lib/apk/db/installed", None),
            (b"/var/lib/rpm/rpmdb.sqlite", Some((PackageKind::Rpm, Part::Database))),
            (b"/usr/lib/sysimage/rpm/Packages.db", Some((PackageKind::Rpm, Part::Database))),
            (b"/var/lib/rpm/Packages", Some((PackageKind::Rpm, Part::Database))),
            (b"/srv/rpm/Packages", None),
            (b"/var/lib/rpmmanifest/container-manifest-2", Some((PackageKind::Rpm, Part::Database))),
            (b"/var/lib/chisel/manifest.wall", Some((PackageKind::Deb, Part::Database))),
            (b"/srv/manifest.wall", None),
            (
                b"/nix/store/x/lib/python3/site-packages/six-1.dist-info/METADATA",
                Some((PackageKind::Python, Part::Database)),
            ),
            (b"/opt/six-1.dist-info/RECORD", Some((PackageKind::Python, Part::Companion))),
            (b"/opt/six-1.egg-info/PKG-INFO", Some((PackageKind::Python, Part::Database))),
            (b"/opt/six-1.egg-info/installed-files.txt", Some((PackageKind::Python, Part::Companion))),
            (b"/opt/six-1.egg/EGG-INFO/PKG-INFO", Some((PackageKind::Python, Part::Database))),
            (b"/opt/six-1.egg-info", Some((PackageKind::Python, Part::Database))),
            (b"/opt/six-1.dist-info/top_level.txt", None),
        ];
        for (path, expected) in cases {
            assert_eq!(part_of(path), expected, "{}", String::from_utf8_lossy(path));
        }
    }
}
