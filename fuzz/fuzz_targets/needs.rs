//! What a rebuild reads of programs and scripts: ELF, paths among constants, `ld.so.cache`, shell, Python, jars, calls in
//! scripts, settings, patterns of the shell. The first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixdive::rebuild::fuzzing::{calls, elf, jar, linker_cache, matches, paths, python, settings, shell};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, content)) = bytes.split_first() else { return };
    // Nothing is found that takes no byte; a call may be found under each of three names.
    let found = match first % 9 {
        0 => elf(content) / (1 + content.len()),
        1 => paths(content),
        2 => linker_cache(content),
        3 => shell(content),
        4 => python(content),
        5 => jar(content),
        6 => calls(content),
        7 => settings(content) / 2,
        _ => {
            let (pattern, name) = content.split_at(content.len() / 2);
            let _ = matches(pattern, name);
            assert!(matches(b"*", name));
            0
        }
    };
    assert!(found <= content.len());
});
