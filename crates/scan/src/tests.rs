use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use proptest::prelude::*;

use super::compression::{decoder, detect};
use super::{LayerOptions, LayerProgress, LayerScan, NameRoom, Section, UnpackLimit, scan_section};
use nixdive_base::cancel::Cancel;
use nixdive_image::Compression;
use nixdive_image::testing::archive::{Written, any_damage, any_entries, damaged, tar_of};

const ALL: [Compression; 4] = [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2];

fn any_compression() -> impl Strategy<Value = Compression> {
    prop::sample::select(ALL.to_vec())
}

/// One whole stream of a compressed format.
fn pack(bytes: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

fn unpack(packed: Vec<u8>, compression: Compression, threads: usize) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    decoder(Cursor::new(packed), compression, threads)?.take(1 << 22).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

fn options(whole: bool) -> LayerOptions {
    LayerOptions {
        whole,
        limit: UnpackLimit::default(),
        decoder_threads: 1,
        access: super::compression::Access::Beginning,
        wanted: None,
        watch: None,
        stated: super::StatedDigests::default(),
        names: NameRoom::default(),
        cancel: Cancel::new(),
    }
}

/// Reads a layer; gives its entries as text, and the rest.
fn scan(bytes: &[u8], whole: bool) -> (Vec<String>, LayerScan) {
    let section = Section::new(Arc::new(Arc::<[u8]>::from(bytes)), 0, bytes.len() as u64);
    let options = options(whole);
    let mut entries = Vec::new();
    let mut sink = |batch: nixdive_image::EntryBatch| {
        for entry in batch.entries() {
            let mut fields = entry.fields.clone();
            fields.content = None;
            entries.push(format!("{:?} {fields:?}", batch.names(entry)));
        }
        Ok(())
    };
    let scan = scan_section(&section, &options, &LayerProgress::default(), &mut sink, None).unwrap();
    (entries, scan)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_compressed_is_known_by_its_first_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..400), compression in any_compression(),
    ) {
        prop_assert_eq!(detect(&pack(&bytes, compression)), Some(compression));
    }

    #[test]
    fn a_tar_stream_is_never_taken_for_compressed(entries in any_entries(3)) {
        let starts_like_one = entries.first().is_some_and(|entry| detect(&entry.path).is_some());
        prop_assume!(!starts_like_one);
        prop_assert_eq!(detect(&tar_of(&entries)), None);
    }

    #[test]
    fn any_first_bytes_may_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let _ = detect(&bytes);
    }

    #[test]
    fn streams_in_a_row_unpack_to_one(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 1..4),
        compression in any_compression(), threads in 1usize..3,
    ) {
        let packed: Vec<u8> = parts.iter().flat_map(|part| pack(part, compression)).collect();
        prop_assert_eq!(unpack(packed, compression, threads).unwrap(), parts.concat());
    }

    #[test]
    fn a_frame_to_skip_unpacks_to_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..500), skipped in prop::collection::vec(any::<u8>(), 0..50),
        magic in 0x50u8..0x60,
    ) {
        let frame = [&[magic, 0x2a, 0x4d, 0x18], &(skipped.len() as u32).to_le_bytes()[..], &skipped].concat();
        let packed = pack(&bytes, Compression::Zstd);
        for packed in [[&frame[..], &packed].concat(), [&packed[..], &frame].concat()] {
            prop_assert_eq!(detect(&packed), Some(Compression::Zstd));
            prop_assert_eq!(unpack(packed, Compression::Zstd, 1).unwrap(), &bytes[..]);
        }
    }

    #[test]
    fn a_stream_that_was_cut_off_is_an_error(
        bytes in prop::collection::vec(any::<u8>(), 1..2000), compression in any_compression(),
        at in any::<prop::sample::Index>(), threads in 1usize..3,
    ) {
        let packed = pack(&bytes, compression);
        let cut = packed[..1 + at.index(packed.len() - 1)].to_vec();
        prop_assert!(unpack(cut, compression, threads).is_err());
    }

    #[test]
    fn damaged_streams_come_to_an_end(
        bytes in prop::collection::vec(any::<u8>(), 0..2000), compression in any_compression(),
        damage in any_damage(), threads in 1usize..3,
    ) {
        let packed = damaged(&pack(&bytes, compression), &damage, false);
        let _ = unpack(packed, compression, threads);
    }

    #[test]
    fn a_layer_has_the_same_entries_however_it_is_read(entries in any_entries(10), compression in any_compression()) {
        let bytes = tar_of(&entries);
        let (by_headers, headers) = scan(&bytes, false);
        let (whole, read) = scan(&bytes, true);
        let (packed, unpacked) = scan(&pack(&bytes, compression), false);
        prop_assert_eq!(by_headers.len(), entries.len());
        prop_assert_eq!(&by_headers, &whole);
        prop_assert_eq!(&by_headers, &packed);
        for scan in [&headers, &read, &unpacked] {
            prop_assert_eq!(scan.unpacked_bytes, bytes.len() as u64);
            prop_assert_eq!(scan.entries, entries.len() as u64);
            prop_assert!(scan.failure.is_none());
        }
        prop_assert_eq!(unpacked.compression, compression);
        prop_assert!(read.diff_id.is_some());
        prop_assert_eq!(read.diff_id, unpacked.diff_id);
        prop_assert_eq!(headers.file_bytes, unpacked.file_bytes);
    }

    #[test]
    fn a_damaged_layer_is_read_as_far_as_it_goes_however_it_is_read(
        entries in any_entries(8), damage in any_damage(), mend in any::<bool>(), compression in any_compression(),
    ) {
        let bytes = damaged(&tar_of(&entries), &damage, mend);
        prop_assume!(detect(&bytes).is_none());
        let (by_headers, headers) = scan(&bytes, false);
        let (whole, read) = scan(&bytes, true);
        let (packed, unpacked) = scan(&pack(&bytes, compression), false);
        prop_assert_eq!(&by_headers, &whole);
        prop_assert_eq!(&by_headers, &packed);
        let failure = |scan: &LayerScan| scan.failure.as_ref().map(ToString::to_string);
        prop_assert_eq!(failure(&headers), failure(&read));
        prop_assert_eq!(failure(&headers), failure(&unpacked));
    }
}

