//! Closures built by a real Nix, packed into images.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;
use nixdive_image::testing::archive::{Written, docker_archive, tar_of};
use nixdive_nix::live::Lab;

/// How the layers of an image are made of store paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// A layer for every 40 paths, entries in byte order, as dockerTools does.
    Sorted,
    /// Like `Sorted`, compressed.
    Gzip,
    /// One compressed layer, directories in the order on disk, files with the same inode as hard links.
    Linked,
}

fn walk(root: &Path, path: &Path, packing: Packing, inodes: &mut HashMap<u64, String>, entries: &mut Vec<Written>) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let name = format!("nix/store/{}", path.strip_prefix(root).unwrap().to_str().unwrap());
    let mode = (metadata.permissions().mode() & 0o777) as u16;
    if metadata.is_symlink() {
        entries.push(Written::symlink(&name, fs::read_link(path).unwrap().to_str().unwrap()));
    } else if metadata.is_dir() {
        entries.push(Written { mode, ..Written::directory(&name) });
        let mut below: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        if packing != Packing::Linked {
            below.sort_by(|left, right| left.as_os_str().as_bytes().cmp(right.as_os_str().as_bytes()));
        }
        for child in below {
            walk(root, &child, packing, inodes, entries);
        }
    } else if let Some(first) = inodes.get(&metadata.ino()).filter(|_| packing == Packing::Linked) {
        entries.push(Written::hard_link(&name, first));
    } else {
        inodes.insert(metadata.ino(), name.clone());
        entries.push(Written { mode, ..Written::file(&name, &fs::read(path).unwrap()) });
    }
}

/// Builds an image of some store paths and a link to one of them.
pub fn image(lab: &Lab, paths: &[String], top: &str, packing: Packing) -> Vec<u8> {
    let root = lab.path().join("root/nix/store");
    let in_layer = if packing == Packing::Linked { paths.len() } else { 40 };
    let mut inodes = HashMap::new();
    let mut layers: Vec<Vec<u8>> = Vec::new();
    for group in paths.chunks(in_layer) {
        let mut entries = vec![Written::directory("nix"), Written::directory("nix/store")];
        for path in group {
            walk(&root, &root.join(path.trim_start_matches("/nix/store/")), packing, &mut inodes, &mut entries);
        }
        layers.push(tar_of(&entries));
    }
    layers.push(tar_of(&[Written::symlink("app", top)]));
    let archive = docker_archive(&layers);
    if packing == Packing::Sorted {
        return archive;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&archive).unwrap();
    encoder.finish().unwrap()
}
