//! Destinations that others write to at the same time, that lead elsewhere, or that a killed run left something in.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Place, contents};
use crate::support::images::{Image, sample_layers};
use crate::support::program::{nixdive, run};
use crate::support::tar_bytes::{Entry, Tar};

fn index(layout: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap()
}

fn names(layout: &Path) -> Vec<String> {
    let index = index(layout);
    let name = |one: &Value| one["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = index["manifests"].as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

fn at_once(commands: Vec<Command>) {
    let start = |mut command: Command| command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let running: Vec<Child> = commands.into_iter().map(start).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn eight_writers_of_one_layout_lose_nothing() {
    for first in [false, true] {
        let place = Place::of(sample_layers());
        let layout = place.path("layout");
        if first {
            run(&["copy", "-q", place.image(), &format!("oci:{}:first", layout.display())]).done();
        }
        let command = |number: usize| {
            let mut command = nixdive();
            let to = format!("oci:{}:t{number}", layout.display());
            match number % 2 {
                0 => command.args(["copy", "-q", place.image(), &to]),
                _ => command.args(["rebuild", place.image(), "--keep", "**", "-o", &to]),
            };
            command
        };
        at_once((0..8).map(command).collect());
        let mut expected: Vec<String> = (0..8).map(|number| format!("t{number}")).collect();
        expected.splice(0..0, first.then(|| "first".to_owned()));
        assert_eq!(names(&layout), expected);
        for name in expected {
            let listed = run(&["ls", "-R", &format!("oci:{}:{name}", layout.display())]);
            assert_eq!(listed.code, Some(0), "{name}: {}", listed.stderr);
        }
        let beside: Vec<String> = contents(place.directory.path()).into_iter().map(|(name, _)| name).collect();
        assert!(beside.iter().all(|name| !name.contains(".nixdive-")), "{beside:?}");
    }
}

#[test]
fn nothing_is_written_through_links_of_a_layout() {
    for link in ["blobs", "blobs/sha256", "index.json"] {
        for command in ["copy", "rebuild"] {
            let place = Place::of(sample_layers());
            let (layout, outside) = (place.path("layout"), place.path("outside"));
            run(&["copy", "-q", place.image(), &format!("oci:{}:first", layout.display())]).done();
            std::fs::rename(layout.join(link), &outside).unwrap();
            symlink(&outside, layout.join(link)).unwrap();
            let before = if outside.is_dir() { contents(&outside) } else { Vec::new() };
            let index = std::fs::read(layout.join("index.json")).unwrap();
            let other = Place::of([sample_layers(), vec![Tar::new().file("bin/other", "other").finish()]].concat());
            let to = format!("oci:{}:second", layout.display());
            let refused = match command {
                "copy" => run(&["copy", "-q", other.image(), &to]),
                _ => run(&["rebuild", other.image(), "--keep", "**", "-o", &to]),
            };
            assert_eq!(refused.code, Some(2), "{command} {link}: {}", refused.stderr);
            assert!(refused.stderr.contains("link"), "{command} {link}: {}", refused.stderr);
            let after = if outside.is_dir() { contents(&outside) } else { Vec::new() };
            assert_eq!((before, index), (after, std::fs::read(layout.join("index.json")).unwrap()), "{command} {link}");
        }
    }
}

#[test]
fn a_blob_that_is_a_link_out_is_replaced_and_not_written_through() {
    let place = Place::of(sample_layers());
    let (layout, victim) = (place.path("layout"), place.path("victim"));
    run(&["copy", "-q", place.image(), &format!("oci:{}:first", layout.display())]).done();
    std::fs::write(&victim, "untouched").unwrap();
    let blobs: Vec<_> =
        std::fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|found| found.unwrap().path()).collect();
    for blob in &blobs {
        std::fs::remove_file(blob).unwrap();
        symlink(&victim, blob).unwrap();
    }
    run(&["copy", "-q", place.image(), &format!("oci:{}:second", layout.display())]).done();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(blobs.iter().all(|blob| !blob.symlink_metadata().unwrap().is_symlink()));
    run(&["ls", &format!("oci:{}:second", layout.display())]).done();
}

/// What a killed run leaves, and what only looks like it.
fn litter(directory: &Path) -> Vec<std::path::PathBuf> {
    let left = [".nixdive-0123456789abcdef", ".nixdive-fedcba9876543210"].map(|name| directory.join(name));
    std::fs::write(&left[0], "half").unwrap();
    std::fs::create_dir_all(left[1].join("blobs/sha256")).unwrap();
    std::fs::write(left[1].join("blobs/sha256/x"), "half").unwrap();
    let kept = [".nixdive-ci", ".nixdive-config", ".nixdive-0123456789ABCDEF", ".nixdive-0123456789abcde"];
    let mut kept: Vec<_> = kept.iter().map(|name| directory.join(name)).collect();
    kept.iter().for_each(|path| std::fs::write(path, "budgets: []\n").unwrap());
    let outside = directory.join("not-ours");
    std::fs::write(&outside, "").unwrap();
    let link = directory.join(".nixdive-aaaaaaaaaaaaaaaa");
    symlink(&outside, &link).unwrap();
    kept.extend([outside, link]);
    kept
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one() {
    let place = Place::of(sample_layers());
    for to in ["out.tar", "oci:layout:a", "oci:layout:b", "oci-archive:out.oci", "dir:directory"] {
        let kept = litter(place.directory.path());
        let (kind, file) = to.split_once(':').map_or(("", to), |(kind, file)| (kind, file));
        let colon = if kind.is_empty() { "" } else { ":" };
        let full = format!("{kind}{colon}{}", place.text(file));
        run(&["copy", "-q", place.image(), &full]).done();
        let left = place.path(".nixdive-0123456789abcdef").exists() || place.path(".nixdive-fedcba9876543210").exists();
        // A layout that is there is written to within.
        assert_eq!(left, to == "oci:layout:b", "{to}");
        assert!(kept.iter().all(|path| path.symlink_metadata().is_ok()), "{to}");
        kept.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
    let kept = litter(&place.path("layout"));
    run(&["copy", "-q", place.image(), &format!("oci:{}:c", place.text("layout"))]).done();
    assert!(!place.path("layout/.nixdive-0123456789abcdef").exists());
    assert!(kept.iter().all(|path| path.symlink_metadata().is_ok()));
    let dest = place.path("dest");
    std::fs::create_dir(&dest).unwrap();
    let kept = litter(&dest);
    run(&["extract", place.image(), "/", "-o", &place.text("dest")]).done();
    assert!(!dest.join(".nixdive-0123456789abcdef").exists() && !dest.join(".nixdive-fedcba9876543210").exists());
    assert!(kept.iter().all(|path| path.symlink_metadata().is_ok()));
}

#[test]
fn what_a_living_run_writes_is_left_to_it() {
    let place = Place::of(sample_layers());
    let parent = nixdive::beneath::Directory::open(place.directory.path()).unwrap();
    let living = nixdive::beneath::TemporaryDirectory::new(&parent, 0o700).unwrap();
    let file = nixdive::beneath::Temporary::new(&parent, 0o600).unwrap();
    run(&["copy", "-q", place.image(), &place.text("out.tar")]).done();
    assert!(living.path().exists());
    file.publish(&parent, "published".as_ref()).unwrap();
    assert!(place.path("published").exists());
}

/// Runs the program in a shell in which a file may have so many blocks of 512 bytes: the system kills it in the middle of
/// its first longer one.
fn killed_while_writing(blocks: u32, arguments: &[&str]) {
    use std::os::unix::process::ExitStatusExt;
    let program = nixdive();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    shell.arg(program.get_program()).args(arguments).stdin(Stdio::null());
    let output = shell.output().unwrap();
    assert!(output.status.signal().is_some(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Names of temporary files in a directory.
fn temporary(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(".nixdive-")).collect()
}

#[test]
fn reports_and_flakes_that_a_kill_cut_off_are_removed_by_the_next_run() {
    let script = Entry::file("bin/start", "#!/bin/sh\n").mode(0o755);
    let mut image = Image::new(vec![Tar::new().add(script).file("srv/data", "x".repeat(4000)).finish()]);
    image.config["config"] = serde_json::json!({"Entrypoint": ["/bin/start"]});
    let place = Place::of_image(&image);
    let out = place.path("out");
    std::fs::create_dir(&out).unwrap();
    let (json, report, flake) =
        (place.text("out/dive.json"), format!("json={}", place.text("out/ci.json")), place.text("out/flake"));
    let ci = ["ci", place.image(), "--max-size", "1GB", "--lowestEfficiency", "0", "--output", &report];
    for arguments in [&[place.image(), "--json", &json][..], &ci, &["rebuild", place.image(), "--emit-nix", &flake]] {
        killed_while_writing(0, arguments);
        assert_eq!(temporary(&out).len(), 1, "{arguments:?}");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "{arguments:?}: what is half is not in its place");
        let run = run(arguments);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(temporary(&out), [""; 0], "{arguments:?}");
        std::fs::read_dir(&out).unwrap().for_each(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
        });
    }
}
