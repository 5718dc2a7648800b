//! RPM's databases: three containers of the same header blobs.

mod bdb;
mod fields;
mod header;
mod manifest;
mod ndb;

#[cfg(test)]
mod samples;

use std::cmp::Ordering;

use super::database::Malformed;
use super::ecosystem::{Ecosystem, Part, Source};
use super::package_url::OfDistribution;
use super::set::SetBuilder;
use super::{Distribution, Package, versions};
use nixdive_base::sqlite;

const DIRECTORIES: [&[u8]; 3] = [b"var/lib/rpm", b"usr/lib/sysimage/rpm", b"usr/share/rpm"];

/// RPM.
pub(super) struct Rpm;

impl Ecosystem for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    /// - `rpmdb.sqlite`, `Packages.db` (RPM's own format), `Packages` (a Berkeley DB hash): all packages with their files;
    /// - `container-manifest-2`: all packages of an image assembled without an RPM database.
    fn part(&self, directory: &[u8], name: &[u8]) -> Option<Part> {
        let holds = match name {
            b"rpmdb.sqlite" | b"Packages.db" | b"Packages" => DIRECTORIES.contains(&directory),
            b"container-manifest-2" => directory == b"var/lib/rpmmanifest",
            _ => false,
        };
        holds.then_some(Part::Database)
    }

    fn parse(&self, source: &Source<'_>, builder: &mut SetBuilder) -> Result<(), Malformed> {
        let &Source { index, path, content, .. } = source;
        let container: Container = match path.rsplit(|&byte| byte == b'/').next() {
            Some(b"container-manifest-2") => return manifest::parse_manifest(index, content, builder),
            Some(b"rpmdb.sqlite") => for_each_blob,
            Some(b"Packages.db") => ndb::for_each_blob,
            _ => bdb::for_each_blob,
        };
        parse_database(index, container, content, builder)
    }

    fn compare_versions(&self, left: &str, right: &str) -> Ordering {
        versions::rpm::compare(left, right)
    }

    /// The upstream qualifier is the name of the source package's file.
    fn package_url(&self, package: &Package, distribution: &Distribution) -> String {
        let (epoch, version) = match package.version.split_once(':') {
            Some((epoch, version)) => (Some(epoch), version),
            None => (None, &*package.version),
        };
        let source = package.source.as_ref();
        let upstream = source.and_then(|source| Some(format!("{}-{}.src.rpm", source.name, source.version.as_ref()?)));
        OfDistribution { kind: "rpm", usual: "", name: &package.name, version, epoch, upstream }
            .url(package, distribution)
    }
}

/// Calls a function with each header blob of a database.
type Container = fn(&[u8], &mut dyn FnMut(&[u8])) -> Result<(), Malformed>;

/// Reads all packages out of a database. A header that cannot be read is an error only after all others were read.
fn parse_database(
    index: usize,
    container: Container,
    content: &[u8],
    builder: &mut SetBuilder,
) -> Result<(), Malformed> {
    let mut unreadable = None;
    let mut visit = |blob: &[u8]| {
        if let Err(error) = header::add_package(index, blob, builder) {
            unreadable = Some(error);
        }
    };
    container(content, &mut visit)?;
    unreadable.map_or(Ok(()), Err)
}

/// Calls `visit` with each blob of the table `Packages(hnum INTEGER PRIMARY KEY, blob BLOB)`.
fn for_each_blob(content: &[u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Malformed> {
    let mut database = sqlite::Database::open(content)?;
    let table = database.table("Packages")?.ok_or(Malformed("is an SQLite database without a table Packages"))?;
    database.for_each_row(&table, &mut |row| {
        if let Some(blob) = row.value(1).and_then(sqlite::Value::bytes) {
            visit(blob);
        }
    })?;
    Ok(())
}

impl From<sqlite::SqliteError> for Malformed {
    fn from(error: sqlite::SqliteError) -> Self {
        Self(match error {
            sqlite::SqliteError::NotSqlite => "is not an SQLite database",
            sqlite::SqliteError::Damaged => "is an SQLite database with a damaged page",
            sqlite::SqliteError::Encoding => "is an SQLite database with its text in UTF-16, which is not read",
        })
    }
}
