use unicode_width::UnicodeWidthChar;

use nixdive_base::text::display_name;
use nixdive_base::text::is_shown_in_text;

/// Meaning of a piece of text, for a theme to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Meaning {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Remarks.
    Comment,
    /// Quoted text.
    String,
    /// `\n` and the like within quoted text, and interpolations.
    Escape,
    /// Numbers.
    Number,
    /// `true`, `null`, named constants.
    Constant,
    /// `if`, `let`, `FROM`.
    Keyword,
    /// `=`, `|`.
    Operator,
    /// Names of functions and commands.
    Function,
    /// Names of types and classes.
    Type,
    /// Names of variables and parameters.
    Variable,
    /// Keys of mappings, names of settings and attributes.
    Key,
    /// Section headers, names of tags, headings.
    Heading,
    /// Brackets, commas.
    Punctuation,
    /// Links and paths.
    Link,
    /// Lines that were added.
    Added,
    /// Lines that were removed.
    Removed,
    /// An error, or a truncation.
    Problem,
    /// Less important text: offsets, padding.
    Dim,
    /// Labels of summaries.
    Label,
}

/// How a piece of text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Style {
    /// Meaning of the text.
    pub meaning: Meaning,
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
}

impl From<Meaning> for Style {
    fn from(meaning: Meaning) -> Self {
        Self { meaning, bold: false, italic: false }
    }
}

/// Text of one style, safe to write to a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// The text, without control characters.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StyledLine {
    /// Its pieces in order; no two neighbours have one style.
    pub spans: Vec<Span>,
    /// True if more of the line is not shown.
    pub cut: bool,
}

impl StyledLine {
    /// Its text without styles.
    #[must_use]
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }

    /// A line that says something about others.
    #[must_use]
    pub fn remark(text: &str) -> Self {
        plain_line(text, Meaning::Dim)
    }

    /// The same behind a sign.
    #[must_use]
    pub fn signed(mut self, sign: &str) -> Self {
        let meaning = match sign {
            "-" => Meaning::Removed,
            "+" => Meaning::Added,
            _ => Meaning::Plain,
        };
        self.spans.insert(0, Span { text: sign.to_owned(), style: meaning.into() });
        self
    }

    /// The part of it that these bytes of its text are; `cut` is kept with its end.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut spans = Vec::new();
        let mut at = 0;
        for span in &self.spans {
            let end = at + span.text.len();
            let from = range.start.clamp(at, end) - at;
            let to = range.end.clamp(at, end) - at;
            if let Some(text) = span.text.get(from..to).filter(|text| !text.is_empty()) {
                spans.push(Span { text: text.to_owned(), style: span.style });
            }
            at = end;
        }
        Self { spans, cut: self.cut && range.end >= at }
    }
}

/// Columns between tab stops.
const TAB: usize = 8;
/// Private characters that represent single bytes while text is decoded; bytes that are not UTF-8
/// are shown as `\x..`.
const RAW_BYTES: u32 = 0x10_ff00;

/// Returns the character that represents a byte that is not text.
pub(super) fn raw_byte(byte: u8) -> char {
    char::from_u32(RAW_BYTES + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Columns that a character takes at a column of a line behind `previous`, as [`LineWriter`] writes it.
pub(super) fn columns(previous: Option<char>, character: char, column: usize) -> usize {
    if character == '\t' {
        return (column / TAB + 1) * TAB - column;
    }
    if (' '..='~').contains(&character) {
        return 1;
    }
    if u32::from(character).checked_sub(RAW_BYTES).is_some_and(|byte| byte <= 0xff) {
        return 4;
    }
    if !is_shown_in_text(previous, character) {
        return display_name(character.encode_utf8(&mut [0; 4]).as_bytes()).len();
    }
    character.width().unwrap_or(0)
}

/// Puts lines together from text of any kind, making it safe.
#[derive(Debug, Default)]
pub(super) struct LineWriter {
    line: StyledLine,
    column: usize,
    previous: Option<char>,
}

impl LineWriter {
    /// Adds text. Tabs become spaces; what would steer a terminal is spelt out.
    pub(super) fn push(&mut self, text: &str, style: impl Into<Style>) {
        if text.is_empty() {
            return;
        }
        let style = style.into();
        if self.line.spans.last().is_none_or(|last| last.style != style) {
            self.line.spans.push(Span { text: String::new(), style });
        }
        let Some(span) = self.line.spans.last_mut() else { return };
        for character in text.chars() {
            let code = u32::from(character);
            if character == '\t' {
                let next = (self.column / TAB + 1) * TAB;
                span.text.extend(std::iter::repeat_n(' ', next - self.column));
                self.column = next;
            } else if let Some(byte) = code.checked_sub(RAW_BYTES).filter(|&byte| byte <= 0xff) {
                span.text.push_str(&format!("\\x{byte:02x}"));
                self.column += 4;
            } else if !is_shown_in_text(self.previous, character) {
                let escaped = display_name(character.encode_utf8(&mut [0; 4]).as_bytes()).into_owned();
                self.column += escaped.len();
                span.text.push_str(&escaped);
            } else {
                span.text.push(character);
                self.column += character.width().unwrap_or(0);
            }
            self.previous = Some(character);
        }
    }

    /// Adds bytes that are meant as text, as [`display_name`] shows them.
    pub(super) fn push_bytes(&mut self, bytes: &[u8], style: impl Into<Style>) {
        self.push(&display_name(bytes), style);
    }

    /// Bytes of text so far.
    pub(super) fn length(&self) -> usize {
        self.line.spans.iter().map(|span| span.text.len()).sum()
    }

    pub(super) fn finish(self) -> StyledLine {
        self.line
    }
}

/// A label in a column of its own, and what it says.
pub(super) fn labelled(label: &str, value: &str) -> StyledLine {
    let mut line = LineWriter::default();
    line.push(&format!("{label:<14}"), Meaning::Label);
    line.push(value, Meaning::Plain);
    line.finish()
}

/// One line of one style.
pub(super) fn plain_line(text: &str, style: impl Into<Style>) -> StyledLine {
    let mut line = LineWriter::default();
    line.push(text, style);
    line.finish()
}
