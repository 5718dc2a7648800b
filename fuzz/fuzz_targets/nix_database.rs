//! Nix's database in an image may be any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(database) = nixdive::nix::database::read(bytes) else { return };
    for known in database.paths.iter().take(10) {
        assert!(database.closure(&known.path).is_some());
    }
});
