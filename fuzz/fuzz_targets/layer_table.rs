//! A layer's table of contents, and the files that it says to lie in the layer.
//!
//! Input: how many bytes of it are the table (2 bytes), the table, then the layer in gzip.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use nixdive::image::Compression;
use nixdive::scan::table::{LayerTable, TableOptions, table_start};
use nixdive::scan::{NameRoom, Section};

fuzz_target!(|input: &[u8]| {
    let Some((&[low, high], rest)) = input.split_first_chunk() else { return };
    let (table, layer) = rest.split_at(usize::from(u16::from_le_bytes([low, high])).min(rest.len()));
    let _ = table_start(layer, layer.len() as u64);
    let options = TableOptions {
        contents_end: layer.len() as u64,
        most_bytes: 1 << 20,
        holds_itself: false,
        names: NameRoom::new(1 << 20),
        wanted: None,
    };
    let Ok(read) = LayerTable::read(table, &options) else { return };
    for entry in read.batches.iter().flat_map(|batch| batch.entries()) {
        let Some(file) = read.content.file(entry.fields.offset) else { continue };
        let reader = read.content.read(file, Section::from_bytes(layer.to_vec()), Compression::Gzip);
        let mut content = Vec::new();
        if reader.take(1 << 20).read_to_end(&mut content).is_ok() {
            assert_eq!(content.len() as u64, file.bytes);
        }
    }
});
