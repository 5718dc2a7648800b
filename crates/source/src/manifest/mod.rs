//! Files that refer to images: Compose files and Kubernetes manifests, detected by their content.

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

/// Kind of a file that refers to images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// [The Compose specification](https://github.com/compose-spec/compose-spec).
    Compose,
    /// Kubernetes objects.
    Kubernetes,
}

/// An image that a file refers to, with everything that uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedImage {
    /// The reference with its variables replaced; `None` if the image is built or defined elsewhere.
    pub reference: Option<String>,
    /// Line of its first mention, from 1.
    pub line: u32,
    /// Its users: a service, or `Kind/name/container`. Never empty, as written.
    pub users: Vec<String>,
    /// Reason for a missing reference, as the rest of a sentence: "is built from ./web".
    pub why_none: Option<String>,
}

impl NamedImage {
    /// Returns `true` if a key of `--map` refers to it: its reference, a user, or the name of a user's container.
    #[must_use]
    pub fn is_called(&self, key: &str) -> bool {
        let is_user =
            |user: &String| user == key || user.rsplit_once('/').is_some_and(|(_, container)| container == key);
        self.reference.as_deref() == Some(key) || self.users.iter().any(is_user)
    }

    /// Returns its users as one text that is safe to print.
    #[must_use]
    pub fn shown(&self) -> String {
        display_in_sentence(&self.users.join(", "))
    }
}

/// A file that refers to images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Kind of the file.
    pub kind: ManifestKind,
    /// Its images in order of appearance, each once.
    pub images: Vec<NamedImage>,
    /// Ignored parts, as sentences without a full stop that are safe to print.
    pub notes: Vec<String>,
}

/// Error in a file that refers to images, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ManifestError {
    /// Line of the error, from 1.
    pub line: u32,
    /// A sentence without a full stop, safe to print.
    pub reason: String,
}

impl From<YamlError> for ManifestError {
    fn from(error: YamlError) -> Self {
        Self { line: error.line, reason: error.reason }
    }
}

/// Maximum bytes of a file.
pub const MAX_BYTES: u64 = 4 << 20;

/// Parses a text. Returns `None` if it does not refer to images. `variable` returns the values of environment
/// variables.
///
/// # Errors
/// [`ManifestError`] if it is such a file and is invalid.
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

/// Returns `true` if a line begins with a keyword that such a file requires, to distinguish a broken one from other
/// files. JSON is valid YAML, too.
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
