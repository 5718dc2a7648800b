use std::fmt;

/// A key, without modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyCode {
    /// A character, as typed: `G` for shift and `g`.
    Char(char),
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// The tabulator.
    Tab,
    /// The tabulator with shift.
    BackTab,
    /// Rub out to the left.
    Backspace,
    /// Rub out to the right.
    Delete,
    /// Cursor key.
    Up,
    /// Cursor key.
    Down,
    /// Cursor key.
    Left,
    /// Cursor key.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// `F1` and on.
    Function(u8),
}

/// A key with modifiers. Reads and writes as `j`, `G`, `down`, `ctrl-a`, `alt-x`, `space`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// True if Ctrl is pressed.
    pub control: bool,
    /// True if Alt is pressed.
    pub alt: bool,
}

const NAMED: [(&str, KeyCode); 16] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Escape),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
    ("minus", KeyCode::Char('-')),
];

impl Key {
    /// A key without modifiers.
    #[must_use]
    pub fn plain(code: KeyCode) -> Self {
        Self { code, control: false, alt: false }
    }

    /// Reads a key's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut control, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|after| !after.is_empty()) {
                (control, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|after| !after.is_empty()) {
                (alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let named = NAMED.iter().find(|(name, _)| *name == rest).map(|&(_, code)| code);
        let function = || rest.strip_prefix('f')?.parse().ok().filter(|number| (1..=24).contains(number));
        let mut characters = rest.chars();
        let code = match (named, characters.next(), characters.next()) {
            (Some(code), ..) => code,
            (None, Some(character), None) => KeyCode::Char(character),
            _ => KeyCode::Function(function()?),
        };
        Some(Self { code, control, alt })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            formatter.write_str("ctrl-")?;
        }
        if self.alt {
            formatter.write_str("alt-")?;
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => formatter.write_str(name),
            (None, KeyCode::Char(character)) => write!(formatter, "{character}"),
            (None, KeyCode::Function(number)) => write!(formatter, "f{number}"),
            (None, _) => Ok(()),
        }
    }
}

/// Mouse events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseAction {
    /// The left button went down.
    Press,
    /// The mouse moved with the left button down.
    Drag,
    /// The left button came up.
    Release,
    /// The wheel turned away from the user.
    WheelUp,
    /// The wheel turned towards the user.
    WheelDown,
}

/// A mouse event and its cell, counted from (0, 0) at the top left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// Event of the mouse.
    pub action: MouseAction,
    /// From the left.
    pub column: u16,
    /// From the top.
    pub row: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_as_written() {
        for name in ["j", "G", "/", "-", "ctrl-a", "ctrl-space", "shift-tab", "pgdn", "f5", "alt-x", "ctrl-alt-left"] {
            let key = Key::parse(name).unwrap_or_else(|| panic!("{name}"));
            let written = key.to_string();
            assert_eq!(Key::parse(&written), Some(key), "{name} {written}");
        }
        for bad in ["", "ctrl-", "jj", "f0", "f25", "hyper-x"] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }
}
