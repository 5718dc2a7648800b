//! What Nix builds.

use nixdive::image::{DigestCheck, LayerContents};
use nixdive::open::{Keep, OpenOptions, Verify};
use nixdive::store::LocalStore;
use serde_json::{Value, json};

use crate::support::compress::gzip;
use crate::support::images::{
    Image, Layer, OCI_GZIP, OCI_MANIFEST, blob, descriptor, digest, docker_archive, index, oci_members, write_directory,
};
use crate::support::program::{content, file, open_with, paths, run, scratch};
use crate::support::tar_bytes::Tar;

const BASE_NAME: &str = "hmnypiai2d9q9ri3yd4kdycjp1rg1027-tool-1.0";

/// With the store that lies in a directory of the test's own.
fn with_store(root: &std::path::Path) -> OpenOptions {
    OpenOptions { store: LocalStore::at(root), verify: Verify::All, keep: Keep::Content, ..OpenOptions::default() }
}

#[test]
fn a_layer_that_lies_in_a_file_is_read_from_it() {
    let root = scratch();
    let layers = root.path().join("nix/store").join(BASE_NAME);
    std::fs::create_dir_all(&layers).unwrap();
    let tar = Tar::new().directory("etc/").file("etc/motd", "hello").finish();
    file(&layers, "layer.tar", &tar);
    let layer = |name: &str| {
        json!({"digest": digest(&tar), "size": tar.len(), "diff_ids": digest(&tar), "mediatype": "application/vnd.oci.image.layer.v1.tar",
            "layer-path": format!("/nix/store/{BASE_NAME}/{name}"), "History": {"created_by": "nix2container"}})
    };
    let document =
        json!({"version": 1, "image-config": {"Cmd": ["/bin/sh"]}, "layers": [layer("layer.tar")], "arch": "arm64"});
    let json = file(root.path(), "image.json", document.to_string().as_bytes());
    let link = root.path().join("result");
    std::os::unix::fs::symlink(&json, &link).unwrap();
    for typed in [format!("nix:{}", json.display()), link.display().to_string()] {
        let opened = open_with(&typed, with_store(root.path())).unwrap();
        assert_eq!(paths(&opened), ["/etc/", "/etc/motd"]);
        assert_eq!(content(&opened, "/etc/motd"), b"hello");
        assert_eq!(opened.image.warnings, []);
        assert_eq!(opened.image.config.platform.to_string(), "linux/arm64");
        assert_eq!(opened.image.identity.source_kind, "nix2container");
    }
    let absent = json!([layer("gone.tar")]);
    let json = file(root.path(), "layers.json", absent.to_string().as_bytes());
    let image = open_with(&json, with_store(root.path())).unwrap().image;
    assert!(image.layers[0].is_absent());
    assert_eq!(image.layers[0].known_unpacked_bytes(), Some(tar.len() as u64));
}

