//! Tables of contents within compressed layers, by which their entries are known without unpacking them: eStargz
//! (containerd's stargz-snapshotter, docs/estargz.md) and zstd:chunked (containers/storage, pkg/chunked/internal).
//!
//! A table is the image's own claim about its layer. It is verified against the digest in the
//! manifest, and content against the digests in the table; whether the layer's tar stream agrees is
//! only known by reading it.

mod content;
mod entries;
mod footer;

use std::io;

pub use content::{ListedContent, ListedFile, ListedReader};
pub use entries::{LayerTable, TableOptions};
pub use footer::{ESTARGZ_NAME, FOOTER_BYTES, TablePosition, estargz_table, table_start, zstd_table};

/// Bytes that a table may have as it is stored.
pub const MAX_STORED_BYTES: u64 = 32 << 20;
/// Bytes that a table may unpack to.
pub const MAX_TABLE_BYTES: u64 = 128 << 20;

/// Why a table is of no use: the layer itself says more.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Nothing at the layer's end says where a table begins.
    #[error("the layer has no footer that locates its table of contents")]
    NoFooter,
    /// It is said to lie where it cannot be.
    #[error("the position of its table of contents is outside the layer")]
    Outside,
    /// More bytes than any real one has.
    #[error("its table of contents has more than {0} bytes")]
    TooLong(u64),
    /// It has another digest than the manifest gives.
    #[error("its table of contents does not match the digest in the manifest")]
    Digest,
    /// It is not a valid table.
    #[error("its table of contents cannot be read: {0}")]
    Json(String),
    /// An entry contradicts itself or another one.
    #[error("entry {entry} of its table of contents {what}")]
    Entry {
        /// Its number, from 0.
        entry: u64,
        /// Description of the error.
        what: &'static str,
    },
    /// Its names and attributes have no more room in memory.
    #[error("the names and attributes in its table of contents exceed the limit")]
    Crowded,
    /// It could not be had.
    #[error(transparent)]
    Source(#[from] io::Error),
}

#[cfg(test)]
mod tests;
