use proptest::prelude::*;

use super::{Abilities, DlopenNote, Elf, Machine, Named, read};

/// Builds a 64-bit library: one segment that maps the whole file, strings, a dynamic section and a note.
fn library() -> Vec<u8> {
    let mut strings = vec![0u8];
    let mut place = |text: &str| {
        let at = strings.len() as u64;
        strings.extend(text.bytes().chain([0]));
        at
    };
    let entries = [
        (1u64, place("libc.so.6")),
        (1, place("libz.so.1")),
        (14, place("libown.so.2")),
        (29, place("$ORIGIN/../lib")),
        (0x6fff_fef5, place("dlopen")),
    ];
    place("/etc/own.conf");
    place("libplugin.so.3");
    let interpreter = b"/lib64/ld-linux-x86-64.so.2\0";
    let note = br#"[{"soname":["libzstd.so.1","libzstd.so"],"priority":"required"}]"#;

    let strings_at = 64 + 4 * 56;
    let dynamic_at = strings_at + strings.len().next_multiple_of(8);
    let dynamic: Vec<(u64, u64)> =
        entries.into_iter().chain([(5, 0x10000 + strings_at as u64), (10, strings.len() as u64), (0, 0)]).collect();
    let interpreter_at = dynamic_at + dynamic.len() * 16;
    let note_at = (interpreter_at + interpreter.len()).next_multiple_of(4);
    let note_bytes = [
        &4u32.to_le_bytes()[..],
        &(note.len() as u32).to_le_bytes(),
        &0x407c_0c0au32.to_le_bytes(),
        b"FDO\0",
        &note[..],
    ]
    .concat();
    let total = note_at + note_bytes.len();

    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    for half in [3u16, 62] {
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(1u32.to_le_bytes());
    for word in [0u64, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 4, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let mut header = |kind: u32, at: usize, length: usize| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(4u32.to_le_bytes());
        for word in [at as u64, 0x10000 + at as u64, 0, length as u64, length as u64, 1] {
            bytes.extend(word.to_le_bytes());
        }
    };
    header(1, 0, total);
    header(2, dynamic_at, dynamic.len() * 16);
    header(3, interpreter_at, interpreter.len());
    header(4, note_at, note_bytes.len());
    bytes.extend(&strings);
    bytes.resize(dynamic_at, 0);
    for (tag, value) in dynamic {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(interpreter);
    bytes.resize(note_at, 0);
    bytes.extend(note_bytes);
    bytes
}

#[test]
fn what_a_library_asks_for_is_read() {
    let elf = read(&library()).unwrap();
    assert_eq!(elf.machine, Machine { wide: true, big_endian: false, number: 62 });
    assert_eq!(elf.machine.triplet(), Some("x86_64-linux-gnu"));
    assert_eq!(elf.interpreter.as_deref(), Some(&b"/lib64/ld-linux-x86-64.so.2"[..]));
    assert_eq!(elf.needed, [&b"libc.so.6"[..], b"libz.so.1"].map(Box::from));
    assert_eq!(elf.soname.as_deref(), Some(&b"libown.so.2"[..]));
    assert_eq!((elf.rpath, elf.runpath.as_deref()), (None, Some(&b"$ORIGIN/../lib"[..])));
    assert_eq!(elf.abilities, Abilities::LOADS);
    let sonames = [&b"libzstd.so.1"[..], b"libzstd.so"].map(Box::from).to_vec();
    assert_eq!(elf.dlopen_notes, [DlopenNote { sonames, is_required: true }]);
    assert!(
        elf.paths.contains(&Named { path: b"/etc/own.conf".as_slice().into(), is_prefix: false, is_value: false }),
        "{:?}",
        elf.paths
    );
    assert!(elf.libraries.contains(&b"libplugin.so.3".as_slice().into()), "{:?}", elf.libraries);
}

#[test]
fn a_file_that_is_not_a_program_needs_nothing() {
    assert_eq!(read(b""), None);
    assert_eq!(read(b"#!/bin/sh\n"), None);
    assert_eq!(read(&library()[..40]), None);
    let mut object = library();
    object[16] = 1;
    assert_eq!(read(&object).map(|elf| elf.needed), Some(Vec::new()));
}

/// Found by the fuzz target `needs`: the position in the notes never reached their end.
#[test]
fn notes_behind_the_end_of_the_file_end() {
    let mut bytes = library();
    let note_header = 64 + 3 * 56;
    bytes[note_header + 8..note_header + 16].copy_from_slice(&(u64::MAX - 8).to_le_bytes());
    bytes[note_header + 32..note_header + 40].copy_from_slice(&u64::MAX.to_le_bytes());
    let elf = read(&bytes).unwrap();
    assert!(elf.dlopen_notes.is_empty());
    assert_eq!(elf.soname.as_deref(), Some(&b"libown.so.2"[..]));
}

/// Compares programs of this machine with binutils, if it is installed.
#[test]
fn readelf_says_the_same() {
    let program = std::env::current_exe().unwrap();
    let Ok(output) = std::process::Command::new("readelf").arg("-dW").arg(&program).output() else {
        println!("skipped: readelf is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let needed: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    let elf: Elf = read(&std::fs::read(&program).unwrap()).unwrap();
    assert_eq!(elf.needed.iter().map(|name| std::str::from_utf8(name).unwrap()).collect::<Vec<_>>(), needed);
}

proptest! {
    #[test]
    fn damage_is_survived(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in 0usize..2000) {
        let mut bytes = library();
        for (at, byte) in changes {
            let place = at.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut);
        if let Some(elf) = read(&bytes) {
            prop_assert!(elf.needed.len() <= super::MOST_NAMES);
        }
    }
}
