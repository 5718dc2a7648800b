//! Trees and numbers that no honest image has.

use std::time::Duration;

use super::{refused, warnings};
use crate::support::compress::{gzip, zstd};
use crate::support::images::{Image, docker_archive};
use crate::support::program::{content, file, open_typed, paths, run, run_measured, scratch, within};
use crate::support::tar_bytes::{Entry, Tar, wide_number};

/// An image of one layer, by its headers alone, as it comes by, and unpacked.
fn every_way(tar: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let plain = docker_archive(&Image::new(vec![tar.to_vec()]));
    let packed = Image::stored_of(vec![tar.to_vec()], gzip);
    vec![("plain", plain.clone()), ("streamed", gzip(&plain)), ("packed", docker_archive(&packed))]
}

/// Runs everything that reads a tree.
#[track_caller]
fn report_everything(path: &std::path::Path, what: &str) {
    let typed = path.to_str().unwrap();
    let export = path.with_extension("export");
    let output = path.with_extension("output");
    for arguments in [
        &["inspect", typed][..],
        &["inspect", typed, "--format", "json"],
        &["inspect", typed, "--format", "markdown"],
        &["ls", "-l", typed],
        &[typed, "--json", export.to_str().unwrap()],
    ] {
        let run = run(arguments);
        assert_eq!(run.code, Some(0), "{what} {arguments:?}: {}", run.stderr);
    }
    let run = run(&["extract", typed, "/", "-o", output.to_str().unwrap()]);
    assert!(matches!(run.code, Some(0 | 2)) && !run.stderr.contains("panicked"), "{what}: {}", run.stderr);
    let _ = std::fs::remove_dir_all(output);
}

#[test]
fn numbers_of_bytes_beyond_any_disk() {
    let directory = scratch();
    let with_size = |size: &[u8]| Tar::new().file("before", "here").pax(&[("size", size)]).file("huge", "x").finish();
    let mut base_256 = [0xff; 12];
    base_256[0] = 0x80;
    let field = |field| Tar::new().file("before", "here").add(Entry::file("huge", "x").length_field(field)).finish();
    for (what, tar) in [
        ("2^63", with_size(b"9223372036854775808")),
        ("2^63 - 1", with_size(b"9223372036854775807")),
        ("2^64 - 1", with_size(b"18446744073709551615")),
        ("2^64", with_size(b"18446744073709551616")),
        ("2^64 - 512", with_size(b"18446744073709551104")),
        ("beyond 64 bits", field(base_256)),
        ("negative", field([0xff; 12])),
        ("2^63 - 1 in the header", field(wide_number(i64::MAX))),
        ("no number", field(*b"not a number")),
        ("as octal as can be", field(*b"77777777777\0")),
    ] {
        for (how, bytes) in every_way(&tar) {
            let path = file(directory.path(), "image", &bytes);
            let opened = open_typed(&path).unwrap();
            assert_eq!(content(&opened, "/before"), b"here", "{what} {how}");
            if what != "2^64" {
                let warnings = warnings(Ok(opened));
                assert!(warnings.iter().any(|warning| warning.contains("offset")), "{what} {how}: {warnings:?}");
            }
            report_everything(&path, what);
        }
    }
}

#[test]
fn sparse_files_that_claim_to_be_endless() {
    let directory = scratch();
    for size in ["9223372036854775807", "18446744073709551615"] {
        let tar = Tar::new()
            .pax(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"huge"),
                ("GNU.sparse.realsize", size.as_bytes()),
            ])
            .file("made-up", [&b"1\n0\n4\n"[..], &[0; 506], b"data"].concat())
            .file("next", "fine")
            .finish();
        for (how, bytes) in every_way(&tar) {
            let path = file(directory.path(), "image", &bytes);
            assert_eq!(content(&open_typed(&path).unwrap(), "/next"), b"fine", "{how}");
            // Ends soon: either the system takes a hole of that length, or it says that it does not.
            report_everything(&path, size);
        }
        // Two layers with the same endless file are compared by what is stored.
        let image = Image::new(vec![tar.clone(), tar]);
        let path = file(directory.path(), "image", &docker_archive(&image));
        open_typed(&path).unwrap();
        report_everything(&path, "the same file twice");
    }
}

