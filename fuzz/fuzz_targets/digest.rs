//! A digest that parses is a plain file name below its algorithm, and is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::image::Digest;

fuzz_target!(|text: &str| {
    if let Some(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
        assert_eq!(format!("{}:{}", digest.algorithm(), digest.hex()), text);
        assert!(digest.hex().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(digest.short().len(), 12);
    }
});
