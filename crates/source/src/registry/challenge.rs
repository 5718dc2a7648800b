/// An authentication method that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Scheme in lower case: `basic` or `bearer`.
    pub scheme: String,
    /// Parameter names in lower case, with values.
    pub parameters: Vec<(String, String)>,
}

/// Maximum number of challenges in an answer, and of parameters in a challenge.
const MOST: usize = 32;

impl Challenge {
    /// Returns a parameter by its name in lower case.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Parses the challenges of one `WWW-Authenticate` header (RFC 9110 section 11.6.1). Commas separate both
    /// challenges and parameters. Invalid parts are ignored.
    #[must_use]
    pub fn parse(header: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let end = rest.find(|letter: char| !is_token(letter)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            if word.is_empty() {
                // Skip one invalid character and continue.
                let Some(odd) = rest.chars().next() else { return challenges };
                rest = &rest[odd.len_utf8()..];
                continue;
            }
            match behind.trim_start().strip_prefix('=').filter(|_| !challenges.is_empty()) {
                Some(value) => {
                    let (value, after) = take_value(value.trim_start());
                    if let Some(challenge) = challenges.last_mut().filter(|last| last.parameters.len() < MOST) {
                        challenge.parameters.push((word.to_ascii_lowercase(), value));
                    }
                    rest = after;
                }
                None if challenges.len() >= MOST => return challenges,
                None => {
                    challenges.push(Self { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                    rest = behind;
                }
            }
        }
    }
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(letter)
}

/// Returns a quoted text or a token, and the rest.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|letter: char| !is_token(letter)).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_header_may_hold_several_challenges() {
        let header = r#"Basic realm="a, b", Bearer realm="https://auth.example/token",service=reg,scope="repository:a/b:pull,push""#;
        let challenges = Challenge::parse(header);
        assert_eq!(challenges.iter().map(|one| one.scheme.as_str()).collect::<Vec<_>>(), ["basic", "bearer"]);
        assert_eq!(challenges[0].parameter("realm"), Some("a, b"));
        assert_eq!(challenges[1].parameter("realm"), Some("https://auth.example/token"));
        assert_eq!(challenges[1].parameter("service"), Some("reg"));
        assert_eq!(challenges[1].parameter("scope"), Some("repository:a/b:pull,push"));
    }

    #[test]
    fn quotes_within_quotes_are_escaped() {
        assert_eq!(Challenge::parse(r#"Bearer realm="a\"b""#)[0].parameter("realm"), Some("a\"b"));
        assert_eq!(Challenge::parse("Negotiate").len(), 1);
        assert_eq!(Challenge::parse("=,=\"").len(), 0);
    }

    proptest! {
        #[test]
        fn any_header_comes_to_an_end(header in "[ -~\u{e9}]{0,60}") {
            prop_assert!(Challenge::parse(&header).len() <= MOST);
        }
    }
}
