//! No name steers a terminal, and names that are plain text stay as they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::text::display_name;

fuzz_target!(|bytes: &[u8]| {
    let shown = display_name(bytes);
    assert!(!shown.chars().any(char::is_control));
    assert_eq!(display_name(shown.as_bytes()), shown);
    if bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        assert_eq!(shown.as_bytes(), bytes);
    }
});
