//! What Nix builds.

use nixdive::open::{Keep, OpenOptions, Verify};
use nixdive::store::LocalStore;
use serde_json::json;

use crate::support::images::digest;
use crate::support::program::{content, file, open_with, paths, scratch};
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
