//! What cannot be rebuilt, or not to that place.

use std::process::Command;

use serde_json::json;

use super::{Bench, with_config};
use crate::support::compress::gzip;
use crate::support::images::{Image, Layer, OCI_GZIP};
use crate::support::program::{nixdive, run, run_command};
use crate::support::tar_bytes::{Entry, Tar};

fn script(text: &[u8]) -> Vec<u8> {
    Tar::new().add(Entry::file("bin/app", text).mode(0o755)).add(Entry::file("bin/sh", "sh").mode(0o755)).finish()
}

#[test]
fn what_is_started_has_to_be_there_and_readable() {
    for (what, text, entrypoint, expected) in [
        ("not there", &b"#!/bin/sh\n"[..], "/bin/none", "starts `/bin/none`, which is not in it"),
        ("a directory", b"#!/bin/sh\n", "/bin", "starts `/bin`, which is not in it"),
        ("without its shell", b"#!/bin/zsh -e\necho\n", "app", "interpreter `/bin/zsh` is not in it"),
        ("junk with a first line", b"#!/bin/sh\n\0\xff\xfe\0junk\x80\n", "/bin/app", "cannot be read"),
        ("junk in the first line", b"#!\0\x01\x1b[31m\xff\n", "/bin/app", "`/bin/app`"),
    ] {
        let bench = Bench::new(vec![script(text)], entrypoint);
        let message = bench.rebuild(&[]).refused();
        assert!(message.contains(expected), "{what}: {message}");
        assert!(!message.contains('\x1b'), "{what}");
        assert_eq!(bench.written(), [""; 0], "{what}");
    }
    let mut image = Image::new(vec![script(b"#!/bin/sh\n")]);
    image.config["config"] = json!({});
    let bench = Bench::of(&image);
    assert!(bench.rebuild(&[]).refused().contains("neither an entry point nor a command"));
    assert_eq!(bench.rebuild(&["--entrypoint", "/bin/app"]).code, Some(0));
}

#[test]
fn as_many_layers_as_were_allowed_or_none_at_all() {
    let bench = Bench::new(vec![script(b"#!/bin/sh\n")], "/bin/app");
    let message = bench.rebuild(&["--max-layers", "1"]).refused();
    assert!(message.contains("--max-layers 1: the image needs at least 2: 1 for files outside the store"), "{message}");
    assert_eq!(bench.written(), [""; 0]);
    for (most, warns) in [("2", false), ("125", false), ("126", true), ("1000", true)] {
        let run = bench.rebuild(&["--max-layers", most]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.stderr.contains("engines take at most 125 layers"), warns, "{most}: {}", run.stderr);
    }
}

#[test]
fn an_entry_point_that_an_upper_layer_removes_is_not_there() {
    let bench = Bench::new(vec![script(b"#!/bin/sh\n"), Tar::new().file("bin/.wh.app", "").finish()], "/bin/app");
    assert!(bench.rebuild(&[]).refused().contains("which is not in it"));
    assert_eq!(bench.written(), [""; 0]);
}

