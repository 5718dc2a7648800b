//! Anything may be typed for an image; a reference that chooses one of several leads back to it.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use nixdive::reference::{Location, Reference, Selector, Transport};

fuzz_target!(|bytes: &[u8]| {
    let Ok(reference) = Reference::parse(OsStr::from_bytes(bytes)) else { return };
    let Location::Path(path) = &reference.location else { return };
    let Some(text) = path.to_str().filter(|text| !text.contains(':') && *text != "-" && *text != "/dev/stdin") else {
        return;
    };
    let selector = Selector::Position(bytes.len());
    let chosen = reference.choosing(Transport::DockerArchive, &selector);
    let again = Reference::parse(OsStr::new(&chosen)).expect("it was given as a choice");
    assert_eq!(again.location, Location::Path(text.into()));
    assert_eq!(again.selector, Some(selector));
});
