//! A page of Markdown that holds markup of this program alone.

use std::io::{self, Write};

use super::names::grouped;
use super::table::Align;
use nixdive_base::text::display_name;

/// Begins and ends a text that was marked by [`quoted`]: control characters, which no shown text has.
const OPEN: char = '\u{e}';
const CLOSE: char = '\u{f}';

/// Marks a text of an image inside a sentence or cell, so that a [`Page`] shows it as a code span of its own.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let is_mark = |letter: char| letter == OPEN || letter == CLOSE;
    format!("{OPEN}{}{CLOSE}", text.replace(is_mark, "\u{fffd}"))
}

/// Markdown in the making: GitHub Flavored Markdown 0.29. Only literals of this program are taken as markup. Every text
/// that is put together while it runs is made inert, whoever wrote it: what was [`quoted`] becomes a code span, and so
/// does each word that could be markup, a link or a mention.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Adds markup as it is.
    pub fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Adds a text outside a table.
    pub fn text(&mut self, text: &str) -> &mut Self {
        push_inert(text, false, &mut self.text);
        self
    }

    /// Adds a text of an image as one code span.
    pub fn code(&mut self, text: &str) -> &mut Self {
        self.text(&quoted(text))
    }

    /// Adds a row of a table.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        self.text.push('|');
        for cell in cells {
            self.text.push(' ');
            push_inert(cell.as_ref(), true, &mut self.text);
            self.text.push_str(" |");
        }
        self.text.push('\n');
        self
    }

    /// Adds the line between the headings and the rows of a table.
    pub fn rule(&mut self, columns: impl IntoIterator<Item = Align>) -> &mut Self {
        self.markup("|");
        for align in columns {
            self.markup(if align == Align::Right { " ---: |" } else { " --- |" });
        }
        self.markup("\n")
    }

    /// Adds a list of names and values as a table.
    pub fn pairs<T: AsRef<str>>(
        &mut self,
        headings: &'static str,
        pairs: impl IntoIterator<Item = (&'static str, T)>,
    ) -> &mut Self {
        self.markup(headings).markup("\n| --- | --- |\n");
        for (name, value) in pairs {
            self.row([name, value.as_ref()]);
        }
        self
    }

    /// Adds how many of a list were left out, if any were.
    pub fn left_out(&mut self, count: usize, shown: usize) -> &mut Self {
        match count.checked_sub(shown) {
            None | Some(0) => self,
            Some(more) => self.markup("\n… and ").text(&grouped(more as u64)).markup(" more.\n"),
        }
    }

    /// Adds another page.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.text.push_str(&other.text);
        self
    }

    /// Characters so far.
    pub fn characters(&self) -> usize {
        self.text.chars().count()
    }

    /// Writes it.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())
    }
}

/// Adds a text in which nothing is markup. In tables a pipe is escaped even inside a code span.
fn push_inert(text: &str, in_table: bool, out: &mut String) {
    let mut rest = text;
    while let Some(open) = rest.find(OPEN) {
        let (plain, marked) = rest.split_at(open);
        push_words(plain, in_table, out);
        let marked = marked.strip_prefix(OPEN).unwrap_or_default();
        let (span, behind) = marked.split_once(CLOSE).unwrap_or((marked, ""));
        push_code(span, in_table, out);
        rest = behind;
    }
    push_words(rest, in_table, out);
}

/// Adds a sentence of this program; words that could be markup become code spans.
fn push_words(text: &str, in_table: bool, out: &mut String) {
    for part in text.split_inclusive(' ') {
        let word = part.strip_suffix(' ').unwrap_or(part);
        match is_harmless(word) {
            // A pair of them would strike out what is between.
            true => out.push_str(&word.replace('~', "\\~")),
            false => push_code(word, in_table, out),
        }
        if word.len() < part.len() {
            out.push(' ');
        }
    }
}

