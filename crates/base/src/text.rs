//! Names and numbers as text that is safe to show.

use std::borrow::Cow;

use crate::invisible::is_stray_part;
pub use crate::invisible::{is_shown_in_text, steers_terminal};
use std::fmt::Write;

use humansize::{DECIMAL, format_size};

/// A name or text from an image, safe to write to a terminal: control characters, marks that turn the direction of
/// text, and characters that nobody sees as `\u{…}` or `\n`-like escapes, bytes that are not UTF-8 as `\x..`.
#[must_use]
pub fn display_name(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || is_safe_name(text) => Cow::Borrowed(text),
        _ => Cow::Owned(escape(bytes)),
    }
}

fn is_safe_name(text: &str) -> bool {
    let mut previous = None;
    text.chars().all(|character| !is_escaped(previous.replace(character), character))
}

fn is_escaped(previous: Option<char>, character: char) -> bool {
    steers_terminal(character) || is_stray_part(previous, character)
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    let mut previous = None;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_escaped(previous, character) {
                push_escape(character, &mut out);
            } else {
                out.push(character);
            }
            previous = Some(character);
        }
        for &byte in chunk.invalid() {
            push_byte(byte, &mut out);
            previous = None;
        }
    }
    out
}

fn push_escape(character: char, out: &mut String) {
    let _ = match character {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        '\0'..='\u{7f}' => write!(out, "\\x{:02x}", u32::from(character)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(character)),
    };
}

fn push_byte(byte: u8, out: &mut String) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Turns a file's bytes into text that is safe to write to a terminal, as they come by: lines and tabs stay, all else is
/// shown as [`display_name`] does it.
#[derive(Debug, Default)]
pub struct TextEscaper {
    /// The beginning of a character whose end has not come yet.
    pending: Vec<u8>,
    previous: Option<char>,
}

impl TextEscaper {
    /// Adds the text of the next bytes to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        let joined;
        let bytes = if self.pending.is_empty() {
            bytes
        } else {
            joined = [&std::mem::take(&mut self.pending), bytes].concat();
            &joined
        };
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                self.character(character, out);
            }
            if chunks.peek().is_none() && is_beginning(chunk.invalid()) {
                self.pending = chunk.invalid().to_vec();
                return;
            }
            chunk.invalid().iter().for_each(|&byte| self.byte(byte, out));
        }
    }

    /// Adds what is left at the end of the bytes.
    pub fn finish(&mut self, out: &mut String) {
        for byte in std::mem::take(&mut self.pending) {
            self.byte(byte, out);
        }
    }

    fn character(&mut self, character: char, out: &mut String) {
        if matches!(character, '\n' | '\t') || is_shown_in_text(self.previous, character) {
            out.push(character);
        } else {
            push_escape(character, out);
        }
        self.previous = Some(character);
    }

    fn byte(&mut self, byte: u8, out: &mut String) {
        push_byte(byte, out);
        self.previous = None;
    }
}

/// Returns `true` if some bytes are an incomplete UTF-8 character.
fn is_beginning(bytes: &[u8]) -> bool {
    let Some(&first) = bytes.first() else { return false };
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return false,
    };
    bytes.len() < length
}

/// [`display_name`] of a text that stands in a sentence: of a very long one the middle is left out.
#[must_use]
pub fn display_in_sentence(text: &str) -> String {
    let shown = display_name(text.as_bytes());
    let count = shown.chars().count();
    if count <= LONGEST_IN_SENTENCE {
        return shown.into_owned();
    }
    let half = LONGEST_IN_SENTENCE / 2;
    let start: String = shown.chars().take(half).collect();
    let end: String = shown.chars().skip(count - half).collect();
    format!("{start}…{end}")
}

const LONGEST_IN_SENTENCE: usize = 400;

