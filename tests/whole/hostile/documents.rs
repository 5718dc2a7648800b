//! Manifests, indexes and configurations that are not what they should be.

use std::os::unix::fs::FileExt;

use serde_json::json;

use super::{refused, warnings};
use crate::support::compress::{gzip, zstd};
use crate::support::images::{Image, descriptor, docker_archive, docker_members, index, oci_members, write_directory};
use crate::support::program::{content, file, open_typed, run, run_measured, scratch};
use crate::support::tar_bytes::{Entry, Tar, archive, wide_number};

/// More than any of these needs, and less than any amplification would take. The program itself takes about 30 MB.
const MEMORY: u64 = 250 << 20;

#[test]
fn documents_that_cannot_be_understood_are_named() {
    let directory = scratch();
    for (number, bytes) in
        [&b""[..], b"{", b"[", b"null", b"[null]", b"\xff\xfe", b"[{\"Layers\": 5}]", b"[]", b"[[]]", b"[{}]"]
            .iter()
            .enumerate()
    {
        let tar = Tar::new().file("manifest.json", bytes).finish();
        let plain = refused(file(directory.path(), &format!("plain-{number}"), &tar));
        assert!(plain.contains("manifest.json"), "{bytes:?}: {plain}");
        refused(file(directory.path(), &format!("gzip-{number}"), &gzip(&tar)));
        let layout = write_directory(
            &directory.path().join(format!("layout-{number}")),
            &vec![("index.json".into(), bytes.to_vec()), ("oci-layout".into(), b"{}".to_vec())],
        );
        assert!(refused(layout).contains("index.json"), "{bytes:?}");
    }
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    refused(file(directory.path(), "deep", &Tar::new().file("manifest.json", deep).finish()));
}

#[test]
fn an_index_without_manifests() {
    let directory = scratch();
    for (number, bytes) in [index(&[]), br#"{"schemaVersion": 2}"#.to_vec()].into_iter().enumerate() {
        let layout = write_directory(
            &directory.path().join(number.to_string()),
            &vec![("index.json".into(), bytes), ("oci-layout".into(), b"{}".to_vec())],
        );
        let message = refused(layout);
        assert!(message.contains("`index.json`"), "{message}");
    }
}

#[test]
fn digests_that_lead_out_of_the_layout_are_none() {
    let directory = scratch();
    file(directory.path(), "secret", b"{}");
    for digest in ["sha256:../../../secret", "../secret", "", "sha256:", "md5:00", "sha256:ABCDEF"] {
        let mut entry = descriptor(crate::support::images::OCI_MANIFEST, b"");
        entry["digest"] = digest.into();
        let layout = write_directory(
            &directory.path().join("layout"),
            &vec![("index.json".into(), index(&[entry])), ("oci-layout".into(), b"{}".to_vec())],
        );
        let message = refused(layout);
        assert!(message.contains("index.json"), "{digest}: {message}");
    }
}

#[test]
fn indexes_that_hold_each_other_or_nest_without_end() {
    let directory = scratch();
    let mut inner = index(&[]);
    let mut members = Vec::new();
    for _ in 0..30 {
        members.push(crate::support::images::blob(inner.clone()));
        inner = index(&[descriptor(crate::support::images::OCI_INDEX, &inner)]);
    }
    members.extend([("index.json".to_owned(), inner), ("oci-layout".to_owned(), b"{}".to_vec())]);
    let message = refused(write_directory(&directory.path().join("deep"), &members));
    assert!(message.contains("nested more than 8 deep"), "{message}");

    // An index of a thousand names for one index of a thousand entries, and so on: read once each.
    let mut inner = oci_members(&[Image::sample()]).swap_remove(1).1;
    let mut members = oci_members(&[Image::sample()]);
    for _ in 0..6 {
        members.push(crate::support::images::blob(inner.clone()));
        let entry = descriptor(crate::support::images::OCI_INDEX, &inner);
        inner = index(&vec![entry; 1000]);
    }
    members[1].1 = inner;
    let opened = open_typed(write_directory(&directory.path().join("wide"), &members)).unwrap();
    assert_eq!(opened.image.layers.len(), 2);
}

