//! Names that lead through symbolic links, and entries that replace each other, in every command.

use serde_json::Value;

use super::Place;
use crate::support::images::{Image, docker_archive};
use crate::support::program::{file, run, scratch};
use crate::support::tar_bytes::{Entry, Tar};

/// A base with `/bin`, a link to `usr/bin`.
fn base() -> Vec<u8> {
    Tar::new()
        .directory("usr/")
        .directory("usr/bin/")
        .add(Entry::file("usr/bin/tool", "#!/usr/bin/sh\n").mode(0o755))
        .add(Entry::file("usr/bin/sh", "shell\n").mode(0o755))
        .symlink("bin", "usr/bin")
        .finish()
}

fn through_link() -> Place {
    Place::of(vec![base(), Tar::new().add(Entry::file("bin/nc", "netcat").mode(0o755)).finish()])
}

fn listed(place: &Place) -> Vec<String> {
    run(&["ls", "-R", place.image(), "/"]).text().lines().map(str::to_owned).collect()
}

#[test]
fn a_name_through_a_link_of_a_lower_layer_hides_the_link() {
    let place = through_link();
    assert_eq!(listed(&place), ["bin/", "bin/nc", "usr/", "usr/bin/", "usr/bin/sh", "usr/bin/tool"]);
    assert_eq!(run(&["cat", place.image(), "/bin/nc"]).text(), "netcat");
    assert_eq!(run(&["cat", place.image(), "/bin/sh"]).code, Some(2));
    let whiteout = Place::of(vec![base(), Tar::new().file("bin/.wh.sh", "").finish()]);
    assert_eq!(listed(&whiteout), ["bin/", "usr/", "usr/bin/", "usr/bin/sh", "usr/bin/tool"]);
    let opaque = Place::of(vec![base(), Tar::new().file("bin/.wh..wh..opq", "").finish()]);
    assert_eq!(listed(&opaque), ["bin/", "usr/", "usr/bin/", "usr/bin/sh", "usr/bin/tool"]);
}

#[test]
fn it_is_reported_once_as_a_warning_and_as_a_finding_with_both_outcomes() {
    let place = Place::of(vec![
        base(),
        Tar::new().file("bin/a", "1").file("bin/b", "2").finish(),
        Tar::new().file("bin/c", "3").finish(),
    ]);
    let report: Value =
        serde_json::from_slice(&run(&["inspect", place.image(), "--findings", "--format", "json"]).stdout).unwrap();
    let is_meant = |text: &Value| {
        let text = text.as_str().unwrap();
        text.contains("Docker") && text.contains("umoci") && text.contains("vfs") && text.contains("link")
    };
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let text = warnings[0].get("message").unwrap_or(&warnings[0]);
    assert!(is_meant(text), "{text}");
    let list = report["findings"].get("list").unwrap_or(&report["findings"]).as_array().unwrap().clone();
    let found: Vec<&Value> = list.iter().filter(|finding| finding["id"] == "image.writes-through-link").collect();
    assert_eq!(found.len(), 1, "{list:?}");
    assert!(is_meant(&found[0]["title"]), "{}", found[0]);
    assert!(found[0].to_string().contains("usr/bin"), "{}", found[0]);
}

#[test]
fn forbidden_paths_match_in_either_reading() {
    let place = through_link();
    for (path, code) in [("/usr/bin/nc", 1), ("/bin/nc", 1), ("/usr/bin/*c", 1), ("/opt/nc", 0), ("/bin/tool", 0)] {
        let judged = run(&["ci", place.image(), "--forbid-path", path]);
        assert_eq!(judged.code, Some(code), "{path}: {}", judged.text());
    }
    let judged = run(&["ci", place.image(), "--forbid-path", "/usr/bin/nc"]);
    assert!(judged.text().contains("umoci"), "{}", judged.text());
    // The directory comes after what is in it: umoci has followed the link by then.
    let late = Place::of(vec![base(), Tar::new().file("bin/nc", "netcat").directory("bin/").finish()]);
    assert_eq!(run(&["ci", late.image(), "--forbid-path", "/usr/bin/nc"]).code, Some(1));
}

