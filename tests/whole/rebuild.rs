//! `rebuild` of images that are broken or made to do harm: an error with nothing written, or an image that is as sound as
//! the one that it was made of.

mod bad_input;
mod corpus;
mod hostile;
mod kills;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::images::{Image, docker_archive};
use crate::support::program::{Run, file, run, scratch};

/// An image in a directory of its own, and a place to write to.
struct Bench {
    directory: tempfile::TempDir,
    image: PathBuf,
}

impl Bench {
    /// Of layers, starting a program.
    fn new(layers: Vec<Vec<u8>>, entrypoint: &str) -> Self {
        Self::of(&with_config(Image::new(layers), &json!({"Entrypoint": [entrypoint]})))
    }

    fn of(image: &Image) -> Self {
        let directory = scratch();
        let image = file(directory.path(), "image.tar", &docker_archive(image));
        std::fs::create_dir(directory.path().join("out")).unwrap();
        Self { directory, image }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.directory.path().join("out").join(name)
    }

    /// Rebuilds it to a file.
    fn rebuild(&self, options: &[&str]) -> Run {
        let destination = format!("docker-archive:{}", self.out("new.tar").display());
        run(&[&["rebuild", self.image.to_str().unwrap(), "-o", &destination], options].concat())
    }

    /// What is in the place to write to.
    fn written(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.out("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn with_config(mut image: Image, config: &Value) -> Image {
    image.config["config"] = config.clone();
    image
}
