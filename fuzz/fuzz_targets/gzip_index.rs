//! Whatever a gzip stream unpacks to before it ends or breaks, the index reads every part of it back.
//!
//! Input: spacing of checkpoints (2 bytes), offset (4) and length (2) of the part, then a gzip stream, or deflate data
//! that gets a gzip header.
#![no_main]

use std::io::Read;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nixdive::scan::gzip_index::{CheckpointPlan, GzipReader};

const HEADER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
const UNPACKED_LIMIT: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((&[s0, s1, o0, o1, o2, o3, l0, l1], data)) = input.split_first_chunk() else { return };
    let packed = if data.starts_with(b"\x1f\x8b") { data.to_vec() } else { [HEADER, data].concat() };
    let plan = CheckpointPlan { spacing: u64::from(u16::from_le_bytes([s0, s1])), memory_bytes: 1 << 20 };
    let (reader, index) = GzipReader::recording(&packed[..], plan);
    let mut unpacked = Vec::new();
    // What was unpacked before an error counts, too.
    let _ = reader.take(UNPACKED_LIMIT).read_to_end(&mut unpacked);

    let offset = u32::from_le_bytes([o0, o1, o2, o3]) as usize % (unpacked.len() + 1);
    let length = usize::from(u16::from_le_bytes([l0, l1])).min(unpacked.len() - offset);
    let source: Arc<[u8]> = packed.into();
    let range = index.snapshot().read_range(source, offset as u64, length as u64).expect("memory for a decoder");
    let mut found = Vec::new();
    range.take(length as u64).read_to_end(&mut found).expect("these bytes were unpacked before");
    assert_eq!(found, unpacked[offset..offset + length]);
});
