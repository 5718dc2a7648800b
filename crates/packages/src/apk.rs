//! apk's database of installed packages: paragraphs of one-letter fields (Alpine wiki, "Apk spec", "Installed Database").

use std::cmp::Ordering;

use super::database::Malformed;
use super::ecosystem::{Ecosystem, Part, Source};
use super::package_url::lower_case_url;
use super::set::{PackageFields, SetBuilder, SourcePackage};
use super::{Distribution, Package, PackageKind, versions};

/// Alpine's apk.
pub(super) struct Apk;

impl Ecosystem for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    /// `/lib/apk/db/installed`: all packages with their files.
    fn part(&self, directory: &[u8], name: &[u8]) -> Option<Part> {
        let is_database = name == b"installed" && matches!(directory, b"lib/apk/db" | b"usr/lib/apk/db");
        is_database.then_some(Part::Database)
    }

    fn parse(&self, source: &Source<'_>, builder: &mut SetBuilder) -> Result<(), Malformed> {
        parse_installed(source.index, source.content, builder)
    }

    fn compare_versions(&self, left: &str, right: &str) -> Ordering {
        versions::apk::compare(left, right)
    }

    fn package_url(&self, package: &Package, distribution: &Distribution) -> String {
        lower_case_url("apk", "alpine", package, distribution)
    }
}

#[derive(Default)]
struct Paragraph<'a> {
    name: &'a [u8],
    version: &'a [u8],
    architecture: Option<&'a [u8]>,
    installed_bytes: Option<u64>,
    licence: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    /// Directory of the files that follow.
    directory: &'a [u8],
    /// True once the package was handed to the builder, with its first file.
    begun: bool,
}

impl Paragraph<'_> {
    /// Hands the package to the builder once; whether files may be added to it.
    fn begin(&mut self, database_file: usize, builder: &mut SetBuilder) -> bool {
        if !self.begun && !self.name.is_empty() {
            self.begun = builder.begin(PackageFields {
                kind: PackageKind::Apk,
                name: self.name,
                version: self.version,
                architecture: self.architecture,
                installed_bytes: self.installed_bytes,
                licence: self.licence,
                source: self.source.and_then(SourcePackage::of_apk),
                database_file,
            });
        }
        self.begun
    }
}

/// `/lib/apk/db/installed`: `P` name, `V` version, `A` architecture, `I` installed bytes, `L` licence, `o` source package,
/// then `F` for each directory
/// and `R` for each file in it.
fn parse_installed(index: usize, content: &[u8], builder: &mut SetBuilder) -> Result<(), Malformed> {
    let mut paragraph = Paragraph::default();
    for line in content.split(|&byte| byte == b'\n') {
        match line {
            [] => {
                paragraph.begin(index, builder);
                paragraph = Paragraph::default();
            }
            [b'P', b':', value @ ..] => paragraph.name = value,
            [b'V', b':', value @ ..] => paragraph.version = value,
            [b'A', b':', value @ ..] => paragraph.architecture = Some(value),
            [b'I', b':', value @ ..] => {
                paragraph.installed_bytes = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            [b'L', b':', value @ ..] => paragraph.licence = Some(value).filter(|value| !value.is_empty()),
            [b'o', b':', value @ ..] => paragraph.source = Some(value),
            [b'F', b':', value @ ..] => paragraph.directory = value,
            [b'R', b':', name @ ..] => {
                let begun = paragraph.begin(index, builder);
                if begun {
                    builder.add_file(paragraph.directory, name);
                }
            }
            _ => {}
        }
    }
    paragraph.begin(index, builder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseFile, PackageSet, parse};
    use proptest::prelude::*;

    fn read(content: &[u8]) -> PackageSet {
        parse(&[DatabaseFile { path: b"/lib/apk/db/installed"[..].into(), content }]).packages
    }

    #[test]
    fn fields_and_files_are_read() {
        let set = read(
            b"C:Q1x=\nP:musl\nV:1.1.24-r2\nA:x86_64\nS:377564\nI:614400\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\
              Z:Q1y=\nF:usr\nF:usr/lib\n\nP:empty\nV:1\n",
        );
        let [empty, musl] = set.packages() else { panic!("two packages") };
        assert_eq!((&*musl.name, &*musl.version, musl.architecture.as_deref()), ("musl", "1.1.24-r2", Some("x86_64")));
        assert_eq!(musl.installed_bytes, Some(614_400));
        let paths: Vec<Vec<u8>> = set.files(musl).map(|file| file.path()).collect();
        assert_eq!(paths, [b"/lib/ld-musl-x86_64.so.1"]);
        assert_eq!((&*empty.name, empty.installed_bytes, set.files(empty).len()), ("empty", None, 0));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            packages in proptest::collection::btree_map("[a-z][a-z0-9-]{0,8}", (
                "[0-9.]{1,6}-r[0-9]",
                any::<u64>(),
                proptest::collection::btree_map("[a-z]{1,4}(/[a-z]{1,4}){0,3}",
                    proptest::collection::btree_set("[a-z]{1,4}", 1..4), 0..4),
            ), 0..6)
        ) {
            let mut content = String::new();
            for (name, (version, bytes, directories)) in &packages {
                content += &format!("P:{name}\nV:{version}\nI:{bytes}\n");
                for (directory, files) in directories {
                    content += &format!("F:{directory}\n");
                    content.extend(files.iter().map(|file| format!("R:{file}\n")));
                }
                content.push('\n');
            }
            let set = read(content.as_bytes());
            prop_assert_eq!(set.packages().len(), packages.len());
            for (package, (name, (version, bytes, directories))) in set.packages().iter().zip(&packages) {
                prop_assert_eq!((&*package.name, &*package.version), (name.as_str(), version.as_str()));
                prop_assert_eq!(package.installed_bytes, Some(*bytes));
                let expected: Vec<Vec<u8>> = directories
                    .iter()
                    .flat_map(|(directory, files)| files.iter().map(move |file| format!("/{directory}/{file}").into_bytes()))
                    .collect();
                prop_assert_eq!(set.files(package).map(|file| file.path()).collect::<Vec<_>>(), expected);
            }
        }
    }
}
