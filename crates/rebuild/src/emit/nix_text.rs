//! Text of the Nix language and of shell commands embedded in it.

use std::fmt::Write;

use nixdive_base::text::steers_terminal;

/// String of the Nix language: text with interpolated expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NixString {
    written: String,
}

impl NixString {
    /// Creates a string without interpolation.
    pub fn of(text: &str) -> Self {
        let mut string = Self::default();
        string.text(text);
        string
    }

    /// Appends text. Terminal control characters are written as JSON escapes, as Nix has none of its own; NUL, which
    /// Nix strings cannot contain, is removed.
    pub fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' | '\\' | '$' => self.written.extend(['\\', character]),
                '\n' => self.written.push_str("\\n"),
                '\r' => self.written.push_str("\\r"),
                '\t' => self.written.push_str("\\t"),
                '\0' => {}
                _ if steers_terminal(character) => {
                    self.written.push_str("${builtins.fromJSON \"\\\"");
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.written, "\\\\u{unit:04x}");
                    }
                    self.written.push_str("\\\"\"}");
                }
                _ => self.written.push(character),
            }
        }
    }

    /// Appends an interpolated expression.
    pub fn expression(&mut self, expression: &str) {
        let _ = write!(self.written, "${{{expression}}}");
    }

    /// Appends another string.
    pub fn append(&mut self, other: &Self) {
        self.written.push_str(&other.written);
    }

    /// Returns the string literal.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.written)
    }
}

/// Returns text as a string literal of the Nix language.
pub(super) fn quoted(text: &str) -> String {
    NixString::of(text).quoted()
}

/// Returns an attribute path, quoted where a name is not an identifier; dots separate nested sets.
pub(super) fn attribute_path(path: &str) -> String {
    path.split('.').map(attribute).collect::<Vec<_>>().join(".")
}

/// Returns a single attribute name, quoted if necessary.
pub(super) fn attribute(name: &str) -> String {
    const WORDS: [&str; 9] = ["assert", "else", "if", "in", "inherit", "let", "or", "rec", "then"];
    let mut letters = name.bytes();
    let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-'));
    if begins && goes_on && name != "with" && !WORDS.contains(&name) { name.to_owned() } else { quoted(name) }
}

/// Returns bytes as one word of bash. Anything unusual is escaped within `$'…'`, without quotes, dollars or backslashes
/// of its own, so that the word can be used unchanged in an indented Nix string.
pub(super) fn shell_word(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./@%+=:,-".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) && !bytes.starts_with(b"-") {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut word = String::from("$'");
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let is_shown = !steers_terminal(character) && !matches!(character, '\'' | '\\' | '$');
            if is_shown {
                word.push(character);
            } else {
                character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| octal(&mut word, byte));
            }
        }
        chunk.invalid().iter().for_each(|&byte| octal(&mut word, byte));
    }
    word.push('\'');
    word
}

/// Appends an octal escape of always three digits, so that a following digit is not read as part of it.
fn octal(word: &mut String, byte: u8) {
    let _ = write!(word, "\\{byte:03o}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_in_a_text_begins_an_expression() {
        assert_eq!(quoted("a ${b} \"c\" \\d\n"), r#""a \${b} \"c\" \\d\n""#);
        assert_eq!(quoted("\u{1b}"), r#""${builtins.fromJSON "\"\\u001b\""}""#);
        assert_eq!(quoted("\u{e0001}"), r#""${builtins.fromJSON "\"\\udb40\\udc01\""}""#);
    }

    #[test]
    fn attributes_are_quoted_where_they_are_no_names() {
        let cases = [("nginx", "nginx"), ("in", "\"in\""), ("7zip", "\"7zip\""), ("a b", "\"a b\""), ("", "\"\"")];
        for (name, written) in cases {
            assert_eq!(attribute(name), written);
        }
        assert_eq!(attribute_path("xorg.libX11"), "xorg.libX11");
    }

    #[test]
    fn words_of_a_shell_hold_no_quote_that_nix_would_see() {
        assert_eq!(shell_word(b"./srv/www"), "./srv/www");
        assert_eq!(shell_word(b"-rf"), "$'-rf'");
        assert_eq!(shell_word(b"it's ${x}\xff\n"), r"$'it\047s \044{x}\377\012'");
    }

    proptest! {
        #[test]
        fn no_control_character_is_written(text in ".{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(!quoted(&text).chars().any(steers_terminal));
            prop_assert!(!shell_word(&bytes).chars().any(steers_terminal));
        }

        #[test]
        fn bash_reads_a_word_as_the_bytes_that_it_was(bytes in prop::collection::vec(1u8..=255, 0..40)) {
            let script = format!("printf %s {}", shell_word(&bytes));
            let Ok(output) = std::process::Command::new("bash").args(["-c", &script]).output() else {
                println!("skipped: no bash here");
                return Ok(());
            };
            prop_assert_eq!(output.stdout, bytes);
        }
    }
}
