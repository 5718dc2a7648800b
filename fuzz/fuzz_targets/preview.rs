//! Files that are shown: zip, ar, deb, cpio and tar listings, ELF summaries, the kind of a file, and the difference of two.
//! The first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::cancel::Cancel;
use nixdive::image::Compression;
use nixdive::preview::{ArchiveFormat, Comparison, classify, compare, list_archive, summarise_elf};
use nixdive::scan::Section;

const FORMATS: [ArchiveFormat; 5] = [
    ArchiveFormat::Zip,
    ArchiveFormat::Ar,
    ArchiveFormat::Deb,
    ArchiveFormat::Cpio(Compression::None),
    ArchiveFormat::Tar(Compression::None),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    let section = Section::from_bytes(content.to_vec());
    let number = usize::from(*first) % 8;
    if let Some(format) = FORMATS.get(number) {
        let listing = list_archive(&section, *format, &Cancel::new());
        // One line an entry, and a few for the totals and the problem.
        assert!(listing.total_lines() <= content.len() + 8);
        let _ = listing.lines(0..listing.total_lines());
        return;
    }
    match number {
        5 => {
            let _ = summarise_elf(&section).map(|summary| summary.lines());
        }
        6 => {
            let _ = classify(&section, b"a");
        }
        _ => difference(content),
    }
});

fn difference(content: &[u8]) {
    let half = content.len() / 2;
    let (before, after) = content.split_at(half);
    let section = |bytes: &[u8]| Section::from_bytes(bytes.to_vec());
    match compare(&section(before), &section(after), b"a.txt", &Cancel::new()).expect("both are in memory") {
        Comparison::Same { .. } => assert_eq!(before, after),
        Comparison::Text(difference) => {
            let (removed, added) = difference.counts();
            assert!(removed <= before.len() as u64 && added <= after.len() as u64);
        }
        _ => assert_ne!(before, after),
    }
}
