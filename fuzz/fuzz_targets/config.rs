//! An image configuration of any bytes: every JSON object counts as one, and nothing else does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::source::parse_config;
use serde::de::IgnoredAny;

/// Bytes beyond which a configuration is refused, whatever it contains.
const MOST_BYTES: usize = 4 << 20;

fuzz_target!(|bytes: &[u8]| {
    let is_read = parse_config("config.json", bytes).is_ok();
    // A strict reader also refuses what counts as not given: numbers out of range, fields that are not UTF-8.
    if matches!(serde_json::from_slice(bytes), Ok(serde_json::Value::Object(_))) && bytes.len() <= MOST_BYTES {
        assert!(is_read);
    }
    if is_read {
        assert!(serde_json::from_slice::<IgnoredAny>(bytes).is_ok());
        assert_eq!(bytes.trim_ascii_start().first(), Some(&b'{'));
    }
});
