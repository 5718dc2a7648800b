//! One pass over the bytes of a layer: decompression, tar entries, digests and identities of content.
//! Knows nothing of where the bytes came from.

mod blocks;
mod cancel;
pub mod compression;
mod layer;
mod part;
mod read_at;
pub mod tar;

pub use blocks::{BlockReader, CountingReader, HashingReader, UnpackLimit};
pub use cancel::{Cancel, is_cancellation};
pub use layer::{EntrySink, LayerOptions, LayerProgress, LayerScan, Tee, identity_of, scan_part, scan_section};
pub use part::Part;
pub use read_at::{ReadAt, Section, SectionReader};

#[cfg(test)]
mod tests;
