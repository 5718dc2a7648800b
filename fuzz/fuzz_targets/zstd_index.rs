//! What a zstd stream unpacks to, the index reads back in parts.
//!
//! Input: offset (4 bytes) and length (2) of the part, then a zstd stream.
#![no_main]

use std::io::Read;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nixdive::scan::zstd_index::ZstdReader;

const UNPACKED_LIMIT: u64 = 4 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((&[o0, o1, o2, o3, l0, l1], packed)) = input.split_first_chunk() else { return };
    let (reader, index) = ZstdReader::recording(packed).expect("memory for a decoder");
    let mut unpacked = Vec::new();
    let is_whole = reader.take(UNPACKED_LIMIT).read_to_end(&mut unpacked).is_ok();

    let offset = u32::from_le_bytes([o0, o1, o2, o3]) as usize % (unpacked.len() + 1);
    let length = usize::from(u16::from_le_bytes([l0, l1])).min(unpacked.len() - offset);
    let source: Arc<[u8]> = packed.into();
    let range = index.snapshot().read_range(source, offset as u64, length as u64).expect("memory for a decoder");
    let mut found = Vec::new();
    let result = range.take(length as u64).read_to_end(&mut found);
    // How early a decoder finds an error depends on how much room it is given.
    assert!(unpacked[offset..].starts_with(&found));
    assert!(!is_whole || result.is_ok() && found.len() == length);
});
