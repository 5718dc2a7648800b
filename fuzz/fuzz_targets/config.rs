//! An image configuration of any bytes: every JSON object counts as one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::source::parse_config;

fuzz_target!(|bytes: &[u8]| {
    let is_object = matches!(serde_json::from_slice(bytes), Ok(serde_json::Value::Object(_)));
    assert_eq!(parse_config("config.json", bytes).is_ok(), is_object);
});
