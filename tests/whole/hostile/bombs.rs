//! Little that unpacks to much.

use nixdive::open::{Keep, OpenOptions};
use nixdive::scan::UnpackLimit;

use super::{sentence, warnings};
use crate::support::compress::{FORMS, gzip, zstd};
use crate::support::images::{Image, Layer, OCI_GZIP, docker_archive};
use crate::support::program::{OpenResult, file, open_with, run, run_measured, scratch};
use crate::support::tar_bytes::{Entry, Tar};

const LIMIT: UnpackLimit = UnpackLimit { always: 1 << 20, ratio: 5 };

fn open_limited(path: &std::path::Path) -> OpenResult {
    open_with(path, OpenOptions { unpack_limit: LIMIT, keep: Keep::Trees, ..OpenOptions::default() })
}

#[test]
fn a_layer_or_an_archive_that_unpacks_to_too_much() {
    let directory = scratch();
    let tar = Tar::new().file("before", "here").file("zeros", vec![0; 32 << 20]).file("after", "x").finish();
    for (name, compress) in &FORMS[1..] {
        let image = Image::of(vec![Layer::stored(tar.clone(), OCI_GZIP, compress)]);
        let path = file(directory.path(), "layer", &docker_archive(&image));
        let warnings = warnings(open_limited(&path));
        let told = |warning: &String| {
            warning.contains("layer 0 (")
                && warning.contains("unpack to more than")
                && warning.contains("--unpack-limit")
        };
        assert!(warnings.iter().any(told), "{name}: {warnings:?}");

        let path = file(directory.path(), "archive", &compress(&docker_archive(&Image::new(vec![tar.clone()]))));
        let told = match open_limited(&path) {
            Ok(opened) => warnings_of(&opened),
            Err(error) => vec![sentence(&path, &error)],
        };
        assert!(told.iter().any(|message| message.contains("--unpack-limit")), "{name}: {told:?}");
    }
}

fn warnings_of(opened: &nixdive::open::Opened) -> Vec<String> {
    opened.image.warnings.iter().map(|warning| warning.message.clone()).collect()
}

#[test]
fn the_limit_can_be_raised_and_lowered() {
    let directory = scratch();
    let tar = Tar::new().file("a.json", "[").file("zeros", vec![0; 64 << 20]).finish();
    let path = file(directory.path(), "bomb", &zstd(&tar));
    let typed = path.to_str().unwrap();
    let message = run(&["inspect", typed, "--unpack-limit", "0"]).refused();
    assert!(message.contains("raise --unpack-limit"), "{message}");
    let message = run(&["inspect", typed]).refused();
    assert!(message.contains("holds no image"), "read to its end: {message}");
}

#[test]
fn compressed_within_compressed_within_compressed() {
    let directory = scratch();
    let tar = Tar::new().file("zeros", vec![0; 64 << 20]).finish();
    let image = Image::of(vec![Layer::stored(tar, OCI_GZIP, |tar| gzip(&gzip(tar)))]);
    let path = file(directory.path(), "image", &gzip(&docker_archive(&image)));
    // Layers are unpacked once: what comes out is no tar stream.
    let message = run(&["inspect", path.to_str().unwrap()]).refused();
    assert!(message.contains("layer 0 (") && message.contains("not a tar stream"), "{message}");
}

