use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{File, Package, PackageFields, PackageKind, PackageSet, Span};

/// Fills a [`PackageSet`] within fixed bounds. What goes beyond them is left out and noted.
pub(crate) struct SetBuilder {
    set: PackageSet,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    last_directory: Option<u32>,
    /// By directory: number of the last package, from 1, that has a file in it.
    last_user: Vec<u32>,
    scratch: Vec<u8>,
    overflowed: bool,
}

impl SetBuilder {
    /// Packages that one image may have.
    pub const MAX_PACKAGES: usize = 200_000;
    /// Files that all packages together may list.
    pub const MAX_FILES: usize = 5_000_000;
    /// Bytes of all names together.
    pub const MAX_NAME_BYTES: usize = 256 << 20;
    /// Longest directory or name: `PATH_MAX` of Linux. No longer path can have been installed.
    pub const MAX_PATH_BYTES: usize = 4096;

    pub fn new() -> Self {
        Self {
            set: PackageSet::default(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last_directory: None,
            last_user: Vec::new(),
            scratch: Vec::new(),
            overflowed: false,
        }
    }

    /// Begins a package; files added from now on are its own. Whether there was room for it.
    pub fn begin(&mut self, fields: PackageFields<'_>) -> bool {
        if self.set.packages.len() >= Self::MAX_PACKAGES {
            self.overflowed = true;
            return false;
        }
        let at = self.set.files.len() as u32;
        self.set.packages.push(Package {
            kind: fields.kind,
            name: text(fields.name),
            version: text(fields.version),
            architecture: fields.architecture.map(text),
            installed_bytes: fields.installed_bytes,
            licence: fields.licence.map(text),
            source: fields.source,
            database_file: fields.database_file,
            files: at..at,
        });
        true
    }

    /// Adds a file by its whole path.
    pub fn add_path(&mut self, path: &[u8]) {
        match memchr::memrchr(b'/', path) {
            Some(slash) => self.add_file(&path[..slash], &path[slash + 1..]),
            None => self.add_file(b"", path),
        }
    }

    /// Adds a file to the package begun last. Slashes at the ends of the directory count for nothing.
    pub fn add_file(&mut self, directory: &[u8], name: &[u8]) {
        let directory = trim_slashes(directory);
        if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
            return;
        }
        let fits = directory.len() <= Self::MAX_PATH_BYTES && name.len() <= Self::MAX_PATH_BYTES;
        let needed = directory.len() + name.len();
        let room = self.set.names.len() + needed <= Self::MAX_NAME_BYTES && self.set.files.len() < Self::MAX_FILES;
        if !fits || !room {
            self.overflowed = true;
            return;
        }
        let directory = self.directory(directory);
        let name = self.keep(name);
        if let Some(package) = self.set.packages.last_mut() {
            self.set.files.push(File { directory, name });
            package.files.end = self.set.files.len() as u32;
            if let Some(user) = self.last_user.get_mut(directory as usize) {
                *user = self.set.packages.len() as u32;
            }
        }
    }

    /// Takes those files away from the package begun last that others of its files lie in: for databases that do
    /// not tell directories apart.
    pub fn drop_directories(&mut self) {
        let current = self.set.packages.len() as u32;
        let Some(range) = self.set.packages.last().map(|package| package.files.clone()) else { return };
        let mut kept = range.start as usize;
        for at in range.start as usize..range.end as usize {
            let Some(&file) = self.set.files.get(at) else { break };
            self.scratch.clear();
            if let Some(&directory) = self.set.directories.get(file.directory as usize)
                && directory.length > 0
            {
                self.scratch.extend_from_slice(self.set.bytes(directory));
                self.scratch.push(b'/');
            }
            self.scratch.extend_from_slice(self.set.bytes(file.name));
            let directory = self.find_directory(&self.scratch, self.hasher.hash_one(&self.scratch[..]));
            let user = directory.and_then(|directory| self.last_user.get(directory as usize));
            if user != Some(&current) {
                self.set.files.swap(kept, at);
                kept += 1;
            }
        }
        self.set.files.truncate(kept);
        if let Some(package) = self.set.packages.last_mut() {
            package.files.end = kept as u32;
        }
    }

    /// Sorts the packages and gives the set out, and whether something was left out for want of room.
    ///
    /// A package of an operating system is kept once, however many databases name it: an image may hold one both
    /// under its old and its new path.
    pub fn finish(self) -> (PackageSet, bool) {
        let mut set = self.set;
        set.packages.sort_by(|left, right| key(left).cmp(&key(right)));
        set.packages.dedup_by(|right, left| left.kind.ecosystem().has_one_of_each() && key(left) == key(right));
        (set, self.overflowed)
    }

    fn is_directory(&self, index: u32, path: &[u8]) -> bool {
        self.set.directories.get(index as usize).is_some_and(|&span| self.set.bytes(span) == path)
    }

