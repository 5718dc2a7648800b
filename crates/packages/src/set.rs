mod builder;

use std::ops::Range;

use super::PackageKind;

pub(super) use builder::{SetBuilder, trim_slashes};

/// Index of a package in its [`PackageSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageIndex(pub u32);

impl PackageIndex {
    /// The index itself.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One installed package. Texts come from the image: show them through [`nixdive_base::text::display_name`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Whose database it stands in.
    pub kind: PackageKind,
    /// Name as the database writes it.
    pub name: Box<str>,
    /// Version as the database writes it; of an RPM `[epoch:]version-release`.
    pub version: Box<str>,
    /// Architecture, where the database gives one.
    pub architecture: Option<Box<str>>,
    /// Bytes installed, where the database gives them; dpkg counts in KiB.
    pub installed_bytes: Option<u64>,
    /// Licence as the database names it; dpkg's names none.
    pub licence: Option<Box<str>>,
    /// The source package that it was built from, where the database names one.
    pub source: Option<SourcePackage>,
    /// Index, among the files that were parsed, of the one that tells most of this package: its own file list or
    /// metadata where there is one.
    pub database_file: usize,
    files: Range<u32>,
}

/// A source package, by which distributions publish advisories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePackage {
    /// Its name: `openssl` of `libssl3`.
    pub name: Box<str>,
    /// Its version where that is another than the package's; of an RPM `version-release`.
    pub version: Option<Box<str>>,
}

impl SourcePackage {
    /// Reads dpkg's `Source`: a name, and in parentheses a version where it differs.
    pub(super) fn of_dpkg(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?.trim();
        let (name, version) = match text.split_once('(') {
            Some((name, version)) => (name.trim(), Some(version.trim_end_matches(')').trim())),
            None => (text, None),
        };
        Self::new(name, version)
    }

    /// Reads apk's `o`, a name.
    pub(super) fn of_apk(value: &[u8]) -> Option<Self> {
        Self::new(std::str::from_utf8(value).ok()?.trim(), None)
    }

    /// Reads RPM's `SOURCERPM`, the name of a file: `openssl-3.0.7-1.el9.src.rpm`.
    pub(super) fn of_rpm(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let text = text.strip_suffix(".src.rpm").or_else(|| text.strip_suffix(".nosrc.rpm"))?;
        let release = text.rfind('-')?;
        let version = text.get(..release)?.rfind('-')?;
        Self::new(text.get(..version)?, text.get(version + 1..))
    }

    fn new(name: &str, version: Option<&str>) -> Option<Self> {
        let version = version.filter(|version| !version.is_empty()).map(Into::into);
        (!name.is_empty()).then(|| Self { name: name.into(), version })
    }
}

/// Fields of a package in a database, except its files.
#[derive(Debug, Clone)]
pub(super) struct PackageFields<'a> {
    pub kind: PackageKind,
    pub name: &'a [u8],
    pub version: &'a [u8],
    pub architecture: Option<&'a [u8]>,
    pub installed_bytes: Option<u64>,
    pub licence: Option<&'a [u8]>,
    pub source: Option<SourcePackage>,
    pub database_file: usize,
}

/// A path as its package lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedFile<'a> {
    /// Index of the directory among [`PackageSet::directories`].
    pub directory_index: usize,
    /// Directory, without slashes at its ends; empty for the root.
    pub directory: &'a [u8],
    /// Name in that directory.
    pub name: &'a [u8],
}

impl ListedFile<'_> {
    /// The absolute path.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.directory.len() + self.name.len() + 2);
        path.push(b'/');
        if !self.directory.is_empty() {
            path.extend_from_slice(self.directory);
            path.push(b'/');
        }
        path.extend_from_slice(self.name);
        path
    }
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u16,
}

#[derive(Debug, Clone, Copy)]
struct File {
    directory: u32,
    name: Span,
}

/// Packages with the files they list, in one arena: 12 bytes and its name for each file, each directory once.
#[derive(Debug, Default)]
pub struct PackageSet {
    packages: Vec<Package>,
    files: Vec<File>,
    directories: Vec<Span>,
    names: Vec<u8>,
}

impl PackageSet {
    /// The packages, by kind, name, version and architecture.
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// A package by its index, which is one of this set's.
    #[must_use]
    pub fn get(&self, index: PackageIndex) -> &Package {
        &self.packages[index.index()]
    }

    /// Indices of all packages.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = PackageIndex> + ExactSizeIterator + use<> {
        (0..self.packages.len() as u32).map(PackageIndex)
    }

    /// The files that a package lists, directories left out, whether or not they are in the image.
    pub fn files(&self, package: &Package) -> impl ExactSizeIterator<Item = ListedFile<'_>> + use<'_> {
        let range = package.files.start as usize..package.files.end as usize;
        self.files.get(range).unwrap_or_default().iter().map(|file| ListedFile {
            directory_index: file.directory as usize,
            directory: self.directories.get(file.directory as usize).map_or(&[][..], |&span| self.bytes(span)),
            name: self.bytes(file.name),
        })
    }

    /// The directories of all listed files, each once, without slashes at their ends.
    pub fn directories(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.directories.iter().map(|&span| self.bytes(span))
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.names.get(start..start + usize::from(span.length)).unwrap_or_default()
    }
}
