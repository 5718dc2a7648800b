//! User choices for a rebuild: files to keep, files to drop, and references to cut.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{DropClass, RowSubject};
use nixdive_base::glob::{Glob, GlobError};

/// Choices of the user. In a conflict, rows decided individually take precedence, then what is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Paths, package names and store path names to keep even if nothing needs them.
    pub keep: Vec<Glob>,
    /// Paths, package names and store path names to drop even if something needs them.
    pub drop: Vec<Glob>,
    /// Classes of files to drop.
    pub classes: BTreeSet<DropClass>,
    /// References to cut.
    pub cut: Vec<Cut>,
    /// Rows decided individually; the value is true if the row is kept.
    pub decided: BTreeMap<RowSubject, bool>,
}

/// Reference to be overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Source of the reference: a store path by its path, base name or name, or a file in one by its full path or its
    /// name.
    pub from: String,
    /// Target of the reference: a store path by its path, base name or name.
    pub to: String,
}

/// Reasons why a choice is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Text that does not have the form `FROM=>TO`.
    #[error("invalid reference `{0}`: expected FROM=>TO, such as 'openssl=>perl'")]
    Cut(String),
    /// Invalid pattern.
    #[error("`{text}`: {error}")]
    Pattern {
        /// Text as the user gave it.
        text: String,
        /// Error in the pattern.
        error: GlobError,
    },
}

impl Cut {
    /// Parses `FROM=>TO`.
    ///
    /// # Errors
    /// [`ChoiceError::Cut`] if the text has another form.
    pub fn parse(text: &str) -> Result<Self, ChoiceError> {
        let parts = text.split_once("=>").map(|(from, to)| (from.trim(), to.trim()));
        match parts.filter(|(from, to)| !from.is_empty() && !to.is_empty()) {
            Some((from, to)) => Ok(Self { from: from.to_owned(), to: to.to_owned() }),
            None => Err(ChoiceError::Cut(text.to_owned())),
        }
    }
}

impl Choices {
    /// Adds comma-separated patterns to keep.
    ///
    /// # Errors
    /// [`ChoiceError::Pattern`] if a pattern is invalid.
    pub fn keep(&mut self, text: &str) -> Result<(), ChoiceError> {
        for part in parts(text) {
            self.keep.push(pattern(part)?);
        }
        Ok(())
    }

    /// Adds comma-separated classes and patterns to drop.
    ///
    /// # Errors
    /// [`ChoiceError::Pattern`] if a pattern is invalid.
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

    /// Returns `true` if the user wants one of these names kept, `false` if dropped, and `None` without a choice.
    #[must_use]
    pub fn of_names(&self, names: &[&str]) -> Option<bool> {
        let named = |globs: &[Glob]| globs.iter().any(|glob| names.iter().any(|name| glob.matches(name.as_bytes())));
        if named(&self.keep) {
            return Some(true);
        }
        named(&self.drop).then_some(false)
    }

    /// Returns the choice for a file by its absolute path and its class, as `named` does for names.
    #[must_use]
    pub fn of_file(&self, path: &[u8], class: Option<DropClass>) -> Option<bool> {
        if self.keep.iter().any(|glob| glob.matches(path)) {
            return Some(true);
        }
        let dropped = class.is_some_and(|class| self.classes.contains(&class));
        (dropped || self.drop.iter().any(|glob| glob.matches(path))).then_some(false)
    }

    /// Returns `true` if the choices cannot affect single files within what is kept.
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
    fn classes_are_distinguished_from_patterns() {
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
