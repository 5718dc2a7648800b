//! What is not a container image is named: artifacts of OCI, layers that cannot be read, files of other formats.

use serde_json::{Value, json};

use super::assert_sample;
use crate::support::compress::gzip;
use crate::support::images::{
    Image, Layer, Members, OCI_GZIP, OCI_MANIFEST, OCI_TAR, blob, descriptor, docker_members, index, layout_members,
    oci_members, sample_layers, write_directory,
};
use crate::support::program::{content, file, nixdive, open_typed, paths, run, run_with_pipe, scratch};
use crate::support::tar_bytes::archive;

/// A layout whose one manifest is given, beside some blobs.
fn layout_of(manifest: &Value, blobs: &[&[u8]]) -> Members {
    let manifest = manifest.to_string().into_bytes();
    let mut members: Members = blobs.iter().map(|bytes| blob(bytes.to_vec())).collect();
    let entry = descriptor(OCI_MANIFEST, &manifest);
    members.push(blob(manifest));
    layout_members(&[entry], members)
}

fn titled(media_type: &str, title: &str, bytes: &[u8]) -> Value {
    let mut described = descriptor(media_type, bytes);
    described["annotations"] = json!({"org.opencontainers.image.title": title});
    described
}

#[test]
fn artifacts_are_inspected_and_named_by_other_commands() {
    const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    let chart = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.cncf.helm.config.v1+json", b"{\"name\":\"c\"}"),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")],
        "annotations": {"org.opencontainers.image.title": "c\u{1b}[31m"}});
    let wasm = json!({"schemaVersion": 2, "config": descriptor("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": [descriptor("application/wasm", b"\0asm")]});
    let signature = json!({"schemaVersion": 2, "config": descriptor(CONFIG, b"{\"rootfs\":{\"diff_ids\":[]}}"),
        "layers": [descriptor("application/vnd.dev.cosign.simplesigning.v1+json", b"{\"critical\":{}}")]});
    let attestation = json!({"schemaVersion": 2, "config": descriptor(CONFIG, b"{}"),
        "layers": [descriptor("application/vnd.in-toto+json", b"{\"_type\":\"\"}")]});
    let banner = json!({"schemaVersion": 2, "config": descriptor(EMPTY, b"{}"), "artifactType": "application/vnd.x.banner.v1",
        "layers": [titled("application/yaml", "banner.yaml", b"x: 1\n")]});
    let old = json!({"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "artifactType": "text/spdx+json",
        "blobs": [descriptor("text/spdx+json", b"{}")], "subject": descriptor(OCI_MANIFEST, b"x")});
    let directory = scratch();
    for (manifest, kind, words) in [
        (chart, "helm-chart", "Helm chart"),
        (wasm, "wasm", "WebAssembly"),
        (signature, "signature", "signature"),
        (attestation, "attestation", "in-toto"),
        (banner, "artifact", "application/vnd.x.banner.v1"),
        (old, "sbom", "bill of materials"),
    ] {
        let members = layout_of(&manifest, &[]);
        let unpacked = write_directory(&directory.path().join(kind), &members);
        let packed = file(directory.path(), &format!("{kind}.tar"), &archive(&members));
        for place in [&unpacked, &packed] {
            let typed = place.to_str().unwrap();
            let text = run(&["inspect", typed]).done().text().to_owned();
            assert!(text.contains("OCI artifact") && text.contains(words), "{kind}: {text}");
            assert!(!text.contains('\u{1b}'), "{text}");
            let document: Value =
                serde_json::from_str(run(&["inspect", typed, "--format", "json"]).done().text()).unwrap();
            assert_eq!(document["kind"], kind);
            assert_eq!(document["schema"], "nixdive.artifact/1");
            assert_eq!(document["blobs"].as_array().unwrap().len(), 1);
            for format in ["markdown", "html"] {
                assert!(run(&["inspect", typed, "--format", format]).done().text().contains(kind), "{format}");
            }
            for command in [
                &["ls", typed][..],
                &["ci", typed, "--max-size", "1GB"],
                &["sbom", typed],
                &["rebuild", typed, "--plan"],
            ] {
                let message = run(command).refused();
                assert!(message.contains("not a container image: OCI artifact"), "{command:?}: {message}");
                assert!(message.contains(words), "{command:?}: {message}");
            }
        }
    }
    let banner = run(&["inspect", directory.path().join("artifact.tar").to_str().unwrap()]).done();
    assert!(banner.text().contains("banner.yaml") && banner.text().contains("5 B"), "{}", banner.text());
}

