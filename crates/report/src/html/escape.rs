//! Escaping that keeps text of an image from becoming markup, and data from ending its block.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::json::write_escaped;
use nixdive_base::text::display_name;

/// HTML that only this module writes: names of elements and attributes are ours, every text is escaped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Markup(String);

/// Attributes of an element.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Markup {
    /// The start tag of an element.
    pub fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) -> &mut Self {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.extend([" ", *name, "=\""]);
            escape(value, &mut self.0);
            self.0.push('"');
        }
        self.0.push('>');
        self
    }

    /// The end tag of an element.
    pub fn close(&mut self, tag: &'static str) -> &mut Self {
        self.0.extend(["</", tag, ">"]);
        self
    }

    /// Text; what would steer a reader's eye or a terminal is spelled.
    pub fn text(&mut self, text: &str) -> &mut Self {
        escape(text, &mut self.0);
        self
    }

    /// An element that holds text alone.
    pub fn element(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) -> &mut Self {
        self.open(tag, attributes).text(text).close(tag)
    }

    /// An element that holds others.
    pub fn within(
        &mut self,
        tag: &'static str,
        attributes: Attributes<'_>,
        inner: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.open(tag, attributes);
        inner(self);
        self.close(tag)
    }

    /// Other markup.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Ends a line, for whoever reads the source.
    pub fn line(&mut self) -> &mut Self {
        self.0.push('\n');
        self
    }

    /// Returns the markup written so far.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text as content of an element or of a quoted attribute: HTML Living Standard, 13.3, "Escaping a string".
fn escape(text: &str, out: &mut String) {
    for character in display_name(text.as_bytes()).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

/// Writes `value` as JSON that cannot end the `script` element around it: HTML Living Standard, 4.12.1.3, "Restrictions
/// for contents of script elements".
pub(super) fn write_data(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::with_capacity(1 << 16, out);
    value.serialize(&mut Serializer::with_formatter(&mut buffered, Embedded)).map_err(io::Error::from)?;
    buffered.flush()
}

/// JSON without white space.
struct Embedded;

impl Formatter for Embedded {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_escaped(writer, fragment, |character| {
            matches!(character, '<' | '>' | '&') || nixdive_base::text::steers_terminal(character)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut markup = Markup::default();
        markup.element("p", &[("title", "\" onload='x' <b>")], "</p><script>alert(1)</script>&\u{1b}\u{2028}");
        assert_eq!(
            markup.as_str(),
            "<p title=\"&quot; onload=&#39;x&#39; &lt;b&gt;\">&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\\x1b\\u{2028}</p>"
        );
    }

    proptest! {
        #[test]
        fn data_never_ends_its_block_and_reads_back(text in "(</script>|<!--|[\\x00-\\u{2fff}]){0,8}") {
            let mut out = Vec::new();
            write_data(&text, &mut out).unwrap();
            let written = String::from_utf8(out).unwrap();
            let ends_it = written.contains(['<', '>', '&', '\u{2028}', '\u{2029}']);
            prop_assert!(!ends_it, "{}", written);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
