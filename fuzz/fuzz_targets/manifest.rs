//! `manifest.json` of a docker-archive or of skopeo's directories, `repositories` and a layer's `json` of Docker's
//! oldest archives, and an OCI image manifest may be any bytes. The first byte says which.
#![no_main]

mod parts;

use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = [
    "manifest.json",
    "repositories",
    "top/json",
    "config.json",
    "blobs/sha256/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, document)) = bytes.split_first() else { return };
    parts::read(NAMES[usize::from(*first) % NAMES.len()], document);
});
