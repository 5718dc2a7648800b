//! A reader of tables of SQLite database files (sqlite.org/fileformat2.html), from bytes in memory.
//!
//! Only what tables need: their b-trees, overflow pages and records. Indexes, and tables without row ids, are not read.
//! A write-ahead log beside the file is not read either: what is in it and not in the file is missing.

mod bounds;
mod file;
mod record;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod samples;
mod schema;
#[cfg(test)]
mod tests;

pub use bounds::{Budget, Visited};
pub use file::{Database, SqliteError};
pub use record::{Row, Value};
pub use schema::Table;
