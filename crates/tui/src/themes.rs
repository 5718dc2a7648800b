//! The themes, and how a configuration file names them and their colours.

use ratatui::style::{Color, Modifier, Style};

use super::theme::Theme;

impl Theme {
    /// All themes, by the name that a configuration file gives.
    pub(super) const NAMED: &[(&str, Self)] = &[
        ("terminal", Self::SIXTEEN),
        ("dark", Self::DARK),
        ("light", Self::LIGHT),
        ("high-contrast", Self::HIGH_CONTRAST),
        ("colour-blind", Self::COLOUR_BLIND),
    ];

    /// For a dark background and a terminal of all colours.
    pub(super) const DARK: Self = Self {
        dim: Style::new().fg(Color::Rgb(0x8a, 0x93, 0xa6)),
        head: Style::new().fg(Color::Rgb(0x8a, 0x93, 0xa6)),
        title: Style::new().fg(Color::Rgb(0x8a, 0x93, 0xa6)),
        title_focused: Style::new().fg(Color::Rgb(0x7f, 0xc8, 0xc8)).add_modifier(Modifier::BOLD),
        brand: Style::new().fg(Color::Rgb(0x7f, 0xc8, 0xc8)).add_modifier(Modifier::BOLD),
        added: Style::new().fg(Color::Rgb(0x9e, 0xcb, 0x7f)),
        modified: Style::new().fg(Color::Rgb(0xeb, 0xcb, 0x8b)),
        removed: Style::new().fg(Color::Rgb(0xe8, 0x7c, 0x84)),
        link: Style::new().fg(Color::Rgb(0x7f, 0xc8, 0xc8)),
        bar: Style::new().fg(Color::Rgb(0x79, 0xa7, 0xdd)),
        hit: Style::new().fg(Color::Rgb(0xd5, 0xad, 0xdf)).add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        warning: Style::new().fg(Color::Rgb(0xeb, 0xcb, 0x8b)).add_modifier(Modifier::BOLD),
        error: Style::new().fg(Color::Rgb(0xe8, 0x7c, 0x84)).add_modifier(Modifier::BOLD),
        selected: Style::new().bg(Color::Rgb(0x3a, 0x46, 0x5c)),
        ..Self::SIXTEEN
    };

    /// For a light background and a terminal of all colours.
    pub(super) const LIGHT: Self = Self {
        dim: Style::new().fg(Color::Rgb(0x66, 0x6d, 0x7a)),
        head: Style::new().fg(Color::Rgb(0x66, 0x6d, 0x7a)),
        title: Style::new().fg(Color::Rgb(0x66, 0x6d, 0x7a)),
        title_focused: Style::new().fg(Color::Rgb(0x0b, 0x5f, 0x6b)).add_modifier(Modifier::BOLD),
        brand: Style::new().fg(Color::Rgb(0x0b, 0x5f, 0x6b)).add_modifier(Modifier::BOLD),
        added: Style::new().fg(Color::Rgb(0x2c, 0x6e, 0x1f)),
        modified: Style::new().fg(Color::Rgb(0x8a, 0x5a, 0x00)),
        removed: Style::new().fg(Color::Rgb(0xb0, 0x1f, 0x2e)),
        link: Style::new().fg(Color::Rgb(0x0b, 0x5f, 0x6b)),
        bar: Style::new().fg(Color::Rgb(0x2a, 0x5f, 0xa5)),
        hit: Style::new().fg(Color::Rgb(0x7b, 0x2d, 0x8e)).add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        warning: Style::new().fg(Color::Rgb(0x8a, 0x5a, 0x00)).add_modifier(Modifier::BOLD),
        error: Style::new().fg(Color::Rgb(0xb0, 0x1f, 0x2e)).add_modifier(Modifier::BOLD),
        selected: Style::new().bg(Color::Rgb(0xd3, 0xe1, 0xf5)),
        ..Self::SIXTEEN
    };

