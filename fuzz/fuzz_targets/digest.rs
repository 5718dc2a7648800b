//! A digest that parses is a plain file name below its algorithm, and is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::image::Digest;

fuzz_target!(|text: &str| {
    if let Some(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
        assert_eq!(format!("{}:{}", digest.algorithm(), digest.hex()), text);
        // Digests that nothing verifies have what the grammar allows; none of it leads elsewhere.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-');
        assert!(digest.hex().bytes().all(is_plain));
        assert!(!digest.is_verifiable() || digest.hex().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(digest.hex().starts_with(digest.short()) && digest.short().len() == digest.hex().len().min(12));
    }
});
