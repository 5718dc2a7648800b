//! Long texts in several lines.

use unicode_width::UnicodeWidthChar;

/// Cuts a text into pieces of no more than `width` cells, between words where it can.
pub(super) fn wrap(text: &str, width: usize) -> Vec<&str> {
    let width = width.max(4);
    let mut pieces = Vec::new();
    let (mut start, mut space, mut cells) = (0, None, 0);
    for (at, character) in text.char_indices() {
        let wide = character.width().unwrap_or(0);
        while cells + wide > width && start < at {
            let end = match space {
                Some(space) if space > start => space,
                _ => at,
            };
            pieces.push(text[start..end].trim_end());
            start = end;
            cells = text[start..at].chars().map(|character| character.width().unwrap_or(0)).sum();
            space = None;
        }
        cells += wide;
        if character == ' ' {
            space = Some(at + 1);
        }
    }
    if start < text.len() || pieces.is_empty() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn long_values_break_between_words_where_they_can() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_word_and_the_width(text in "[a-z日 ]{0,60}", width in 4usize..20) {
            let pieces = wrap(&text, width);
            prop_assert!(pieces.iter().all(|piece| piece.trim_end().width() <= width), "{:?}", pieces);
            let kept: String = pieces.concat().split_whitespace().collect();
            prop_assert_eq!(kept, text.split_whitespace().collect::<String>());
        }
    }
}
