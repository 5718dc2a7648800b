//! Standard output, standard error and exit codes, whatever the image says.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::json;

use super::{Place, root};
use crate::support::images::Image;
use crate::support::program::{nixdive, run, run_command};
use crate::support::tar_bytes::{Entry, Tar};

/// Sequences that would clear a screen, set a title, turn text round, or hide it.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\r\u{9b}31m\u{202e}\u{200b}\u{7f}x";

/// That a text steers no terminal.
#[track_caller]
fn assert_harmless(text: &str, what: &str) {
    let found = text.chars().find(|&character| character != '\n' && nixdive::text::steers_terminal(character));
    assert_eq!(found, None, "{what}: {text:?}");
}

fn hostile_image() -> Place {
    let named = |name: &str| format!("{name}{HOSTILE}");
    let tar = Tar::new()
        .directory("etc")
        .file(named("etc/file"), "x")
        .file(named("twice"), "first")
        .symlink("link", HOSTILE)
        .hard_link("hard", HOSTILE)
        .file("new\nline", "x")
        .add(Entry::of(b'6', named("pipe")))
        .finish();
    let upper = Tar::new().file(named("twice"), "second").file("../climbs", "x").finish();
    let mut image = Image::new(vec![tar, upper]).named(&named("name:"));
    image.config["author"] = HOSTILE.into();
    image.config["created"] = HOSTILE.into();
    image.config["os"] = HOSTILE.into();
    image.config["config"] = json!({
        "Entrypoint": [HOSTILE], "Cmd": [HOSTILE], "Env": [HOSTILE], "User": HOSTILE, "WorkingDir": HOSTILE,
        "Labels": {HOSTILE: HOSTILE}, "Volumes": {HOSTILE: {}}, "ExposedPorts": {HOSTILE: {}}, "StopSignal": HOSTILE,
    });
    image.config["history"] = json!([{"created_by": HOSTILE, "comment": HOSTILE}, {"comment": HOSTILE}]);
    image.config["rootfs"]["diff_ids"] = json!([HOSTILE, HOSTILE]);
    Place::of_image(&image)
}

