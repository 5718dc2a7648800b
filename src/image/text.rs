use std::borrow::Cow;

use super::Kind;
use std::fmt::Write;

use humansize::{DECIMAL, format_size};

/// A name or text from an image, safe to write to a terminal: control characters, marks that turn the direction of
/// text, and zero-width characters as `\u{…}` or `\n`-like escapes, bytes that are not UTF-8 as `\x..`.
#[must_use]
pub fn display_name(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(steers_terminal) => Cow::Borrowed(text),
        _ => Cow::Owned(escape(bytes)),
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if steers_terminal(character) {
                let _ = match character {
                    '\n' => write!(out, "\\n"),
                    '\r' => write!(out, "\\r"),
                    '\t' => write!(out, "\\t"),
                    '\0'..='\u{7f}' => write!(out, "\\x{:02x}", u32::from(character)),
                    _ => write!(out, "\\u{{{:x}}}", u32::from(character)),
                };
            } else {
                out.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
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

/// Whether a character may steer a terminal or hide text: control characters, marks of direction, zero width.
#[must_use]
pub fn steers_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

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

/// Kind and permission bits as `ls -l` writes them: `-rwxr-xr-x`, a hard link as the file that it is.
#[must_use]
pub fn display_mode(kind: Kind, mode: u16) -> String {
    let kind = match kind {
        Kind::File | Kind::HardLink => '-',
        Kind::Directory | Kind::OpaqueMark => 'd',
        Kind::Symlink => 'l',
        Kind::CharacterDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Whiteout => 'x',
    };
    let mut text = String::with_capacity(10);
    text.push(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Kind;
    use proptest::prelude::*;

    #[test]
    fn names_that_would_steer_a_terminal_are_spelled_out() {
        assert_eq!(display_name(b"plain \xc3\xa9"), "plain é");
        assert_eq!(display_name(b"\x1b[2J"), "\\x1b[2J");
        assert_eq!(display_name(b"a\nb\xff"), "a\\nb\\xff");
        assert_eq!(display_name("a\u{202e}b\u{200b}".as_bytes()), "a\\u{202e}b\\u{200b}");
        assert_eq!(display_name("\u{9b}31m".as_bytes()), "\\u{9b}31m");
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
    }

    #[test]
    fn modes_read_as_in_a_listing() {
        let table = [
            (Kind::File, 0o755, "-rwxr-xr-x"),
            (Kind::File, 0o4755, "-rwsr-xr-x"),
            (Kind::File, 0o2644, "-rw-r-Sr--"),
            (Kind::Directory, 0o1777, "drwxrwxrwt"),
            (Kind::Symlink, 0o777, "lrwxrwxrwx"),
        ];
        for (kind, mode, text) in table {
            assert_eq!(super::display_mode(kind, mode), text);
        }
    }
}
