use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nixdive_base::cancel::Cancel;
use nixdive_image::reference::Reference;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_source::open::{OpenOptions, Opened, Progress, open};

use super::{ExamineError, Examined, FailedImage, Together};

const STORE_PATH: &str = "nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-hello-1.0";

fn archive(directory: &tempfile::TempDir, name: &str, entries: &[Written]) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, docker_archive(&[tar_of(entries)])).unwrap();
    path
}

fn reference(path: &std::path::Path) -> Reference {
    Reference::parse(path.as_os_str()).unwrap()
}

fn examined(path: &std::path::Path) -> Examined {
    let progress = Progress::new();
    let open = |options: &OpenOptions| open(&reference(path), options, &progress);
    Examined::open(OpenOptions::default(), &Cancel::new(), open).unwrap()
}

#[test]
fn each_part_is_computed_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = Written::file(&format!("{STORE_PATH}/bin/hello"), b"#!/bin/sh\n");
    let examined = examined(&archive(&directory, "nix.tar", &[file]));
    let first = Arc::clone(examined.store().unwrap().expect("the image has a store path"));
    assert_eq!(first.store.paths.len(), 1);
    assert!(Arc::ptr_eq(&first, examined.store().unwrap().unwrap()));
    assert!(Arc::ptr_eq(&Arc::clone(examined.packages()), examined.packages()));
    assert!(std::ptr::eq(examined.findings().unwrap(), examined.findings().unwrap()));
    assert!(Arc::ptr_eq(&first, &examined.into_parts().2.unwrap()));
}

#[test]
fn an_image_without_store_paths_has_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let examined = examined(&archive(&directory, "plain.tar", &[Written::file("etc/hosts", b"")]));
    assert!(examined.store().unwrap().is_none());
}

fn together(images: &[Reference], finished: &(dyn Fn(usize) + Sync)) -> Result<Vec<Examined>, FailedImage> {
    let progress: Vec<Progress> = images.iter().map(|_| Progress::new()).collect();
    let open = |reference: &Reference, options: &OpenOptions, progress: &Progress| -> Result<Opened, _> {
        open(reference, options, progress)
    };
    Together { options: &OpenOptions::default(), progress: &progress, open: &open }.examine(images, finished)
}

#[test]
fn several_images_come_in_the_order_in_which_they_were_named() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let images: Vec<Reference> =
        names.map(|name| reference(&archive(&directory, name, &[Written::file(name, b"x")]))).into();
    let finished = Mutex::new(Vec::new());
    let examined = together(&images, &|number| finished.lock().unwrap().push(number)).unwrap();
    for (examined, name) in examined.iter().zip(names) {
        let tree = &examined.image().tree;
        assert!(tree.node_ids().any(|node| tree.path(node) == format!("/{name}").as_bytes()), "{name}");
    }
    let mut finished = finished.into_inner().unwrap();
    finished.sort_unstable();
    assert_eq!(finished, [0, 1, 2, 3, 4]);
}

#[test]
fn the_image_that_fails_is_named_by_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let good = reference(&archive(&directory, "good", &[Written::file("a", b"x")]));
    let missing = reference(&directory.path().join("missing"));
    let (number, error) = together(&[good, missing], &|_| {}).unwrap_err();
    assert_eq!(number, 1);
    assert!(!error.is_cancelled(), "{error}");
}

#[test]
fn only_one_image_is_read_from_standard_input() {
    let input = || Reference::parse("-".as_ref()).unwrap();
    let (number, error) = together(&[input(), input()], &|_| {}).unwrap_err();
    assert_eq!(number, 1);
    assert!(matches!(*error, ExamineError::StandardInputTwice));
}
