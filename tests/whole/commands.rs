//! The commands for scripts: what they print, what they write, and how they end.

mod build;
mod cat;
mod ci;
mod ci_input;
mod compare;
mod emit;
mod extract;
mod inspect;
mod integrity;
mod list;
mod manifest;
mod output;
mod programs;
mod sbom;
mod settings;
mod unpacking;
mod writers;

use std::path::{Path, PathBuf};

use crate::support::images::{Image, docker_archive};
use crate::support::program::{file, scratch};
use crate::support::tar_bytes::{Entry, Tar};

/// An image on disk, and room beside it.
struct Place {
    directory: tempfile::TempDir,
    image: PathBuf,
}

impl Place {
    fn of(layers: Vec<Vec<u8>>) -> Self {
        Self::of_image(&Image::new(layers))
    }

    fn of_image(image: &Image) -> Self {
        let directory = scratch();
        let image = file(directory.path(), "image.tar", &docker_archive(image));
        Self { directory, image }
    }

    fn image(&self) -> &str {
        self.image.to_str().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// A small root directory in two layers, with links of every sort.
fn root() -> Place {
    let base = Tar::new()
        .directory("bin")
        .add(Entry::file("bin/tool", "#!/bin/sh\n").mode(0o755))
        .hard_link("bin/alias", "bin/tool")
        .directory("etc")
        .file("etc/config", "one\n")
        .symlink("etc/relative", "config")
        .symlink("etc/absolute", "/etc/config")
        .symlink("etc/climbs", "../../../../etc/config")
        .symlink("dir", "etc")
        .symlink("ring", "gnir")
        .symlink("gnir", "ring")
        .symlink("nowhere", "/not/there")
        .finish();
    let upper =
        Tar::new().file("etc/config", "two\n").add(Entry::file("etc/secret", "s").mode(0o600).owner(5, 6)).finish();
    Place::of(vec![base, upper])
}

/// All paths below a directory, with what is in them.
fn contents(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut stack = vec![directory.to_owned()];
    while let Some(path) = stack.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
            let metadata = path.symlink_metadata().unwrap();
            let what = if metadata.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if metadata.is_dir() {
                stack.push(path);
                "directory".to_owned()
            } else {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned()
            };
            found.push((name, what));
        }
    }
    found.sort();
    found
}
