//! OCI layouts, directories of skopeo's, and extracted root directories.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::{assert_opens, assert_sample, refused};
use crate::support::compress::{FORMS, gzip, zstd};
use crate::support::images::{
    Image, MOTD, Members, OCI_GZIP, OCI_INDEX, OCI_MANIFEST, blob, descriptor, dir_members, docker_archive, index,
    index_entries, layout_members, manifest_blobs, oci_members, sample_layers, write_directory,
};
use crate::support::program::{content, file, open_typed, paths, run, run_with_pipe, scratch};
use crate::support::tar_bytes::{Tar, archive};

#[test]
fn a_layout_directory_and_an_archive_of_it() {
    let directory = scratch();
    let members = oci_members(&[Image::sample().named("app:1.0")]);
    let layout = write_directory(&directory.path().join("layout"), &members);
    assert_opens(&layout, "by content");
    assert_opens(format!("oci:{}", layout.display()), "by transport");
    assert_opens(format!("oci:{}:app:1.0", layout.display()), "by name");
    let link = directory.path().join("result");
    symlink(&layout, &link).unwrap();
    assert_opens(link, "through a link");
    for (name, compress) in FORMS {
        let path = file(directory.path(), name, &compress(&archive(&members)));
        assert_opens(&path, name);
        assert_opens(format!("oci-archive:{}:1.0", path.display()), name);
        assert_eq!(open_typed(&path).unwrap().image.identity.source_kind, "oci-archive");
    }
}

#[test]
fn compressed_layers_in_a_compressed_archive() {
    let directory = scratch();
    for (inner, compress_layer) in FORMS {
        let image = Image::stored(OCI_GZIP, compress_layer);
        let bytes = archive(&oci_members(std::slice::from_ref(&image)));
        for (outer, compress) in FORMS {
            let what = format!("{inner} in {outer}");
            let path = file(directory.path(), "archive", &compress(&bytes));
            assert_opens(&path, &what);
            let opened = open_typed(&path).unwrap();
            assert_eq!(opened.image.layers[0].compression.name(), inner, "{what}");
        }
        let bytes = gzip(&bytes);
        assert_eq!(run_with_pipe(&["cat", "-", "/etc/motd"], &bytes).done().text(), MOTD, "{inner}");
    }
}

#[test]
fn blobs_may_be_links_that_were_checked_out_as_files() {
    let directory = scratch();
    let members = oci_members(&[Image::sample()]);
    let layout = directory.path().join("layout");
    for (name, bytes) in &members {
        let path = layout.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match name.rsplit_once('/') {
            Some((_, hex)) => {
                std::fs::write(path, format!("../../{hex}")).unwrap();
                std::fs::write(layout.join(hex), bytes).unwrap();
            }
            None => std::fs::write(path, bytes).unwrap(),
        }
    }
    assert_opens(layout, "links written out");
}

#[test]
fn links_in_an_archive_of_a_layout() {
    let directory = scratch();
    let mut tar = Tar::new();
    for (name, bytes) in oci_members(&[Image::sample()]) {
        tar = match name.rsplit_once('/') {
            Some((_, hex)) => tar.symlink(&name, format!("../../real/{hex}")).file(format!("./real/{hex}"), bytes),
            None => tar.file(format!("./{name}"), bytes),
        };
    }
    let bytes = tar.finish();
    for (name, compress) in FORMS {
        assert_opens(file(directory.path(), name, &compress(&bytes)), name);
    }
}

