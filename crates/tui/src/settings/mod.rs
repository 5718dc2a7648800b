//! User settings: `config.toml`, TOML 1.0. Unknown keys are errors that name their line.

mod document;
mod template;
#[cfg(test)]
mod tests;

pub use document::SettingsError;

use super::action::Keymap;
use super::columns::Columns;
use super::theme::Theme;
use nixdive_image::SortKey;

/// The settings of the terminal interface.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) theme: Theme,
    pub(super) keymap: Keymap,
    pub(super) view: View,
    /// `None`: as the locale says.
    pub(super) unicode: Option<bool>,
    pub(super) mouse: bool,
}

/// Initial view of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub alone: bool,
    pub aggregated: bool,
    pub columns: Columns,
    pub attributes: bool,
    pub wrap: bool,
    pub sort: SortKey,
    /// Share of the layers and details, percent.
    pub share: u16,
}

impl Default for View {
    fn default() -> Self {
        Self {
            alone: false,
            aggregated: false,
            columns: Columns::default(),
            attributes: true,
            wrap: true,
            sort: SortKey::Bytes,
            share: 40,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { theme: Theme::SIXTEEN, keymap: Keymap::default(), view: View::default(), unicode: None, mouse: true }
    }
}

impl Settings {
    /// Reads a configuration file. Missing settings keep their defaults.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        document::parse(text)
    }

    /// A configuration file that says what the defaults are, with comments.
    #[must_use]
    pub fn default_document() -> String {
        template::document()
    }
}
