//! `rebuild` that is killed while it writes: what was there before is there, or what was to be written, and nothing else.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::{Bench, with_config};
use crate::support::images::Image;
use crate::support::program::{nixdive, run};
use crate::support::tar_bytes::{Entry, Tar};

/// Kills a run takes, at moments from the first to past the last.
const KILLS: u32 = 24;

/// An image of 12 MB that compression makes little of.
fn bench() -> Bench {
    let mut state = 1u64;
    let noise = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..12_000_000).map(noise).collect();
    let app = Tar::new().add(Entry::file("bin/app", "app").mode(0o755));
    let layers =
        noise.chunks(3_000_000).enumerate().map(|(number, part)| Tar::new().file(format!("srv/{number}"), part));
    let image = Image::new(std::iter::once(app).chain(layers).map(Tar::finish).collect());
    Bench::of(&with_config(image, &serde_json::json!({"Entrypoint": ["/bin/app"]})))
}

/// Rebuilds to a destination and kills that after each of several times; `look` is told what came of each.
fn kill(bench: &Bench, destination: &str, takes: Duration, mut look: impl FnMut(u32)) {
    for number in 0..KILLS {
        let mut command = nixdive();
        command.arg("rebuild").arg(&bench.image).args(["-o", destination, "--env", "NEW=1"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(takes * number / (KILLS - 4));
        child.kill().unwrap();
        child.wait().unwrap();
        look(number);
    }
}

/// How long a run takes here that is left alone.
fn time(bench: &Bench, destination: &str, options: &[&str]) -> Duration {
    let began = std::time::Instant::now();
    let run = run(&[&["rebuild", bench.image.to_str().unwrap(), "-o", destination], options].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    began.elapsed()
}

/// Names in a directory that people look at; what is begun has names of its own.
fn shown(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with(".nixdive-"));
    names.sort();
    names
}

#[test]
fn a_file_is_the_old_one_or_the_new_one() {
    let bench = bench();
    for (form, name) in [("docker-archive", "a.tar"), ("docker-archive", "a.tar.zst"), ("oci-archive", "o.tar")] {
        let place = bench.out(name);
        let destination = format!("{form}:{}", place.display());
        let takes = time(&bench, &destination, &["--env", "NEW=1"]);
        let new = std::fs::read(&place).unwrap();
        let mut seen = [false; 2];
        std::fs::write(&place, "old").unwrap();
        kill(&bench, &destination, takes, |number| {
            let found = std::fs::read(&place).unwrap();
            assert!(found == b"old" || found == new, "{destination} after kill {number}: {} bytes", found.len());
            seen[usize::from(found != b"old")] = true;
            std::fs::write(&place, "old").unwrap();
        });
        assert!(seen[0], "{destination}: none was early enough");
        std::fs::remove_file(&place).unwrap();
        kill(&bench, &destination, takes, |number| {
            let found = std::fs::read(&place).ok();
            assert!(found.is_none_or(|found| found == new), "{destination} after kill {number}");
            let _ = std::fs::remove_file(&place);
        });
    }
}

#[test]
fn a_layout_has_its_old_images_and_the_new_one_whole_or_not_at_all() {
    let bench = bench();
    let layout = bench.out("layout");
    let old = format!("oci:{}:old", layout.display());
    let takes = time(&bench, &old, &["--entrypoint", "/bin/app", "--compression", "gzip"]);
    let sound = |reference: &str| {
        let run = run(&["rebuild", &format!("oci:{}:{reference}", layout.display()), "--check"]);
        assert_eq!(run.code, Some(0), "{reference}: {}{}", run.text(), run.stderr);
    };
    sound("old");
    kill(&bench, &format!("oci:{}:new", layout.display()), takes, |number| {
        let index: serde_json::Value =
            serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
        let images = index["manifests"].as_array().unwrap().len();
        assert!((1..=2).contains(&images), "after kill {number}: {index}");
        sound("old");
        if images == 2 {
            sound("new");
        }
        assert_eq!(shown(&layout), ["blobs", "index.json", "oci-layout"], "after kill {number}");
        for blob in std::fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap()) {
            let name = blob.file_name().to_string_lossy().into_owned();
            let content = std::fs::read(blob.path()).unwrap();
            assert!(name.starts_with(".nixdive-") || crate::support::images::hex(&content) == name, "{name}");
        }
    });
    // What was left behind is in nobody's way.
    time(&bench, &format!("oci:{}:new", layout.display()), &[]);
    sound("new");
}

#[test]
fn a_layout_that_was_not_there_is_there_whole_or_not_at_all() {
    let bench = bench();
    let layout = bench.out("layout");
    let destination = format!("oci:{}:new", layout.display());
    let takes = time(&bench, &destination, &[]);
    std::fs::remove_dir_all(&layout).unwrap();
    kill(&bench, &destination, takes, |number| {
        if layout.exists() {
            let run = run(&["rebuild", &destination, "--check"]);
            assert_eq!(run.code, Some(0), "after kill {number}: {}", run.stderr);
            std::fs::remove_dir_all(&layout).unwrap();
        }
    });
}
