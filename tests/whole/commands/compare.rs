use serde_json::Value;

use super::{Place, root};
use crate::support::compress::gzip;
use crate::support::images::{Image, docker_archive, sample_layers};
use crate::support::program::{file, run, run_with_pipe};
use crate::support::tar_bytes::Tar;

const FORMATS: [&str; 5] = ["text", "json", "markdown", "html", "diff-closures"];

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(run(arguments).done().text()).unwrap()
}

/// The image of [`root`] with one more layer.
fn grown() -> Place {
    let place = root();
    let layer = Tar::new().file("opt/new", "12345").file("etc/config", "six\n").finish();
    let base = Tar::new().file("etc/config", "two\n").finish();
    let old = file(place.directory.path(), "old.tar", &docker_archive(&Image::new(vec![base.clone()])));
    let new = file(place.directory.path(), "new.tar", &docker_archive(&Image::new(vec![base, layer])));
    assert!(old.exists() && new.exists());
    place
}

#[test]
fn every_form_is_the_same_however_often_it_is_asked_for() {
    let place = grown();
    let (old, new) = (place.text("old.tar"), place.text("new.tar"));
    for format in FORMATS {
        let arguments = ["compare", old.as_str(), new.as_str(), "--format", format];
        assert_eq!(run(&arguments).done().text(), run(&arguments).done().text(), "{format}");
    }
    let document = json(&["compare", &old, &new, "--format", "json"]);
    assert_eq!(document["files"]["added"][0]["path"], "/opt/new");
    assert_eq!(document["files"]["content"][0]["path"], "/etc/config");
    assert_eq!(document["files"]["content"][0]["delta"], 0, "a change of the same length shows");
    assert_eq!(document["layers"][0]["change"], "shared");
    assert_eq!(document["bytes"]["pullDelta"], document["layers"][1]["compressedBytes"]);
    let text = run(&["compare", &old, &new]).done();
    for part in ["adds", "/opt/new", "brought by", "step 1", "pull delta"] {
        assert!(text.text().contains(part), "{part} in {}", text.text());
    }
}

#[test]
fn the_same_image_in_another_wrapping_differs_in_nothing() {
    let image = Image::new(sample_layers());
    let plain = Place::of_image(&image);
    let packed = file(plain.directory.path(), "packed.tar.gz", &gzip(&docker_archive(&image)));
    let document = json(&["compare", plain.image(), packed.to_str().unwrap(), "--format", "json"]);
    assert_eq!(document["bytes"]["unpacked"]["delta"], 0);
    assert_eq!(document["bytes"]["pullDelta"], 0);
    for (kind, list) in document["files"].as_object().unwrap() {
        assert_eq!(list.as_array().map(Vec::len), Some(0), "{kind}");
    }
    assert_eq!(document["config"].as_array().map(Vec::len), Some(0));
}

#[test]
fn different_platforms_are_refused_until_they_are_allowed() {
    let amd = Place::of_image(&Image::new(sample_layers()).platform("amd64", None));
    let arm = Place::of_image(&Image::new(sample_layers()).platform("arm64", None));
    let refusal = run(&["compare", amd.image(), arm.image()]).refused();
    for part in ["linux/amd64", "linux/arm64", "--different-platforms"] {
        assert!(refusal.contains(part), "{part} in {refusal}");
    }
    run(&["compare", amd.image(), arm.image(), "--different-platforms"]).done();
}

