//! What is missing, cut off, changed, or no image at all.

use nixdive::image::DigestCheck;
use serde_json::json;

use super::{refused, sentence, warnings};
use crate::support::compress::{FORMS, gzip};
use crate::support::images::{
    Image, Layer, MOTD, OCI_GZIP, blob, docker_archive, docker_members, oci_members, sample_layers, write_directory,
};
use crate::support::program::{content, file, open_typed, run, run_with_pipe, scratch};
use crate::support::tar_bytes::{Tar, archive};

#[test]
fn what_is_no_image() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("empty-directory")).unwrap();
    file(directory.path(), "empty", b"");
    file(
        directory.path(),
        "noise",
        &(0..300_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>(),
    );
    file(directory.path(), "text", b"FROM debian\nRUN true\n");
    file(directory.path(), "zeros", &[0; 10_240]);
    file(directory.path(), "root.tar", &sample_layers()[0]);
    file(directory.path(), "text.gz", &gzip(b"FROM debian\n"));
    file(directory.path(), "nothing.gz", &gzip(b""));
    file(directory.path(), "magic.gz", &[0x1f, 0x8b, 8]);
    for (name, reason) in [
        ("absent", "no such file or directory"),
        ("empty", "is empty"),
        ("empty-directory", "is a directory, but holds no image"),
        ("noise", "neither a tar archive nor compressed"),
        ("text", "not a container image: Dockerfile"),
        ("zeros", "zeros"),
        ("root.tar", "is a tar archive, but holds no image"),
        ("text.gz", "compressed with gzip; unpacked: Dockerfile"),
        ("nothing.gz", "is compressed with gzip, but unpacks to an empty archive"),
        ("magic.gz", "gzip"),
    ] {
        let message = refused(at(name));
        assert!(message.contains(reason), "{name}: {message}");
        assert!(run(&["inspect", at(name).to_str().unwrap()]).refused().contains(reason), "{name}");
        if at(name).is_file() {
            let bytes = std::fs::read(at(name)).unwrap();
            let message = run_with_pipe(&["inspect", "-"], &bytes).refused();
            assert!(message.contains(reason), "{name} through a pipe: {message}");
        }
    }
    assert!(refused("/dev/null").contains("is empty"));
}

/// Archives with their manifest first and last, plain and compressed as a whole and by layers.
fn archives() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (inner, compress_layer) in [FORMS[0], FORMS[1]] {
        let image = Image::stored(OCI_GZIP, compress_layer);
        let first = docker_members(std::slice::from_ref(&image), |number, _| format!("{number}.tar"));
        let last: Vec<_> = first.iter().cloned().rev().collect();
        let layout = oci_members(std::slice::from_ref(&image));
        for (order, members) in [("manifest first", &first), ("manifest last", &last), ("layout", &layout)] {
            for (outer, compress) in FORMS {
                found.push((format!("{order}, {inner} in {outer}"), compress(&archive(members))));
            }
        }
    }
    found
}

#[test]
fn an_archive_that_was_cut_off_anywhere() {
    let directory = scratch();
    for (what, bytes) in archives() {
        let step = (bytes.len() / 24).max(1);
        for end in (1..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let path = file(directory.path(), "cut", &bytes[..end]);
            match open_typed(&path) {
                Err(error) => drop(sentence(&path, &error)),
                Ok(opened) => {
                    // Only the zeros at the end, which nobody misses, may be gone without a word.
                    let whole = opened.image.warnings.is_empty();
                    let lost = bytes[end..].iter().any(|&byte| byte != 0);
                    assert!(!whole || !lost || content(&opened, "/etc/motd") == MOTD.as_bytes(), "{what} cut at {end}");
                }
            }
        }
    }
}

#[test]
fn a_cut_off_archive_says_where() {
    let directory = scratch();
    let members = docker_members(&[Image::sample()], |number, _| format!("{number}.tar"));
    let reversed: Vec<_> = members.iter().cloned().rev().collect();
    let path = file(directory.path(), "image", &archive(&reversed)[..3000]);
    let message = refused(&path);
    assert!(message.contains("offset 3000") && message.contains("cut off"), "{message}");

    let whole = archive(&members);
    let end = whole.len() - 3000;
    let path = file(directory.path(), "image", &whole[..end]);
    let warnings = warnings(open_typed(&path));
    assert!(warnings.iter().any(|warning| warning.contains(&format!("offset {end}"))), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("layer 1")), "{warnings:?}");
}

#[test]
fn bytes_that_were_changed_anywhere() {
    let directory = scratch();
    for (what, bytes) in archives() {
        let step = (bytes.len() / 24).max(1);
        for at in (0..bytes.len()).step_by(step) {
            for value in [0x00, 0xff, bytes[at] ^ 0x10] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let path = file(directory.path(), "changed", &changed);
                if let Err(error) = open_typed(&path) {
                    let message = error.to_string();
                    assert!(message.starts_with(path.to_str().unwrap()), "{what} at {at}: {message}");
                }
            }
        }
    }
}

