//! The index of an OCI layout may be any bytes.
#![no_main]

mod parts;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| parts::read("index.json", bytes));
