use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use proptest::prelude::*;

use super::*;
use crate::ReadAt;

fn member(unpacked: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(unpacked).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that compress neither well nor badly, in stretches, as tar streams of programs do.
fn plausible(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(length + 4096);
    while bytes.len() < length {
        let (kind, count, seed) = (next() % 8, next() as usize % 4096, next());
        let back = seed as usize % 30_000 + 1;
        match kind {
            0 => bytes.extend(std::iter::repeat_n(0, count)),
            1 => bytes.extend((0..count / 8).flat_map(|_| next().to_le_bytes())),
            2..=4 if bytes.len() > back + count => {
                bytes.extend_from_within(bytes.len() - back - count..bytes.len() - back)
            }
            _ => bytes.extend((0..count).map(|_| b"etaoin shrdlu/.\n"[(next() % 16) as usize])),
        }
    }
    bytes.truncate(length);
    bytes
}

fn unpack(source: &[u8], plan: CheckpointPlan) -> std::io::Result<(Vec<u8>, GzipIndex, Trailing)> {
    let (mut reader, index) = GzipReader::recording(source, plan);
    let mut unpacked = Vec::new();
    reader.read_to_end(&mut unpacked)?;
    Ok((unpacked, index.snapshot(), reader.trailing()))
}

fn range(index: &GzipIndex, source: &[u8], offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let source: Arc<[u8]> = source.into();
    index.read_range(source, offset, length).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn problem(error: &std::io::Error) -> &GzipError {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap()
}

const DENSE: CheckpointPlan = CheckpointPlan { spacing: 100_000, memory_bytes: 64 << 20 };

#[test]
fn any_part_reads_as_it_was_unpacked() {
    let unpacked = plausible(3_000_000, 7);
    for level in [0, 1, 6, 9] {
        let packed = member(&unpacked, level);
        let (found, index, trailing) = unpack(&packed, DENSE).unwrap();
        assert!(found == unpacked, "level {level}");
        assert_eq!((trailing, index.unpacked_bytes()), (Trailing::Nothing, Some(3_000_000)));
        assert_eq!(index.checkpoint_count(), 29);
        for checkpoint in index.checkpoints() {
            let offset = checkpoint.unpacked_offset as usize;
            let end = (offset + 200_000).min(unpacked.len());
            assert!(
                range(&index, &packed, offset as u64, 200_000) == unpacked[offset..end],
                "level {level} at {offset}"
            );
        }
        assert_eq!(range(&index, &packed, 2_999_990, 100), unpacked[2_999_990..]);
        assert_eq!(range(&index, &packed, 3_000_000, 1), b"");
        assert_eq!(range(&index, &packed, u64::MAX, u64::MAX), b"");
    }
}

#[test]
fn an_index_serves_before_it_is_complete() {
    let unpacked = plausible(2_000_000, 5);
    let packed = member(&unpacked, 6);
    let (reader, index) = GzipReader::recording(&packed[..], DENSE);
    assert_eq!(range(&index.snapshot(), &packed, 10, 5), unpacked[10..15]);

    let mut half = Vec::new();
    reader.take(1_000_000).read_to_end(&mut half).unwrap();
    let index = index.snapshot();
    assert!(index.checkpoint_count() > 1 && index.unpacked_bytes().is_none());
    assert!(range(&index, &packed, 1_900_000, u64::MAX) == unpacked[1_900_000..]);
}

#[test]
fn members_follow_one_another_and_keep_their_windows_apart() {
    let parts: Vec<Vec<u8>> = (0..300).map(|seed| plausible(seed as usize * 31, seed)).collect();
    let packed: Vec<u8> = parts.iter().flat_map(|part| member(part, 6)).collect();
    let unpacked = parts.concat();
    let (found, index, _) = unpack(&packed, CheckpointPlan { spacing: 20_000, ..DENSE }).unwrap();
    assert!(found == unpacked);
    assert!(index.checkpoint_count() > 20);
    for offset in (0..unpacked.len()).step_by(10_007) {
        let end = (offset + 30_000).min(unpacked.len());
        assert!(range(&index, &packed, offset as u64, 30_000) == unpacked[offset..end], "at {offset}");
    }
}

#[test]
fn checkpoints_thin_out_when_memory_runs_short() {
    let unpacked = plausible(12_000_000, 11);
    let packed = member(&unpacked, 6);
    let plan = CheckpointPlan { spacing: 10_000, memory_bytes: 512 << 10 };
    let (_, index, _) = unpack(&packed, plan).unwrap();
    assert!(index.memory_bytes() <= plan.memory_bytes, "{} bytes", index.memory_bytes());
    let offsets: Vec<u64> = index.checkpoints().iter().map(|checkpoint| checkpoint.unpacked_offset).collect();
    let expected: Vec<u64> = (1..=9).map(|multiple| multiple * 1_280_000).collect();
    assert_eq!(offsets, expected);
    assert!(range(&index, &packed, 11_000_000, 50) == unpacked[11_000_000..11_000_050]);

    let (_, index, _) = unpack(&packed, CheckpointPlan { spacing: 0, memory_bytes: 0 }).unwrap();
    assert_eq!(index.checkpoint_count(), 0);
    assert!(range(&index, &packed, 11_000_000, 50) == unpacked[11_000_000..11_000_050]);
}

#[test]
fn zeros_after_the_last_member_are_padding_and_anything_else_is_told() {
    let packed = member(b"data", 6);
    let cases: [(&[u8], Trailing); 6] = [
        (b"", Trailing::Nothing),
        (&[0; 1000], Trailing::Zeros),
        (b"junk", Trailing::Garbage { compressed_offset: 24 }),
        (&[0x1f], Trailing::Garbage { compressed_offset: 24 }),
        (&[0x1f, 0x1f, 0x8b], Trailing::Garbage { compressed_offset: 24 }),
        (&[0, 0, 0, 1], Trailing::Garbage { compressed_offset: 27 }),
    ];
    assert_eq!(packed.len(), 24);
    for (tail, expected) in cases {
        let stream = [&packed[..], tail].concat();
        let (mut reader, index) = GzipReader::recording(&stream[..], DENSE);
        let mut unpacked = Vec::new();
        reader.read_to_end(&mut unpacked).unwrap();
        let index = index.snapshot();
        assert_eq!((&unpacked[..], index.unpacked_bytes(), index.trailing()), (&b"data"[..], Some(4), expected));
        assert_eq!((reader.trailing(), reader.compressed_offset()), (expected, stream.len() as u64));
    }
}

#[test]
fn headers_may_carry_name_comment_extra_field_and_checksum() {
    let mut encoder = GzBuilder::new()
        .filename("n".repeat(300_000))
        .comment("c")
        .extra([7; 500])
        .write(Vec::new(), Compression::default());
    encoder.write_all(b"inside").unwrap();
    let packed = encoder.finish().unwrap();
    let (unpacked, index, _) = unpack(&packed, DENSE).unwrap();
    assert_eq!(unpacked, b"inside");
    assert_eq!(range(&index, &packed, 2, 3), b"sid");

    let body = &member(b"inside", 6)[10..];
    let with_checksum = |sum: u16| [&b"\x1f\x8b\x08\x02\0\0\0\0\0\x03"[..], &sum.to_le_bytes(), body].concat();
    let right = zlib_rs::crc32::crc32(0, b"\x1f\x8b\x08\x02\0\0\0\0\0\x03") as u16;
    assert_eq!(unpack(&with_checksum(right), DENSE).unwrap().0, b"inside");
    let error = unpack(&with_checksum(right ^ 1), DENSE).unwrap_err();
    assert_eq!(problem(&error), &GzipError { compressed_offset: 12, problem: GzipProblem::HeaderChecksum });
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let packed = member(b"some data to unpack", 6);
    let changed = |at: usize, byte: u8| {
        let mut packed = packed.clone();
        packed[at] = byte;
        packed
    };
    let end = packed.len();
    let cases = [
        (b"PK\x03\x04".to_vec(), "does not begin with the bytes 1f 8b, so this is not gzip, at compressed byte 1"),
        (changed(2, 9), "compression method 9 is unknown (only 8, deflate, exists), at compressed byte 3"),
        (changed(3, 0x80), "the header sets reserved flags (0x80), at compressed byte 4"),
        (changed(10, 7), "corrupt deflate data (invalid block type), at compressed byte 11"),
        (packed[..end - 1].to_vec(), "the stream is truncated, at compressed byte 38"),
        (packed[..5].to_vec(), "the stream is truncated, at compressed byte 5"),
        (Vec::new(), "the stream is truncated, at compressed byte 0"),
    ];
    for (packed, expected) in cases {
        let error = unpack(&packed, DENSE).unwrap_err();
        assert_eq!(error.to_string(), format!("gzip stream: {expected}"));
    }
    let data_end = end as u64 - 8;
    let error = unpack(&changed(end - 8, packed[end - 8] ^ 1), DENSE).unwrap_err();
    assert_eq!(problem(&error).compressed_offset, data_end);
    assert!(matches!(problem(&error).problem, GzipProblem::Checksum { .. }), "{error}");
    let error = unpack(&changed(end - 1, 1), DENSE).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert_eq!(problem(&error).problem, GzipProblem::Length { expected: 19 | 1 << 24, found: 19 });
}

#[test]
fn a_truncated_stream_gives_what_it_has_and_never_pretends_to_be_whole() {
    let unpacked = plausible(60_000, 13);
    let packed = member(&unpacked, 6);
    for length in (0..packed.len()).step_by(61) {
        let mut reader = GzipReader::new(&packed[..length]);
        let mut found = Vec::new();
        let error = reader.read_to_end(&mut found).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        assert!(unpacked.starts_with(&found));
        let again = reader.read(&mut [0; 8]).unwrap_err();
        assert_eq!(problem(&again).problem, GzipProblem::Stopped);
    }
}

#[test]
fn a_source_that_is_not_what_it_was_is_an_error_or_other_bytes_but_no_panic() {
    let packed = member(&plausible(500_000, 17), 6);
    let (_, index, _) = unpack(&packed, DENSE).unwrap();
    let other: Arc<[u8]> = plausible(packed.len(), 19).into();
    let short: Arc<[u8]> = packed[..packed.len() / 2].into();
    for offset in (0..500_000).step_by(50_021) {
        for source in [&other, &short] {
            let read = |out: &mut Vec<u8>| index.read_range(Arc::clone(source), offset, 9000)?.read_to_end(out);
            let mut out = Vec::new();
            assert!(read(&mut out).is_err() || out.len() <= 9000);
        }
    }
}

/// A source that fails where it should not even be asked.
struct Watched {
    bytes: Vec<u8>,
    from: u64,
}

impl ReadAt for Watched {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        assert!(offset >= self.from, "read at {offset}");
        self.bytes[..].read_at(buffer, offset)
    }
}

#[test]
fn a_large_stream_is_read_anywhere_within_a_tenth_of_a_second() {
    let pattern = plausible(6_000_000, 23);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut unpacked = Vec::new();
    for turn in 0..20u8 {
        let piece: Vec<u8> = pattern.iter().map(|byte| byte ^ turn).collect();
        encoder.write_all(&piece).unwrap();
        unpacked.extend_from_slice(&piece);
    }
    let packed = encoder.finish().unwrap();
    let (mut reader, index) = GzipReader::recording(&packed[..], CheckpointPlan::default());
    assert_eq!(std::io::copy(&mut reader, &mut std::io::sink()).unwrap(), 120_000_000);
    let index = index.snapshot();
    assert_eq!(index.checkpoint_count(), 14);
    assert!(index.memory_bytes() < 1 << 20);

    let source = Arc::new(Watched { from: 0, bytes: packed });
    let mut state = 1u64;
    for _ in 0..30 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let offset = state % 119_000_000;
        let read = || {
            let begin = Instant::now();
            let mut bytes = Vec::new();
            index.read_range(Arc::clone(&source), offset, 4096).unwrap().read_to_end(&mut bytes).unwrap();
            assert!(bytes == unpacked[offset as usize..offset as usize + 4096]);
            begin.elapsed()
        };
        // The best of several, for other work on the machine counts for nothing here.
        let best = (0..5).map(|_| read()).min().unwrap();
        assert!(best < Duration::from_millis(100), "{best:?} at {offset}");
    }
    let checkpoint = index.checkpoint_before(100_000_000).unwrap();
    let source = Watched { from: checkpoint.compressed_offset, bytes: source.bytes.clone() };
    let mut bytes = Vec::new();
    index.read_range(source, 100_000_000, 10).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, unpacked[100_000_000..100_000_010]);
}

