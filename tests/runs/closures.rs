//! Images that are made of store paths of this machine.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::debian::{can_run, compile};
use crate::support::chroot::{run_in_chroot, unpack};
use crate::support::images::{Image, docker_archive, oci_members, write_directory};
use crate::support::program::{file, open_typed, run, scratch};
use crate::support::tar_bytes::{Entry, Tar};

const TOOL: &str = r#"
#include <stdio.h>
int main(void) {
    char line[100] = "nothing";
    FILE *greeting = fopen("/share/greeting", "r");
    if (greeting) fgets(line, sizeof line, greeting);
    puts(line);
    return 3;
}
"#;

/// Puts a directory into the store of this machine, with the references that Nix finds: none.
fn add(directory: &Path) -> String {
    let output = Command::new("nix-store").arg("--add").arg(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn several_store_paths_become_one_image_that_finds_them_at_its_root() {
    if !can_run(&["nix-store", "gcc", "unshare"]) {
        return;
    }
    let directory = scratch();
    let (tool, greeting) = (directory.path().join("tool"), directory.path().join("greeting"));
    std::fs::create_dir_all(tool.join("bin")).unwrap();
    std::fs::create_dir_all(greeting.join("share")).unwrap();
    compile(&tool.join("bin"), "tool", TOOL, &["-static"]);
    std::fs::remove_file(tool.join("bin/tool.c")).unwrap();
    std::fs::write(greeting.join("share/greeting"), "good morning").unwrap();
    let (tool, greeting) = (add(&tool), add(&greeting));
    let written = directory.path().join("image.tar");
    let out = written.to_str().unwrap();
    let made = run(&["rebuild", &tool, &greeting, &greeting, "--entrypoint", "tool", "--env", "PATH=/bin", "-o", out]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);

    let opened = open_typed(&written).unwrap();
    let root = directory.path().join("root");
    std::fs::create_dir(&root).unwrap();
    unpack(&opened, &root, None);
    let ran = run_in_chroot(&root, &opened.image.config);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "good morning\n");
    assert_eq!(ran.status.code(), Some(3));
    assert!(opened.image.tree.lookup(format!("{greeting}/share/greeting").as_bytes()).is_some());
    run(&["rebuild", out, "--check"]).done();

    let other = directory.path().join("other.tar");
    let other = other.to_str().unwrap();
    let image_among = run(&["rebuild", &tool, out, "-o", other]).refused();
    assert!(image_among.contains("only one image can be rebuilt"), "{image_among}");
    let image_first = run(&["rebuild", out, &tool, "-o", other]).refused();
    assert!(image_first.contains("only one image can be rebuilt"), "{image_first}");
    let drop = run(&["rebuild", &tool, "--drop", "docs", "-o", other]).refused();
    assert!(drop.contains("nixdive rebuild"), "{drop}");
    assert!(!Path::new(other).exists());
}

#[test]
fn the_blobs_of_a_base_stay_as_they_are() {
    if !can_run(&["nix-store"]) {
        return;
    }
    let directory = scratch();
    let greeting = directory.path().join("greeting");
    std::fs::create_dir_all(greeting.join("share")).unwrap();
    std::fs::write(greeting.join("share/greeting"), "good evening").unwrap();
    let greeting = add(&greeting);
    let base = Image::sample();
    let base = write_directory(&directory.path().join("base"), &oci_members(&[base]));
    let written = directory.path().join("written");
    let made =
        run(&["rebuild", &greeting, "--from", base.to_str().unwrap(), "-o", &format!("oci:{}", written.display())]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (before, after) = (layers(&base), layers(&written));
    assert!(after.len() > before.len());
    assert_eq!(after[..before.len()], before[..]);
}

#[test]
fn layers_of_a_base_count_among_those_that_are_allowed() {
    if !can_run(&["nix-store"]) {
        return;
    }
    let directory = scratch();
    let paths: Vec<String> = ["one", "two", "three"]
        .iter()
        .map(|name| {
            let path = directory.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(name), name).unwrap();
            add(&path)
        })
        .collect();
    let base = write_directory(&directory.path().join("base"), &oci_members(&[Image::sample()]));
    let below = layers(&base);
    let rebuilt = |most: usize| {
        let written = directory.path().join(format!("written-{most}"));
        let (most, to) = (most.to_string(), format!("oci:{}", written.display()));
        let options = ["--from", base.to_str().unwrap(), "--max-layers", &most, "-o", &to];
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        (run(&[&["rebuild"], paths.as_slice(), &options].concat()), written)
    };
    let (refused, _) = rebuilt(below.len());
    let message = refused.refused();
    let reason = format!("{} layers of the base image", below.len());
    assert!(message.contains("--max-layers") && message.contains(&reason), "{message}");
    let needed = message.split("needs at least ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
    let needed: usize = needed.parse().unwrap();
    assert!(needed > below.len());
    for most in [needed, needed + 1, needed + 20] {
        let (run, written) = rebuilt(most);
        assert_eq!(run.code, Some(0), "{most}: {}", run.stderr);
        let layers = layers(&written);
        assert_eq!(layers.len(), most.min(needed + paths.len() - 1), "{most}");
        assert_eq!(layers[..below.len()], below[..], "{most}");
    }
}

#[test]
fn what_is_extracted_is_a_root_in_which_the_program_runs() {
    if !can_run(&["gcc", "unshare"]) {
        return;
    }
    let directory = scratch();
    let program = compile(directory.path(), "tool", TOOL, &["-static"]);
    // The program lies behind a link, and later entries and layers decide what it reads.
    let base = Tar::new()
        .directory("usr/bin/")
        .symlink("bin", "usr/bin")
        .add(Entry::file("bin/tool", program).mode(0o755))
        .file("usr/share/greeting", "good night")
        .symlink("share", "usr/share");
    let upper =
        Tar::new().file("usr/share/evening", "good evening").hard_link("usr/share/greeting", "usr/share/evening");
    let mut image = Image::new(vec![base.finish(), upper.file("usr/share/.wh.evening", "").finish()]);
    image.config["config"] = serde_json::json!({"Entrypoint": ["/bin/tool"]});
    let written = file(directory.path(), "image.tar", &docker_archive(&image));
    let root = directory.path().join("root");
    run(&["extract", written.to_str().unwrap(), "/", "-o", root.to_str().unwrap()]).done();
    let ran = run_in_chroot(&root, &open_typed(&written).unwrap().image.config);
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "good evening\n", "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(3));
}

/// Media types and digests of the layers of a layout's only image.
fn layers(layout: &Path) -> Vec<(String, String)> {
    let read = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(layout.join(path)).unwrap()).unwrap() };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let digest = text(&read("index.json")["manifests"][0]["digest"]);
    let manifest = read(&format!("blobs/{}", digest.replace(':', "/")));
    manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| (text(&layer["mediaType"]), text(&layer["digest"])))
        .collect()
}