    /// Nothing dimmed, the terminal's bright colours.
    pub(super) const HIGH_CONTRAST: Self = Self {
        dim: Style::new(),
        head: Style::new().add_modifier(Modifier::UNDERLINED),
        title: Style::new(),
        title_focused: Style::new().add_modifier(Modifier::BOLD.union(Modifier::REVERSED)),
        brand: Style::new().add_modifier(Modifier::BOLD),
        added: Style::new().fg(Color::LightGreen).add_modifier(Modifier::BOLD),
        modified: Style::new().fg(Color::LightYellow).add_modifier(Modifier::BOLD),
        removed: Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD),
        link: Style::new().fg(Color::LightCyan),
        bar: Style::new(),
        hit: Style::new().add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        warning: Style::new().fg(Color::LightYellow).add_modifier(Modifier::BOLD),
        error: Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD),
        ..Self::SIXTEEN
    };

    /// Blue, orange and purple in place of green, yellow and red: told apart with every common colour blindness
    /// (M. Okabe, K. Ito, "Color Universal Design", 2008).
    pub(super) const COLOUR_BLIND: Self = Self {
        added: Style::new().fg(Color::Rgb(0x56, 0xb4, 0xe9)),
        modified: Style::new().fg(Color::Rgb(0xe6, 0x9f, 0x00)),
        removed: Style::new().fg(Color::Rgb(0xcc, 0x79, 0xa7)).add_modifier(Modifier::BOLD),
        bar: Style::new().fg(Color::Rgb(0x00, 0x9e, 0x73)),
        warning: Style::new().fg(Color::Rgb(0xe6, 0x9f, 0x00)).add_modifier(Modifier::BOLD),
        error: Style::new().fg(Color::Rgb(0xd5, 0x5e, 0x00)).add_modifier(Modifier::BOLD),
        ..Self::SIXTEEN
    };

    /// Names of what a configuration file may colour.
    pub(super) const ROLES: &[&str] = &[
        "plain",
        "dim",
        "strong",
        "head",
        "title",
        "title-focused",
        "brand",
        "key",
        "added",
        "modified",
        "removed",
        "directory",
        "link",
        "bar",
        "hit",
        "warning",
        "error",
    ];

    /// The style of a role of [`Self::ROLES`].
    pub(super) fn role_mut(&mut self, role: &str) -> Option<&mut Style> {
        Some(match role {
            "plain" => &mut self.plain,
            "dim" => &mut self.dim,
            "strong" => &mut self.strong,
            "head" => &mut self.head,
            "title" => &mut self.title,
            "title-focused" => &mut self.title_focused,
            "brand" => &mut self.brand,
            "key" => &mut self.key,
            "added" => &mut self.added,
            "modified" => &mut self.modified,
            "removed" => &mut self.removed,
            "directory" => &mut self.directory,
            "link" => &mut self.link,
            "bar" => &mut self.bar,
            "hit" => &mut self.hit,
            "warning" => &mut self.warning,
            "error" => &mut self.error,
            _ => return None,
        })
    }
}

/// A colour as a configuration file writes it: one of the terminal's sixteen by name, or `#rrggbb`.
pub(super) fn parse_colour(text: &str) -> Option<Color> {
    const NAMES: [(&str, Color); 17] = [
        ("default", Color::Reset),
        ("black", Color::Black),
        ("red", Color::Red),
        ("green", Color::Green),
        ("yellow", Color::Yellow),
        ("blue", Color::Blue),
        ("magenta", Color::Magenta),
        ("cyan", Color::Cyan),
        ("grey", Color::Gray),
        ("dark-grey", Color::DarkGray),
        ("light-red", Color::LightRed),
        ("light-green", Color::LightGreen),
        ("light-yellow", Color::LightYellow),
        ("light-blue", Color::LightBlue),
        ("light-magenta", Color::LightMagenta),
        ("light-cyan", Color::LightCyan),
        ("white", Color::White),
    ];
    if let Some(&(_, colour)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(colour);
    }
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some(Color::Rgb(part(0)?, part(2)?, part(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_a_style_of_the_theme() {
        let mut theme = Theme::SIXTEEN;
        for role in Theme::ROLES {
            assert!(theme.role_mut(role).is_some(), "{role}");
        }
    }

    #[test]
    fn colours_are_names_or_hexadecimal() {
        assert_eq!(parse_colour("light-blue"), Some(Color::LightBlue));
        assert_eq!(parse_colour("#0a0BfF"), Some(Color::Rgb(10, 11, 255)));
        for bad in ["", "#12345", "#12345g", "blau", "#ääà"] {
            assert_eq!(parse_colour(bad), None, "{bad}");
        }
    }
}