#[test]
fn of_a_broken_layer_nothing_is_written() {
    let tar = script(b"#!/bin/sh\necho\n");
    let noise: Vec<u8> = (0..300_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let padded = Tar::new().raw(&tar[..tar.len() - 1024]).file("data", noise).finish();
    let packed = gzip(&padded);
    let cut = packed[..packed.len() - 20].to_vec();
    let mut changed = packed.clone();
    let middle = changed.len() / 2;
    changed[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0x55);
    let other = gzip(&Tar::new().raw(&tar[..tar.len() - 1024]).file("data", "others").finish());
    for (blob, expected) in [(cut, "offset"), (changed, "incomplete or altered"), (other, "gives the diffID")] {
        let layer = Layer { media_type: OCI_GZIP, tar: padded.clone(), blob };
        let image = with_config(Image::of(vec![layer]), &json!({"Entrypoint": ["/bin/app"]}));
        let bench = Bench::of(&image);
        let message = bench.rebuild(&[]).refused();
        assert!(message.contains("layer 0") && message.contains(expected), "{message}");
        assert_eq!(bench.written(), [""; 0]);
    }
}

#[test]
fn an_archive_that_ends_too_early_is_refused() {
    let bench = Bench::new(vec![script(b"#!/bin/sh\necho\n")], "/bin/app");
    let bytes = std::fs::read(&bench.image).unwrap();
    for length in [bytes.len() / 2, 700, 0] {
        std::fs::write(&bench.image, &bytes[..length]).unwrap();
        bench.rebuild(&[]).refused();
        assert_eq!(bench.written(), [""; 0]);
    }
}

#[test]
fn a_destination_that_is_something_else_is_left_alone() {
    let bench = Bench::new(vec![script(b"#!/bin/sh\necho\n")], "/bin/app");
    std::fs::create_dir(bench.out("new.tar")).unwrap();
    std::fs::write(bench.out("new.tar").join("notes"), "keep").unwrap();
    bench.rebuild(&[]).refused();
    assert_eq!(std::fs::read(bench.out("new.tar").join("notes")).unwrap(), b"keep");

    let image = bench.image.to_str().unwrap();
    let notes = bench.out("notes");
    std::fs::write(&notes, "keep").unwrap();
    for destination in [format!("oci:{}", notes.display()), format!("docker-archive:{}/a.tar", notes.display())] {
        run(&["rebuild", image, "-o", &destination]).refused();
    }
    let before = std::fs::read(&bench.image).unwrap();
    run(&["rebuild", image, "-o", &format!("docker-archive:{image}")]).refused();
    assert_eq!(std::fs::read(notes).unwrap(), b"keep");
    assert_eq!(std::fs::read(&bench.image).unwrap(), before);
    assert_eq!(bench.written(), ["new.tar", "notes"]);
}

#[test]
fn an_image_is_never_written_over_itself_by_whatever_name() {
    let bench = Bench::new(vec![script(b"#!/bin/sh\necho\n")], "/bin/app");
    let image = bench.image.to_str().unwrap();
    let before = std::fs::read(&bench.image).unwrap();
    let (link, hard_link, above) = (bench.out("link.tar"), bench.out("hard.tar"), bench.out("above"));
    std::os::unix::fs::symlink(&bench.image, &link).unwrap();
    std::fs::hard_link(&bench.image, &hard_link).unwrap();
    std::os::unix::fs::symlink(bench.directory.path(), &above).unwrap();
    let roundabout = bench.out("..").join("image.tar");
    for name in [&bench.image, &link, &hard_link, &above.join("image.tar"), &roundabout] {
        for form in ["", "docker-archive:", "oci-archive:", "nix:"] {
            let message = run(&["rebuild", image, "-o", &format!("{form}{}", name.display())]).refused();
            assert!(message.contains("is the image that is being read"), "{message}");
        }
    }
    let layout = bench.out("layout").display().to_string();
    assert_eq!(run(&["rebuild", image, "-o", &format!("oci:{layout}:first")]).code, Some(0));
    let message = run(&["rebuild", &format!("oci:{layout}:first"), "-o", &format!("oci:{layout}:second")]).refused();
    assert!(message.contains("is the image that is being read"), "{message}");
    assert_eq!(std::fs::read(&bench.image).unwrap(), before);
    assert_eq!(bench.written(), ["above", "hard.tar", "layout", "link.tar"]);
}

#[test]
fn an_image_that_was_written_before_is_replaced() {
    let bench = Bench::new(vec![script(b"#!/bin/sh\necho\n")], "/bin/app");
    assert_eq!(bench.rebuild(&[]).code, Some(0));
    let first = std::fs::read(bench.out("new.tar")).unwrap();
    assert_eq!(bench.rebuild(&["--env", "A=1"]).code, Some(0));
    assert_ne!(std::fs::read(bench.out("new.tar")).unwrap(), first);
    assert_eq!(bench.rebuild(&[]).code, Some(0));
    assert!(std::fs::read(bench.out("new.tar")).unwrap() == first);
    assert_eq!(bench.written(), ["new.tar"]);
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root {
        println!("skipped: only root can mount a small disk");
        return;
    }
    let data = Tar::new().raw(&script(b"#!/bin/sh\necho\n")).unfinished();
    let tar = Tar::new().raw(&data[..data.len() - 1024]).file("data", vec![7; 400_000]).finish();
    let bench = Bench::new(vec![tar], "/bin/app");
    for form in ["docker-archive:", "oci-archive:", "oci:", "nix:"] {
        let shell = "mount -t tmpfs -o size=100k none \"$1\" && echo old >\"$1\"/old && shift && \"$@\"; code=$?; \
            ls -A \"$0\" >&2; exit $code";
        let out = bench.out("");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", shell]).arg(&out).arg(&out).arg(nixdive().get_program());
        command.arg("rebuild").arg(&bench.image).args(["--compression", "none", "-o"]);
        let run = run_command(command.arg(format!("{form}{}", bench.out("new").display())));
        assert_eq!(run.code, Some(2), "{form} {}", run.stderr);
        assert!(run.stderr.contains("No space left"), "{form} {}", run.stderr);
        assert_eq!(run.stderr.lines().last(), Some("old"), "{form} {}", run.stderr);
    }
}

#[test]
fn a_name_that_is_no_store_path_is_not_taken_for_one() {
    let hash = "0123456789abcdfghijklmnpqrsvwxyz";
    for name in
        ["short-name", "0123456789abcdfghijklmnpqrsvwxye-e-is-no-letter", &format!("{hash}-"), &format!("{hash}-a b")]
    {
        let tar = Tar::new().add(Entry::file(format!("nix/store/{name}/bin/app"), "app").mode(0o755)).finish();
        let bench = Bench::new(vec![tar], &format!("/nix/store/{name}/bin/app"));
        let run = bench.rebuild(&[]);
        match run.code {
            Some(0) => {
                let checked = super::run(&["rebuild", bench.out("new.tar").to_str().unwrap(), "--check"]);
                assert_eq!(checked.code, Some(0), "{name}: {}", checked.text());
            }
            _ => {
                run.refused();
                assert_eq!(bench.written(), [""; 0], "{name}");
            }
        }
        run_refused(&["rebuild", &format!("/nix/store/{name}"), "-o", bench.out("x.tar").to_str().unwrap()]);
    }
}

#[track_caller]
fn run_refused(arguments: &[&str]) {
    let message = run(arguments).refused();
    assert!(message.contains("/nix/store/"), "{message}");
}
