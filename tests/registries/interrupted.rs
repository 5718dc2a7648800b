//! What is left of images that are sent or written when a signal ends that.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::push::{faulty, noise};
use super::server::{Manner, Reply};
use super::support::images::{Image, docker_archive, sample_layers};
use super::support::program::{file, nixdive, scratch};
use super::support::tar_bytes::Tar;
use super::warehouse::Warehouse;

const PATIENCE: Duration = Duration::from_secs(30);
/// 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

fn large_archive(place: &Path) -> String {
    let mut layers = sample_layers();
    layers.push(Tar::new().file("noise", noise(40 << 20)).finish());
    file(place, "image.tar", &docker_archive(&Image::new(layers).named("app:1"))).display().to_string()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs `nixdive` in a directory with its temporary files in `aside`, and interrupts it once `ready`; what it said.
fn interrupted(place: &Path, arguments: &[&str], ready: impl Fn() -> bool) -> String {
    let aside = place.join("aside");
    std::fs::create_dir_all(&aside).unwrap();
    let mut command = nixdive();
    let home = scratch();
    command.current_dir(place).env("TMPDIR", &aside).env("HOME", home.path()).env("XDG_CACHE_HOME", home.path());
    let mut child = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "it does not begin");
        std::thread::sleep(Duration::from_millis(2));
    }
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(INTERRUPTED), "{arguments:?}: {said}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    said
}

#[test]
fn a_rebuilt_image_that_is_interrupted_while_it_is_written_leaves_nothing() {
    let place = scratch();
    let place = place.path();
    let image = large_archive(place);
    let warehouse = Warehouse::default();
    let server = faulty(&warehouse, |_, _| None);
    let to = format!("docker://{}/team/app:1", server.host);
    for output in [to.as_str(), "oci:layout:x", "out.tar"] {
        let begins =
            || !names(&place.join("aside")).is_empty() || names(place).iter().any(|name| name.starts_with('.'));
        let said = interrupted(place, &["rebuild", &image, "--keep", "/**", "-o", output], begins);
        assert!(said.ends_with("nixdive: cancelled\n"), "{said}");
        assert_eq!(names(place), ["aside", "image.tar"], "{output}");
        assert_eq!(names(&place.join("aside")), [""; 0], "{output}");
    }
    assert!(warehouse.manifest("team/app", "1").is_none());
}

#[test]
fn a_rebuilt_image_that_is_interrupted_while_it_is_sent_leaves_nothing() {
    let place = scratch();
    let place = place.path();
    let image = file(place, "image.tar", &docker_archive(&Image::new(sample_layers()).named("app:1")));
    let warehouse = Warehouse::default();
    let server = faulty(&warehouse, |_, seen| {
        (seen.method == "PUT").then(|| Reply::new(201, "").sent(Manner::Silent(Duration::from_secs(60))))
    });
    let to = format!("docker://{}/team/app:1", server.host);
    let sends = || server.seen().iter().any(|seen| seen.method == "POST");
    interrupted(place, &["rebuild", &image.display().to_string(), "--keep", "/**", "-o", &to], sends);
    assert_eq!(names(&place.join("aside")), [""; 0]);
}

#[test]
fn an_index_that_is_interrupted_leaves_nothing() {
    let place = scratch();
    let place = place.path();
    let image = large_archive(place);
    let begins = || names(place).iter().any(|name| name.starts_with(".nixdive"));
    interrupted(place, &["index", "oci:layout:x", &image], begins);
    assert_eq!(names(place), ["aside", "image.tar"]);
    assert_eq!(names(&place.join("aside")), [""; 0]);
}