#[test]
fn many_long_names_and_attributes_take_bounded_memory() {
    let directory = scratch();
    let piece = |number: u32, length: usize| {
        let mut bytes = vec![b'n'; length];
        bytes[..8].copy_from_slice(format!("{number:08}").as_bytes());
        bytes
    };
    let mut names = Tar::new();
    let mut attributes = Tar::new();
    let mut links = Tar::new();
    for number in 0..700 {
        names = names.pax(&[("path", &piece(number, 60_000))]).file("x", "");
        links = links.pax(&[("linkpath", &piece(number, 60_000))]).symlink(number.to_string(), "");
    }
    for number in 0..60 {
        attributes = attributes.pax(&[("SCHILY.xattr.user.a", &piece(number, 1_000_000))]).file(number.to_string(), "");
    }
    for (what, tar) in [("names", names), ("links", links), ("attributes", attributes)] {
        let tar = tar.finish();
        let unpacked = tar.len() as u64;
        // As members of the archive itself, where nobody needs them.
        let outer = file(directory.path(), "outer", &zstd(&tar));
        let (run, peak) = run_measured(&["inspect", outer.to_str().unwrap()]);
        run.refused();
        assert!(peak < 120 << 20, "{what} of members: {} MB of memory", peak >> 20);
        // As entries of a layer, no more than they are.
        let image = file(directory.path(), "image", &zstd(&docker_archive(&Image::new(vec![tar]))));
        let (run, peak) = run_measured(&["inspect", image.to_str().unwrap()]);
        assert_eq!(run.code, Some(0), "{what}: {}", run.stderr);
        assert!(peak < (100 << 20) + unpacked * 3, "{what}: {} MB of memory for {unpacked} bytes", peak >> 20);
    }
}

#[test]
fn one_header_does_not_multiply_over_the_entries_behind_it() {
    let directory = scratch();
    let mut global = Tar::new().pax(&[("SCHILY.xattr.user.a", &vec![b'a'; 900_000])]).unfinished();
    global[156] = b'g';
    global[148..156].fill(b' ');
    let sum: u32 = global[..512].iter().map(|&byte| u32::from(byte)).sum();
    global[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = Tar::new().raw(&global);
    for number in 0..2000 {
        tar = tar.file(number.to_string(), "");
    }
    let path = file(directory.path(), "image", &docker_archive(&Image::new(vec![tar.finish()])));
    let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
    run.done();
    assert!(peak < 100 << 20, "{} MB of memory", peak >> 20);
}

#[test]
fn a_layer_that_is_named_a_thousand_times_costs_entries_and_no_more() {
    let directory = scratch();
    let mut layer = Tar::new();
    for number in 0..200 {
        layer = layer.file(format!("dir/{number}"), "x");
    }
    let manifest = serde_json::json!([{"Config": "config", "Layers": vec!["layer"; 1000]}]).to_string();
    let tar = Tar::new().file("layer", layer.finish()).file("config", "{}").file("manifest.json", manifest).finish();
    for (name, bytes) in [("plain", tar.clone()), ("gzip", gzip(&tar))] {
        let path = file(directory.path(), name, &bytes);
        let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
        run.done();
        assert!(peak < 200 << 20, "{name}: {} MB of memory", peak >> 20);
    }
}

#[test]
fn a_window_larger_than_any_decoder_takes_is_told() {
    let directory = scratch();
    // A zstd frame that wants a window of 2 GiB: RFC 8878, section 3.1.1.1.2, exponent 21.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    let path = file(directory.path(), "window", &[&frame[..], &[0; 600]].concat());
    let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
    run.refused();
    assert!(peak < 100 << 20, "{} MB of memory", peak >> 20);
    let image =
        Image::of(vec![Layer { media_type: OCI_GZIP, tar: Vec::new(), blob: [&frame[..], &[0; 600]].concat() }]);
    let path = file(directory.path(), "image", &docker_archive(&image));
    let message = run_measured(&["inspect", path.to_str().unwrap()]).0.refused();
    assert!(message.contains("layer 0 ("), "{message}");
}

#[test]
fn contents_that_differ_are_compared_without_being_held() {
    let directory = scratch();
    let layer = |last: u8| {
        let mut content = vec![0; 64 << 20];
        content.push(last);
        Tar::new().add(Entry::file("large", content)).finish()
    };
    let path = file(directory.path(), "image", &docker_archive(&Image::new(vec![layer(1), layer(2)])));
    let (run, peak) = run_measured(&["inspect", path.to_str().unwrap(), "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(run.done().text()).unwrap();
    assert_eq!(report["layers"][1]["modified"], 1);
    assert!(peak < 100 << 20, "{} MB of memory", peak >> 20);
}