/// Returns `true` if a word is not markup, a link, a mention or a reference in any Markdown
/// dialect: letters, digits and a few signs.
fn is_harmless(word: &str) -> bool {
    let is_plain = |letter: char| {
        letter.is_alphanumeric() && !nixdive_base::text::steers_terminal(letter)
            || ".,;:()+-~%/'=?→←…·−×".contains(letter)
    };
    let lower = word.to_ascii_lowercase();
    let links = lower.contains("://") || lower.contains("www.") || lower.starts_with("gh-");
    let names = |sign: char| {
        word.strip_prefix(sign).is_some_and(|rest| rest.starts_with(|letter: char| !letter.is_ascii_digit()))
    };
    let refers = word.starts_with('%') && word.len() > 1 || names('~') || word.matches(':').count() > 1;
    let strikes = word.contains("~~") || word.trim_start_matches('~').contains('~');
    word.chars().all(is_plain) && !links && !refers && !strikes
}

/// Adds a code span. The fence is longer than any run of backticks in the text.
fn push_code(text: &str, in_table: bool, out: &mut String) {
    let text = display_name(text.as_bytes());
    if text.is_empty() {
        return;
    }
    // The fences of two spans side by side would be taken for one.
    if out.ends_with('`') {
        out.push(' ');
    }
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let needs_space = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let space = if needs_space { " " } else { "" };
    let text = if in_table { text.replace('|', "\\|") } else { text.into_owned() };
    out.extend([&fence, space, &text, space, &fence]);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A page without its code spans. They are closed by a fence of the same length as the one that opens them.
    pub(crate) fn outside_code_spans(text: &str) -> String {
        let mut outside = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('`') {
            outside.push_str(&rest[..start]);
            let fence = rest[start..].chars().take_while(|&letter| letter == '`').count();
            let behind = &rest[start + fence..];
            let mut at = 0;
            loop {
                let Some(next) = behind[at..].find('`') else { panic!("a code span without an end: {text}") };
                let run = behind[at + next..].chars().take_while(|&letter| letter == '`').count();
                at += next + run;
                if run == fence {
                    break;
                }
            }
            rest = &behind[at..];
        }
        outside + rest
    }

    fn inert(text: &str, in_table: bool) -> String {
        let mut out = String::new();
        push_inert(text, in_table, &mut out);
        out
    }

    #[test]
    fn code_spans_hold_any_text() {
        assert_eq!(inert(&quoted("a`b"), true), "``a`b``");
        assert_eq!(inert(&quoted("`"), true), "`` ` ``");
        assert_eq!(inert(&quoted("a|b"), true), "`a\\|b`");
        assert_eq!(inert(&quoted("a|b"), false), "`a|b`");
        assert_eq!(inert(&quoted("a\nb\u{f}c"), false), "`a\\nb\u{fffd}c`");
    }

    #[test]
    fn words_that_could_be_markup_are_code_though_nobody_quoted_them() {
        let cases = [
            ("created 2024-01-01, 12 MB", "created 2024-01-01, 12 MB"),
            ("~34 kB", "\\~34 kB"),
            ("a ![x](http://e.test/p.png) b", "a `![x](http://e.test/p.png)` b"),
            ("@everyone", "`@everyone`"),
            ("see www.e.test", "see `www.e.test`"),
            ("https://e.test", "`https://e.test`"),
            ("<img src=x>", "`<img` `src=x>`"),
            ("GH-1 #2 !3 $4 &5 *a* _b_ %6", "`GH-1` `#2` `!3` `$4` `&5` `*a*` `_b_` `%6`"),
            ("# x", "`#` x"),
            ("100 %", "100 %"),
            (":tada:", "`:tada:`"),
            ("sha256:00", "sha256:00"),
        ];
        for (text, expected) in cases {
            assert_eq!(inert(text, false), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_dangerous_sign_stands_outside_a_code_span(text in "[ -~\u{e}\u{f}]{0,40}", in_table: bool) {
            let shown = inert(&text, in_table);
            let outside = outside_code_spans(&shown);
            prop_assert!(!outside.contains(['<', '>', '[', ']', '!', '@', '#', '&', '*', '_', '|', '$', '^']), "{}", shown);
            prop_assert!(!outside.contains("://") && !outside.to_lowercase().contains("www."), "{}", shown);
        }
    }
}