/// Empty files, each with a thousand attributes; `value` makes the value of one attribute of one file.
fn files_with_attributes(files: usize, value: impl Fn(usize, usize) -> String) -> Vec<u8> {
    let record = |key: &str, value: &str| {
        let rest = key.len() + value.len() + 3;
        let length = (1..=3).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length);
        format!("{} {key}={value}\n", length.unwrap())
    };
    let mut entries = Vec::new();
    for file in 0..files {
        let attributes =
            (0..1000).map(|number| record(&format!("SCHILY.xattr.user.{number:04}"), &value(file, number)));
        let content = attributes.collect::<String>().into_bytes();
        entries.push(Written { flag: b'x', content, ..Written::file("PaxHeaders/x", b"") });
        entries.push(Written::file(&format!("f{file}"), b""));
    }
    tar_of(&entries)
}

#[test]
fn attributes_that_repeat_take_room_once() {
    let scan_with = |layer: Vec<u8>| {
        let length = layer.len() as u64;
        let section = Section::new(Arc::new(Arc::<[u8]>::from(layer)), 0, length);
        let options = LayerOptions { names: NameRoom::new(2 << 20), ..options(true) };
        scan_section(&section, &options, &LayerProgress::default(), &mut |_| Ok(()), None).unwrap()
    };
    let long = "v".repeat(300);
    let same = scan_with(files_with_attributes(50, |_, number| format!("{number}{long}")));
    assert!(same.failure.is_none(), "{:?}", same.failure);
    assert_eq!(same.entries, 50);
    let one_differs = scan_with(files_with_attributes(20, |file, number| {
        format!("{}{long}", number + 1000 * file * usize::from(number == 7))
    }));
    assert!(one_differs.failure.is_none(), "{:?}", one_differs.failure);
    let different = scan_with(files_with_attributes(50, |file, number| format!("{file} {number}{long}")));
    assert!(different.failure.is_some(), "50,000 values of 300 bytes have no room in 2 MiB");
}
