//! Which manifest of an index is opened.

use std::path::{Path, PathBuf};

use nixdive::image::Platform;
use nixdive::open::{Keep, OpenError, OpenOptions};

use crate::support::images::{Image, oci_members, write_directory};
use crate::support::program::{open_with, run, scratch};
use crate::support::tar_bytes::Tar;

/// An image that says in a file what it is for.
fn image(architecture: &str, variant: Option<&str>) -> Image {
    Image::new(vec![Tar::new().file("platform", format!("{architecture} {variant:?}")).finish()])
        .platform(architecture, variant)
}

fn layout(directory: &Path, images: &[Image]) -> PathBuf {
    write_directory(&directory.join("layout"), &oci_members(images))
}

/// The platform of the image that opens.
fn opened(layout: &Path, platform: Option<&str>) -> Result<String, OpenError> {
    let platform = platform.map(|text| Platform::parse(text).unwrap());
    let options = OpenOptions { platform, keep: Keep::Trees, ..OpenOptions::default() };
    open_with(layout, options).map(|opened| opened.image.config.platform.to_string())
}

fn host() -> String {
    Platform::host().architecture
}

fn other() -> &'static str {
    if host() == "s390x" { "riscv64" } else { "s390x" }
}

#[test]
fn the_one_that_was_asked_for() {
    let directory = scratch();
    let images = [image(&host(), None), image(other(), None), image("arm", Some("v6")), image("arm", Some("v7"))];
    for images in [images.clone(), images.map(Image::platform_in_config_alone)] {
        let layout = layout(directory.path(), &images);
        assert_eq!(opened(&layout, Some(&format!("linux/{}", other()))).unwrap(), format!("linux/{}", other()));
        assert_eq!(opened(&layout, Some("linux/arm/v6")).unwrap(), "linux/arm/v6");
        assert_eq!(opened(&layout, Some("linux/arm/v7")).unwrap(), "linux/arm/v7");
        assert_eq!(opened(&layout, None).unwrap(), format!("linux/{}", host()), "without a choice this machine's");
        std::fs::remove_dir_all(layout).unwrap();
    }
}

#[test]
fn names_of_processors_may_be_those_of_the_kernel_and_a_default_variant_need_not_be_told() {
    let directory = scratch();
    let layout = layout(directory.path(), &[image("amd64", None), image("arm64", None), image("arm", Some("v7"))]);
    for (asked, found) in [
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
    ] {
        assert_eq!(opened(&layout, Some(asked)).unwrap(), found, "{asked}");
    }
}

#[test]
fn the_only_one_whatever_it_is_for() {
    let directory = scratch();
    let layout = layout(directory.path(), &[image(other(), None)]);
    assert_eq!(opened(&layout, None).unwrap(), format!("linux/{}", other()));
    let typed = layout.to_str().unwrap();
    let message = run(&["inspect", typed, "--platform", "linux/mips64le"]).refused();
    assert!(message.contains("no image for linux/mips64le"), "{message}");
    assert!(message.contains(&format!("linux/{}", other())), "{message}");
}

#[test]
fn no_match_lists_what_there_is() {
    let directory = scratch();
    let layout = layout(directory.path(), &[image(other(), None), image("mips64le", None)]);
    for platform in [None, Some("linux/arm/v5")] {
        let mut arguments = vec!["inspect", layout.to_str().unwrap()];
        arguments.extend(platform.map(|_| "--platform"));
        arguments.extend(platform);
        let message = run(&arguments).refused();
        for there in [format!("linux/{}", other()), "linux/mips64le".to_owned()] {
            assert!(message.lines().any(|line| line.trim() == there), "{message}");
        }
        assert!(message.contains("--platform"), "says how to choose: {message}");
    }
}

#[test]
fn a_docker_archive_is_held_against_the_platform_too() {
    let directory = scratch();
    let bytes = crate::support::images::docker_archive(&image(other(), None));
    let path = crate::support::program::file(directory.path(), "image", &bytes);
    assert_eq!(opened(&path, None).unwrap(), format!("linux/{}", other()));
    let OpenError::Source { error, .. } = opened(&path, Some("linux/arm/v5")).unwrap_err() else { panic!() };
    assert!(error.to_string().contains(&format!("linux/{}", other())), "{error}");
}

#[test]
fn what_is_no_platform_is_said() {
    let message = run(&["inspect", "image", "--platform", "amd64"]);
    assert_eq!(message.code, Some(2));
    assert!(message.stderr.contains("linux/amd64"), "{}", message.stderr);
}
