//! RPM's databases: three containers of the same header blobs.

mod bdb;
mod fields;
mod header;
mod ndb;
mod sqlite;

#[cfg(test)]
mod samples;

use super::Database;
use super::database::Malformed;
use super::set::SetBuilder;

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
        Database::RpmSqlite => sqlite::for_each_blob(content, &mut visit),
        Database::RpmNdb => ndb::for_each_blob(content, &mut visit),
        _ => bdb::for_each_blob(content, &mut visit),
    }?;
    unreadable.map_or(Ok(()), Err)
}

/// Bytes of blobs that a file may still give out. In a sound file blobs do not overlap, so together they are no longer
/// than it; in another one every pointer may lead to the same blob.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

/// The pages of a file that were read, so that no page is read twice however they point at each other.
struct Visited(Vec<u64>);

impl Visited {
    /// For pages `0..pages`; the count comes from the length of the file.
    fn new(pages: usize) -> Self {
        Self(vec![0; pages / 64 + 1])
    }

    /// Marks a page; whether this is the first time.
    fn first(&mut self, page: usize) -> bool {
        let Some(word) = self.0.get_mut(page / 64) else { return false };
        let bit = 1 << (page % 64);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}
