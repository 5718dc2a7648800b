//! The same image in every form that skopeo writes: what is said of it agrees with skopeo, and its tree stays the same.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::images::{MAKERS, Varied};
use crate::peers::{copy, have, inspect, inspect_input, json, of_layers, run, sha256, skopeo};
use crate::snapshot::{self, assert_same};

/// Holds a report against what skopeo says of the same image.
fn assert_agrees(reference: &str, report: &Value) {
    let raw = skopeo(&["inspect", "--raw", reference]);
    let (manifest, said) = (json(&raw), json(&skopeo(&["inspect", reference])));
    let raw_config = skopeo(&["inspect", "--config", "--raw", reference]);
    let config = json(&raw_config);
    let strings = |values: &Value| values.as_array().cloned().unwrap_or_default();

    assert_eq!(of_layers(report, "diffId"), strings(&config["rootfs"]["diff_ids"]), "{reference}");
    assert_eq!(of_layers(report, "digest"), strings(&said["Layers"]), "{reference}");
    assert_eq!(report["identity"]["configDigest"], sha256(&raw_config), "{reference}");
    assert_eq!(report["platform"]["os"], said["Os"], "{reference}");
    assert_eq!(report["platform"]["architecture"], said["Architecture"], "{reference}");
    assert_eq!(report["config"]["created"], said["Created"], "{reference}");
    assert_eq!(strings(&report["config"]["env"]), strings(&said["Env"]), "{reference}");
    let labels = said["Labels"].as_object().cloned().unwrap_or_default();
    assert_eq!(report["config"]["labels"], Value::Object(labels), "{reference}");
    for (ours, theirs) in [("entrypoint", "Entrypoint"), ("cmd", "Cmd")] {
        assert_eq!(strings(&report["config"][ours]), strings(&config["config"][theirs]), "{reference}");
    }
    let steps =
        |history: &Value| -> Vec<Value> { strings(history).iter().map(|step| step["created_by"].clone()).collect() };
    let theirs: Vec<Value> = steps(&config["history"]);
    let ours: Vec<Value> = strings(&report["config"]["history"]).iter().map(|step| step["createdBy"].clone()).collect();
    assert_eq!(ours, theirs, "{reference}");

    // A docker-archive has no manifest of its own: skopeo makes one up.
    if !reference.starts_with("docker-archive:") {
        assert_eq!(report["identity"]["manifestDigest"], sha256(&raw), "{reference}");
        let layers = strings(&manifest["layers"]);
        let field = |name: &str| -> Vec<Value> { layers.iter().map(|layer| layer[name].clone()).collect() };
        assert_eq!(of_layers(report, "compressedBytes"), field("size"), "{reference}");
        assert_eq!(of_layers(report, "mediaType"), field("mediaType"), "{reference}");
    }
    for check in of_layers(report, "diffIdCheck") {
        assert_eq!(check, "matches", "{reference}");
    }
    assert_eq!(report["warnings"], Value::Array(Vec::new()), "{reference}");
}

#[test]
fn every_form_of_one_image_agrees_with_skopeo_and_has_one_tree() {
    if !have(&MAKERS) {
        return;
    }
    let varied = Varied::new();
    let original = varied.reference();
    assert_agrees(&original, &inspect(&original));
    let expected = snapshot::of_image(&original);
    let archive = format!("docker-archive:{}", varied.path("docker.tar"));
    copy(&[], &original, &archive);
    let forms: [(&str, &str, &[&str]); 10] = [
        (&original, "oci-archive:oci.tar", &[]),
        (&original, "dir:dir", &[]),
        (&original, "dir:dir-plain", &["--dest-decompress"]),
        (&original, "dir:dir-docker", &["--format=v2s2"]),
        (&original, "oci:oci-zstd:tag", &["--dest-compress-format=zstd"]),
        (&original, "oci-archive:oci-zstd.tar:tag", &["--dest-compress-format=zstd", "--dest-compress-level=1"]),
        (&archive, "oci:oci-again", &["--dest-compress-format=gzip"]),
        (&archive, "dir:dir-again", &["--dest-compress", "--dest-compress-format=gzip"]),
        (&archive, "dir:dir-zstd", &["--dest-compress", "--dest-compress-format=zstd", "--format=oci"]),
        (&archive, "docker-archive:tagged.tar:local/varied:1.0", &[]),
    ];
    let mut references = vec![archive.clone()];
    for (from, to, options) in forms {
        let (transport, name) = to.split_once(':').unwrap();
        let reference = format!("{transport}:{}", varied.path(name));
        copy(options, from, &reference);
        references.push(reference);
    }
    for reference in &references {
        assert_agrees(reference, &inspect(reference));
        assert_same(&expected, &snapshot::of_image(reference), reference);
    }
}

