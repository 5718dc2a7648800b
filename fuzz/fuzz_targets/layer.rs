//! A layer has the same entries and the same end whether it is read by its headers, whole, or unpacked from gzip.
#![no_main]

use std::io::Write;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nixdive::image::EntryBatch;
use nixdive::scan::compression::{Access, detect};
use nixdive::cancel::Cancel;
use nixdive::scan::{LayerOptions, LayerProgress, NameRoom, Section, StatedDigests, UnpackLimit, scan_section};

/// Entries as text without what only whole reading brings, and how it ended.
fn scan(bytes: &[u8], whole: bool) -> (Vec<String>, Option<String>) {
    let section = Section::new(Arc::new(Arc::<[u8]>::from(bytes)), 0, bytes.len() as u64);
    let options = LayerOptions {
        whole,
        limit: UnpackLimit { always: 64 << 20, ratio: 10 },
        decoder_threads: 1,
        access: Access::Beginning,
        wanted: None,
        watch: None,
        stated: StatedDigests::default(),
        names: NameRoom::default(),
        cancel: Cancel::new(),
    };
    let mut entries = Vec::new();
    let mut sink = |batch: EntryBatch| {
        for entry in batch.entries() {
            let mut fields = entry.fields.clone();
            fields.content = None;
            entries.push(format!("{:?} {fields:?}", batch.names(entry)));
        }
        Ok(())
    };
    let end = match scan_section(&section, &options, &LayerProgress::default(), &mut sink, None) {
        Ok(scan) => scan.failure.map(|failure| failure.to_string()),
        Err(error) => Some(error.to_string()),
    };
    (entries, end)
}

fuzz_target!(|bytes: &[u8]| {
    let by_headers = scan(bytes, false);
    if detect(bytes).is_some() {
        return;
    }
    assert_eq!(by_headers, scan(bytes, true));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    assert_eq!(by_headers, scan(&encoder.finish().expect("memory takes it"), false));
});
