use super::input::{Key, KeyCode};

/// Purposes of a typed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Only what matches is shown.
    Filter,
    /// Only rows of the page that match are shown.
    Rows,
    /// Move the selection to a match.
    Find,
    /// Move to a match in the file on screen.
    Within,
    /// Files whose content has it are listed.
    Search,
    /// The best paths are listed.
    Path,
    /// The directory on disk to copy the selection to.
    Directory,
    /// Destination of the rebuilt image.
    Destination,
    /// The actions whose names have it are listed.
    Command,
}

/// A line being typed.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    pub purpose: Purpose,
    pub text: String,
}

impl Prompt {
    /// Longest text taken, bytes.
    const LONGEST: usize = 4096;

    /// Takes a key; returns `true` if it changes the text.
    pub(super) fn take(&mut self, key: Key) -> bool {
        let before = self.text.len();
        match key.code {
            KeyCode::Char(character) if !key.control && !key.alt => self.insert(character),
            KeyCode::Backspace => {
                self.text.pop();
            }
            KeyCode::Char('u') if key.control => self.text.clear(),
            KeyCode::Char('w') if key.control => {
                let kept = self.text.trim_end_matches(|character: char| !is_word(character));
                let kept = kept.trim_end_matches(is_word);
                self.text.truncate(kept.len());
            }
            _ => {}
        }
        self.text.len() != before
    }

    /// Takes pasted text, up to its first line break.
    pub(super) fn paste(&mut self, text: &str) -> bool {
        let before = self.text.len();
        text.lines().next().unwrap_or_default().chars().for_each(|character| self.insert(character));
        self.text.len() != before
    }

    fn insert(&mut self, character: char) {
        if !character.is_control() && self.text.len() < Self::LONGEST {
            self.text.push(character);
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        let mut prompt = Prompt { purpose: Purpose::Filter, text: String::new() };
        assert!(prompt.paste("usr/lib x\nrm -rf"));
        assert_eq!(prompt.text, "usr/lib x");
        for (key, expected) in
            [("ctrl-w", "usr/lib "), ("ctrl-w", "usr/"), ("é", "usr/é"), ("backspace", "usr/"), ("ctrl-u", "")]
        {
            assert!(prompt.take(Key::parse(key).unwrap()), "{key}");
            assert_eq!(prompt.text, expected, "{key}");
        }
        assert!(!prompt.take(Key::parse("alt-x").unwrap()));
    }
}
