use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Settings, View};
use crate::action::{ACTIONS, Keymap, parse_sequence};
use crate::columns::{Column, Columns};
use crate::theme::Theme;
use crate::themes::parse_colour;
use nixdive_image::SortKey;

/// An error in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SettingsError {
    /// Counted from 1.
    pub line: usize,
    /// A sentence.
    pub reason: String,
}

struct Document<'a> {
    text: &'a str,
}

type Entry<'a> = (&'a str, Range<usize>, &'a Spanned<DeValue<'a>>);

pub(super) fn parse(text: &str) -> Result<Settings, SettingsError> {
    let document = Document { text };
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| document.line(span.start));
        SettingsError { line, reason: error.message().to_owned() }
    })?;
    let mut settings = Settings::default();
    for (name, span, value) in entries(table.get_ref()) {
        match name {
            "theme" => settings.theme = document.theme(value)?,
            "unicode" => settings.unicode = document.unicode(value)?,
            "mouse" => settings.mouse = document.boolean(value)?,
            "view" => settings.view = document.view(value)?,
            "colours" | "keys" => {}
            _ => {
                let known = ["theme", "unicode", "mouse", "view", "colours", "keys"];
                return Err(document.unknown(&span, name, "setting", &known));
            }
        }
    }
    // After the theme, wherever it stands: colours are laid over it.
    for (name, _, value) in entries(table.get_ref()) {
        match name {
            "colours" => document.colours(value, &mut settings.theme)?,
            "keys" => settings.keymap = document.keys(value)?,
            _ => {}
        }
    }
    Ok(settings)
}

/// The entries of a table in the order of the file.
fn entries<'a>(table: &'a DeTable<'a>) -> impl Iterator<Item = Entry<'a>> {
    let mut entries: Vec<Entry<'a>> =
        table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value)).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries.into_iter()
}

