//! Patterns for paths and names: `*` within a part, `**` across parts, `?` for one character.

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is empty.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// A pattern of such length costs more to match than any rule is worth.
    #[error("a pattern may have {} bytes at most", Glob::MAX_BYTES)]
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    AnyByte,
    /// `*`: any bytes but slashes.
    WithinPart,
    /// `**`: any bytes.
    AcrossParts,
}

/// A pattern. `**` matches across slashes, and `/**` also the directory itself; everything else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
    /// A pattern that ends with `/**` also matches what is before it.
    directory: Option<usize>,
}

impl Glob {
    /// Bytes of the longest pattern.
    pub const MAX_BYTES: usize = 1024;

    /// Reads a pattern.
    ///
    /// # Errors
    /// [`GlobError`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(GlobError::TooLong);
        }
        let mut tokens: Vec<Token> = Vec::new();
        for byte in text.bytes() {
            match (byte, tokens.last()) {
                (b'*', Some(Token::WithinPart)) => {
                    tokens.pop();
                    tokens.push(Token::AcrossParts);
                }
                (b'*', Some(Token::AcrossParts)) => {}
                (b'*', _) => tokens.push(Token::WithinPart),
                (b'?', _) => tokens.push(Token::AnyByte),
                _ => tokens.push(Token::Byte(byte)),
            }
        }
        let directory = tokens.ends_with(&[Token::Byte(b'/'), Token::AcrossParts]).then(|| tokens.len() - 2);
        Ok(Self { text: text.to_owned(), tokens, directory })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether all of a text matches.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let before = self.directory.and_then(|end| self.tokens.get(..end));
        matches(&self.tokens, text) || before.is_some_and(|tokens| matches(tokens, text))
    }
}

/// Follows all ways through the pattern at once: the work is at most pattern × text.
fn matches(tokens: &[Token], text: &[u8]) -> bool {
    let mut reached = vec![false; tokens.len() + 1];
    reached[0] = true;
    skip_empty(tokens, &mut reached);
    for &byte in text {
        let mut next = vec![false; tokens.len() + 1];
        for (place, token) in tokens.iter().enumerate().filter(|&(place, _)| reached[place]) {
            match token {
                Token::Byte(wanted) => next[place + 1] |= *wanted == byte,
                Token::AnyByte => next[place + 1] |= byte != b'/',
                Token::WithinPart => next[place] |= byte != b'/',
                Token::AcrossParts => next[place] = true,
            }
        }
        skip_empty(tokens, &mut next);
        reached = next;
    }
    reached[tokens.len()]
}

/// Stars may stand for nothing.
fn skip_empty(tokens: &[Token], reached: &mut [bool]) {
    for (place, token) in tokens.iter().enumerate() {
        if reached[place] && matches!(token, Token::WithinPart | Token::AcrossParts) {
            reached[place + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stay_within_a_part_unless_doubled() {
        let cases = [
            ("/usr/lib/**", "/usr/lib/a/b.so", true),
            ("/usr/lib/**", "/usr/lib", true),
            ("/usr/lib/**", "/usr/library", false),
            ("/usr/*/b.so", "/usr/lib/b.so", true),
            ("/usr/*/b.so", "/usr/lib/x/b.so", false),
            ("**/*.pyc", "/a/b/c.pyc", true),
            ("gcc", "gcc", true),
            ("gcc", "gcc-12", false),
            ("glibc*", "glibc", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Glob::parse(pattern).unwrap().matches(text.as_bytes()), expected, "{pattern} {text}");
        }
        assert_eq!(Glob::parse(""), Err(GlobError::Empty));
    }

    proptest! {
        #[test]
        fn what_has_no_stars_matches_itself_alone(text in "[a-z/.]{1,20}", other in "[a-z/.]{0,20}") {
            let glob = Glob::parse(&text).unwrap();
            prop_assert!(glob.matches(text.as_bytes()));
            prop_assert_eq!(glob.matches(other.as_bytes()), text == other);
        }

        #[test]
        fn many_stars_end_in_time(stars in "[*?a]{1,200}", text in "[a/]{0,2000}") {
            let _ = Glob::parse(&stars).unwrap().matches(text.as_bytes());
        }
    }
}