#[test]
fn a_document_of_a_gigabyte_is_refused_without_being_read() {
    let directory = scratch();
    let gigabyte = 1 << 30;
    let sparse = |path: std::path::PathBuf| std::fs::File::create(path).unwrap().set_len(gigabyte).unwrap();

    let mut places = Vec::new();
    for (place, name) in [("docker", "manifest.json"), ("oci", "index.json")] {
        let path = directory.path().join(place);
        std::fs::create_dir(&path).unwrap();
        sparse(path.join(name));
        places.push((path, name.to_owned()));
    }
    let image = Image::sample();
    let layout = write_directory(&directory.path().join("config"), &oci_members(std::slice::from_ref(&image)));
    let config = crate::support::images::blob(image.config_bytes()).0;
    sparse(layout.join(&config));
    places.push((layout, config));

    // In an archive: a member of a gigabyte that begins as JSON does.
    let header = Tar::new().add(Entry::of(b'0', "manifest.json").length_field(wide_number(1 << 30))).unfinished();
    let path = file(directory.path(), "archive", &header);
    let archive = std::fs::File::options().write(true).open(&path).unwrap();
    archive.write_all_at(b"[", 512).unwrap();
    archive.set_len(512 + gigabyte + 1024).unwrap();
    places.push((path, "manifest.json".to_owned()));

    for (path, name) in places {
        let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
        let message = run.refused();
        assert!(message.contains(&format!("`{name}`: 1073741824 bytes, more than the maximum")), "{message}");
        assert!(peak < MEMORY, "{name}: {peak} bytes of memory");
    }
    // What unpacks to it.
    let mut bomb = zstd(&[header, b"[".to_vec()].concat());
    let zeros = zstd(&vec![b' '; 64 << 20]);
    (0..16).for_each(|_| bomb.extend(&zeros));
    let (run, peak) = run_measured(&["inspect", file(directory.path(), "bomb", &bomb).to_str().unwrap()]);
    run.refused();
    assert!(peak < MEMORY, "{peak} bytes of memory");
}

#[test]
fn many_small_things_in_a_document_do_not_grow_in_memory() {
    let directory = scratch();
    let many = |item: &str| vec![item; (15 << 20) / (item.len() + 1)].join(",");
    let archive_of = |manifest: String, config: String| {
        Tar::new().file("manifest.json", manifest).file("config", config).file("layer", Tar::new().finish()).finish()
    };
    let one = r#"[{"Config": "config", "Layers": ["layer"]}]"#;
    let cases = [
        ("config of numbers", archive_of(one.to_owned(), format!("{{\"x\": [{}]}}", many("0")))),
        ("config of lists", archive_of(one.to_owned(), format!("{{\"config\": {{\"Env\": [{}]}}}}", many("[]")))),
        ("config of names", archive_of(one.to_owned(), format!("{{\"config\": {{\"Env\": [{}]}}}}", many("\"\"")))),
        ("history", archive_of(one.to_owned(), format!("{{\"history\": [{}]}}", many("{}")))),
        ("diffIDs", archive_of(one.to_owned(), format!("{{\"rootfs\": {{\"diff_ids\": [{}]}}}}", many("\"\"")))),
        ("images", archive_of(format!("[{}]", many("{}")), "{}".to_owned())),
        (
            "layers",
            archive_of(format!("[{{\"Config\": \"config\", \"Layers\": [{}]}}]", many("\"layer\"")), "{}".to_owned()),
        ),
        (
            "no layers",
            archive_of(format!("[{{\"Config\": \"config\", \"Layers\": [{}]}}]", many("\"\"")), "{}".to_owned()),
        ),
        (
            "tags",
            archive_of(
                format!("[{{\"Config\": \"config\", \"RepoTags\": [{}], \"Layers\": []}}]", many("\"\"")),
                "{}".to_owned(),
            ),
        ),
        ("repositories", Tar::new().file("repositories", format!("{{\"x\": {{{}}}}}", many("\"a\":\"\""))).finish()),
    ];
    for (what, bytes) in cases {
        let path = file(directory.path(), "image", &bytes);
        let (run, peak) = run_measured(&["inspect", path.to_str().unwrap()]);
        assert!(matches!(run.code, Some(0 | 2)), "{what}: {}", run.stderr);
        assert!(peak < MEMORY, "{what}: {} MB of memory", peak >> 20);
    }
    for (what, list) in [("manifests", many("{}")), ("annotated", many("{\"annotations\":{\"a\":\"\"}}"))] {
        let layout = write_directory(
            &directory.path().join(what),
            &vec![("index.json".into(), format!("{{\"schemaVersion\":2,\"manifests\":[{list}]}}").into_bytes())],
        );
        let (run, peak) = run_measured(&["inspect", layout.to_str().unwrap()]);
        run.refused();
        assert!(peak < MEMORY, "{what}: {} MB of memory", peak >> 20);
    }
}