#[test]
fn a_layer_that_breaks_off_in_the_middle_is_shown_as_far_as_it_goes() {
    let directory = scratch();
    let noise: Vec<u8> = (0..600_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    let tar = Tar::new().file("before", "here").file("noise", noise).file("after", "gone").finish();
    for (name, compress) in FORMS {
        let mut layer = Layer::stored(tar.clone(), OCI_GZIP, compress);
        let damaged = layer.blob.len() / 2;
        if name == "none" {
            let header = layer.blob.windows(5).rposition(|window| window == b"after").unwrap();
            layer.blob[header..header + 512].fill(b'x');
        } else {
            layer.blob.truncate(damaged);
        }
        let image = Image::of(vec![layer]);
        for (how, bytes) in [("plain", docker_archive(&image)), ("compressed", gzip(&docker_archive(&image)))] {
            let path = file(directory.path(), "image", &bytes);
            let opened = open_typed(&path).unwrap_or_else(|error| panic!("{name} {how}: {error}"));
            assert_eq!(content(&opened, "/before"), b"here", "{name} {how}");
            let warnings: Vec<_> = opened.image.warnings.iter().map(|warning| &warning.message).collect();
            let told = |warning: &&String| warning.contains("layer 0 (") && warning.contains("offset");
            assert!(warnings.iter().any(told), "{name} {how}: {warnings:?}");
            assert_ne!(opened.image.layers[0].diff_id_check, DigestCheck::Matches, "{name} {how}");
        }
    }
}

#[test]
fn a_layer_that_is_no_archive_is_told_by_number_and_name() {
    let directory = scratch();
    let mut image = Image::sample();
    image.layers[1].blob = b"this is no layer".to_vec();
    for (name, compress) in FORMS {
        let bytes =
            compress(&archive(&docker_members(std::slice::from_ref(&image), |number, _| format!("{number}.tar"))));
        let message = refused(file(directory.path(), name, &bytes));
        assert!(message.contains("layer 1 (1.tar): not a tar stream"), "{name}: {message}");
    }
}

/// What there is of an incomplete image can be looked at; whoever certifies it refuses it.
#[test]
fn a_layer_that_is_not_there_is_told_by_number_and_name() {
    let directory = scratch();
    for (name, compress) in FORMS {
        let mut members = docker_members(&[Image::sample()], |number, _| format!("{number}.tar"));
        members.retain(|(name, _)| name != "1.tar");
        let path = file(directory.path(), name, &compress(&archive(&members)));
        let opened = open_typed(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(content(&opened, "/etc/motd"), b"from the base layer\n", "{name}");
        assert!(opened.image.layers[1].is_absent() && !opened.image.is_complete(), "{name}");
        let told = &opened.image.defects[0].message;
        assert!(told.contains("layer 1 (1.tar): missing: manifest.json names it"), "{name}: {told}");
        let message = run(&["ci", path.to_str().unwrap(), "--max-size", "1GB"]).refused();
        assert!(message.contains("layer 1 (1.tar): missing"), "{message}");
    }
    let image = Image::sample();
    let gone = blob(image.layers[1].blob.clone()).0;
    let mut members = oci_members(&[image]);
    members.retain(|(name, _)| *name != gone);
    let layout = write_directory(&directory.path().join("layout"), &members);
    let warnings = warnings(open_typed(&layout));
    assert!(warnings.iter().any(|warning| warning.contains(&gone) && warning.contains("layer 1 (")), "{warnings:?}");
}

#[test]
fn digests_that_do_not_match_are_told() {
    let directory = scratch();
    let image = Image::sample();
    let members = oci_members(std::slice::from_ref(&image));
    let manifest = members[2].0.clone();
    let config = blob(image.config_bytes()).0;
    let layer = blob(image.layers[1].blob.clone()).0;
    for (number, (changed, words)) in [
        (&manifest, "the manifest is listed under"),
        (&config, "the configuration is listed under"),
        (&layer, "layer 1 ("),
    ]
    .into_iter()
    .enumerate()
    {
        let mut members = members.clone();
        let bytes = &mut members.iter_mut().find(|(name, _)| name == changed).unwrap().1;
        if *changed == layer {
            let at = bytes.windows(4).position(|window| window == b"from").unwrap();
            bytes[at] = b'F';
        } else {
            bytes.push(b' ');
        }
        let layout = write_directory(&directory.path().join(number.to_string()), &members);
        let warnings = warnings(open_typed(&layout));
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{warnings:?}");
        let text = run(&["inspect", layout.to_str().unwrap()]).warned();
        assert!(text.text().contains(words), "{}", text.text());
    }
}

#[test]
fn a_wrong_diff_id_is_shown_as_differing() {
    let directory = scratch();
    let mut image = Image::sample();
    image.config["rootfs"]["diff_ids"][1] = format!("sha256:{}", "ab".repeat(32)).into();
    for (name, compress) in FORMS {
        let path = file(directory.path(), name, &compress(&docker_archive(&image)));
        let opened = open_typed(&path).unwrap();
        assert_eq!(opened.image.layers[0].diff_id_check, DigestCheck::Matches, "{name}");
        let DigestCheck::Differs { actual } = &opened.image.layers[1].diff_id_check else { panic!("{name}") };
        assert_eq!(actual.hex(), crate::support::images::hex(&image.layers[1].tar), "{name}");
        let report = run(&["inspect", path.to_str().unwrap(), "--format", "json"]).warned();
        let report: serde_json::Value = serde_json::from_str(report.text()).unwrap();
        assert_eq!(report["layers"][1]["diffIdCheck"], "differs", "{name}");
        assert_eq!(report["layers"][1]["actualDiffId"], actual.as_str(), "{name}");
    }
}

#[test]
fn a_number_of_bytes_that_does_not_match_is_told() {
    let directory = scratch();
    let members = oci_members(&[Image::sample()]);
    let (name, manifest) = members[2].clone();
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["layers"][0]["size"] = json!(1);
    let layout = write_directory(directory.path(), &members);
    std::fs::write(layout.join(name), manifest.to_string()).unwrap();
    let warnings = warnings(open_typed(&layout));
    assert!(warnings.iter().any(|warning| warning.contains("the manifest gives 1 bytes")), "{warnings:?}");
}