impl Document<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
    }

    fn error(&self, span: &Range<usize>, reason: impl Into<String>) -> SettingsError {
        SettingsError { line: self.line(span.start), reason: reason.into() }
    }

    fn unknown(&self, span: &Range<usize>, name: &str, what: &str, known: &[&str]) -> SettingsError {
        let shown = nixdive_base::text::display_name(name.as_bytes()).into_owned();
        self.error(span, format!("unknown {what} `{shown}`; expected one of {}", known.join(", ")))
    }

    fn table<'a>(&self, value: &'a Spanned<DeValue<'a>>) -> Result<&'a DeTable<'a>, SettingsError> {
        value.get_ref().as_table().ok_or_else(|| self.error(&value.span(), "a table is wanted here"))
    }

    fn boolean(&self, value: &Spanned<DeValue<'_>>) -> Result<bool, SettingsError> {
        value.get_ref().as_bool().ok_or_else(|| self.error(&value.span(), "true or false is wanted here"))
    }

    fn word<'a>(&self, value: &'a Spanned<DeValue<'a>>) -> Result<&'a str, SettingsError> {
        value.get_ref().as_str().ok_or_else(|| self.error(&value.span(), "a text in quotes is wanted here"))
    }

    /// One of some words.
    fn choice<T: Copy>(&self, value: &Spanned<DeValue<'_>>, choices: &[(&str, T)]) -> Result<T, SettingsError> {
        let word = self.word(value)?;
        let found = choices.iter().find(|(name, _)| *name == word).map(|&(_, meaning)| meaning);
        found.ok_or_else(|| {
            let known: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.unknown(&value.span(), word, "choice", &known)
        })
    }

    fn theme(&self, value: &Spanned<DeValue<'_>>) -> Result<Theme, SettingsError> {
        self.choice(value, Theme::NAMED)
    }

    fn unicode(&self, value: &Spanned<DeValue<'_>>) -> Result<Option<bool>, SettingsError> {
        self.choice(value, &[("auto", None), ("always", Some(true)), ("never", Some(false))])
    }

    fn view(&self, value: &Spanned<DeValue<'_>>) -> Result<View, SettingsError> {
        let mut view = View::default();
        for (name, span, value) in entries(self.table(value)?) {
            match name {
                "scope" => view.alone = self.choice(value, &[("stacked", false), ("alone", true)])?,
                "changes" => view.aggregated = self.choice(value, &[("layer", false), ("base", true)])?,
                "columns" => view.columns = self.columns(value)?,
                "attributes" => view.attributes = self.boolean(value)?,
                "wrap" => view.wrap = self.boolean(value)?,
                "sort" => {
                    let keys = [("bytes", SortKey::Bytes), ("name", SortKey::Name), ("change", SortKey::Change)];
                    view.sort = self.choice(value, &keys)?;
                }
                "share" => {
                    let share = value.get_ref().as_integer().and_then(|share| share.as_str().parse().ok());
                    let fits = share.filter(|share| (20..=80).contains(share));
                    view.share = fits
                        .ok_or_else(|| self.error(&value.span(), "a number of percent from 20 to 80 is wanted here"))?;
                }
                _ => {
                    let known = ["scope", "changes", "columns", "attributes", "wrap", "sort", "share"];
                    return Err(self.unknown(&span, name, "view setting", &known));
                }
            }
        }
        Ok(view)
    }

    fn columns(&self, value: &Spanned<DeValue<'_>>) -> Result<Columns, SettingsError> {
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.error(&value.span(), "a list of columns is wanted here"))?;
        let mut columns = Columns::none();
        for item in list.iter() {
            let column = self.choice(item, Column::NAMED)?;
            if !columns.push(column) {
                return Err(self.error(&item.span(), "this column is there already"));
            }
        }
        Ok(columns)
    }

    fn colours(&self, value: &Spanned<DeValue<'_>>, theme: &mut Theme) -> Result<(), SettingsError> {
        for (name, span, value) in entries(self.table(value)?) {
            let Some(style) = theme.role_mut(name) else {
                return Err(self.unknown(&span, name, "colour", Theme::ROLES));
            };
            let word = self.word(value)?;
            let shown = || nixdive_base::text::display_name(word.as_bytes()).into_owned();
            let colour = parse_colour(word).ok_or_else(|| {
                let help = "write one of the terminal's names, as light-blue, or #rrggbb";
                self.error(&value.span(), format!("invalid colour `{}`; {help}", shown()))
            })?;
            *style = style.fg(colour);
        }
        Ok(())
    }

    /// The default keys with those of the file in place of an action's own.
    fn keys(&self, value: &Spanned<DeValue<'_>>) -> Result<Keymap, SettingsError> {
        let mut keymap = Keymap::default();
        let table = self.table(value)?;
        let mut replaced = Vec::new();
        for (name, span, value) in entries(table) {
            let Some(info) = ACTIONS.iter().find(|info| info.name == name) else {
                let shown = nixdive_base::text::display_name(name.as_bytes()).into_owned();
                let reason = format!("unknown action `{shown}`; nixdive --print-config lists them");
                return Err(self.error(&span, reason));
            };
            let mut sequences = Vec::new();
            for (span, text) in self.key_texts(value)? {
                let shown = nixdive_base::text::display_name(text.as_bytes()).into_owned();
                let sequence = parse_sequence(text).ok_or_else(|| {
                    self.error(&span, format!("invalid key `{shown}`; expected something like j, G, ctrl-d or g g"))
                })?;
                sequences.push((span, shown, sequence));
            }
            keymap.unbind(info.action);
            replaced.push((info, sequences));
        }
        let mut taken: Vec<(crate::action::Context, Vec<crate::input::Key>, &str)> = Vec::new();
        for (info, sequences) in &replaced {
            for (span, shown, sequence) in sequences {
                for &context in info.contexts {
                    let clash = taken.iter().find(|(other, keys, _)| *other == context && keys == sequence);
                    if let Some((_, _, other)) = clash {
                        let reason = format!("key `{shown}` is already assigned to {other} in the same context");
                        return Err(self.error(span, reason));
                    }
                    taken.push((context, sequence.clone(), info.name));
                    keymap.bind(context, sequence, info.action);
                }
            }
        }
        Ok(keymap)
    }

    /// One key or a list of them.
    fn key_texts<'a>(&self, value: &'a Spanned<DeValue<'a>>) -> Result<Vec<(Range<usize>, &'a str)>, SettingsError> {
        match value.get_ref().as_array() {
            Some(list) => list.iter().map(|item| Ok((item.span(), self.word(item)?))).collect(),
            None => Ok(vec![(value.span(), self.word(value)?)]),
        }
    }
}
