use std::ops::Range;

use nixdive_preview::Needle;
use nixdive_source::search::Pattern;

/// Patterns to look for in a file; each match of any of them is a hit.
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Parses the text that a user types. In bytes, hexadecimal digits also match the bytes that they spell.
    pub fn parse(text: &str, bytes: bool) -> Result<Self, String> {
        let spelt = if bytes { spelt_bytes(text).and_then(|bytes| Pattern::bytes(&bytes).ok()) } else { None };
        let mut patterns = vec![Pattern::parse(text).map_err(|error| error.to_string())?];
        patterns.extend(spelt);
        Ok(Self(patterns))
    }
}

impl Needle for Patterns {
    fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        self.0.iter().filter_map(|pattern| pattern.find(text, from)).min_by_key(|found| found.start)
    }
}

/// The bytes that pairs of hexadecimal digits spell, with or without blanks between pairs and `0x` before them.
fn spelt_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if !digits.split(' ').all(|group| group.len() % 2 == 0) {
        return None;
    }
    let digits: Vec<u8> = digits.bytes().filter(|&byte| byte != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_as_text_and_by_their_digits() {
        let content = b"\x7fELF 7f45 \xde\xad";
        for (text, bytes, expected) in [
            ("7f45", true, Some(0..2)),
            ("0x7f 45", true, Some(0..2)),
            ("7f45", false, Some(5..9)),
            ("de ad", true, Some(10..12)),
            ("DEAD", true, Some(10..12)),
            ("elf", true, Some(1..4)),
            ("dea", true, None),
            ("+f+f", true, None),
        ] {
            assert_eq!(Patterns::parse(text, bytes).unwrap().find(content, 0), expected, "{text}");
        }
        assert!(Patterns::parse("re:(", true).is_err());
        assert!(Patterns::parse("", true).is_err());
    }
}