/// Gives out a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(buffer.len());
        self.0.read(&mut buffer[..count])
    }
}

fn streams() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let part = (0usize..150_000, any::<u64>(), 0u32..10);
    proptest::collection::vec(part, 1..5).prop_map(|parts| {
        let mut stream = (Vec::new(), Vec::new());
        for (length, seed, level) in parts {
            let bytes = plausible(length, seed);
            stream.0.extend(member(&bytes, level));
            stream.1.extend(bytes);
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ranges_equal_plain_decompression(
        (packed, unpacked) in streams(),
        spacing in 1u64..60_000,
        (input, output) in (1usize..5000, 1usize..70_000),
        ranges in proptest::collection::vec((0u64..700_000, 0u64..50_000), 1..8),
    ) {
        let (mut reader, index) = GzipReader::recording(Trickle(&packed, input), CheckpointPlan { spacing, ..DENSE });
        let mut found = Vec::new();
        let mut buffer = vec![0; output];
        loop {
            let count = reader.read(&mut buffer).unwrap();
            found.extend_from_slice(&buffer[..count]);
            if count == 0 {
                break;
            }
        }
        prop_assert!(found == unpacked);
        for (offset, length) in ranges {
            let start = (offset as usize).min(unpacked.len());
            let end = (start + length as usize).min(unpacked.len());
            prop_assert!(range(&index.snapshot(), &packed, offset, length) == unpacked[start..end]);
        }
    }

    #[test]
    fn changed_bytes_never_pass_for_the_right_ones(
        (packed, unpacked) in streams(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let mut packed = packed;
        for (at, difference) in changes {
            *at.get_mut(&mut packed[..]) ^= difference;
        }
        if let Ok((found, _, trailing)) = unpack(&packed, DENSE) {
            // Undetected changes are those of a header's time, or of a second member's first bytes,
            // which then count as garbage.
            prop_assert!(found == unpacked || trailing != Trailing::Nothing && unpacked.starts_with(&found));
        }
    }

    #[test]
    fn nothing_panics_on_arbitrary_bytes(tail in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = unpack(&tail, DENSE);
        let _ = unpack(&[b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &tail[..]].concat(), DENSE);
    }
}
