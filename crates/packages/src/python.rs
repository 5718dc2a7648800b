//! Python distributions: `*.dist-info` (Python packaging specification, "Recording installed projects") and the older
//! `*.egg-info`, whose header fields are those of "Core metadata".

use std::borrow::Cow;
use std::cmp::Ordering;

use super::database::{Files, Malformed};
use super::ecosystem::{Ecosystem, Part, Source};
use super::package_url::encoded;
use super::set::{PackageFields, SetBuilder};
use super::{Distribution, Package, PackageKind, versions};

/// Python distributions, also those that applications bring along.
pub(super) struct Python;

impl Ecosystem for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    /// - `*.dist-info/METADATA`, `*.egg-info/PKG-INFO`, `*.egg/EGG-INFO/PKG-INFO` or a file `*.egg-info`: one distribution;
    /// - `*.dist-info/RECORD` and `*.egg-info/installed-files.txt`: its files.
    fn part(&self, directory: &[u8], name: &[u8]) -> Option<Part> {
        let (holds, part) = match name {
            b"METADATA" => (directory.ends_with(b".dist-info"), Part::Database),
            b"RECORD" => (directory.ends_with(b".dist-info"), Part::Companion),
            b"PKG-INFO" => (directory.ends_with(b".egg-info") || directory.ends_with(b".egg/EGG-INFO"), Part::Database),
            b"installed-files.txt" => (directory.ends_with(b".egg-info"), Part::Companion),
            _ => (name.len() > b".egg-info".len() && name.ends_with(b".egg-info"), Part::Database),
        };
        holds.then_some(part)
    }

    fn parse(&self, source: &Source<'_>, builder: &mut SetBuilder) -> Result<(), Malformed> {
        parse_metadata(source.index, source.path, source.content, source.files, builder)
    }

    fn compare_versions(&self, left: &str, right: &str) -> Ordering {
        versions::pep440::compare(left, right)
    }

    fn package_url(&self, package: &Package, _: &Distribution) -> String {
        let name = package.name.to_lowercase().replace('_', "-");
        format!("pkg:pypi/{}@{}", encoded(&name), encoded(&package.version))
    }

    fn is_of_distribution(&self) -> bool {
        false
    }
}

/// `METADATA` or `PKG-INFO`, with the list of files beside it. A distribution without a list owns its metadata alone.
fn parse_metadata(
    index: usize,
    path: &[u8],
    content: &[u8],
    files: &Files<'_>,
    builder: &mut SetBuilder,
) -> Result<(), Malformed> {
    let name = header(content, b"Name").ok_or(Malformed("has no field Name"))?;
    let version = header(content, b"Version").ok_or(Malformed("has no field Version"))?;
    let fields = PackageFields {
        kind: PackageKind::Python,
        name,
        version,
        architecture: None,
        installed_bytes: None,
        licence: licence(content),
        source: None,
        database_file: index,
    };
    if !builder.begin(fields) {
        return Ok(());
    }
    let directory = parent(path);
    let record = files.get(&[directory, b"/RECORD"].concat());
    let installed = files.get(&[directory, b"/installed-files.txt"].concat());
    if path.ends_with(b"/METADATA")
        && let Some((_, record)) = record
    {
        let base = parent(directory);
        for path in record.split(|&byte| byte == b'\n').filter_map(record_path) {
            add_relative(base, &path, builder);
        }
    } else if path.ends_with(b"/PKG-INFO")
        && let Some((_, installed)) = installed
    {
        for path in installed.split(|&byte| byte == b'\n') {
            add_relative(directory, path.trim_ascii(), builder);
        }
    } else {
        builder.add_path(path);
    }
    Ok(())
}

/// `License-Expression`, else `License` unless it is left open or holds the licence's whole text.
fn licence(content: &[u8]) -> Option<&[u8]> {
    const MOST_BYTES: usize = 200;
    let is_name = |value: &&[u8]| !value.is_empty() && *value != b"UNKNOWN" && value.len() <= MOST_BYTES;
    let named = |field: &[u8]| header(content, field).filter(is_name);
    named(b"License-Expression").or_else(|| named(b"License"))
}

/// The first field of that name before the description begins.
fn header<'a>(content: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    content
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
        .filter_map(|line| Some(line.split_at(memchr::memchr(b':', line)?)))
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value[1..].trim_ascii())
        .filter(|value| !value.is_empty())
}

/// The first column of a line of `RECORD`, a CSV file.
fn record_path(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = line.strip_prefix(b"\"") else {
        let end = memchr::memchr(b',', line)?;
        return Some(Cow::Borrowed(&line[..end]));
    };
    let mut path = Vec::new();
    let mut rest = quoted;
    loop {
        let quote = memchr::memchr(b'"', rest)?;
        path.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(after) => {
                path.push(b'"');
                rest = after;
            }
            None => return Some(Cow::Owned(path)),
        }
    }
}

