use hashbrown::HashMap;

/// Maximum length of a word, bytes.
const MOST_WORD: usize = 64 << 10;

/// Word with its quotes removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Known text of the word.
    pub text: Vec<u8>,
    /// True if part of it is only known at run time.
    pub is_unknown: bool,
    /// True if part of it was quoted, so that it is not a keyword.
    pub is_quoted: bool,
    /// True if it expands to the script's own arguments: `$@`, `$*`.
    pub is_arguments: bool,
}

/// Token of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word.
    Word(Word),
    /// Operator after which a command begins: newline, `;`, `&`, `|`, `(`.
    Separator(u8),
    /// `;;` and its variants.
    CaseEnd,
    /// `)`.
    Close,
    /// Redirection; the next word is a file.
    Redirection,
}

/// Splits a script into tokens. The text inside `$(…)` and backquotes is collected as separate scripts.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Nested scripts.
    pub inner: Vec<Vec<u8>>,
    /// True if a quote or bracket is not closed.
    pub is_broken: bool,
    heredocs: Vec<Heredoc>,
}

struct Heredoc {
    end: Vec<u8>,
    strip_tabs: bool,
}

/// Known values of variables.
pub(super) type Variables = HashMap<Vec<u8>, Vec<u8>>;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, inner: Vec::new(), is_broken: false, heredocs: Vec::new() }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at.saturating_add(ahead)).copied().unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Returns the next token; `None` at the end.
    pub fn next(&mut self, variables: &Variables) -> Option<Token> {
        loop {
            let &byte = self.text.get(self.at)?;
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                b'#' => self.at += memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len()),
                b'\n' => {
                    self.at += 1;
                    self.pass_heredocs();
                    return Some(Token::Separator(b'\n'));
                }
                b';' if self.peek(1) == b';' || self.peek(1) == b'&' => {
                    self.at += 2 + usize::from(self.peek(2) == b'&');
                    return Some(Token::CaseEnd);
                }
                b')' => {
                    self.at += 1;
                    return Some(Token::Close);
                }
                b'&' if self.peek(1) == b'>' => {
                    self.at += 2 + usize::from(self.peek(2) == b'>');
                    return Some(Token::Redirection);
                }
                b'(' if self.peek(1) == b'(' => self.pass_arithmetic(),
                b';' | b'&' | b'|' | b'(' => {
                    self.at += 1;
                    return Some(Token::Separator(byte));
                }
                b'<' | b'>' => {
                    if let Some(token) = self.redirection(variables) {
                        return Some(token);
                    }
                }
                _ => return Some(Token::Word(self.word(variables))),
            }
        }
    }

    /// Skips a redirection; returns `None` if it does not name a file.
    fn redirection(&mut self, variables: &Variables) -> Option<Token> {
        let rest = self.rest();
        if rest.starts_with(b"<<<") {
            self.at += 3;
            return Some(Token::Redirection);
        }
        if rest.starts_with(b"<(") || rest.starts_with(b">(") {
            self.at += 2;
            self.substitution(b')');
            return None;
        }
        if rest.starts_with(b"<<") {
            let strip_tabs = rest.get(2) == Some(&b'-');
            self.at += 2 + usize::from(strip_tabs);
            while matches!(self.peek(0), b' ' | b'\t') {
                self.at += 1;
            }
            let end = self.word(variables).text;
            self.heredocs.push(Heredoc { end, strip_tabs });
            return None;
        }
        let length = rest.iter().take(2).take_while(|byte| b"<>".contains(byte)).count();
        self.at += length;
        if matches!(self.peek(0), b'&' | b'|') {
            self.at += 1;
        }
        Some(Token::Redirection)
    }

    /// Skips the here-documents that were announced by `<<`.
    fn pass_heredocs(&mut self) {
        for heredoc in std::mem::take(&mut self.heredocs) {
            loop {
                let rest = self.rest();
                if rest.is_empty() {
                    return;
                }
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let line = rest.get(..end).unwrap_or_default();
                let stripped = line.iter().position(|&byte| byte != b'\t').unwrap_or(line.len());
                let line = if heredoc.strip_tabs { line.get(stripped..).unwrap_or_default() } else { line };
                self.at = self.at.saturating_add(end + 1).min(self.text.len());
                if line == heredoc.end {
                    break;
                }
            }
        }
    }

    fn pass_arithmetic(&mut self) {
        match memchr::memmem::find(self.rest(), b"))") {
            Some(end) => self.at += end + 2,
            None => {
                self.is_broken = true;
                self.at = self.text.len();
            }
        }
    }

    /// Reads a word up to the next blank or operator.
    fn word(&mut self, variables: &Variables) -> Word {
        let mut word = Word::default();
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b')' => break,
                b'<' | b'>' => {
                    // A number before a redirection belongs to it.
                    if word.text.iter().all(u8::is_ascii_digit) {
                        word.text.clear();
                    }
                    break;
                }
                b'(' if self.peek(1) == b')' => break,
                b'(' => {
                    // An array, or a pattern of bash.
                    self.at += 1;
                    word.is_unknown = true;
                    self.substitution(b')');
                }
                b'\\' => {
                    if self.peek(1) != b'\n' {
                        word.text.push(self.peek(1));
                        word.is_quoted = true;
                    }
                    self.at += 2;
                }
                b'\'' => self.single(&mut word),
                b'"' => self.double(&mut word, variables),
                b'$' => self.dollar(&mut word, variables, false),
                b'`' => self.backquote(&mut word),
                _ => {
                    word.text.push(byte);
                    self.at += 1;
                }
            }
            if word.text.len() > MOST_WORD {
                word.is_unknown = true;
                word.text.truncate(MOST_WORD);
            }
        }
        self.at = self.at.min(self.text.len());
        word
    }

    fn single(&mut self, word: &mut Word) {
        word.is_quoted = true;
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let end = memchr::memchr(b'\'', rest).unwrap_or_else(|| {
            self.is_broken = true;
            rest.len()
        });
        word.text.extend_from_slice(rest.get(..end).unwrap_or_default());
        self.at += end + 2;
    }

    fn double(&mut self, word: &mut Word, variables: &Variables) {
        word.is_quoted = true;
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                None => {
                    self.is_broken = true;
                    return;
                }
                Some(b'"') => {
                    self.at += 1;
                    return;
                }
                Some(b'\\') => {
                    if self.peek(1) != b'\n' {
                        word.text.push(self.peek(1));
                    }
                    self.at += 2;
                }
                Some(b'$') => self.dollar(word, variables, true),
                Some(b'`') => self.backquote(word),
                Some(&byte) => {
                    word.text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Reads a variable or a substitution.
    fn dollar(&mut self, word: &mut Word, variables: &Variables, quoted: bool) {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        match rest.first() {
            Some(b'(') if rest.get(1) == Some(&b'(') => {
                word.is_unknown = true;
                self.pass_arithmetic();
            }
            Some(b'(') => {
                word.is_unknown = true;
                self.at += 2;
                self.substitution(b')');
            }
            Some(b'{') => {
                let end = closing_brace(rest).unwrap_or_else(|| {
                    self.is_broken = true;
                    rest.len()
                });
                self.braced(rest.get(1..end).unwrap_or_default(), word, variables);
                self.at += end + 2;
            }
            Some(b'@' | b'*') => {
                (word.is_arguments, word.is_unknown) = (true, true);
                self.at += 2;
            }
            Some(b'\'') if !quoted => {
                self.at += 1;
                self.single(word);
            }
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let length = rest.iter().take_while(|byte| is_name(byte)).count();
                put(word, variables.get(rest.get(..length).unwrap_or_default()));
                self.at += 1 + length;
            }
            Some(b'?' | b'#' | b'$' | b'!' | b'-' | b'0'..=b'9') => {
                word.is_unknown = true;
                self.at += 2;
            }
            _ => {
                word.text.push(b'$');
                self.at += 1;
            }
        }
    }

    /// Evaluates the inside of `${…}`.
    fn braced(&mut self, inside: &[u8], word: &mut Word, variables: &Variables) {
        let length = inside.iter().take_while(|byte| is_name(byte)).count();
        let (name, operation) = inside.split_at(length);
        // A default value may contain a substitution.
        if memchr::memmem::find(operation, b"$(").is_some() || operation.contains(&b'`') {
            self.inner.push(operation.strip_prefix(b":").unwrap_or(operation).get(1..).unwrap_or_default().to_vec());
        }
        word.is_arguments |= matches!(inside.first(), Some(b'@' | b'*')) && name.is_empty();
        let default = operation.strip_prefix(b":-").or_else(|| operation.strip_prefix(b"-"));
        let default = default.or_else(|| operation.strip_prefix(b":="));
        match (variables.get(name), default) {
            (Some(value), _) if operation.is_empty() || default.is_some() => put(word, Some(value)),
            (None, Some(default)) if !default.iter().any(|byte| b"$`".contains(byte)) => {
                word.text.extend(default.iter().filter(|byte| !b"\"'".contains(byte)));
            }
            _ => word.is_unknown = true,
        }
    }

    /// Collects a nested script up to its closing bracket.
    fn substitution(&mut self, close: u8) {
        let rest = self.rest();
        let end = closing(rest, close).unwrap_or_else(|| {
            self.is_broken = true;
            rest.len()
        });
        self.inner.push(rest.get(..end).unwrap_or_default().to_vec());
        self.at = self.at.saturating_add(end + 1).min(self.text.len());
    }

    fn backquote(&mut self, word: &mut Word) {
        word.is_unknown = true;
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let mut end = 0;
        while let Some(&byte) = rest.get(end) {
            match byte {
                b'`' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.is_broken |= end >= rest.len();
        let end = end.min(rest.len());
        self.inner.push(rest.get(..end).unwrap_or_default().to_vec());
        self.at += end + 2;
    }
}

fn put(word: &mut Word, value: Option<&Vec<u8>>) {
    match value {
        Some(value) if word.text.len() + value.len() <= MOST_WORD => word.text.extend_from_slice(value),
        _ => word.is_unknown = true,
    }
}

pub(super) fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// Returns the position of the bracket that closes one open at the beginning of a text, outside quotes.
fn closing(text: &[u8], close: u8) -> Option<usize> {
    let open = if close == b')' { b'(' } else { b'{' };
    let (mut depth, mut at, mut quoted) = (1usize, 0, false);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'\'' if !quoted => at += 1 + memchr::memchr(b'\'', text.get(at + 1..)?)?,
            b'"' => quoted = !quoted,
            _ if byte == open => depth += 1,
            _ if byte == close => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Returns the position of the brace that closes `{…}`, counted from the opening one.
fn closing_brace(text: &[u8]) -> Option<usize> {
    closing(text.get(1..)?, b'}').map(|at| at + 1)
}