#[test]
fn forbidden_packages_match_in_either_reading() {
    let installed = "P:netcat\nV:1\nF:usr\n\n";
    let lower =
        Tar::new().directory("lib/").directory("lib/apk/").directory("lib/apk/db/").symlink("data", "lib/apk/db");
    let place = Place::of(vec![lower.finish(), Tar::new().file("data/installed", installed).finish()]);
    assert_eq!(run(&["ci", place.image(), "--forbid-package", "netcat"]).code, Some(1));
    assert_eq!(run(&["ci", place.image(), "--forbid-package", "other"]).code, Some(0));
    let hidden = Tar::new().directory("usr/").directory("usr/lib/").symlink("lib", "usr/lib");
    let place = Place::of(vec![hidden.finish(), Tar::new().file("lib/apk/db/installed", installed).finish()]);
    assert_eq!(run(&["ci", place.image(), "--forbid-package", "netcat"]).code, Some(1));
}

#[test]
fn packages_are_found_through_links_of_the_same_layer() {
    let installed = "P:netcat\nV:1\nF:usr\n\n";
    let linked = Tar::new().directory("lib/apk/db").symlink("data", "lib/apk/db").file("data/installed", installed);
    let named = Tar::new().file("data", installed).hard_link("lib/apk/db/installed", "data");
    let replaced = Tar::new()
        .file("lib/apk/db/installed", "P:old\nV:1\n\n")
        .hard_link("kept", "lib/apk/db/installed")
        .file("lib/apk/db/installed", installed);
    for (what, tar) in [("linked", linked), ("named", named), ("replaced", replaced)] {
        let place = Place::of(vec![tar.finish()]);
        let sbom: Value =
            serde_json::from_slice(&run(&["sbom", place.image(), "--format", "cyclonedx"]).stdout).unwrap();
        assert!(sbom["components"].to_string().contains("netcat"), "{what}: {sbom}");
        assert!(!sbom["components"].to_string().contains("\"old\""), "{what}: {sbom}");
    }
}

#[test]
fn entries_of_one_layer_apply_in_order() {
    let layer = Tar::new()
        .directory("usr/")
        .directory("usr/lib/")
        .symlink("lib", "usr/lib")
        .file("lib/libz.so", "zzz")
        .hard_link("hz", "lib/libz.so")
        .file("opt/a", "gone")
        .symlink("opt", "usr/lib")
        .file("one", "first")
        .hard_link("two", "one")
        .file("one", "second")
        .finish();
    let place = Place::of(vec![layer]);
    assert_eq!(listed(&place), ["hz", "lib", "one", "opt", "two", "usr/", "usr/lib/", "usr/lib/libz.so"]);
    for (path, content) in
        [("/lib/libz.so", "zzz"), ("/usr/lib/libz.so", "zzz"), ("/hz", "zzz"), ("/one", "second"), ("/two", "first")]
    {
        assert_eq!(run(&["cat", place.image(), path]).done().text(), content, "{path}");
    }
    let out = place.path("out");
    run(&["extract", place.image(), "/", "-o", out.to_str().unwrap()]);
    let read = |path: &str| std::fs::read_to_string(out.join(path)).unwrap();
    assert_eq!(
        (read("lib/libz.so"), read("hz"), read("one"), read("two")),
        ("zzz".into(), "zzz".into(), "second".into(), "first".into())
    );
    assert!(std::fs::symlink_metadata(out.join("opt")).unwrap().is_symlink());
}

/// As dive v0.13.1 writes them: `path.Clean` of the name in the archive.
#[test]
fn dives_export_has_names_as_the_archive_has_them() {
    let layer = Tar::new()
        .directory("/nix/")
        .file("/nix/store/x", "1")
        .file("./dotted", "2")
        .file("plain", "3")
        .file("/nix/.wh.gone", "")
        .finish();
    let directory = scratch();
    let image = file(directory.path(), "image.tar", &docker_archive(&Image::new(vec![layer])));
    let export = directory.path().join("dive.json");
    run(&["--json", export.to_str().unwrap(), image.to_str().unwrap()]);
    let export: Value = serde_json::from_slice(&std::fs::read(export).unwrap()).unwrap();
    let rows = export["layer"][0]["fileList"].as_array().unwrap();
    let mut paths: Vec<&str> =
        rows.iter().map(|row| row["path"].as_str().unwrap()).filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/nix", "/nix/.wh.gone", "/nix/store/x", "dotted", "plain"]);
}
