//! Extended headers of any bytes are read, or refused, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::scan::tar::Extended;

fuzz_target!(|bytes: &[u8]| {
    let mut extended = Extended::default();
    let _ = extended.read(bytes);
    let names = extended.path.iter().chain(&extended.link).map(Vec::len).sum::<usize>();
    let xattrs = extended.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum::<usize>();
    assert!(names + xattrs <= bytes.len());
});
