//! A platform that parses reads back the same from its text, and serves itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::image::Platform;

fuzz_target!(|text: &str| {
    if let Some(platform) = Platform::parse(text) {
        assert!(platform.serves(&platform));
        assert!(platform.serves(&Platform { variant: None, ..platform.clone() }));
        // Other names of an architecture are not kept: `x86_64` reads as `amd64`.
        assert_eq!(Platform::parse(&platform.to_string()), Some(platform));
    }
});
