//! dpkg's database: `status` and `status.d` (deb-control(5) paragraphs), file lists and diversions (dpkg-divert(1)).

use hashbrown::{HashMap, HashSet};

use std::cmp::Ordering;

use super::database::{Files, Malformed};
use super::ecosystem::{Ecosystem, Part, Source};
use super::package_url::lower_case_url;
use super::set::{PackageFields, SetBuilder, SourcePackage};
use super::{Distribution, Package, PackageKind, chisel, versions};

/// Debian's dpkg, and the tools that write its database or one of their own for its packages.
pub(super) struct Dpkg;

impl Ecosystem for Dpkg {
    fn name(&self) -> &'static str {
        "deb"
    }

    /// - `/var/lib/dpkg/status`: all packages;
    /// - `/var/lib/dpkg/info/NAME[:ARCHITECTURE].list`: the files of one package;
    /// - `/var/lib/dpkg/diversions`: files in other places than their package says;
    /// - `/var/lib/dpkg/status.d/NAME` and `NAME.md5sums`: one package and its files, in images assembled without dpkg;
    /// - `manifest.wall` of chisel: all packages of which the image holds slices, with their files.
    fn part(&self, directory: &[u8], name: &[u8]) -> Option<Part> {
        if name == b"manifest.wall" {
            return directory.ends_with(b"chisel").then_some(Part::Database);
        }
        match (directory.strip_prefix(b"var/lib/dpkg")?, name) {
            (b"", b"status") => Some(Part::Database),
            (b"", b"diversions") => Some(Part::Companion),
            (b"/info", name) if name.ends_with(b".list") => Some(Part::Companion),
            (b"/status.d", name) if name.ends_with(b".md5sums") => Some(Part::Companion),
            (b"/status.d", _) => Some(Part::Database),
            _ => None,
        }
    }

    fn parse(&self, source: &Source<'_>, builder: &mut SetBuilder) -> Result<(), Malformed> {
        let &Source { index, path, content, files } = source;
        match path {
            b"var/lib/dpkg/status" => {
                let diversions = files.get(b"var/lib/dpkg/diversions").map_or(&[][..], |(_, content)| content);
                parse_status(index, content, files, &Diversions::parse(diversions), builder)
            }
            path if path.starts_with(b"var/lib/dpkg/") => parse_part(index, path, content, files, builder),
            _ => chisel::parse_manifest(index, content, builder),
        }
    }

    fn compare_versions(&self, left: &str, right: &str) -> Ordering {
        versions::deb::compare(left, right)
    }

    fn package_url(&self, package: &Package, distribution: &Distribution) -> String {
        lower_case_url("deb", "debian", package, distribution)
    }
}

/// Locations at which dpkg puts files whose path another package claimed.
#[derive(Default)]
struct Diversions<'a> {
    by_path: HashMap<&'a [u8], Diversion<'a>>,
}

struct Diversion<'a> {
    to: &'a [u8],
    /// The package whose own file stays at the path; `:` for a diversion that an administrator made.
    by: &'a [u8],
}

impl<'a> Diversions<'a> {
    /// Diversions that are kept, a bound on memory; a Debian system has some dozens.
    const MAX: usize = 100_000;

    /// `/var/lib/dpkg/diversions`: three lines each, from, to and by whom.
    pub fn parse(content: &'a [u8]) -> Self {
        let mut lines = content.split(|&byte| byte == b'\n');
        let mut by_path = HashMap::new();
        while by_path.len() < Self::MAX
            && let (Some(from), Some(to), Some(by)) = (lines.next(), lines.next(), lines.next())
        {
            by_path.insert(from, Diversion { to, by });
        }
        Self { by_path }
    }

    /// Returns the actual location of a path that `package` lists.
    fn place<'b>(&self, path: &'b [u8], package: &[u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        if self.by_path.is_empty() {
            return path;
        }
        self.by_path.get(path).filter(|diversion| diversion.by != package).map_or(path, |diversion| diversion.to)
    }
}

/// The fields of one paragraph that are of use here.
#[derive(Default)]
struct Paragraph<'a> {
    name: &'a [u8],
    version: &'a [u8],
    architecture: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
    installed_kibibytes: Option<u64>,
    source: Option<&'a [u8]>,
}

