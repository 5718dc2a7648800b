//! Python modules as attributes of nixpkgs' Python packages.

use std::collections::{BTreeMap, BTreeSet};

use super::super::software::python_attribute;

const TABLE: &str = include_str!("../../../data/nixpkgs-python.txt");
/// Tools that install modules; not imported at run time.
const INSTALLERS: [&str; 4] = ["pip", "wheel", "pipenv", "poetry"];

/// Python interpreter with the modules of the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::emit) struct PythonEnvironment {
    /// Release such as `3.11`; empty if unknown.
    pub release: String,
    /// Modules by attribute.
    pub modules: BTreeMap<String, PythonModule>,
    /// Paths of its programs, with the package or environment that confirms them; safe to show.
    pub evidence: BTreeSet<String>,
    pub is_owned: bool,
}

/// Python module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::emit) struct PythonModule {
    /// Version in the image; safe to show.
    pub version: String,
    /// True if nixpkgs is known to have the module under that name.
    pub is_known: bool,
}

impl PythonEnvironment {
    /// Returns the attribute of the interpreter, and `true` if it is of the same release as in the image.
    pub fn attribute(&self) -> (String, bool) {
        python_attribute(&self.release)
    }

    /// Adds a distribution by its name.
    pub fn add(&mut self, name: &str, version: String) {
        let normal = name.to_ascii_lowercase().replace(['_', '.'], "-");
        if INSTALLERS.contains(&normal.as_str()) {
            return;
        }
        let words = || TABLE.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_ascii_whitespace);
        let ours = words().find_map(|word| {
            let (theirs, ours) = word.split_once('=').unwrap_or((word, word));
            (theirs == normal).then_some(ours)
        });
        let module = PythonModule { version, is_known: ours.is_some() };
        self.modules.entry(ours.unwrap_or(&normal).to_owned()).or_insert(module);
    }

    /// Determines the release from a path such as `/usr/lib/python3.11/…` or `/usr/bin/python3.11`.
    pub fn learn_release(&mut self, path: &[u8]) {
        if !self.release.is_empty() {
            return;
        }
        let Some(at) = memchr::memmem::find(path, b"python3.") else { return };
        let digits = path.get(at + b"python3.".len()..).unwrap_or_default();
        let minor: String =
            digits.iter().take(3).take_while(|byte| byte.is_ascii_digit()).map(|&byte| char::from(byte)).collect();
        if !minor.is_empty() {
            self.release = format!("3.{minor}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_become_attributes() {
        let mut python = PythonEnvironment::default();
        for name in ["Flask", "psycopg2-binary", "typing_extensions", "my.service", "pip"] {
            python.add(name, "1".to_owned());
        }
        let modules: Vec<(&str, bool)> =
            python.modules.iter().map(|(name, module)| (name.as_str(), module.is_known)).collect();
        let expected = [("flask", true), ("my-service", false), ("psycopg2", true), ("typing-extensions", true)];
        assert_eq!(modules, expected);
    }

    #[test]
    fn the_release_stands_in_paths() {
        let mut python = PythonEnvironment::default();
        python.learn_release(b"/usr/lib/x");
        python.learn_release(b"/usr/local/lib/python3.12/site-packages/flask/app.py");
        assert_eq!(python.attribute(), ("python312".to_owned(), true));
    }
}