#[test]
fn indexes_within_indexes_and_attestations() {
    let directory = scratch();
    let image = Image::sample().platform(&nixdive::image::Platform::host().architecture, None);
    let (entries, mut blobs) = index_entries(&image);
    let (attestation, more) = manifest_blobs(&Image::new(vec![Tar::new().file("statement", "{}").finish()]));
    blobs.extend(more);
    let mut by_annotation = descriptor(OCI_MANIFEST, &attestation);
    by_annotation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let mut by_platform = descriptor(OCI_MANIFEST, &attestation);
    by_platform["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let inner = index(&[entries, vec![by_annotation, by_platform]].concat());
    let middle = index(&[descriptor(OCI_INDEX, &inner)]);
    let mut outer = descriptor("application/vnd.docker.distribution.manifest.list.v2+json", &middle);
    outer["annotations"] = json!({"org.opencontainers.image.ref.name": "app:1.0"});
    blobs.extend([blob(inner), blob(middle)]);
    let members = layout_members(&[outer], blobs);
    let layout = write_directory(&directory.path().join("layout"), &members);
    assert_opens(&layout, "a layout");
    assert_opens(format!("oci:{}:app:1.0", layout.display()), "by the name that the outermost index gives");
    assert_opens(file(directory.path(), "archive", &gzip(&archive(&members))), "a compressed archive");
}

#[test]
fn docker_media_types_in_a_layout() {
    let directory = scratch();
    let mut image = Image::stored("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip);
    image.manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
    image.config_type = "application/vnd.docker.container.image.v1+json";
    let layout = write_directory(directory.path(), &oci_members(&[image]));
    assert_opens(&layout, "Docker's media types");
    let opened = open_typed(&layout).unwrap();
    assert_eq!(opened.image.layers[0].media_type, "application/vnd.docker.image.rootfs.diff.tar.gzip");
}

#[test]
fn media_types_that_are_wrong_or_missing_do_not_matter() {
    let directory = scratch();
    let image = Image::stored("application/vnd.oci.image.layer.v1.tar+zstd", gzip);
    let layout = write_directory(&directory.path().join("wrong"), &oci_members(&[image]));
    assert_opens(layout, "gzip under zstd's media type");

    // `mediaType` of the manifest itself came late to the specification.
    let (manifest, mut blobs) = manifest_blobs(&Image::sample());
    let mut bare: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    bare.as_object_mut().unwrap().remove("mediaType");
    let manifest = bare.to_string().into_bytes();
    blobs[0] = blob(manifest.clone());
    let members = layout_members(&[descriptor(OCI_MANIFEST, &manifest)], blobs);
    assert_opens(write_directory(&directory.path().join("bare"), &members), "no media type");
}

#[test]
fn a_directory_of_skopeos() {
    let directory = scratch();
    for (name, compress) in FORMS {
        let image = Image::stored(OCI_GZIP, compress);
        let path = write_directory(&directory.path().join(name), &dir_members(&image));
        assert_opens(&path, name);
        assert_opens(format!("dir:{}", path.display()), name);
        assert_eq!(open_typed(&path).unwrap().image.identity.source_kind, "dir");
    }
}

/// `skopeo copy --all … dir:` writes the list as `manifest.json`, and each manifest under its digest.
#[test]
fn a_directory_of_skopeos_with_several_platforms() {
    let directory = scratch();
    let host = nixdive::image::Platform::host().architecture;
    let images = [Image::sample().platform(&host, None), Image::new(vec![]).platform("s390x", None)];
    let mut entries = Vec::new();
    let mut members: Members = vec![("version".into(), b"Directory Transport Version: 1.1\n".to_vec())];
    for image in &images {
        let (manifest, blobs) = manifest_blobs(image);
        members.push((format!("{}.manifest.json", crate::support::images::hex(&manifest)), manifest));
        let plain = |(name, bytes): (String, Vec<u8>)| (name.replace("blobs/sha256/", ""), bytes);
        members.extend(blobs.into_iter().skip(1).map(plain));
        entries.extend(index_entries(image).0);
    }
    members.push(("manifest.json".into(), index(&entries)));
    let path = write_directory(directory.path(), &members);
    assert_opens(&path, "the one for this machine");
    let other = run(&["inspect", path.to_str().unwrap(), "--platform", "linux/s390x", "--format", "json"]).done();
    assert!(other.text().contains(r#""architecture": "s390x""#), "{}", other.text());
    let message = run(&["inspect", path.to_str().unwrap(), "--platform", "linux/mips"]).refused();
    assert!(message.contains("linux/s390x") && message.contains(&format!("linux/{host}")), "{message}");
}

#[test]
fn an_extracted_root_directory_is_an_image_of_one_layer() {
    let directory = scratch();
    let root = directory.path().join("root");
    std::fs::create_dir_all(root.join("usr/bin")).unwrap();
    file(&root.join("usr/bin"), "tool", &[7; 3000]);
    std::fs::hard_link(root.join("usr/bin/tool"), root.join("usr/bin/two")).unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    symlink("/etc/passwd", root.join("outside")).unwrap();
    let typed = format!("rootfs:{}", root.display());
    let opened = open_typed(&typed).unwrap();
    assert_eq!(opened.image.layers.len(), 1);
    assert_eq!(opened.image.warnings, []);
    let shown = ["/bin", "/outside", "/usr/", "/usr/bin/", "/usr/bin/tool", "/usr/bin/two"];
    assert_eq!(paths(&opened), shown);
    assert_eq!(content(&opened, "/bin/two"), vec![7; 3000]);
    assert_eq!(content(&opened, "/usr/bin/tool"), vec![7; 3000]);
    assert_eq!(opened.image.layers[0].file_bytes, 3000, "a second name has no bytes of its own");
    assert_eq!(opened.image.layers[0].unpacked_bytes, 6 * 512 + 3072 + 1024, "as a tar stream would have");
    let message = run(&["cat", &typed, "/outside"]).refused();
    assert!(message.contains("links to /etc"), "{message}");
    assert!(refused(&root).to_string().contains("rootfs:"), "a directory that is no image says what to type");
}

#[test]
fn layers_of_different_forms_in_one_image() {
    let directory = scratch();
    let [base, upper]: [Vec<u8>; 2] = sample_layers().try_into().unwrap();
    use crate::support::images::{Layer, OCI_TAR};
    let image = Image::of(vec![Layer::stored(base, OCI_TAR, zstd), Layer::plain(upper)]);
    let layout = write_directory(&directory.path().join("layout"), &oci_members(std::slice::from_ref(&image)));
    assert_sample(&open_typed(layout).unwrap(), "a layout");
    assert_opens(file(directory.path(), "archive", &docker_archive(&image)), "an archive");
    assert_opens(file(directory.path(), "archive.gz", &gzip(&docker_archive(&image))), "a compressed archive");
}

#[test]
fn blobs_that_are_links_stay_in_their_directory() {
    let directory = scratch();
    let layout = write_directory(&directory.path().join("layout"), &oci_members(&[Image::sample()]));
    let blobs = layout.join("blobs/sha256");
    let names: Vec<String> =
        std::fs::read_dir(&blobs).unwrap().map(|blob| blob.unwrap().file_name().into_string().unwrap()).collect();
    // Links within the layout, and written out as Git does where there are none.
    std::fs::create_dir(layout.join("files")).unwrap();
    for name in &names {
        std::fs::rename(blobs.join(name), layout.join("files").join(name)).unwrap();
        symlink(format!("../../files/{name}"), blobs.join(name)).unwrap();
    }
    assert_opens(&layout, "links within the layout");
    for (what, target) in
        [("absolute", layout.join("files").display().to_string()), ("relative", "../../../out".into())]
    {
        std::fs::create_dir_all(directory.path().join("out")).unwrap();
        for name in &names {
            std::fs::copy(layout.join("files").join(name), directory.path().join("out").join(name)).unwrap();
            std::fs::remove_file(blobs.join(name)).unwrap();
            symlink(format!("{target}/{name}"), blobs.join(name)).unwrap();
        }
        let error = refused(&layout).to_string();
        assert!(error.contains("leads out of the directory"), "{what}: {error}");
        let error =
            run(&["copy", layout.to_str().unwrap(), &format!("{}/copy.tar", directory.path().display())]).refused();
        assert!(error.contains("leads out of the directory"), "{what}: {error}");
    }
    // A written-out link that leads to a link that leads out.
    for name in &names {
        std::fs::remove_file(blobs.join(name)).unwrap();
        std::fs::remove_file(layout.join("files").join(name)).unwrap();
        std::fs::write(blobs.join(name), format!("../../files/{name}")).unwrap();
        symlink(directory.path().join("out").join(name), layout.join("files").join(name)).unwrap();
    }
    refused(&layout);
}
