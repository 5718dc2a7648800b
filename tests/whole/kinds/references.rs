//! Several images in one place: which one is meant, and what to type for each.

use std::path::PathBuf;

use crate::support::compress::{FORMS, gzip};
use crate::support::images::{Image, docker_members, oci_members, write_directory};
use crate::support::program::{content, file, open_typed, run, run_with_pipe, scratch};
use crate::support::tar_bytes::{Tar, archive};

use super::{choices, refused};

/// An image that says in `/name` who it is.
fn image(name: &str) -> Image {
    Image::new(vec![Tar::new().file("name", name).finish()])
}

#[track_caller]
fn name_of(typed: &str) -> String {
    let opened = open_typed(typed).unwrap_or_else(|error| panic!("{typed}: {error}"));
    String::from_utf8(content(&opened, "/name")).unwrap()
}

/// Two images with names and one without, in every kind of source that holds several.
fn sources(directory: &std::path::Path, images: &[Image]) -> Vec<(&'static str, PathBuf)> {
    let docker = archive(&docker_members(images, |_, layer| crate::support::images::hex(&layer.tar) + ".tar"));
    let layout = oci_members(images);
    let mut sources = vec![("oci", write_directory(&directory.join("layout"), &layout))];
    for (name, compress) in FORMS {
        sources.push(("docker-archive", file(directory, &format!("docker-{name}"), &compress(&docker))));
        sources.push(("oci-archive", file(directory, &format!("oci-{name}"), &compress(&archive(&layout)))));
    }
    sources
}

#[test]
fn each_choice_opens_when_it_is_typed() {
    let directory = scratch();
    let images = [image("web 1.0").named("web:1.0"), image("db").named("db:latest"), image("nameless")];
    for (transport, path) in sources(directory.path(), &images) {
        let choices = choices(&path);
        assert_eq!(choices.len(), 3, "{transport} {choices:?}");
        let opened: Vec<String> = choices.iter().map(|typed| name_of(typed)).collect();
        assert_eq!(opened, ["web 1.0", "db", "nameless"], "{transport}");
        let message = run(&["inspect", path.to_str().unwrap()]).refused();
        for choice in choices {
            assert!(message.lines().any(|line| line.trim() == choice), "{message}");
        }
    }
}

#[test]
fn by_name_by_tag_and_by_position() {
    let directory = scratch();
    let images = [image("web 1.0").named("web:1.0"), image("db").named("db:latest"), image("nameless")];
    for (transport, path) in sources(directory.path(), &images) {
        let typed = |selector: &str| format!("{transport}:{}:{selector}", path.display());
        for (selector, name) in [
            ("web:1.0", "web 1.0"),
            ("1.0", "web 1.0"),
            ("db:latest", "db"),
            ("db", "db"),
            ("@0", "web 1.0"),
            ("@2", "nameless"),
        ] {
            assert_eq!(name_of(&typed(selector)), name, "{transport} {selector}");
        }
        for selector in ["cache", "@3"] {
            let message = refused(typed(selector)).to_string();
            assert!(message.contains(&format!("no image `{selector}`")), "{message}");
            assert!(message.contains("web:1.0"), "says what there is: {message}");
        }
    }
}

#[test]
fn several_images_through_a_pipe() {
    let images = [image("web").named("web:1.0"), image("db").named("db:latest")];
    let bytes = gzip(&archive(&docker_members(&images, |_, layer| crate::support::images::hex(&layer.tar))));
    let message = run_with_pipe(&["cat", "-", "/name"], &bytes).refused();
    assert!(message.contains("docker-archive:-:web:1.0"), "{message}");
    assert_eq!(run_with_pipe(&["cat", "docker-archive:-:web:1.0", "/name"], &bytes).done().text(), "web");
}

#[test]
fn a_whole_name_goes_before_one_that_it_is_a_part_of() {
    let directory = scratch();
    let images = [image("tag").named("web:1.0"), image("whole").named("1.0"), image("plain").named("web")];
    for (transport, path) in sources(directory.path(), &images) {
        assert_eq!(name_of(&format!("{transport}:{}:1.0", path.display())), "whole", "{transport}");
        assert_eq!(name_of(&format!("{transport}:{}:web", path.display())), "plain", "{transport}");
    }
}

#[test]
fn images_of_one_name_are_chosen_by_position() {
    let directory = scratch();
    let images = [image("older").named("web:1.0"), image("newer").named("web:1.0")];
    for (transport, path) in sources(directory.path(), &images) {
        let choices = choices(&path);
        let opened: Vec<String> = choices.iter().map(|typed| name_of(typed)).collect();
        assert_eq!(opened, ["older", "newer"], "{transport} {choices:?}");
    }
}

#[test]
fn colons_in_the_path() {
    let directory = scratch();
    let images = [image("web").named("web:1.0"), image("db").named("db:latest")];
    let inner = directory.path().join("a:b");
    std::fs::create_dir(&inner).unwrap();
    for (transport, path) in sources(&inner, &images) {
        let opened: Vec<String> = choices(&path).iter().map(|typed| name_of(typed)).collect();
        assert_eq!(opened, ["web", "db"], "{transport}");
    }
}

#[test]
fn images_for_other_machines_under_different_names_are_chosen_by_name() {
    let directory = scratch();
    let machine = if nixdive::image::Platform::host().architecture == "s390x" { "riscv64" } else { "s390x" };
    let images =
        [image("web").named("web:1.0").platform(machine, None), image("db").named("db:latest").platform(machine, None)];
    for (transport, path) in sources(directory.path(), &images) {
        let opened: Vec<String> = choices(&path).iter().map(|typed| name_of(typed)).collect();
        assert_eq!(opened, ["web", "db"], "{transport}");
    }
}

#[test]
fn transports_that_are_not_read_say_what_to_do() {
    for typed in ["ostree:alpine", "containers-storage:alpine"] {
        let message = run(&["inspect", typed]).refused();
        assert!(message.contains("skopeo copy"), "{message}");
    }
    assert!(run(&["inspect", "docker://A b"]).refused().contains("needs the name of an image"));
    assert!(run(&["inspect", "oci:"]).refused().contains("needs a path"));
    assert!(run(&["inspect", ""]).refused().contains("empty"));
}
