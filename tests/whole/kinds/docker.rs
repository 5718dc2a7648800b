//! docker-archives of every age.

use serde_json::{Value, json};

use super::{assert_opens, assert_sample};
use crate::support::compress::{FORMS, gzip};
use crate::support::images::{
    Image, Layer, MOTD, blob, docker_archive, docker_members, hex, oci_members, sample_layers,
};
use crate::support::program::{file, open_typed, run_with_input, run_with_pipe, scratch};
use crate::support::tar_bytes::{Tar, archive};

#[test]
fn plain_or_compressed_from_a_file_a_link_a_pipe_and_a_redirected_file() {
    let directory = scratch();
    let plain = docker_archive(&Image::sample());
    for (name, compress) in FORMS {
        let bytes = compress(&plain);
        let path = file(directory.path(), &format!("image-{name}"), &bytes);
        assert_opens(&path, name);

        let link = directory.path().join(format!("result-{name}"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_opens(&link, name);
        assert_opens(format!("docker-archive:{}", link.display()), name);

        for typed in ["-", "docker-archive:-"] {
            let arguments = ["cat", typed, "/etc/motd"];
            assert_eq!(run_with_pipe(&arguments, &bytes).done().text(), MOTD, "{name} through a pipe");
            assert_eq!(run_with_input(&arguments, &path).done().text(), MOTD, "{name} as standard input");
        }
        let report = run_with_pipe(&["inspect", "-", "--format", "json"], &bytes).done();
        let report: Value = serde_json::from_str(report.text()).unwrap();
        assert_eq!(report["identity"]["sourceCompression"], name);
        assert_eq!(report["layers"][1]["diffIdCheck"], "matches", "{name}");
    }
}

#[test]
fn names_of_files_do_not_matter() {
    let directory = scratch();
    let plain = docker_archive(&Image::sample());
    for (name, bytes) in [("image.tar.gz", plain.clone()), ("image.tar", gzip(&plain)), ("image.txt", plain)] {
        assert_opens(file(directory.path(), name, &bytes), name);
    }
    let layout = archive(&oci_members(&[Image::sample()]));
    assert_opens(file(directory.path(), "docker-save.tar", &layout), "an OCI archive under another name");
}

/// Docker before 1.10: a directory for each layer, and `repositories` to name the top one.
fn legacy_members() -> Vec<(String, Vec<u8>)> {
    let ids = ["1".repeat(64), "2".repeat(64)];
    let mut members = vec![];
    for (number, tar) in sample_layers().into_iter().enumerate() {
        let id = &ids[number];
        let mut layer = json!({
            "id": id, "created": "2015-01-01T00:00:00Z", "os": "linux", "architecture": "amd64",
            "container_config": {"Cmd": ["/bin/sh", "-c", format!("step {number}")]},
            "config": {"Cmd": ["/bin/tool"]},
        });
        if number > 0 {
            layer["parent"] = ids[number - 1].as_str().into();
        }
        members.push((format!("{id}/VERSION"), b"1.0".to_vec()));
        members.push((format!("{id}/json"), layer.to_string().into_bytes()));
        members.push((format!("{id}/layer.tar"), tar));
    }
    members.push(("repositories".into(), json!({"app": {"1.0": ids[1]}}).to_string().into_bytes()));
    members
}

#[test]
fn the_oldest_form_has_repositories_and_no_manifest() {
    let directory = scratch();
    for (name, compress) in FORMS {
        let path = file(directory.path(), name, &compress(&archive(&legacy_members())));
        let opened = open_typed(&path).unwrap();
        assert_eq!(opened.image.identity.references, ["app:1.0"]);
        assert_eq!(opened.image.config.cmd, ["/bin/tool"]);
        assert_eq!(opened.image.layers[0].command(), "step 0");
        assert_eq!(opened.image.layers[1].command(), "step 1");
        let motd = crate::support::program::content(&opened, "/etc/motd");
        assert_eq!(motd, MOTD.as_bytes());
        assert_eq!(crate::support::program::paths(&opened), ["/bin/", "/bin/tool", "/etc/", "/etc/motd"]);
    }
}

#[test]
fn a_directory_for_each_layer_with_a_manifest() {
    let directory = scratch();
    let members = docker_members(&[Image::sample()], |_, layer| format!("{}/layer.tar", hex(&layer.tar)));
    for (name, compress) in FORMS {
        assert_opens(file(directory.path(), name, &compress(&archive(&members))), name);
    }
}

#[test]
fn the_hybrid_of_docker_25_names_blobs_of_an_oci_layout() {
    let directory = scratch();
    let image = Image::sample().named("app:1.0");
    let mut members = oci_members(std::slice::from_ref(&image));
    let config = blob(image.config_bytes()).0;
    let layers: Vec<String> = image.layers.iter().map(|layer| blob(layer.blob.clone()).0).collect();
    let manifest = json!([{"Config": config, "RepoTags": ["app:1.0"], "Layers": layers, "LayerSources": {}}]);
    members.push(("manifest.json".into(), manifest.to_string().into_bytes()));
    members.push(("repositories".into(), json!({"app": {"1.0": "x"}}).to_string().into_bytes()));
    let path = file(directory.path(), "hybrid", &archive(&members));
    assert_opens(&path, "as it is");
    assert_opens(format!("docker-archive:{}:app:1.0", path.display()), "as a docker-archive");
    assert_opens(format!("oci-archive:{}", path.display()), "as an OCI archive");
    let opened = open_typed(&path).unwrap();
    assert_eq!(opened.image.layers[0].digest.as_ref().unwrap().hex(), hex(&image.layers[0].blob));
}

#[test]
fn layers_of_kaniko_are_compressed_and_named_so() {
    let directory = scratch();
    let image = Image::stored(crate::support::images::OCI_GZIP, gzip);
    let members =
        docker_members(std::slice::from_ref(&image), |_, layer: &Layer| format!("sha256:{}.tar.gz", hex(&layer.blob)));
    for (name, compress) in FORMS {
        let path = file(directory.path(), name, &compress(&archive(&members)));
        assert_opens(&path, name);
        let opened = open_typed(&path).unwrap();
        let layer = &opened.image.layers[0];
        assert_eq!(layer.compressed_bytes.unwrap().bytes(), image.layers[0].blob.len() as u64, "{name}");
        assert_eq!(layer.unpacked_bytes, image.layers[0].tar.len() as u64, "{name}");
        assert_eq!(layer.digest.as_ref().unwrap().hex(), hex(&image.layers[0].blob), "{name}");
        assert_eq!(run_with_pipe(&["cat", "-", "/etc/motd"], &compress(&archive(&members))).done().text(), MOTD);
    }
}

/// Docker 1.10 to 24 store a layer that two images share once, and link to it.
#[test]
fn a_layer_may_be_a_link_to_another_member() {
    let directory = scratch();
    let image = Image::sample();
    let config = image.config_bytes();
    let manifest = json!([{"Config": "config.json", "RepoTags": null, "Layers": ["a/layer.tar", "b/layer.tar"]}]);
    for link in ["../shared/layer.tar", "hard"] {
        let tar = Tar::new().file("a/layer.tar", &image.layers[0].blob);
        let tar = match link {
            "hard" => tar.hard_link("b/layer.tar", "shared/layer.tar"),
            target => tar.symlink("b/layer.tar", target),
        };
        let bytes = tar
            .file("shared/layer.tar", &image.layers[1].blob)
            .file("config.json", &config)
            .file("manifest.json", manifest.to_string())
            .finish();
        for (name, compress) in FORMS {
            assert_opens(file(directory.path(), name, &compress(&bytes)), &format!("{link}, {name}"));
        }
    }
}

#[test]
fn the_manifest_may_come_last() {
    let directory = scratch();
    let mut members = docker_members(&[Image::sample()], |number, _| format!("{number}.tar"));
    members.reverse();
    assert_eq!(members.last().unwrap().0, "manifest.json");
    for (name, compress) in FORMS {
        let bytes = compress(&archive(&members));
        assert_opens(file(directory.path(), name, &bytes), name);
        assert_eq!(run_with_pipe(&["cat", "-", "/etc/motd"], &bytes).done().text(), MOTD);
    }
}

#[test]
fn an_unpacked_docker_archive_is_a_directory_of_the_same_names() {
    let directory = scratch();
    let members = docker_members(&[Image::sample()], |number, _| format!("{number}/layer.tar"));
    let path = crate::support::images::write_directory(&directory.path().join("unpacked"), &members);
    assert_sample(&open_typed(path).unwrap(), "a directory");
}

#[test]
fn one_layer_may_stand_several_times_in_an_image() {
    let directory = scratch();
    let empty = Tar::new().finish();
    let [base, upper]: [Vec<u8>; 2] = sample_layers().try_into().unwrap();
    let image = Image::new(vec![base, empty.clone(), empty, upper]);
    for (name, compress) in FORMS {
        let opened = open_typed(file(directory.path(), name, &compress(&docker_archive(&image)))).unwrap();
        assert_eq!(opened.image.layers.len(), 4, "{name}");
        assert_eq!(opened.image.warnings, [], "{name}");
        assert_eq!(opened.image.layers[2].entries, 0, "{name}");
        assert_eq!(crate::support::program::content(&opened, "/etc/motd"), MOTD.as_bytes(), "{name}");
    }
}

#[test]
fn an_image_without_layers_is_one_too() {
    let directory = scratch();
    for (name, compress) in FORMS {
        let path = file(directory.path(), name, &compress(&docker_archive(&Image::new(Vec::new()))));
        assert_eq!(open_typed(&path).unwrap().image.layers.len(), 0);
        let typed = path.to_str().unwrap();
        let report = crate::support::program::run(&["inspect", typed, "--format", "json"]).done();
        let report: Value = serde_json::from_str(report.text()).unwrap();
        assert_eq!(report["layers"], json!([]));
        assert_eq!(crate::support::program::run(&["ls", typed]).done().text(), "");
    }
}

#[test]
fn a_layer_file_without_a_byte_is_an_empty_layer() {
    let directory = scratch();
    let image = Image::new(vec![sample_layers().swap_remove(0), Vec::new()]);
    for (name, compress) in FORMS {
        let opened = open_typed(file(directory.path(), name, &compress(&docker_archive(&image)))).unwrap();
        assert_eq!(opened.image.layers[1].entries, 0, "{name}");
        assert_eq!(opened.image.warnings, [], "{name}");
    }
}