#[test]
fn the_kind_is_found_by_content() {
    if !have(&MAKERS) {
        return;
    }
    let varied = Varied::new();
    let original = varied.reference();
    for transport in ["docker-archive", "oci-archive", "oci", "dir"] {
        let path = varied.path(&format!("some-{}", transport.replace('-', "_")));
        copy(&[], &original, &format!("{transport}:{path}"));
        let (plain, told) = (inspect(&path), inspect(format!("{transport}:{path}")));
        assert_eq!(plain["layers"], told["layers"], "{transport}");
        assert_eq!(plain["identity"]["sourceKind"], told["identity"]["sourceKind"], "{transport}");
    }
}

#[test]
fn an_archive_compressed_as_a_whole_or_from_a_pipe_is_the_same_image() {
    if !have(&MAKERS) || !have(&["gzip", "pigz", "zstd", "xz", "bzip2", "cat"]) {
        return;
    }
    let varied = Varied::new();
    for transport in ["docker-archive", "oci-archive"] {
        let plain = varied.path(&format!("{transport}.tar"));
        copy(&[], &varied.reference(), &format!("{transport}:{plain}"));
        let (expected, tree) = (inspect(&plain), snapshot::of_image(&plain));
        let facts = ["diffId", "digest", "unpackedBytes", "fileBytes", "entries", "added", "modified", "removed"];
        let assert_same_image = |report: &Value, what: &str| {
            for fact in facts {
                assert_eq!(of_layers(report, fact), of_layers(&expected, fact), "{transport} {what}: {fact}");
            }
            assert_eq!(report["config"], expected["config"], "{transport} {what}");
            assert_eq!(report["waste"], expected["waste"], "{transport} {what}");
            assert_eq!(report["warnings"], expected["warnings"], "{transport} {what}");
        };
        for pipe in [false, true] {
            assert_same_image(&inspect_input(Path::new(&plain), pipe), "from standard input");
        }
        for program in ["gzip", "pigz", "zstd", "xz", "bzip2"] {
            let packed = format!("{plain}.{program}");
            std::fs::write(&packed, run(program, &["-c", &plain])).unwrap();
            assert_same_image(&inspect(&packed), program);
            assert_same_image(&inspect_input(Path::new(&packed), true), program);
            assert_same(&tree, &snapshot::of_image(&packed), program);
        }
    }
}

#[test]
fn diff_ids_are_the_digests_of_unpacked_layers() {
    if !have(&MAKERS) || !have(&["zstd"]) {
        return;
    }
    let varied = Varied::new();
    let directory = varied.path("blobs");
    copy(&["--dest-compress-format=zstd"], &varied.reference(), &format!("oci:{directory}"));
    let report = inspect(&directory);
    for layer in report["layers"].as_array().unwrap() {
        let blob = format!("{directory}/{}", layer["storedAs"].as_str().unwrap());
        let unpacked = crate::peers::output(Command::new("zstd").args(["-dc", &blob]));
        assert_eq!(layer["diffId"], sha256(&unpacked));
        assert_eq!(layer["unpackedBytes"], unpacked.len());
        assert_eq!(layer["digest"], sha256(&std::fs::read(&blob).unwrap()));
    }
}

#[test]
fn an_archive_of_several_images_lists_those_that_skopeo_lists() {
    if !have(&MAKERS) {
        return;
    }
    let varied = Varied::new();
    let layout = varied.path("several");
    for tag in ["layer-0", "layer-1"] {
        copy(&[], &format!("oci:{}", varied.tagged(tag)), &format!("oci:{layout}:{tag}"));
    }
    let complaint = crate::peers::nixdive().args(["inspect", &layout]).output().unwrap();
    assert_eq!(complaint.status.code(), Some(2));
    let message = String::from_utf8(complaint.stderr).unwrap();
    for (tag, layers) in [("layer-0", 1), ("layer-1", 2)] {
        let reference = format!("oci:{layout}:{tag}");
        assert!(message.lines().any(|line| line.trim() == reference), "{message}");
        let report = inspect(&reference);
        assert_agrees(&reference, &report);
        assert_eq!(report["layers"].as_array().unwrap().len(), layers);
    }
}

#[test]
fn an_image_without_layers_opens() {
    if !have(&MAKERS) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout").into_os_string().into_string().unwrap();
    run("umoci", &["init", "--layout", &layout]);
    run("umoci", &["new", "--image", &format!("{layout}:empty")]);
    let report = inspect(&layout);
    assert_agrees(&format!("oci:{layout}:empty"), &report);
    assert_eq!(report["layers"], Value::Array(Vec::new()));
}