#[test]
fn a_configuration_of_wrong_types_is_one_without_those_fields() {
    let directory = scratch();
    let mut image = Image::sample();
    image.config = json!({
        "os": 1, "architecture": [], "variant": {}, "created": 5, "author": null,
        "config": {"Env": {"a": "b"}, "Cmd": 5, "Labels": [1], "Volumes": [], "ExposedPorts": "80", "Healthcheck": 1},
        "history": {"created_by": "x"}, "rootfs": {"diff_ids": "none"},
    });
    let opened = open_typed(file(directory.path(), "image", &docker_archive(&image))).unwrap();
    assert_eq!(opened.image.config.platform.os, "");
    image.config = json!("text");
    let message = refused(file(directory.path(), "text", &docker_archive(&image)));
    assert!(message.contains("an image configuration must be a JSON object"), "{message}");
}

#[test]
fn a_manifest_of_another_sort_is_told() {
    let directory = scratch();
    let schema_1 = json!({"schemaVersion": 1, "name": "app", "fsLayers": [], "history": []}).to_string().into_bytes();
    let artifact = json!({"schemaVersion": 2, "config": descriptor("application/vnd.empty", b"{}"), "layers": [
        descriptor("text/plain", b"only a text")
    ]});
    let artifact = artifact.to_string().into_bytes();
    for (manifest, words) in [(schema_1, "cannot be understood"), (artifact, "OCI artifact (application/vnd.empty)")] {
        let members = vec![
            ("oci-layout".into(), b"{}".to_vec()),
            ("index.json".into(), index(&[descriptor(crate::support::images::OCI_MANIFEST, &manifest)])),
            crate::support::images::blob(manifest),
            crate::support::images::blob(b"{}".to_vec()),
            crate::support::images::blob(b"only a text".to_vec()),
        ];
        let message = refused(file(directory.path(), "layout.tar", &archive(&members)));
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn ten_thousand_layers_are_the_most() {
    let directory = scratch();
    let layers = |count: usize| {
        let names = vec!["layer"; count];
        let manifest = json!([{"Config": "config", "Layers": names}]).to_string();
        let tar = Tar::new().file("manifest.json", manifest).file("config", "{}");
        tar.file("layer", Tar::new().file("a", "x").finish()).finish()
    };
    let opened = open_typed(file(directory.path(), "many", &layers(2000))).unwrap();
    assert_eq!(content(&opened, "/a"), b"x");
    let message = refused(file(directory.path(), "too-many", &layers(10_001)));
    assert!(message.contains("more than 10000 items"), "{message}");
}

#[test]
fn documents_that_are_listed_but_are_directories_pipes_or_links_in_a_ring() {
    let directory = scratch();
    let layout = directory.path().join("layout");
    std::fs::create_dir_all(layout.join("index.json")).unwrap();
    refused(&layout);
    std::fs::remove_dir(layout.join("index.json")).unwrap();
    std::os::unix::fs::symlink("index.json", layout.join("index.json")).unwrap();
    refused(&layout);
    std::fs::remove_file(layout.join("index.json")).unwrap();
    if std::process::Command::new("mkfifo").arg(layout.join("index.json")).status().is_ok_and(|status| status.success())
    {
        refused(&layout);
    }
    for tar in [
        Tar::new().symlink("manifest.json", "manifest.json").finish(),
        Tar::new().symlink("manifest.json", "a").symlink("a", "b").hard_link("b", "manifest.json").finish(),
        Tar::new().directory("manifest.json").finish(),
        Tar::new().symlink("manifest.json", "../../../etc/passwd").finish(),
    ] {
        refused(file(directory.path(), "archive", &tar));
        refused(file(directory.path(), "archive.gz", &gzip(&tar)));
    }
    let mut members = docker_members(&[Image::sample()], |number, _| format!("{number}.tar"));
    members.retain(|(name, _)| !name.ends_with(".tar"));
    let tar = members.iter().fold(Tar::new(), |tar, (name, bytes)| tar.file(name, bytes));
    let tar = tar.symlink("0.tar", "1.tar").symlink("1.tar", "0.tar").finish();
    for bytes in [tar.clone(), gzip(&tar)] {
        let opened = crate::support::program::open_typed(file(directory.path(), "ring", &bytes)).unwrap();
        assert!(opened.image.layers.iter().all(nixdive::image::Layer::is_absent));
        let told = &opened.image.defects[0].message;
        assert!(told.contains("layer 0 (0.tar): missing: manifest.json names it"), "{told}");
    }
}

#[test]
fn run_is_bounded_for_all_of_these() {
    // The helpers above fail when a run takes longer than a minute; this one shows that they would.
    let result = std::panic::catch_unwind(|| {
        crate::support::program::within(std::time::Duration::from_millis(10), || {
            std::thread::sleep(std::time::Duration::from_secs(1));
        });
    });
    assert!(result.is_err());
    assert!(warnings(open_typed(file(scratch().path(), "image", &docker_archive(&Image::sample())))).is_empty());
    assert_eq!(run(&["--version"]).code, Some(0));
}
