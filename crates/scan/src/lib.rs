//! One pass over the bytes of a layer: decompression, tar entries, digests and identities of content.
//! Knows nothing of where the bytes came from.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod blocks;
pub mod compression;
pub mod gzip_index;
mod layer;
mod name_room;
mod part;
mod range_reader;
mod read_at;
pub mod table;
pub mod tar;
mod verifier;
mod watch;
pub mod zstd_index;

pub use blocks::{BlockReader, CountingReader, HashingReader, UnpackLimit};
pub use layer::{
    Captured, EntrySink, LayerOptions, LayerProgress, LayerScan, StatedDigests, Tee, Wanted, identity_of,
    identity_with, needs_tee, scan_part, scan_section, trailing_oddity,
};
pub use name_room::NameRoom;
pub use part::{Part, PartEnd};
pub use read_at::{ReadAt, Section, SectionReader};
pub use verifier::{Verifier, beside_sha256};
pub use watch::{ContentWatch, LayerWatch};

#[cfg(test)]
mod tests;