/// Adds a path that is relative to `base`, or absolute.
fn add_relative(base: &[u8], path: &[u8], builder: &mut SetBuilder) {
    let (directory, name) = match memchr::memrchr(b'/', path) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&path[..0], path),
    };
    if path.starts_with(b"/") || base.is_empty() {
        return builder.add_file(directory, name);
    }
    if directory.is_empty() {
        return builder.add_file(base, name);
    }
    // `..` that leads out of `base` is taken away here, so that a directory is known by one spelling.
    let (mut base, mut directory) = (base, directory);
    while !base.is_empty()
        && let Some(rest) = directory.strip_prefix(b"..").filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
    {
        base = parent(base);
        directory = rest.strip_prefix(b"/").unwrap_or(rest);
    }
    builder.add_file(&[base, b"/", directory].concat(), name);
}

fn parent(path: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', path).map_or(&[][..], |slash| &path[..slash])
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseFile, PackageSet, parse};
    use proptest::prelude::*;

    fn read(files: &[(&str, &str)]) -> PackageSet {
        let files: Vec<DatabaseFile> = files
            .iter()
            .map(|(path, content)| DatabaseFile { path: path.as_bytes().into(), content: content.as_bytes() })
            .collect();
        parse(&files).packages
    }

    fn only_paths(set: &PackageSet) -> Vec<String> {
        let [package] = set.packages() else { panic!("one package: {:?}", set.packages()) };
        set.files(package).map(|file| String::from_utf8(file.path()).unwrap()).collect()
    }

    const METADATA: &str =
        "Metadata-Version: 2.1\r\nname: PyYAML\r\nVersion: 6.0.1\r\n\r\nName: in the description\r\n";

    #[test]
    fn a_wheel_lists_its_files_relative_to_where_it_is_installed() {
        let set = read(&[
            ("/usr/lib/python3/site-packages/PyYAML-6.0.1.dist-info/METADATA", METADATA),
            (
                "/usr/lib/python3/site-packages/PyYAML-6.0.1.dist-info/RECORD",
                "yaml/__init__.py,sha256=x,12\r\n\"yaml/a,\"\"b\"\".py\",,\n../../../bin/yaml,,\n/etc/yaml,,\nsix.py,,\n",
            ),
        ]);
        let package = &set.packages()[0];
        assert_eq!((&*package.name, &*package.version, package.installed_bytes), ("PyYAML", "6.0.1", None));
        let base = "/usr/lib/python3/site-packages";
        let expected = [
            format!("{base}/yaml/__init__.py"),
            format!("{base}/yaml/a,\"b\".py"),
            "/usr/bin/yaml".to_owned(),
            "/etc/yaml".to_owned(),
            format!("{base}/six.py"),
        ];
        assert_eq!(only_paths(&set), expected);
    }

    #[test]
    fn an_egg_lists_its_files_relative_to_its_own_directory() {
        let set = read(&[
            ("/opt/site/six.egg-info/PKG-INFO", "Name: six\nVersion: 1\n"),
            ("/opt/site/six.egg-info/installed-files.txt", "../six.py\nPKG-INFO\n"),
        ]);
        assert_eq!(only_paths(&set), ["/opt/site/six.py", "/opt/site/six.egg-info/PKG-INFO"]);
    }

    #[test]
    fn a_distribution_without_a_list_owns_its_metadata() {
        let set = read(&[("/opt/site/six-1.egg-info", "Name: six\nVersion: 1\n")]);
        assert_eq!(only_paths(&set), ["/opt/site/six-1.egg-info"]);
    }

    #[test]
    fn metadata_without_a_version_is_a_problem() {
        let files = [DatabaseFile { path: b"/a.egg-info"[..].into(), content: b"Name: a\n\nVersion: 1\n" }];
        let parsed = parse(&files);
        assert!(parsed.packages.packages().is_empty());
        assert_eq!(parsed.problems[0].message, "has no field Version");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(paths in proptest::collection::vec("[a-z]{1,3}(/[a-z ,\"]{1,6}){0,3}", 0..8)) {
            let quote = |path: &String| match path.contains([',', '"']) {
                true => format!("\"{}\"", path.replace('"', "\"\"")),
                false => path.clone(),
            };
            let record: String = paths.iter().map(|path| format!("{},sha256=,1\n", quote(path))).collect();
            let set = read(&[("/b/a.dist-info/METADATA", "Name: a\nVersion: 1\n"), ("/b/a.dist-info/RECORD", &record)]);
            prop_assert_eq!(only_paths(&set), paths.iter().map(|path| format!("/b/{path}")).collect::<Vec<_>>());
        }
    }
}