    fn find_directory(&self, path: &[u8], hash: u64) -> Option<u32> {
        self.index.find(hash, |&index| self.is_directory(index, path)).copied()
    }

    fn directory(&mut self, path: &[u8]) -> u32 {
        if let Some(last) = self.last_directory
            && self.is_directory(last, path)
        {
            return last;
        }
        let hash = self.hasher.hash_one(path);
        let index = match self.find_directory(path, hash) {
            Some(found) => found,
            None => self.new_directory(path, hash),
        };
        self.last_directory = Some(index);
        index
    }

    fn new_directory(&mut self, path: &[u8], hash: u64) -> u32 {
        let span = self.keep(path);
        let index = self.set.directories.len() as u32;
        self.set.directories.push(span);
        self.last_user.push(0);
        let (set, hasher) = (&self.set, &self.hasher);
        self.index.insert_unique(hash, index, |&other| {
            hasher.hash_one(set.directories.get(other as usize).map_or(&[][..], |&span| set.bytes(span)))
        });
        index
    }

    /// The caller has checked that there is room.
    fn keep(&mut self, name: &[u8]) -> Span {
        let start = self.set.names.len() as u32;
        self.set.names.extend_from_slice(name);
        Span { start, length: name.len() as u16 }
    }
}

fn key(package: &Package) -> (PackageKind, &str, &str, Option<&str>) {
    (package.kind, &package.name, &package.version, package.architecture.as_deref())
}

/// A path without slashes at its ends.
pub(crate) fn trim_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&byte| byte != b'/').unwrap_or(path.len());
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(start, |last| last + 1);
    &path[start..end]
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(kind: PackageKind, name: &'static str) -> PackageFields<'static> {
        PackageFields {
            kind,
            name: name.as_bytes(),
            version: b"1",
            architecture: None,
            installed_bytes: None,
            licence: None,
            source: None,
            database_file: 0,
        }
    }

    #[test]
    fn files_belong_to_the_package_begun_last_and_directories_are_kept_once() {
        let mut builder = SetBuilder::new();
        builder.begin(fields(PackageKind::Rpm, "zsh"));
        builder.add_path(b"/usr/bin/zsh");
        builder.add_file(b"/etc/", b"zshrc");
        builder.begin(fields(PackageKind::Deb, "bash"));
        builder.add_path(b"usr/bin/bash");
        builder.add_path(b"/.");
        builder.add_path(b"vmlinuz");
        let (set, overflowed) = builder.finish();
        assert!(!overflowed);
        let listed: Vec<(&str, Vec<String>)> = set
            .packages()
            .iter()
            .map(|package| {
                let paths = set.files(package).map(|file| String::from_utf8(file.path()).unwrap());
                (&*package.name, paths.collect())
            })
            .collect();
        let expected = vec![
            ("bash", vec!["/usr/bin/bash".to_owned(), "/vmlinuz".to_owned()]),
            ("zsh", vec!["/usr/bin/zsh".to_owned(), "/etc/zshrc".to_owned()]),
        ];
        assert_eq!(listed, expected);
        assert_eq!(set.directories().collect::<Vec<_>>(), [&b"usr/bin"[..], b"etc", b""]);
    }

    #[test]
    fn directories_are_told_by_the_files_in_them() {
        let mut builder = SetBuilder::new();
        builder.begin(fields(PackageKind::Deb, "other"));
        builder.add_path(b"/opt/a/b/c");
        builder.begin(fields(PackageKind::Deb, "this"));
        for path in ["/opt", "/opt/a", "/usr", "/opt/a/b", "/usr/x"] {
            builder.add_path(path.as_bytes());
        }
        builder.drop_directories();
        let (set, _) = builder.finish();
        let paths: Vec<Vec<u8>> = set.files(&set.packages()[1]).map(|file| file.path()).collect();
        assert_eq!(paths, [&b"/opt/a/b"[..], b"/usr/x"]);
    }

    #[test]
    fn a_system_package_named_by_two_databases_is_one_package() {
        let mut builder = SetBuilder::new();
        for kind in [PackageKind::Rpm, PackageKind::Rpm, PackageKind::Python, PackageKind::Python] {
            builder.begin(fields(kind, "yaml"));
        }
        let kinds: Vec<PackageKind> = builder.finish().0.packages().iter().map(|package| package.kind).collect();
        assert_eq!(kinds, [PackageKind::Rpm, PackageKind::Python, PackageKind::Python]);
    }

    #[test]
    fn a_path_longer_than_any_that_can_be_installed_is_left_out() {
        let mut builder = SetBuilder::new();
        builder.begin(fields(PackageKind::Deb, "long"));
        builder.add_file(&vec![b'd'; SetBuilder::MAX_PATH_BYTES + 1], b"file");
        let (set, overflowed) = builder.finish();
        assert!(overflowed);
        assert_eq!(set.files(&set.packages()[0]).len(), 0);
    }
}
