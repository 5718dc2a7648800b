//! What the user wants of a rebuild besides its default: what to keep, what to drop, which references to cut.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{DropClass, RowSubject};
use nixdive_base::glob::{Glob, GlobError};

/// Wishes of the user. Where they contradict each other, a row that was decided by hand wins, then what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Kept whether or not anything needs it: paths, and names of packages and store paths.
    pub keep: Vec<Glob>,
    /// Dropped whether or not anything needs it: the same.
    pub drop: Vec<Glob>,
    /// Classes of files that are dropped.
    pub classes: BTreeSet<DropClass>,
    /// References that are cut.
    pub cut: Vec<Cut>,
    /// Rows that were decided one by one: whether they are kept.
    pub decided: BTreeMap<RowSubject, bool>,
}

/// A reference that is to be overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What refers: a store path by its path, base name or name, or a file in one by its whole path or its name.
    pub from: String,
    /// What is referred to: a store path, in the same ways.
    pub to: String,
}

/// Why a wish is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Not of the form `FROM=>TO`.
    #[error("«{0}» is no reference; write it as FROM=>TO, such as 'openssl=>perl'")]
    Cut(String),
    /// No pattern.
    #[error("«{text}»: {error}")]
    Pattern {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        error: GlobError,
    },
}

impl Cut {
    /// Reads `FROM=>TO`.
    ///
    /// # Errors
    /// [`ChoiceError::Cut`].
    pub fn parse(text: &str) -> Result<Self, ChoiceError> {
        let parts = text.split_once("=>").map(|(from, to)| (from.trim(), to.trim()));
        match parts.filter(|(from, to)| !from.is_empty() && !to.is_empty()) {
            Some((from, to)) => Ok(Self { from: from.to_owned(), to: to.to_owned() }),
            None => Err(ChoiceError::Cut(text.to_owned())),
        }
    }
}

impl Choices {
    /// Adds what is to be kept: patterns, several with commas between them.
    ///
    /// # Errors
    /// [`ChoiceError::Pattern`].
    pub fn keep(&mut self, text: &str) -> Result<(), ChoiceError> {
        for part in parts(text) {
            self.keep.push(pattern(part)?);
        }
        Ok(())
    }

    /// Adds what is to be dropped: classes and patterns, several with commas between them.
    ///
    /// # Errors
    /// [`ChoiceError::Pattern`].
    pub fn drop(&mut self, text: &str) -> Result<(), ChoiceError> {
        for part in parts(text) {
            match DropClass::parse(part) {
                Some(class) => {
                    self.classes.insert(class);
                }
                None => self.drop.push(pattern(part)?),
            }
        }
        Ok(())
    }

    /// Whether the user asked for one of some names to be kept (`true`) or dropped; `None` for neither.
    #[must_use]
    pub fn of_names(&self, names: &[&str]) -> Option<bool> {
        let named = |globs: &[Glob]| globs.iter().any(|glob| names.iter().any(|name| glob.matches(name.as_bytes())));
        if named(&self.keep) {
            return Some(true);
        }
        named(&self.drop).then_some(false)
    }

    /// The same of a file by its absolute path and its class.
    #[must_use]
    pub fn of_file(&self, path: &[u8], class: Option<DropClass>) -> Option<bool> {
        if self.keep.iter().any(|glob| glob.matches(path)) {
            return Some(true);
        }
        let dropped = class.is_some_and(|class| self.classes.contains(&class));
        (dropped || self.drop.iter().any(|glob| glob.matches(path))).then_some(false)
    }

    /// Whether it can make no difference for files within what is kept.
    #[must_use]
    pub fn leaves_files_alone(&self) -> bool {
        let is_of_files = |class: &DropClass| !matches!(class, DropClass::Unreachable | DropClass::PackageManager);
        self.drop.is_empty() && !self.classes.iter().any(is_of_files)
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn pattern(text: &str) -> Result<Glob, ChoiceError> {
    Glob::parse(text).map_err(|error| ChoiceError::Pattern { text: text.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_has_two_sides() {
        let cut = Cut { from: "openssl".into(), to: "perl".into() };
        assert_eq!(Cut::parse("openssl => perl"), Ok(cut));
        for bad in ["openssl", "=>perl", "openssl=>", ""] {
            assert!(Cut::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn classes_are_told_from_patterns() {
        let mut choices = Choices::default();
        choices.drop("docs, locales,/usr/share/games/**").unwrap();
        assert_eq!(choices.classes, BTreeSet::from([DropClass::Docs, DropClass::Locales]));
        assert_eq!(choices.of_file(b"/usr/share/games/a", None), Some(false));
        assert_eq!(choices.of_file(b"/a", Some(DropClass::Docs)), Some(false));
        assert_eq!(choices.of_file(b"/a", Some(DropClass::Dev)), None);
    }

    #[test]
    fn what_is_kept_wins_over_what_is_dropped() {
        let mut choices = Choices::default();
        choices.drop("locales").unwrap();
        choices.keep("**/locale/de/**").unwrap();
        assert_eq!(choices.of_file(b"/usr/share/locale/de/x.mo", Some(DropClass::Locales)), Some(true));
        assert_eq!(choices.of_file(b"/usr/share/locale/fr/x.mo", Some(DropClass::Locales)), Some(false));
    }
}