impl<'a> Paragraph<'a> {
    fn set(&mut self, line: &'a [u8]) {
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (field, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if field.eq_ignore_ascii_case(b"Package") {
            self.name = value;
        } else if field.eq_ignore_ascii_case(b"Version") {
            self.version = value;
        } else if field.eq_ignore_ascii_case(b"Architecture") {
            self.architecture = Some(value);
        } else if field.eq_ignore_ascii_case(b"Status") {
            self.status = Some(value);
        } else if field.eq_ignore_ascii_case(b"Source") {
            self.source = Some(value);
        } else if field.eq_ignore_ascii_case(b"Installed-Size") {
            self.installed_kibibytes = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        }
    }

    /// Returns `true` if the package's files are present: dpkg has unpacked them and not removed
    /// them again.
    fn is_installed(&self) -> bool {
        let status = self.status.and_then(|status| status.rsplit(u8::is_ascii_whitespace).next());
        matches!(
            status,
            Some(b"installed" | b"triggers-pending" | b"triggers-awaited" | b"half-configured" | b"unpacked")
        )
    }

    fn fields(&self, database_file: usize) -> PackageFields<'a> {
        PackageFields {
            kind: PackageKind::Deb,
            name: self.name,
            version: self.version,
            architecture: self.architecture,
            installed_bytes: self.installed_kibibytes.map(|kibibytes| kibibytes.saturating_mul(1024)),
            licence: None,
            source: self.source.and_then(SourcePackage::of_dpkg),
            database_file,
        }
    }
}

/// Paragraphs of a control file, which empty lines part.
fn paragraphs(content: &[u8]) -> impl Iterator<Item = Paragraph<'_>> {
    let mut lines = content.split(|&byte| byte == b'\n').peekable();
    std::iter::from_fn(move || {
        lines.peek()?;
        let mut paragraph = Paragraph::default();
        for line in lines.by_ref().take_while(|line| !line.trim_ascii().is_empty()) {
            if !matches!(line.first(), Some(b' ' | b'\t' | b'#')) {
                paragraph.set(line);
            }
        }
        Some(paragraph)
    })
    .filter(|paragraph| !paragraph.name.is_empty())
}

/// `/var/lib/dpkg/status` with the file lists beside it.
fn parse_status(
    index: usize,
    content: &[u8],
    files: &Files<'_>,
    diversions: &Diversions<'_>,
    builder: &mut SetBuilder,
) -> Result<(), Malformed> {
    // A list is read for one package only, however often the package stands in the database.
    let mut read = HashSet::new();
    for paragraph in paragraphs(content).filter(Paragraph::is_installed) {
        let list = file_list(&paragraph, files).filter(|&(list, _)| read.insert(list));
        let database_file = list.map_or(index, |(list, _)| list);
        if !builder.begin(paragraph.fields(database_file)) {
            break;
        }
        for path in list.map_or(&[][..], |(_, content)| content).split(|&byte| byte == b'\n') {
            builder.add_path(diversions.place(path, paragraph.name));
        }
        builder.drop_directories();
    }
    Ok(())
}

/// Packages that may be installed for several architectures at once have theirs in the list's name.
fn file_list<'a>(paragraph: &Paragraph<'_>, files: &Files<'a>) -> Option<(usize, &'a [u8])> {
    let with_architecture = paragraph.architecture.and_then(|architecture| {
        files.get(&[b"var/lib/dpkg/info/", paragraph.name, b":", architecture, b".list"].concat())
    });
    with_architecture.or_else(|| files.get(&[b"var/lib/dpkg/info/", paragraph.name, b".list"].concat()))
}

