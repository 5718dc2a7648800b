//! The tree at the top of an image, and what is extracted of it, equal what other programs unpack.

use std::path::Path;

use crate::images::{MAKERS, Members, Varied};
use crate::peers::{copy, have, nixdive, output, run};
use crate::snapshot::{self, as_extracted, assert_same, of_directory, of_image, of_layers};

fn extract(reference: &str, to: &str, options: &[&str]) {
    output(nixdive().args(["extract", reference, "/", "-o", to]).args(options));
}

#[test]
fn the_tree_at_every_layer_is_what_umoci_unpacks() {
    if !have(&MAKERS) {
        return;
    }
    let varied = Varied::new();
    let opened = snapshot::opened(&varied.reference());
    for layer in opened.image.tree.layer_indices() {
        let (number, unpacked) = (layer.index(), varied.path(&format!("unpacked-{}", layer.index())));
        let image = varied.tagged(&format!("layer-{number}"));
        run("umoci", &["raw", "unpack", "--rootless", "--image", &image, &unpacked]);
        let expected = of_directory(Path::new(&unpacked));
        assert_same(&expected, &of_layers(&opened, layer), &format!("layer {number}"));

        let extracted = varied.path(&format!("extracted-{number}"));
        extract(&varied.reference(), &extracted, &["--layer", &number.to_string()]);
        let extracted = of_directory(Path::new(&extracted));
        assert_same(&as_extracted(&expected), &extracted, &format!("extracted layer {number}"));
    }
}

#[test]
fn what_is_extracted_is_the_same_from_every_form() {
    if !have(&MAKERS) || !have(&["zstd"]) {
        return;
    }
    let varied = Varied::new();
    let unpacked = varied.path("unpacked");
    run("umoci", &["raw", "unpack", "--rootless", "--image", &varied.tagged("latest"), &unpacked]);
    let expected = as_extracted(&of_directory(Path::new(&unpacked)));
    let archive = varied.path("docker.tar");
    copy(&[], &varied.reference(), &format!("docker-archive:{archive}"));
    copy(&["--dest-compress-format=zstd"], &varied.reference(), &format!("oci-archive:{}", varied.path("oci.tar")));
    run("zstd", &["-q", &archive]);
    for (number, form) in ["docker.tar", "docker.tar.zst", "oci.tar"].into_iter().enumerate() {
        let extracted = varied.path(&format!("out-{number}"));
        extract(&varied.path(form), &extracted, &[]);
        assert_same(&expected, &of_directory(Path::new(&extracted)), form);
    }
}

#[test]
fn a_part_is_extracted_under_its_own_name() {
    if !have(&MAKERS) {
        return;
    }
    let varied = Varied::new();
    let out = varied.path("out");
    output(nixdive().args(["extract", &varied.reference(), "/srv/new", "-o", &out]));
    output(nixdive().args(["extract", &varied.reference(), "/etc/run", "-o", &out]));
    let found: Vec<_> = of_directory(Path::new(&out)).into_keys().collect();
    let expected: [&[u8]; 5] = [b"new", b"new/deep", b"new/deep/file", b"new/link", b"run"];
    assert_eq!(found, expected);
}

#[test]
fn an_unpacked_root_directory_is_an_image_of_one_layer() {
    if !have(&MAKERS) {
        return;
    }
    let varied = Varied::new();
    let unpacked = varied.path("unpacked");
    run("umoci", &["raw", "unpack", "--rootless", "--image", &varied.tagged("latest"), &unpacked]);
    assert_same(&of_directory(Path::new(&unpacked)), &of_image(&format!("rootfs:{unpacked}")), "rootfs");
}

#[test]
fn of_a_name_twice_in_a_layer_the_last_counts_as_it_does_for_umoci() {
    if !have(&MAKERS) {
        return;
    }
    let mut layer = Members::new();
    layer.file("file", b"first");
    layer.file("./file", b"second");
    layer.link(b'2', "link", "first");
    layer.link(b'2', "link", "second");
    layer.file("kind", b"a file");
    layer.directory("kind");
    layer.file("kind/below", b"");
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).into_os_string().into_string().unwrap();
    std::fs::write(path("layer.tar"), layer.finish()).unwrap();
    let image = path("layout:twice");
    run("umoci", &["init", "--layout", &path("layout")]);
    run("umoci", &["new", "--image", &image]);
    run("umoci", &["raw", "add-layer", "--image", &image, &path("layer.tar")]);
    run("umoci", &["raw", "unpack", "--rootless", "--image", &image, &path("unpacked")]);
    assert_same(&of_directory(Path::new(&path("unpacked"))), &of_image(&format!("oci:{image}")), "twice");
}