#[test]
fn an_index_of_nothing_but_attestations_is_one() {
    let directory = scratch();
    let manifest = json!({"schemaVersion": 2, "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.in-toto+json", b"{}")]})
    .to_string()
    .into_bytes();
    let mut entry = descriptor(OCI_MANIFEST, &manifest);
    entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let members = vec![("oci-layout".into(), b"{}".to_vec()), ("index.json".into(), index(&[entry])), blob(manifest)];
    let text = run(&["inspect", file(directory.path(), "a.tar", &archive(&members)).to_str().unwrap()]).done();
    assert!(text.text().contains("attestation"), "{}", text.text());
}

#[test]
fn layers_that_cannot_be_read_are_absent_and_the_others_open() {
    const ENCRYPTED: &str = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    const SQUASHED: &str = "application/vnd.example.layer.squashfs";
    let directory = scratch();
    for (media_type, blob, words) in [
        (ENCRYPTED, b"\x01\x02secret".to_vec(), "encrypted"),
        (SQUASHED, b"hsqs".to_vec(), "squashfs"),
        // The bytes tell what the media type does not.
        (OCI_TAR, [&b"hsqs"[..], &[0; 2000]].concat(), "squashfs"),
        (OCI_GZIP, gzip(&[&b"QFI\xfb"[..], &[0; 2000]].concat()), "qcow2"),
    ] {
        let [base, upper] = <[Vec<u8>; 2]>::try_from(sample_layers()).unwrap();
        let odd = Layer { media_type, tar: blob.clone(), blob };
        let image = Image::of(vec![Layer::plain(base), Layer::plain(upper), odd.clone()]);
        let members = oci_members(std::slice::from_ref(&image));
        let place = write_directory(&directory.path().join(words).join(media_type.len().to_string()), &members);
        let packed = file(directory.path(), "packed.tar.gz", &gzip(&archive(&members)));
        for place in [&place, &packed] {
            let opened = open_typed(place).unwrap();
            assert_eq!(paths(&opened), ["/bin/", "/bin/tool", "/etc/", "/etc/motd"], "{words}");
            assert_eq!(content(&opened, "/bin/tool").len(), 3000);
            let [.., layer] = opened.image.layers.as_slice() else { panic!("no layers") };
            assert!(layer.is_absent(), "{words}");
            assert!(opened.image.warnings.iter().any(|warning| warning.message.contains(words)), "{words}");
            let text = run(&["inspect", place.to_str().unwrap(), "--format", "json"]).printed();
            let document: Value = serde_json::from_str(text.text()).unwrap();
            assert!(document["layers"][2]["unreadable"].as_str().unwrap().contains(words), "{words}");
            assert_eq!(document["layers"][2]["contents"], "absent");
        }
        let alone = oci_members(&[Image::of(vec![odd])]);
        let place = file(directory.path(), "alone.tar", &archive(&alone));
        let message = run(&["ls", place.to_str().unwrap()]).refused();
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn a_base_layer_that_is_known_by_its_address_alone_is_absent() {
    const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let directory = scratch();
    let windows = crate::support::tar_bytes::Tar::new()
        .directory("Files/")
        .file("Files/app.exe", "MZ")
        .directory("Hives/")
        .finish();
    let base = Layer { media_type: FOREIGN, tar: b"base".to_vec(), blob: b"base of windows".to_vec() };
    let mut image = Image::of(vec![base.clone(), Layer::plain(windows)]);
    image.config["os"] = json!("windows");
    let without_base =
        |members: Members| -> Members { members.into_iter().filter(|(_, bytes)| *bytes != base.blob).collect() };
    let layout =
        write_directory(&directory.path().join("oci"), &without_base(oci_members(std::slice::from_ref(&image))));
    let mut saved = docker_members(std::slice::from_ref(&image), |number, _| format!("{number}.tar"));
    for (name, bytes) in &mut saved {
        if name == "manifest.json" {
            let mut manifest: Value = serde_json::from_slice(bytes).unwrap();
            let diff_id = image.config["rootfs"]["diff_ids"][0].as_str().unwrap();
            manifest[0]["LayerSources"] =
                json!({diff_id: {"mediaType": FOREIGN, "size": 15, "urls": ["https://mcr.example/base"]}});
            *bytes = manifest.to_string().into_bytes();
        }
    }
    let saved = file(directory.path(), "saved.tar", &archive(&without_base(saved)));
    for place in [&layout, &saved] {
        let opened = open_typed(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        assert_eq!(paths(&opened), ["/Files/", "/Files/app.exe", "/Hives/"]);
        assert!(opened.image.layers[0].is_absent() && !opened.image.layers[1].is_absent());
        let text = run(&["inspect", place.to_str().unwrap()]).printed();
        assert!(text.text().contains("not in the image") && text.text().contains("drive C:"), "{}", text.text());
        let json = run(&["inspect", place.to_str().unwrap(), "--format", "json"]).printed();
        assert_eq!(serde_json::from_str::<Value>(json.text()).unwrap()["kind"], "windows-image");
    }
}

#[test]
fn files_of_other_formats_are_named() {
    let directory = scratch();
    let padded = |offset: usize, bytes: &[u8]| {
        let mut content = vec![0; 100_000];
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
        content
    };
    for (name, content, words) in [
        ("zeros", vec![0; 3_000_000], "zeros"),
        ("few-zeros", vec![0; 700], "zeros"),
        ("disk.qcow2", padded(0, b"QFI\xfb"), "qcow2"),
        ("disk.iso", padded(0x8001, b"CD001"), "ISO 9660"),
        ("disk.ext4", padded(0x438, b"\x53\xef"), "ext4"),
        ("disk.gpt", padded(512, b"EFI PART"), "GPT"),
        ("image.sif", padded(32, b"SIF_MAGIC"), "Singularity"),
        ("path.nar", b"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0".to_vec(), "NAR"),
        ("path.narinfo", b"StorePath: /nix/store/x\n".to_vec(), "narinfo"),
        ("x.drv", b"Derive([(\"out\"".to_vec(), "derivation"),
        ("db", padded(0, b"SQLite format 3\0"), "SQLite"),
        ("bom.json", br#"{"bomFormat": "CycloneDX"}"#.to_vec(), "CycloneDX"),
        ("manifest.json", br#"{"schemaVersion": 2, "layers": []}"#.to_vec(), "image manifest"),
        ("other.json", br#"{"a": 1}"#.to_vec(), "JSON"),
    ] {
        let place = file(directory.path(), name, &content);
        let typed = place.to_str().unwrap();
        let packed = file(directory.path(), &format!("{name}.gz"), &gzip(&content));
        let messages = [
            run(&["inspect", typed]).refused(),
            run(&["ls", typed]).refused(),
            run_with_pipe(&["inspect", "-"], &content).refused(),
            run(&["inspect", packed.to_str().unwrap()]).refused(),
        ];
        for message in messages {
            assert!(message.contains("not a container image") || name == "other.json", "{name}: {message}");
            assert!(message.contains(words), "{name}: {message}");
            assert!(!message.contains("is a tar"), "{name}: {message}");
        }
    }
    let program = nixdive().get_program().to_owned();
    assert!(run(&["inspect".as_ref(), program.as_os_str()]).refused().contains("ELF"));
}

#[test]
fn names_in_a_docker_archive_are_read_as_docker_reads_them() {
    let directory = scratch();
    let image = Image::sample();
    for (tags, expected) in [
        (json!(null), &[][..]),
        (json!([null, "a:b"]), &["a:b"]),
        (json!(["", "registry:5000/a/b", "A:B:C"]), &["registry:5000/a/b", "A:B:C"]),
    ] {
        let mut members = docker_members(std::slice::from_ref(&image), |number, _| format!("{number}.tar"));
        for (name, bytes) in &mut members {
            if name == "manifest.json" {
                let manifest: Value = serde_json::from_slice(bytes).unwrap();
                // Go's decoder does not tell capitals apart.
                let entry = json!({"config": manifest[0]["Config"], "repoTAGS": tags, "LAYERS": manifest[0]["Layers"]});
                *bytes = json!([entry]).to_string().into_bytes();
            }
        }
        let opened = open_typed(file(directory.path(), "tags.tar", &archive(&members))).unwrap();
        assert_sample(&opened, "tags");
        assert_eq!(opened.image.identity.references, expected);
    }
}
