//! Sparse files as GNU tar writes them; GNU tar itself makes the archives, and its input is what must come out.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::{entry, in_every_way};
use crate::support::program::{content, scratch};
use crate::support::tar_bytes::{Entry, Tar, wide_number};

/// Writes a file of some runs with holes between them.
fn write_runs(path: &Path, runs: &[(u64, usize)], length: u64) {
    let file = File::create(path).unwrap();
    for (number, &(offset, length)) in runs.iter().enumerate() {
        let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + number) as u8 | 1).collect();
        file.write_all_at(&bytes, offset).unwrap();
    }
    file.set_len(length).unwrap();
}

/// What GNU tar makes of a directory, in one of its sparse formats.
fn gnu_tar(directory: &Path, format: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("tar");
    command.args(["--sparse", "--sort=name", "-C"]).arg(directory).args(format).args(["-cf", "-", "."]);
    match command.output() {
        Ok(output) if output.status.success() => Some(output.stdout),
        _ => {
            assert!(std::env::var_os("NIXDIVE_LIVE").is_none_or(|live| live != "1"), "GNU tar is missing");
            println!("skipped: GNU tar is missing");
            None
        }
    }
}

#[test]
fn every_format_of_gnu_tar_gives_the_bytes_back() {
    let directory = scratch();
    let long = format!("{}.img", "long-name-".repeat(14));
    let many: Vec<(u64, usize)> = (0..60).map(|number| (number * 64 * 1024, 4096)).collect();
    type Runs<'a> = &'a [(u64, usize)];
    let files: [(&str, Runs<'_>, u64); 6] = [
        ("hole-first", &[(1 << 20, 5000)], (1 << 20) + 5000),
        ("hole-last", &[(0, 5000)], 3 << 20),
        ("all-hole", &[], 1 << 20),
        ("none", &[(0, 20_000)], 20_000),
        ("many", &many, 5 << 20),
        (&long, &[(0, 4096), (1 << 19, 4096)], 1 << 20),
    ];
    for (name, runs, length) in files {
        write_runs(&directory.path().join(name), runs, length);
    }
    let formats: [(&str, &[&str]); 4] = [
        ("old GNU", &["--format=gnu"]),
        ("PAX 0.0", &["--format=posix", "--sparse-version=0.0"]),
        ("PAX 0.1", &["--format=posix", "--sparse-version=0.1"]),
        ("PAX 1.0", &["--format=posix", "--sparse-version=1.0"]),
    ];
    for (format, arguments) in formats {
        let Some(tar) = gnu_tar(directory.path(), arguments) else { return };
        in_every_way(&[tar], |opened, how| {
            assert_eq!(opened.image.warnings, [], "{format} {how}");
            for (name, _, length) in files {
                let id = entry(opened, format!("/{name}"));
                assert_eq!(opened.image.tree.occurrence(id).bytes, length, "{format} {how} {name}");
                let expected = std::fs::read(directory.path().join(name)).unwrap();
                assert!(content(opened, &format!("/{name}")) == expected, "{format} {how} {name}");
            }
            let sparse = opened.image.tree.sparse(entry(opened, "/many"));
            assert!(sparse.is_some_and(|runs| runs.len() >= 60), "{format} {how}: GNU tar found the holes");
        });
    }
}

#[test]
fn a_sparse_file_extracts_to_the_same_bytes() {
    let directory = scratch();
    let input = directory.path().join("input");
    std::fs::create_dir(&input).unwrap();
    write_runs(&input.join("file"), &[(8192, 4096), (1 << 20, 100)], 64 << 20);
    let Some(tar) = gnu_tar(&input, &["--format=posix"]) else { return };
    for (how, path) in super::every_way(directory.path(), &[tar]) {
        let output = directory.path().join(format!("output-{how}"));
        let arguments = ["extract", path.to_str().unwrap(), "/file", "-o", output.to_str().unwrap()];
        crate::support::program::run(&arguments).done();
        let extracted = output.join("file");
        assert!(std::fs::read(&extracted).unwrap() == std::fs::read(input.join("file")).unwrap(), "{how}");
        let blocks = std::os::unix::fs::MetadataExt::blocks(&extracted.metadata().unwrap());
        assert!(blocks * 512 < 1 << 20, "{how}: its holes are written as {blocks} blocks");
    }
}

/// A map that runs over itself or over the end describes no file; what is stored is shown as it is.
#[test]
fn a_map_that_makes_no_sense_is_told() {
    let maps: [&[u8]; 3] = [b"0,4,2,4", b"100,4,0,4", b"0,4,18446744073709551615,4"];
    for map in maps {
        let tar = Tar::new()
            .pax(&[("GNU.sparse.size", b"8"), ("GNU.sparse.numblocks", b"2"), ("GNU.sparse.map", map)])
            .file("file", "12345678")
            .file("next", "fine")
            .finish();
        in_every_way(&[tar], |opened, how| {
            assert_eq!(content(opened, "/next"), b"fine", "{how}");
            assert_eq!(content(opened, "/file"), b"12345678", "{how}");
            let warnings = &opened.image.warnings;
            assert!(warnings.iter().any(|warning| warning.message.contains("sparse")), "{how} {warnings:?}");
        });
    }
}

#[test]
fn an_old_sparse_header_with_many_continuations() {
    // Four runs stand in the header itself, 21 in each block behind it.
    let runs: Vec<(u64, u64)> = (0..50).map(|number| (number * 1000, 10)).collect();
    let mut header = Tar::new().add(Entry::of(b'S', "file").gnu().length_field(wide_number(500))).unfinished();
    let put = |block: &mut [u8], at: usize, value: u64| {
        block[at..at + 12].copy_from_slice(&wide_number(value.cast_signed()));
    };
    header[386..].fill(0);
    for (number, &(offset, length)) in runs.iter().take(4).enumerate() {
        put(&mut header, 386 + number * 24, offset);
        put(&mut header, 398 + number * 24, length);
    }
    header[482] = 1;
    put(&mut header, 483, 50_000);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = Tar::new().raw(&header);
    for (number, block_runs) in runs[4..].chunks(21).enumerate() {
        let mut block = [0u8; 512];
        for (number, &(offset, length)) in block_runs.iter().enumerate() {
            put(&mut block, number * 24, offset);
            put(&mut block, number * 24 + 12, length);
        }
        block[504] = u8::from(4 + (number + 1) * 21 < runs.len());
        tar = tar.raw(&block);
    }
    let mut stored = vec![b'x'; 500];
    stored.resize(512, 0);
    let tar = tar.raw(&stored).file("next", "fine").finish();
    let mut expected = vec![0; 50_000];
    for (offset, length) in runs {
        expected[offset as usize..(offset + length) as usize].fill(b'x');
    }
    in_every_way(&[tar], |opened, how| {
        assert!(content(opened, "/file") == expected, "{how}");
        assert_eq!(content(opened, "/next"), b"fine", "{how}");
    });
}