#[test]
fn nothing_of_an_image_steers_the_terminal() {
    let place = hostile_image();
    for arguments in [
        &["inspect", place.image()][..],
        &["inspect", place.image(), "--format", "markdown"],
        &["ls", place.image()],
        &["ls", "-l", place.image()],
        &["ls", "-lR", place.image()],
        &[place.image()],
    ] {
        let run = run(arguments).printed();
        assert_harmless(&run.stderr, &format!("{arguments:?}"));
        assert_harmless(run.text(), &format!("{arguments:?}"));
        assert!(run.text().contains("\\x1b[2J"), "{arguments:?} shows the name spelled out: {}", run.text());
    }
    let run = run(&["extract", place.image(), "/", "-o", &place.text("dest")]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_harmless(&run.stderr, "extract");
    assert!(run.stderr.contains("\\x1b[2J"), "{}", run.stderr);
}

#[test]
fn errors_steer_no_terminal_and_stand_on_lines_of_their_own() {
    let place = hostile_image();
    let hostile_name = format!("docker-archive:{}:none{HOSTILE}", place.image());
    let with_line = "a\nnixdive: everything is fine";
    for arguments in [
        &["cat", place.image(), HOSTILE][..],
        &["cat", place.image(), "/link"],
        &["ls", place.image(), with_line],
        &["cat", place.image(), "/etc", "--layer", HOSTILE],
        &["inspect", HOSTILE],
        &["inspect", with_line],
        &["inspect", &hostile_name],
        &["inspect", place.image(), "--platform", "linux/none"],
        &["extract", place.image(), "/etc", "-o", &format!("/dev/null/{HOSTILE}")],
        &["extract", place.image(), "/etc", "-o", &format!("/dev/null/{with_line}")],
    ] {
        let message = run(arguments).refused();
        assert_harmless(&message, &format!("{arguments:?}"));
    }
}

#[test]
fn names_within_a_manifest_cannot_forge_lines_of_an_error() {
    let directory = crate::support::program::scratch();
    for (config, layer) in [("config", "missing\nnixdive: fine\u{1b}[2J"), ("missing\nnixdive: fine\u{1b}[2J", "layer")]
    {
        let manifest = json!([{"Config": config, "RepoTags": [], "Layers": [layer]}]).to_string();
        let tar = Tar::new().file("manifest.json", manifest).file("config", "{}").file("layer", Tar::new().finish());
        let path = crate::support::program::file(directory.path(), "image", &tar.finish());
        let run = run(&["inspect", path.to_str().unwrap()]);
        // What there is of an image without one of its layers is shown.
        let message = if layer == "layer" { run.refused() } else { run.warned().stderr };
        assert_harmless(&message, "a name in the manifest");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let manifest = json!([
        {"Config": "config", "RepoTags": ["a:1\nnixdive: fine\u{1b}"], "Layers": []}, {"Config": "config", "RepoTags": ["b:1"]}
    ]);
    let tar = Tar::new().file("manifest.json", manifest.to_string()).file("config", "{}").finish();
    let path = crate::support::program::file(directory.path(), "image", &tar);
    let message = run(&["inspect", path.to_str().unwrap()]).refused();
    assert_harmless(&message, "a name to choose");
    assert_eq!(message.lines().count(), 3, "{message}");
}

#[test]
fn whoever_has_seen_enough_may_leave() {
    let mut tar = Tar::new();
    for number in 0..20_000 {
        tar = tar.file(format!("directory/file-with-a-long-name-{number}"), "");
    }
    let place = Place::of(vec![tar.file("large", vec![b'x'; 4 << 20]).finish()]);
    for arguments in [
        &["ls", "-R", place.image()][..],
        &["cat", place.image(), "/large"],
        &["inspect", place.image(), "--format", "json"],
        &["inspect", place.image(), "--format", "markdown"],
        &[place.image()],
        &["--help"],
        &["completions", "bash"],
        &["man"],
    ] {
        let mut child = nixdive().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
        let _ = reader.fill_buf().unwrap();
        drop(reader);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_closed_standard_error_is_no_reason_to_fall() {
    let place = root();
    let script = r#""$0" "$@" 2>&-"#;
    for (arguments, code) in
        [(&["cat", place.image(), "/missing"][..], 2), (&["extract", place.image(), "/", "-o", &place.text("dest")], 0)]
    {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]).arg(assert_cmd::cargo::cargo_bin!("nixdive")).args(arguments);
        assert_eq!(run_command(&mut command).code, Some(code), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    if !std::path::Path::new("/dev/full").exists() {
        println!("skipped: there is no /dev/full");
        return;
    }
    let place = root();
    for arguments in [&["inspect", place.image()][..], &["ls", place.image()], &["cat", place.image(), "/etc/config"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = nixdive().args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains("standard output"), "says what could not be written: {message}");
    }
}

#[test]
fn what_cannot_be_done_ends_with_2_and_the_reason() {
    let place = root();
    for (arguments, reason) in [
        (&["inspect", "/no/such/image"][..], "/no/such/image: no such file or directory"),
        (&["cat", "/no/such/image", "/etc"], "/no/such/image: no such file or directory"),
        (&["extract", "/no/such/image", "-o", "/tmp"], "no such file or directory"),
        (&["rootfs:/no/such/root"], "no such file or directory"),
        (&["copy", "/no/such/image", "oci:/no/such/layout"], "/no/such/image: no such file or directory"),
        (
            &["copy", "no-such-name", "oci:/no/such/layout", "--offline"],
            "no-such-name: no such file, and no engine here has it; as docker.io/library/no-such-name:latest: ",
        ),
    ] {
        let message = run(arguments).refused();
        assert!(message.contains(reason), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    // A name that is close to a file or a command is suggested.
    let mistyped = place.image().replace(".tar", ".tra");
    assert_ne!(mistyped, place.image());
    let message = run(&["inspect", &mistyped]).refused();
    assert!(message.contains(&format!("hint: did you mean `{}`?", place.image())), "{message}");
    let message = run(&["inspct", place.image(), "--offline"]).refused();
    assert!(message.contains("hint: did you mean `nixdive inspect`?"), "{message}");
    for arguments in [&["cat", place.image()][..], &["extract", place.image()], &["inspect"], &["--nonsense"]] {
        let run = run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        assert!(!run(&arguments).done().stdout.is_empty());
    }
    let message = run::<&str>(&[]).refused();
    assert!(message.contains("which image?"), "{message}");
}

#[test]
fn warnings_do_not_fail_a_report() {
    let mut image = Image::sample();
    image.config["rootfs"]["diff_ids"][0] = format!("sha256:{}", "0".repeat(64)).into();
    let place = Place::of_image(&image);
    let report = run(&["inspect", place.image()]).warned();
    assert!(report.text().contains("diffID sha256:0000"), "{}", report.text());
}
