//! Images of nix2container, compared with the output of nix2container for the same store paths.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::open::{Keep, OpenOptions, Opened, Progress, Verify, open};
use crate::store::LocalStore;
use nixdive_image::reference::Reference;
use nixdive_image::testing::corpus_file;
use nixdive_image::{DigestCheck, Image, LayerContents};

fn open_with_store(typed: &Path, root: &Path) -> Opened {
    let reference = Reference::parse(typed.as_os_str()).unwrap();
    let options =
        OpenOptions { store: LocalStore::at(root), verify: Verify::All, keep: Keep::Content, ..OpenOptions::default() };
    open(&reference, &options, &Progress::new()).unwrap()
}

/// Unpacks the layers of a gzipped docker-archive that contains only store paths.
fn unpack_store(archive: &Path, root: &Path) {
    let file = flate2::read::MultiGzDecoder::new(fs::File::open(archive).unwrap());
    let mut outer = tar::Archive::new(file);
    for member in outer.entries().unwrap() {
        let mut member = member.unwrap();
        if member.path().unwrap().ends_with("layer.tar") {
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            let mut layer = tar::Archive::new(&*bytes);
            layer.set_preserve_permissions(true);
            layer.unpack(root).unwrap();
        }
    }
}

fn absent_paths(image: &Image) -> usize {
    let absent = |contents: &LayerContents| match contents {
        LayerContents::Present | LayerContents::Broken | LayerContents::Unreadable(_) => 0,
        LayerContents::Absent(paths) => paths.len(),
    };
    image.layers.iter().map(|layer| absent(&layer.contents)).sum()
}

#[test]
fn layers_made_of_the_local_store_have_the_digests_that_nix2container_gave_them() {
    for (name, layers) in [("hello-nix", [2, 2]), ("web-nix", [4, 9])] {
        let Some(archive) = corpus_file(&format!("nix/{name}.tar.gz")) else { return };
        let root = tempfile::tempdir().unwrap();
        unpack_store(&archive, root.path());
        for (most, layers) in [4, 100].into_iter().zip(layers) {
            let json = corpus_file(&format!("nix2container/{name}.image-{most}.json")).unwrap();
            let image = open_with_store(&json, root.path()).image;
            assert_eq!((image.layers.len(), &image.warnings[..]), (layers, &[][..]), "{name} {most}");
            for layer in &image.layers {
                assert_eq!(layer.diff_id_check, DigestCheck::Matches, "{name} {most}: {}", layer.stored_as);
                assert_eq!(layer.compressed_bytes.map(nixdive_image::Measured::bytes), Some(layer.unpacked_bytes));
            }
            let hello = image.tree.lookup(image.config.entrypoint[0].as_bytes());
            assert!(hello.is_some(), "{name} {most}: the entry point exists");
        }
    }
}

#[test]
fn without_its_store_paths_an_image_has_their_names_and_stated_sizes() {
    let Some(json) = corpus_file("nix2container/web-nix.image-4.json") else { return };
    let empty = tempfile::tempdir().unwrap();
    let image = open_with_store(&json, empty.path()).image;
    assert_eq!(absent_paths(&image), 9);
    assert_eq!(image.unpacked_bytes(), 33_936_896);
    assert!(image.layers.iter().all(|layer| layer.known_file_bytes().is_none()));
    assert!(image.layers.iter().all(|layer| layer.diff_id_check == DigestCheck::NotChecked));
    let store = nixdive_nix::contents::StoreContents::new(&image.tree);
    assert_eq!(store.paths.len(), 9);
    assert_eq!(store.absent(&image.layers).len(), 9);
    assert_eq!(image.warnings.len(), 1);
}

#[test]
fn a_bare_list_of_layers_with_rules_is_the_tar_that_nix2container_made() {
    let Some(json) = corpus_file("nix2container/web-root.layers.json") else { return };
    let Some(archive) = corpus_file("nix/web-nix.tar.gz") else { return };
    let root = tempfile::tempdir().unwrap();
    unpack_store(&archive, root.path());
    let opened = open_with_store(&json, root.path());
    let tree = &opened.image.tree;
    let node = tree.lookup(b"/index.html").unwrap();
    let id = tree.visible_at(node, tree.top_layer().unwrap()).unwrap();
    let entry = tree.occurrence(id);
    let owner = tree.owner(id);
    assert_eq!((entry.mode(), owner.uid, owner.gid), (0o750, 1000, 100));
    let mut content = String::new();
    opened.contents.reader(tree, id).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "<h1>hi</h1>\n");
    assert_eq!(opened.image.layers[0].diff_id_check, DigestCheck::Matches);
}