/// A byte count for people: two or three significant digits, decimal units (`1.2 MB`, `34 kB`, `512 B`).
#[must_use]
pub fn display_bytes(bytes: u64) -> String {
    // Rounded first: the crate chooses the unit from the exact value and would write 999 999 as `1000 kB`.
    let unit = unit_of(bytes);
    let below_ten = bytes < unit.saturating_mul(10).saturating_sub(unit / 20);
    let step = if below_ten { (unit / 10).max(1) } else { unit };
    let rounded = bytes.saturating_add(step / 2) / step * step;
    let unit = unit_of(rounded);
    let decimals = usize::from(unit > 1 && rounded < unit.saturating_mul(10));
    format_size(rounded, DECIMAL.decimal_places(decimals).decimal_zeroes(decimals))
}

/// The largest power of 1000 that is not above `bytes`, and at least 1.
fn unit_of(bytes: u64) -> u64 {
    let mut unit = 1u64;
    while bytes / unit >= 1000 {
        unit *= 1000;
    }
    unit
}

/// `1 file`, `2 files`; the plural is made with an s.
#[must_use]
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_would_steer_a_terminal_are_spelled_out() {
        assert_eq!(display_name(b"plain \xc3\xa9"), "plain é");
        assert_eq!(display_name(b"\x1b[2J"), "\\x1b[2J");
        assert_eq!(display_name(b"a\nb\xff"), "a\\nb\\xff");
        assert_eq!(display_name("a\u{202e}b\u{200b}".as_bytes()), "a\\u{202e}b\\u{200b}");
        assert_eq!(display_name("\u{9b}31m".as_bytes()), "\\u{9b}31m");
        assert_eq!(display_name("a\u{a0}\u{3164}\u{fe0f}".as_bytes()), "a\\u{a0}\\u{3164}\\u{fe0f}");
        assert_eq!(display_name("x\u{1161}한\u{1112}\u{1161}".as_bytes()), "x\\u{1161}한\u{1112}\u{1161}");
    }

    #[test]
    fn byte_counts_have_decimal_units() {
        let cases = [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_810, "13 kB"), (999_999, "1.0 MB")];
        for (bytes, text) in cases {
            assert_eq!(display_bytes(bytes), text);
        }
        assert_eq!(display_bytes(233_000_000), "233 MB");
        assert_eq!([9_949, 9_950, 9_999, 10_400].map(display_bytes), ["9.9 kB", "10 kB", "10 kB", "10 kB"]);
        assert_eq!([999_499, 999_500, 1_149_999].map(display_bytes), ["999 kB", "1.0 MB", "1.1 MB"]);
        assert_eq!(display_bytes(u64::MAX), "18 EB");
    }

    #[test]
    fn a_sentence_stays_one_whatever_is_quoted_in_it() {
        assert_eq!(display_in_sentence("a\nb"), "a\\nb");
        let long = display_in_sentence(&format!("start{}end", "é".repeat(100_000)));
        assert!(long.starts_with("start") && long.ends_with("end") && long.chars().count() <= 401, "{long}");
    }

    proptest! {
        #[test]
        fn no_control_character_is_ever_written(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(!display_name(&bytes).chars().any(steers_terminal));
        }

        #[test]
        fn no_letter_is_hidden(text in "([ -~]|[\\u{80}-\\u{3fff}]|[\\u{d7a0}-\\u{d7ff}]|[\\u{fe00}-\\u{ffff}]|[\\u{e0000}-\\u{e0fff}]){0,24}") {
            prop_assert!(!display_name(text.as_bytes()).chars().any(steers_terminal));
        }

        #[test]
        fn text_is_the_same_however_it_comes_by(
            text in "([ -~]|\\PC|\n|\t|\u{1b}|\r){0,24}",
            tail in proptest::collection::vec(any::<u8>(), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let bytes = [text.as_bytes(), &tail].concat();
            let cut = cut.index(bytes.len() + 1);
            let shown = |parts: &[&[u8]]| {
                let (mut escaper, mut out) = (TextEscaper::default(), String::new());
                parts.iter().for_each(|part| escaper.push(part, &mut out));
                escaper.finish(&mut out);
                out
            };
            let whole = shown(&[&bytes]);
            prop_assert_eq!(&shown(&[&bytes[..cut], &bytes[cut..]]), &whole);
            let is_safe = |character: char| !character.is_control() || matches!(character, '\n' | '\t');
            prop_assert!(whole.chars().all(is_safe), "{:?}", whole);
        }
    }
}