#[test]
fn a_side_that_cannot_be_read_is_named() {
    let place = root();
    let absent = place.text("absent.tar");
    for arguments in [["compare", place.image(), &absent], ["compare", &absent, place.image()]] {
        let refusal = run(&arguments).refused();
        assert!(refusal.contains("absent.tar"), "{refusal}");
    }
    let refusal = run(&["share", place.image(), &absent]).refused();
    assert!(refusal.contains("absent.tar"), "{refusal}");
    // What is there and is no image, or only part of one.
    let (text, cut) = (place.text("text"), place.text("cut.tar"));
    std::fs::write(&text, "no image\n").unwrap();
    let whole = std::fs::read(place.image()).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for arguments in [["compare", place.image(), &text], ["compare", &text, place.image()]] {
        let refusal = run(&arguments).refused();
        assert!(refusal.contains("/text") && !refusal.contains("image.tar:"), "{refusal}");
    }
    assert!(run(&["share", place.image(), place.image(), &text]).refused().contains("/text"));
    for arguments in [["compare", place.image(), &cut], ["compare", &cut, place.image()]] {
        let told = run(&arguments).warned();
        assert!(told.stderr.contains("cut off") && told.text().contains("cut.tar: "), "{}", told.stderr);
    }
    assert!(run(&["compare", "-", "-"]).refused().contains("standard input"));
}

#[test]
fn one_side_may_come_by_a_pipe() {
    let image = docker_archive(&Image::new(sample_layers()));
    let place = Place::of_image(&Image::new(sample_layers()));
    let run = run_with_pipe(&["compare", place.image(), "-", "--format", "json"], &image).done();
    let document: Value = serde_json::from_str(run.text()).unwrap();
    assert_eq!(document["bytes"]["unpacked"]["delta"], 0);
}

#[test]
fn what_images_share_is_a_matrix_at_three_levels() {
    let place = grown();
    let (old, new) = (place.text("old.tar"), place.text("new.tar"));
    let document = json(&["share", &old, &new, place.image(), "--format", "json"]);
    assert_eq!(document["schema"], "nixdive.share/1");
    let levels = document["levels"].as_array().unwrap();
    assert_eq!(levels.iter().map(|level| &level["level"]).collect::<Vec<_>>(), ["layers", "storePaths", "content"]);
    for level in levels {
        let shared = |row: usize, column: usize| level["shared"][row][column].as_u64().unwrap();
        for row in 0..3 {
            for column in 0..3 {
                assert_eq!(shared(row, column), shared(column, row));
                assert!(shared(row, column) <= shared(row, row));
            }
        }
        assert!(level["togetherBytes"].as_u64() <= level["sumBytes"].as_u64());
    }
    for format in ["text", "markdown", "html"] {
        run(&["share", &old, &new, "--format", format]).done();
    }
}

/// Two images of one library in different company: their layers differ, so that nothing is shared until it gets one.
#[test]
fn layers_that_would_share_more_are_proposed() {
    let store_path = |tar: Tar, hash: char, name: &str| {
        let root = format!("nix/store/{}-{name}", hash.to_string().repeat(32));
        tar.file(format!("{root}/lib"), name.repeat(400))
    };
    let image = |own: char, name: &str| {
        let layer = store_path(store_path(Tar::new(), 'a', "libc-2.40"), own, name).finish();
        Place::of_image(&Image::new(vec![layer]))
    };
    let (web, job) = (image('b', "web-1"), image('c', "job-1"));
    let document = json(&["share", web.image(), job.image(), "--format", "json"]);
    let plan = &document["assignment"];
    assert_eq!(plan["today"]["savedBytes"], 0);
    assert_eq!(plan["layers"][0]["storePaths"][0], format!("{}-libc-2.40", "a".repeat(32)));
    assert_eq!(plan["layers"][0]["images"], serde_json::json!([0, 1]));
    assert_eq!(plan["then"]["savedBytes"], plan["layers"][0]["bytes"]);
    for format in ["text", "markdown"] {
        let shown = run(&["share", web.image(), job.image(), "--format", format]).done();
        assert!(shown.text().contains("libc-2.40") && shown.text().contains("A 2, B 2"), "{}", shown.text());
    }
    let none = json(&["share", web.image(), job.image(), "--format", "json", "--max-layers", "1"]);
    assert_eq!(none["assignment"]["layers"], serde_json::json!([]));
}