#[test]
fn a_platform_that_is_not_there_is_refused() {
    let root = scratch();
    let json = file(root.path(), "image.json", br#"{"version": 1, "layers": [], "arch": "arm64"}"#);
    let platform = nixdive::image::Platform::parse("linux/amd64");
    let error = open_with(json, OpenOptions { platform, ..OpenOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("linux/arm64"), "{error}");
}

/// An OCI layout as nix-snapshotter makes them: mount points in the only layer, the closure in its annotations.
fn snapshotter_layout(directory: &std::path::Path, tar: Vec<u8>, store_paths: &[&str]) -> std::path::PathBuf {
    let layer = Layer::stored(tar, OCI_GZIP, gzip);
    let mut members = oci_members(&[Image::of(vec![layer])]);
    let manifest = members
        .iter_mut()
        .find(|(_, bytes)| {
            bytes.starts_with(b"{") && serde_json::from_slice::<Value>(bytes).unwrap()["layers"].is_array()
        })
        .unwrap();
    let mut document: Value = serde_json::from_slice(&manifest.1).unwrap();
    let mut annotations = json!({"containerd.io/snapshot/nix-layer": "true"});
    for (number, path) in store_paths.iter().enumerate() {
        annotations[format!("containerd.io/snapshot/nix-store-path.{number}")] = format!("/nix/store/{path}").into();
    }
    document["layers"][0]["annotations"] = annotations;
    let changed = document.to_string().into_bytes();
    *manifest = blob(changed.clone());
    let position = members.iter().position(|(name, _)| name == "index.json").unwrap();
    members[position].1 = index(&[descriptor(OCI_MANIFEST, &changed)]);
    write_directory(&directory.join("layout"), &members)
}

#[test]
fn the_closure_of_a_nix_snapshotter_image_comes_from_the_local_store_where_that_has_it() {
    const OTHER: &str = "xkqm7yb4n7aj317l7w8xfchlfazmxlzx-other-2.0";
    let root = scratch();
    let here = root.path().join("nix/store").join(BASE_NAME);
    std::fs::create_dir_all(here.join("bin")).unwrap();
    file(&here.join("bin"), "tool", b"a tool");
    let mount_points = Tar::new()
        .directory("nix/")
        .directory("nix/store/")
        .directory(format!("nix/store/{BASE_NAME}/"))
        .directory(format!("nix/store/{OTHER}/"))
        .file("bin-list", "tool")
        .finish();
    let tool = format!("/nix/store/{BASE_NAME}/bin/tool");

    let whole = snapshotter_layout(root.path(), mount_points.clone(), &[BASE_NAME]);
    for keep in [Keep::Content, Keep::AnyContent] {
        let opened = open_with(&whole, OpenOptions { keep, ..with_store(root.path()) }).unwrap();
        assert_eq!(opened.image.warnings, []);
        let layer = &opened.image.layers[0];
        assert!(!layer.is_absent());
        assert_eq!(layer.diff_id_check, DigestCheck::Matches);
        assert_eq!(content(&opened, &tool), b"a tool");
        assert_eq!(content(&opened, "/bin-list"), b"tool");
    }

    let partial = snapshotter_layout(root.path(), mount_points, &[OTHER, BASE_NAME]);
    let opened = open_with(partial, with_store(root.path())).unwrap();
    let layer = &opened.image.layers[0];
    assert_eq!(layer.contents, LayerContents::Absent(vec![format!("/nix/store/{OTHER}")]));
    assert_eq!(layer.diff_id_check, DigestCheck::Matches);
    assert_eq!(content(&opened, &tool), b"a tool");
    assert!(paths(&opened).contains(&format!("/nix/store/{OTHER}/")));
    assert!(opened.image.warnings[0].message.starts_with("1 of the 2 store paths"), "{:?}", opened.image.warnings);
}

#[test]
fn a_script_that_streams_an_image_is_run_where_that_is_asked_for() {
    let directory = scratch();
    let tar = file(directory.path(), "image.tar", &docker_archive(&Image::sample()));
    let ran = directory.path().join("ran");
    let text = format!("#!/bin/sh\ntouch {}\necho streaming >&2\ncat {}\n", ran.display(), tar.display());
    let script = super::script(directory.path(), "stream", &text);
    let link = directory.path().join("result");
    std::os::unix::fs::symlink(&script, &link).unwrap();
    for typed in [&script, &link] {
        let error = super::refused(typed).to_string();
        assert!(error.contains(&format!("«nixdive stream:{}»", typed.display())), "{error}");
        let error = super::refused(format!("nix:{}", typed.display())).to_string();
        assert!(error.contains("nixdive stream:"), "{error}");
    }
    assert!(!ran.exists(), "it was run because its path was given");
    super::assert_opens(format!("stream:{}", link.display()), "a script");
    assert!(ran.exists());
    let run = run(&["inspect", "--format", "json", &format!("stream:{}", script.display())]).done();
    assert_eq!(serde_json::from_slice::<Value>(&run.stdout).unwrap()["layers"].as_array().unwrap().len(), 2);
}
