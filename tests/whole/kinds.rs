//! Every kind of image that lies on disk opens, found by its content.

mod artifacts;
mod docker;
mod layers;
mod layouts;
mod nix;
mod platforms;
mod references;

use std::path::Path;

use nixdive::image::DigestCheck;
use nixdive::open::{OpenError, Opened};

use crate::support::images::MOTD;
use crate::support::program::{content, open_typed, paths};

/// That it is the sample: its layers, its digests, and what they make together.
#[track_caller]
fn assert_sample(opened: &Opened, what: &str) {
    let image = &opened.image;
    assert_eq!(image.warnings, [], "{what}");
    assert_eq!(image.layers.len(), 2, "{what}");
    for layer in &image.layers {
        assert_eq!(layer.diff_id_check, DigestCheck::Matches, "{what}");
    }
    assert_eq!(paths(opened), ["/bin/", "/bin/tool", "/etc/", "/etc/motd"], "{what}");
    assert_eq!(content(opened, "/etc/motd"), MOTD.as_bytes(), "{what}");
    assert_eq!(content(opened, "/bin/tool"), vec![7; 3000], "{what}");
}

/// That what is typed opens as the sample.
#[track_caller]
fn assert_opens(typed: impl AsRef<Path>, what: &str) {
    let opened = open_typed(typed.as_ref()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_sample(&opened, what);
}

/// Why what is typed does not open.
#[track_caller]
fn refused(typed: impl AsRef<Path>) -> OpenError {
    match open_typed(typed.as_ref()) {
        Ok(_) => panic!("{} opens", typed.as_ref().display()),
        Err(error) => error,
    }
}

/// The references to choose from.
#[track_caller]
fn choices(typed: impl AsRef<Path>) -> Vec<String> {
    let error = refused(typed);
    let choices = error.choices().unwrap_or_else(|| panic!("no choice: {error}"));
    choices.iter().map(|choice| choice.reference.clone()).collect()
}

/// A script that can be run.
pub fn script(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = crate::support::program::file(directory, name, text.as_bytes());
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}
