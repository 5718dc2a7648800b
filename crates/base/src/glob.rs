//! Patterns for paths and names: `*` within a part, `**` across parts, `?` for one character.

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is empty.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// A pattern of such length costs more to match than any rule is worth.
    #[error("a pattern must not exceed {} bytes", Glob::MAX_BYTES)]
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

/// A pattern. `*` and `?` do not match slashes, `**` does, and `/**` also matches the directory
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    automaton: Automaton,
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
        let automaton = Automaton::new(&tokens);
        Ok(Self { text: text.to_owned(), automaton })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns `true` if the pattern matches the whole text.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        self.automaton.matches(text)
    }
}

/// Bits of one word of an [`Automaton`].
const WORD_BITS: usize = u64::BITS as usize;

/// Follows all ways through a pattern at once, a bit for each place between tokens: a byte of text costs a few operations
/// for every 64 tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Automaton {
    words: usize,
    /// By byte, the places whose token that byte fulfils.
    forward: Box<[u64]>,
    /// The places at a star, and those at a star that no slash passes.
    stars: Box<[u64]>,
    within_part: Box<[u64]>,
    /// The places at which a text may end: the last one, and the one before a final `/**`.
    ends: Box<[u64]>,
}

impl Automaton {
    fn new(tokens: &[Token]) -> Self {
        let words = tokens.len() / WORD_BITS + 1;
        let empty = || vec![0; words].into_boxed_slice();
        let set = |bits: &mut [u64], place: usize| {
            if let Some(word) = bits.get_mut(place / WORD_BITS) {
                *word |= 1 << (place % WORD_BITS);
            }
        };
        let mut forward = vec![0; 256 * words];
        let (mut stars, mut within_part, mut ends) = (empty(), empty(), empty());
        for (place, token) in tokens.iter().enumerate() {
            let fulfils = |byte: u8| match token {
                Token::Byte(wanted) => *wanted == byte,
                Token::AnyByte => byte != b'/',
                Token::WithinPart | Token::AcrossParts => false,
            };
            for (byte, bits) in (0..=u8::MAX).zip(forward.chunks_exact_mut(words)) {
                if fulfils(byte) {
                    set(bits, place);
                }
            }
            if matches!(token, Token::WithinPart | Token::AcrossParts) {
                set(&mut stars, place);
            }
            if *token == Token::WithinPart {
                set(&mut within_part, place);
            }
        }
        set(&mut ends, tokens.len());
        if tokens.ends_with(&[Token::Byte(b'/'), Token::AcrossParts]) {
            set(&mut ends, tokens.len() - 2);
        }
        Self { words, forward: forward.into(), stars, within_part, ends }
    }

    fn matches(&self, text: &[u8]) -> bool {
        let mut first = [0; 1];
        let mut more;
        let reached: &mut [u64] = if self.words == 1 {
            &mut first
        } else {
            more = vec![0; self.words];
            &mut more
        };
        if let Some(word) = reached.first_mut() {
            *word = 1;
        }
        self.pass_stars(reached);
        for &byte in text {
            if !self.step(reached, byte) {
                return false;
            }
        }
        reached.iter().zip(&self.ends).any(|(reached, ends)| reached & ends != 0)
    }

    /// Goes on by one byte; `false` where no way leads on.
    fn step(&self, reached: &mut [u64], byte: u8) -> bool {
        let start = usize::from(byte) * self.words;
        let forward = self.forward.get(start..start + self.words).unwrap_or_default();
        let mut carry = 0;
        let places = reached.iter_mut().zip(forward).zip(self.stars.iter().zip(&self.within_part));
        for ((word, forward), (stars, within_part)) in places {
            let advanced = *word & forward;
            let stayed = *word & if byte == b'/' { stars & !within_part } else { *stars };
            *word = stayed | advanced << 1 | carry;
            carry = advanced >> (WORD_BITS - 1);
        }
        self.pass_stars(reached);
        reached.iter().any(|&word| word != 0)
    }

    /// Stars may stand for nothing. No two follow each other.
    fn pass_stars(&self, reached: &mut [u64]) {
        let mut carry = 0;
        for (word, stars) in reached.iter_mut().zip(&self.stars) {
            let passed = *word & stars;
            *word |= passed << 1 | carry;
            carry = passed >> (WORD_BITS - 1);
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

    #[test]
    fn a_long_pattern_on_many_paths_takes_little_time() {
        let glob = Glob::parse(&"*a".repeat(200)).unwrap();
        let path = "/usr/share/a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/b";
        let began = std::time::Instant::now();
        assert!(!(0..20_000).any(|_| glob.matches(path.as_bytes())));
        assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn what_has_no_stars_matches_itself_alone(text in "[a-z/.]{1,20}", other in "[a-z/.]{0,20}") {
            let glob = Glob::parse(&text).unwrap();
            prop_assert!(glob.matches(text.as_bytes()));
            prop_assert_eq!(glob.matches(other.as_bytes()), text == other);
        }

        #[test]
        fn patterns_match_what_a_regular_expression_of_the_same_meaning_matches(
            pattern in "[*?a/b.]{1,150}", text in "[ab/.]{0,160}"
        ) {
            let glob = Glob::parse(&pattern).unwrap();
            let same = |pattern: &str| {
                let escaped = regex::escape(pattern).replace(r"\?", "[^/]");
                let mut wanted = String::new();
                let mut rest = escaped.as_str();
                while let Some(at) = rest.find(r"\*") {
                    wanted.push_str(&rest[..at]);
                    let stars = rest[at..].len() - rest[at..].trim_start_matches(r"\*").len();
                    wanted.push_str(if stars > 2 { ".*" } else { "[^/]*" });
                    rest = &rest[at + stars..];
                }
                wanted.push_str(rest);
                regex::Regex::new(&format!("(?s)^(?:{wanted})$")).unwrap().is_match(&text)
            };
            let stars = pattern.len() - pattern.trim_end_matches('*').len();
            let before = pattern[..pattern.len() - stars].strip_suffix('/').filter(|_| stars >= 2);
            prop_assert_eq!(glob.matches(text.as_bytes()), same(&pattern) || before.is_some_and(same));
        }

        #[test]
        fn many_stars_end_in_time(stars in "[*?a]{1,200}", text in "[a/]{0,2000}") {
            let _ = Glob::parse(&stars).unwrap().matches(text.as_bytes());
        }
    }
}