/// Reads `/var/lib/dpkg/status.d/NAME` with `NAME.md5sums` next to it. Such images are put together
/// from packages without dpkg ever running, so a missing `Status` does not mean a removal.
fn parse_part(
    index: usize,
    path: &[u8],
    content: &[u8],
    files: &Files<'_>,
    builder: &mut SetBuilder,
) -> Result<(), Malformed> {
    let paragraph = paragraphs(content).next().ok_or(Malformed("contains no package"))?;
    let installed = paragraph.status.is_none() || paragraph.is_installed();
    if !installed || !builder.begin(paragraph.fields(index)) {
        return Ok(());
    }
    let checksums = files.get(&[path, b".md5sums"].concat()).map_or(&[][..], |(_, content)| content);
    for line in checksums.split(|&byte| byte == b'\n') {
        // "md5sum  path": 32 hexadecimal digits and two spaces
        if let Some(space) = memchr::memchr(b' ', line) {
            builder.add_path(line[space..].trim_ascii());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseFile, Package, PackageSet, parse};
    use proptest::prelude::*;

    fn read(files: &[(&str, &str)]) -> PackageSet {
        let files: Vec<DatabaseFile> = files
            .iter()
            .map(|(path, content)| DatabaseFile { path: path.as_bytes().into(), content: content.as_bytes() })
            .collect();
        parse(&files).packages
    }

    fn paths(set: &PackageSet, package: &Package) -> Vec<String> {
        set.files(package).map(|file| String::from_utf8(file.path()).unwrap()).collect()
    }

    #[test]
    fn installed_packages_are_read_with_their_lists() {
        let status = "Package: libc6\nStatus: install ok installed\nInstalled-Size: 12\nArchitecture: amd64\n\
                      Multi-Arch: same\nVersion: 2.36-9\nDescription: C library\n Version: not this\n\n\
                      Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                      package: vim\nstatus: hold ok triggers-awaited\nversion: 2:9\n";
        let set = read(&[
            ("/var/lib/dpkg/status", status),
            ("/var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib\n/usr\n/lib/libc.so.6\n/lib/libm.so.6\n/usr/empty\n"),
            ("/var/lib/dpkg/info/vim.list", "/usr/bin/vim\n"),
            ("/var/lib/dpkg/info/gone.list", "/etc/gone\n"),
        ]);
        let [libc, vim] = set.packages() else { panic!("two packages: {:?}", set.packages()) };
        assert_eq!((&*libc.name, &*libc.version, libc.architecture.as_deref()), ("libc6", "2.36-9", Some("amd64")));
        assert_eq!((libc.installed_bytes, libc.database_file), (Some(12 * 1024), 1));
        assert_eq!(paths(&set, libc), ["/lib/libc.so.6", "/lib/libm.so.6", "/usr/empty"]);
        assert_eq!((&*vim.name, &*vim.version, vim.installed_bytes), ("vim", "2:9", None));
        assert_eq!(paths(&set, vim), ["/usr/bin/vim"]);
    }

    #[test]
    fn a_diverted_file_is_where_the_diversion_says_except_for_who_diverted_it() {
        let status = "Package: bash\nStatus: install ok installed\nVersion: 1\n\n\
                      Package: dash\nStatus: install ok installed\nVersion: 1\n";
        let set = read(&[
            ("/var/lib/dpkg/status", status),
            ("/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\ndash\n"),
            ("/var/lib/dpkg/info/bash.list", "/bin/sh\n"),
            ("/var/lib/dpkg/info/dash.list", "/bin/sh\n"),
        ]);
        assert_eq!(paths(&set, &set.packages()[0]), ["/bin/sh.distrib"]);
        assert_eq!(paths(&set, &set.packages()[1]), ["/bin/sh"]);
    }

    #[test]
    fn an_image_assembled_without_dpkg_has_a_file_for_each_package() {
        let set = read(&[
            ("/var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all\n"),
            ("/var/lib/dpkg/status.d/tzdata.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n"),
        ]);
        let [package] = set.packages() else { panic!("one package") };
        assert_eq!((&*package.name, &*package.version), ("tzdata", "2024a"));
        assert_eq!(paths(&set, package), ["/usr/share/zoneinfo/UTC"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            packages in proptest::collection::btree_map("[a-z][a-z0-9+.-]{1,8}", (
                "([0-9]:)?[0-9a-z.+~]{1,8}(-[0-9]{1,3})?",
                0u64..1_000_000,
                proptest::collection::btree_set("(/[a-z]{1,4}){1,4}/[A-Z]{1,4}", 0..6),
            ), 0..6)
        ) {
            let mut status = String::new();
            let mut lists = Vec::new();
            for (name, (version, kibibytes, files)) in &packages {
                status += &format!(
                    "Package: {name}\nStatus: install ok installed\nInstalled-Size: {kibibytes}\nVersion: {version}\n\n"
                );
                let list: String = files.iter().map(|file| format!("{file}\n")).collect();
                lists.push((format!("/var/lib/dpkg/info/{name}.list"), list));
            }
            let mut inputs: Vec<(&str, &str)> = vec![("/var/lib/dpkg/status", &status)];
            inputs.extend(lists.iter().map(|(path, list)| (path.as_str(), list.as_str())));
            let set = read(&inputs);
            prop_assert_eq!(set.packages().len(), packages.len());
            for (package, (name, (version, kibibytes, files))) in set.packages().iter().zip(&packages) {
                prop_assert_eq!((&*package.name, &*package.version), (name.as_str(), version.as_str()));
                prop_assert_eq!(package.installed_bytes, Some(kibibytes * 1024));
                prop_assert_eq!(paths(&set, package), files.iter().cloned().collect::<Vec<_>>());
            }
        }
    }
}
