//! A platform that parses is written as it was read and serves itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::image::Platform;

fuzz_target!(|text: &str| {
    if let Some(platform) = Platform::parse(text) {
        assert!(platform.serves(&platform));
        assert!(platform.serves(&Platform { variant: None, ..platform.clone() }));
        assert_eq!(platform.to_string(), text);
    }
});
