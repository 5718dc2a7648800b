//! RPM's databases: three containers of the same header blobs.

mod bdb;
mod fields;
mod header;
mod manifest;
mod ndb;

#[cfg(test)]
mod samples;

pub(super) use manifest::parse_manifest;

use super::Database;
use super::database::Malformed;
use super::set::SetBuilder;
use nixdive_base::sqlite;

/// Reads all packages out of a database. A header that cannot be read is an error only after all others were read.
pub(super) fn parse_database(
    index: usize,
    database: Database,
    content: &[u8],
    builder: &mut SetBuilder,
) -> Result<(), Malformed> {
    let mut unreadable = None;
    let mut visit = |blob: &[u8]| {
        if let Err(error) = header::add_package(index, blob, builder) {
            unreadable = Some(error);
        }
    };
    match database {
        Database::RpmSqlite => for_each_blob(content, &mut visit),
        Database::RpmNdb => ndb::for_each_blob(content, &mut visit),
        _ => bdb::for_each_blob(content, &mut visit),
    }?;
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