/// A directory in a directory, so deep, each with an entry of its own.
fn nested(depth: usize) -> Tar {
    let deep = vec!["d"; depth].join("/");
    let entry = |tar: Tar, depth: usize| tar.pax(&[("path", &deep.as_bytes()[..depth * 2 - 1])]).directory("d");
    (1..=depth).fold(Tar::new(), entry)
}

fn leaf(depth: usize) -> Vec<u8> {
    let path = format!("{}/file", vec!["d"; depth].join("/"));
    Tar::new().pax(&[("path", path.as_bytes())]).file("file", "deep").finish()
}

#[test]
fn ten_thousand_directories_in_each_other() {
    let directory = scratch();
    let path = file(directory.path(), "implied", &docker_archive(&Image::new(vec![leaf(10_000)])));
    report_everything(&path, "implied");
    let deep = format!("/{}/file", vec!["d"; 10_000].join("/"));
    assert_eq!(run(&["cat", path.to_str().unwrap(), &deep]).done().text(), "deep");

    let each = docker_archive(&Image::new(vec![nested(10_000).finish(), leaf(10_000)]));
    for (how, bytes) in [("plain", each.clone()), ("zstd", zstd(&each))] {
        let path = file(directory.path(), how, &bytes);
        let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
        run.done();
        assert!(peak < 300 << 20, "{how}: {} MB of memory", peak >> 20);
    }
}

#[test]
fn deep_directories_that_are_removed_or_changed() {
    let directory = scratch();
    for (what, layers) in [
        ("removed", vec![nested(2000).finish(), Tar::new().file(".wh.d", "").finish()]),
        ("changed", vec![nested(2000).finish(), leaf(2000)]),
        ("replaced", vec![nested(2000).finish(), Tar::new().file("d/d", "").finish(), nested(1000).finish()]),
    ] {
        report_everything(&file(directory.path(), what, &docker_archive(&Image::new(layers))), what);
    }
}

#[test]
fn names_that_imply_more_directories_than_there_are_entries() {
    let directory = scratch();
    let mut tar = Tar::new().file("first", "here");
    for number in 0..60 {
        let path = format!("{number}/{}", vec!["d"; 30_000].join("/"));
        tar = tar.pax(&[("path", path.as_bytes())]).file("x", "");
    }
    let path = file(directory.path(), "image", &zstd(&docker_archive(&Image::new(vec![tar.finish()]))));
    let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
    let told = run.warned().stderr;
    assert!(told.contains("the limit for directories") && told.contains("--entry-limit"), "{told}");
    assert!(peak < 400 << 20, "{} MB of memory", peak >> 20);
}

#[test]
fn names_at_and_beyond_every_limit() {
    let directory = scratch();
    let name = |length: usize| "n".repeat(length);
    let tar = Tar::new()
        .file("first", "here")
        .pax(&[("path", name(65_536).as_bytes())])
        .file("x", "longest")
        .file("last", "here")
        .finish();
    let opened = open_typed(file(directory.path(), "image", &docker_archive(&Image::new(vec![tar])))).unwrap();
    assert_eq!(paths(&opened).len(), 3);
    for long in [
        Tar::new().file("first", "here").pax(&[("path", name(65_537).as_bytes())]).file("x", ""),
        Tar::new().file("first", "here").pax(&[("linkpath", name(65_537).as_bytes())]).symlink("x", ""),
        Tar::new().file("first", "here").gnu_long(b'L', name(65_537)).file("x", ""),
        Tar::new().file("first", "here").pax(&[("comment", &vec![b'c'; 1 << 20])]).file("x", ""),
        Tar::new().file("first", "here").pax(&[("SCHILY.xattr.user.large", &vec![b'c'; 5 << 20])]).file("x", ""),
    ] {
        for (how, bytes) in every_way(&long.finish()) {
            let path = file(directory.path(), "image", &bytes);
            let opened = open_typed(&path).unwrap();
            assert_eq!(content(&opened, "/first"), b"here", "{how}");
            let warnings = warnings(Ok(opened));
            let told = |warning: &String| warning.contains("header at offset") && warning.contains("refused");
            assert!(warnings.iter().any(told), "{how}: {warnings:?}");
        }
    }
    // An empty name, a name of dots, a name of slashes: the root, which needs no entry.
    let tar = Tar::new().file("", "x").file("..", "y").file("///", "z").directory(".").file("a", "here").finish();
    for (how, bytes) in every_way(&tar) {
        let path = file(directory.path(), "image", &bytes);
        assert_eq!(content(&open_typed(&path).unwrap(), "/a"), b"here", "{how}");
        report_everything(&path, "names of the root");
    }
    // Whiteouts of nothing, of the directory itself and of what is above it.
    let tar = Tar::new().file("a/.wh.", "").file("a/.wh..", "").file("a/.wh...", "").file("a/b", "here").finish();
    for (how, bytes) in every_way(&tar) {
        let path = file(directory.path(), "image", &bytes);
        assert_eq!(content(&open_typed(&path).unwrap(), "/a/b"), b"here", "{how}");
        report_everything(&path, "whiteouts of nothing");
    }
}

