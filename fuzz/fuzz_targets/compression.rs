//! A decoder comes to an end of whatever begins like its format, and unpacks the same with one thread and with two.
#![no_main]

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use nixdive::image::Compression;
use nixdive::scan::compression::{decoder, detect};

const UNPACKED_LIMIT: u64 = 4 << 20;

fn unpack(bytes: &[u8], compression: Compression, threads: usize) -> (Vec<u8>, bool) {
    let mut unpacked = Vec::new();
    let result = decoder(Cursor::new(bytes.to_vec()), compression, threads)
        .and_then(|reader| reader.take(UNPACKED_LIMIT).read_to_end(&mut unpacked));
    (unpacked, result.is_ok())
}

fuzz_target!(|bytes: &[u8]| {
    let Some(compression) = detect(bytes) else { return };
    let (one, two) = (unpack(bytes, compression, 1), unpack(bytes, compression, 2));
    assert_eq!(one.1, two.1, "{compression:?}");
    // How much comes out before an error is the decoder's business.
    if one.1 {
        assert_eq!(one.0, two.0, "{compression:?}");
    }
});
