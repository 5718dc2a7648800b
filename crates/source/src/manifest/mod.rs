//! Files that name images: those of Compose, and manifests of Kubernetes. They are known by what is in them.

mod compose;
mod environment;
mod interpolate;
mod kubernetes;
#[cfg(test)]
mod tests;

pub use environment::EnvironmentFile;

use hashbrown::HashMap;

use nixdive_base::text::display_in_sentence;
use nixdive_base::yaml::{self, Node, YamlError};

/// What such a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// [The Compose specification](https://github.com/compose-spec/compose-spec).
    Compose,
    /// Objects of Kubernetes.
    Kubernetes,
}

/// An image that a file names, with all that use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedImage {
    /// As it is written, variables filled in; `None` where it is built, or said elsewhere.
    pub reference: Option<String>,
    /// The line of the file that names it first, from 1.
    pub line: u32,
    /// Who uses it: a service, or `Kind/name/container`. Never empty, as written.
    pub users: Vec<String>,
    /// Why there is no reference, to go on after «NAME»: «is built from ./web».
    pub why_none: Option<String>,
}

impl NamedImage {
    /// Whether a key of `--map` means it: its reference, a user, or the container's name of one.
    #[must_use]
    pub fn is_called(&self, key: &str) -> bool {
        let is_user =
            |user: &String| user == key || user.rsplit_once('/').is_some_and(|(_, container)| container == key);
        self.reference.as_deref() == Some(key) || self.users.iter().any(is_user)
    }

    /// Its users in one text, safe to print.
    #[must_use]
    pub fn shown(&self) -> String {
        display_in_sentence(&self.users.join(", "))
    }
}

/// A file that names images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: ManifestKind,
    /// Its images in the order of the file, each once.
    pub images: Vec<NamedImage>,
    /// What of it is not followed, as sentences without a full stop, safe to print.
    pub notes: Vec<String>,
}

/// What is wrong with a file that is meant to name images, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ManifestError {
    /// From 1.
    pub line: u32,
    /// A sentence without a full stop, safe to print.
    pub reason: String,
}

impl From<YamlError> for ManifestError {
    fn from(error: YamlError) -> Self {
        Self { line: error.line, reason: error.reason }
    }
}

/// The longest text that is looked at, bytes.
pub const MAX_BYTES: u64 = 4 << 20;

/// Reads a text; `None` where it is no file that names images. `variable` tells what a variable of the environment is.
///
/// # Errors
/// [`ManifestError`], where it is one and cannot be read.
pub fn read(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Manifest>, ManifestError> {
    if !looks_like_one(text) {
        return Ok(None);
    }
    let documents = yaml::documents(text)?;
    if documents.iter().any(kubernetes::is_object) {
        return kubernetes::read(&documents).map(Some);
    }
    match documents.as_slice() {
        [project] if compose::is_project(project) => compose::read(project, variable).map(Some),
        _ => Ok(None),
    }
}

/// Whether one of the words that such a file cannot be without begins one of its lines, so that a broken one is told
/// from what is none. JSON is YAML too.
fn looks_like_one(text: &str) -> bool {
    let words = ["services", "apiVersion"];
    let is_key = |line: &str| {
        let line = line.trim_start_matches(['{', ' ', '\t', '-']).trim_start_matches(['"', '\'']);
        words.iter().any(|word| {
            let rest = line.strip_prefix(word).map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
            rest.is_some_and(|rest| rest.starts_with(':'))
        })
    };
    text.lines().any(is_key)
        || (text.trim_start().starts_with('{') && words.iter().any(|word| text.contains(&format!("\"{word}\""))))
}

/// The images of a file, each reference once.
#[derive(Default)]
struct Images {
    found: Vec<NamedImage>,
    places: HashMap<String, usize>,
}

impl Images {
    fn add(&mut self, line: u32, user: String, reference: Option<String>, why_none: Option<String>) {
        let known = reference.as_ref().and_then(|reference| self.places.get(reference)).copied();
        if let Some(image) = known.and_then(|place| self.found.get_mut(place)) {
            image.users.push(user);
            return;
        }
        if let Some(reference) = &reference {
            self.places.insert(reference.clone(), self.found.len());
        }
        self.found.push(NamedImage { reference, line, users: vec![user], why_none });
    }
}

fn wrong(node: &Node, reason: impl Into<String>) -> ManifestError {
    ManifestError { line: node.line, reason: reason.into() }
}