#[test]
fn rings_of_links_in_an_image() {
    let directory = scratch();
    let tar = Tar::new()
        .symlink("a", "b")
        .symlink("b", "a")
        .symlink("self", "self")
        .symlink("dir/up", "../dir/up/x")
        .hard_link("h", "h2")
        .hard_link("h2", "h")
        .symlink("grows", "grows/grows")
        .finish();
    let path = file(directory.path(), "image", &docker_archive(&Image::new(vec![tar])));
    let typed = path.to_str().unwrap();
    for name in ["/a", "/self", "/self/x", "/dir/up", "/grows", "/a/../b"] {
        let message = run(&["cat", typed, name]).refused();
        assert!(message.contains("ring of symbolic links"), "{name}: {message}");
    }
    report_everything(&path, "rings");
}

#[test]
fn links_that_multiply_are_followed_a_bounded_number_of_times() {
    // Each link names the one before it many times over: 30 to the power of 10 steps, were they all taken.
    let mut tar = Tar::new().directory("0");
    for level in 1..=10 {
        tar = tar.symlink(level.to_string(), vec![format!("{}/..", level - 1); 15].join("/"));
    }
    let directory = scratch();
    let path = file(directory.path(), "image", &docker_archive(&Image::new(vec![tar.finish()])));
    let typed = path.to_str().unwrap().to_owned();
    let run = within(Duration::from_secs(20), move || run(&["ls", &typed, "/10"]));
    assert!(matches!(run.code, Some(0 | 2)), "{}", run.stderr);
}

#[test]
fn an_archive_of_more_members_than_any_image() {
    let directory = scratch();
    let header = Tar::new().file("same-length-0000000", "").unfinished();
    let mut bytes = Vec::new();
    for number in 0..200_100 {
        let mut block = header.clone();
        block[12..19].copy_from_slice(format!("{number:07}").as_bytes());
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(block);
    }
    for (name, bytes) in [("plain", bytes.clone()), ("zstd", zstd(&bytes))] {
        let path = file(directory.path(), name, &bytes);
        let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
        let message = run.refused();
        assert!(message.contains("more than 200000 members"), "{message}");
        assert!(peak < 200 << 20, "{name}: {} MB of memory", peak >> 20);
    }
}

#[test]
fn a_named_pipe_that_nobody_writes_to() {
    let directory = scratch();
    let pipe = directory.path().join("pipe");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        println!("skipped: mkfifo is missing");
        return;
    }
    let message = refused(&pipe);
    assert!(message.contains("without a writer"), "{message}");

    // Somebody does, after a while.
    let bytes = docker_archive(&Image::sample());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            std::thread::sleep(Duration::from_millis(200));
            let mut file = std::fs::File::options().write(true).open(pipe).unwrap();
            std::thread::sleep(Duration::from_millis(200));
            std::io::Write::write_all(&mut file, &bytes).unwrap();
        }
    });
    assert_eq!(open_typed(&pipe).unwrap().image.layers.len(), 2);
    writer.join().unwrap();

    // In an extracted root directory a pipe is an entry, and nothing to read.
    let opened = open_typed(format!("rootfs:{}", directory.path().display())).unwrap();
    assert_eq!(paths(&opened), ["/pipe"]);
    let typed = format!("rootfs:{}", directory.path().display());
    assert!(run(&["cat", &typed, "/pipe"]).refused().contains("has no content"));
}
