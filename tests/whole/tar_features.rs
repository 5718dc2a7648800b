//! All of tar inside layers.

mod names;
mod numbers;
mod sparse;
mod whiteouts;

use std::path::PathBuf;

use nixdive::image::{Kind, NodeId, OccurrenceId};
use nixdive::open::Opened;

use crate::support::compress::gzip;
use crate::support::images::{Image, OCI_GZIP, docker_archive, oci_members};
use crate::support::program::{file, open_typed};
use crate::support::tar_bytes::archive;

/// The same layers by three ways of reading them: by headers alone, in order as they come by, and unpacked.
fn every_way(directory: &std::path::Path, layers: &[Vec<u8>]) -> Vec<(&'static str, PathBuf)> {
    let plain = docker_archive(&Image::new(layers.to_vec()));
    let packed = Image::of(
        layers.iter().map(|tar| crate::support::images::Layer::stored(tar.clone(), OCI_GZIP, gzip)).collect(),
    );
    vec![
        ("plain", file(directory, "plain", &plain)),
        ("streamed", file(directory, "streamed", &gzip(&plain))),
        ("packed", file(directory, "packed", &archive(&oci_members(&[packed])))),
    ]
}

/// Opens the layers in every way, and lets `check` look at each.
#[track_caller]
fn in_every_way(layers: &[Vec<u8>], check: impl Fn(&Opened, &str)) {
    let directory = crate::support::program::scratch();
    for (how, path) in every_way(directory.path(), layers) {
        let opened = open_typed(&path).unwrap_or_else(|error| panic!("{how}: {error}"));
        check(&opened, how);
    }
}

/// The entry that a path shows at the top.
#[track_caller]
fn entry(opened: &Opened, path: impl AsRef<[u8]>) -> OccurrenceId {
    let tree = &opened.image.tree;
    let shown = || String::from_utf8_lossy(path.as_ref()).into_owned();
    let node = tree.lookup(path.as_ref()).unwrap_or_else(|| panic!("{} is in no layer", shown()));
    tree.visible_at(node, tree.top_layer().unwrap()).unwrap_or_else(|| panic!("{} shows no entry", shown()))
}

/// Whether a path is there at the top, be it only because something below it is.
fn exists(opened: &Opened, path: &str) -> bool {
    let tree = &opened.image.tree;
    let there = |node: NodeId| tree.exists_at(node, tree.top_layer().unwrap());
    tree.lookup(path.as_bytes()).is_some_and(there)
}

#[track_caller]
fn kind(opened: &Opened, path: impl AsRef<[u8]>) -> Kind {
    opened.image.tree.occurrence(entry(opened, path)).kind
}
