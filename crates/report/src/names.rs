use std::borrow::Cow;

use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{Difference, Layer};

/// Bytes as text, with U+FFFD for every single byte that is not UTF-8, as Go does it.
pub(super) fn replaced(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// Lower-case hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A text of an image on one line: runs of blanks and line breaks become one space, and what would steer a terminal is spelled.
pub(super) fn one_line(text: &str) -> String {
    cut(joined(text), MOST_IN_LINE, text.len())
}

/// The value of a field on one line; of a long one the beginning, with the length of all of it.
pub(super) fn field_value(text: &str) -> String {
    cut(joined(text), MOST_IN_VALUE, text.len())
}

/// Characters of any text on one line.
const MOST_IN_LINE: usize = 4000;
/// Characters of a field's value; with the length behind it, it is still whole in a cell of a page.
const MOST_IN_VALUE: usize = 360;

fn joined(text: &str) -> String {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    display_name(words.join(" ").as_bytes()).into_owned()
}

/// At most `limit` characters; where something is left out, the length of the whole text follows: `… (58 kB)`.
pub(super) fn cut(text: String, limit: usize, whole_bytes: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text,
        Some((end, _)) => {
            format!("{}… ({})", text.get(..end).unwrap_or_default(), display_bytes(whole_bytes as u64))
        }
    }
}

/// At most `limit` characters, the last of them `…` where something is left out.
pub(super) fn shortened(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text,
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Describes a layer on one line: its store paths, its command, or its comment if it has no
/// command.
pub(super) fn layer_command(layer: &Layer) -> String {
    one_line(&layer.title())
}

/// A count with commas between groups of three digits.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.2 MB (1,234,567 bytes)`.
pub(super) fn bytes_and_exact(bytes: u64) -> String {
    if bytes < 1000 {
        return display_bytes(bytes);
    }
    format!("{} ({} bytes)", display_bytes(bytes), grouped(bytes))
}

/// A ratio as percent with two digits.
pub(super) fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

/// `+27 MB`, `-3 kB`, `0 B`.
pub(super) fn signed(delta: i64) -> String {
    let bytes = display_bytes(delta.unsigned_abs());
    match delta {
        0 => bytes,
        1.. => format!("+{bytes}"),
        _ => format!("-{bytes}"),
    }
}

/// The names of what differs: `content`, `mode`, `owner` and so on.
pub(super) fn difference_names(difference: Difference) -> Vec<&'static str> {
    let names = [
        (Difference::ADDED, "added"),
        (Difference::TYPE, "type"),
        (Difference::CONTENT, "content"),
        (Difference::LINK, "link"),
        (Difference::MODE, "mode"),
        (Difference::OWNER, "owner"),
        (Difference::XATTRS, "xattrs"),
        (Difference::MTIME, "mtime"),
    ];
    names.into_iter().filter(|&(flag, _)| difference.contains(flag)).map(|(_, name)| name).collect()
}
