//! Which characters a reader does not see, or sees where they are not, by the properties that Unicode gives them.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// Control and format characters, white space other than the space itself, characters that renderers ignore, and code
/// points that no version of Unicode known here assigns.
const HIDDEN: &str = r"[\p{Cc}\p{Cf}\p{Cn}\p{Zs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}--\x20]";
/// Characters that are pictures or may become one, ASCII left out.
const PICTURES: &str = r"[\p{Emoji}--\p{ASCII}]";

static HIDDEN_RANGES: LazyLock<Vec<(char, char)>> = LazyLock::new(|| ranges(HIDDEN));
static PICTURE_RANGES: LazyLock<Vec<(char, char)>> = LazyLock::new(|| ranges(PICTURES));

/// The ranges of a class, in order; everything but ASCII should the class not be understood.
fn ranges(class: &str) -> Vec<(char, char)> {
    let parsed = regex_syntax::parse(class).ok().map(regex_syntax::hir::Hir::into_kind);
    match parsed {
        Some(HirKind::Class(Class::Unicode(class))) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => vec![('\u{80}', char::MAX)],
    }
}

fn holds(ranges: &[(char, char)], character: char) -> bool {
    let at = ranges.partition_point(|&(_, end)| end < character);
    ranges.get(at).is_some_and(|&(start, _)| start <= character)
}

/// Returns `true` if a character may control a terminal or hide text: control and format
/// characters, direction marks, white space other than the space, characters that renderers leave
/// blank, unassigned code points.
#[must_use]
pub fn steers_terminal(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    // Blank, though their properties do not say so; and parts of old Korean syllables, which take no column of their own.
    let is_blank = matches!(character, '\u{2800}' | '\u{fffc}' | '\u{1d159}' | '\u{d7b0}'..='\u{d7ff}');
    is_blank || holds(&HIDDEN_RANGES, character)
}

/// Returns `true` if a character is shown unchanged in running text, after `previous`. Apart from
/// safe characters, that includes a variation selector after its emoji, and the wide space between
/// Chinese or Japanese characters.
#[must_use]
pub fn is_shown_in_text(previous: Option<char>, character: char) -> bool {
    match character {
        '\u{fe0e}' | '\u{fe0f}' => previous.is_some_and(|previous| holds(&PICTURE_RANGES, previous)),
        '\u{3000}' => previous.is_some_and(is_wide_letter),
        _ => !steers_terminal(character) && !is_stray_part(previous, character),
    }
}

/// Ideographs, kana and the punctuation among them.
fn is_wide_letter(character: char) -> bool {
    matches!(character, '\u{3001}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ff01}'..='\u{ff9f}')
}

/// Returns `true` for a part of a Korean syllable without a beginning, which takes no column by
/// itself.
pub(super) fn is_stray_part(previous: Option<char>, character: char) -> bool {
    let is_part = matches!(character, '\u{1160}'..='\u{11ff}');
    let is_korean = |previous: char| matches!(previous, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97c}' | '\u{ac00}'..='\u{d7a3}');
    is_part && !previous.is_some_and(|previous| is_korean(previous) && previous != '\u{115f}' && previous != '\u{1160}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_does_not_see_is_told_by_its_properties() {
        let hidden = [
            '\u{7f}',
            '\u{9b}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{600}',
            '\u{605}',
            '\u{61c}',
            '\u{6dd}',
            '\u{70f}',
            '\u{8e2}',
            '\u{115f}',
            '\u{1160}',
            '\u{1680}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180e}',
            '\u{2000}',
            '\u{200a}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{202f}',
            '\u{205f}',
            '\u{2064}',
            '\u{2065}',
            '\u{2069}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{d7b0}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fff9}',
            '\u{fffc}',
            '\u{ffff}',
            '\u{110bd}',
            '\u{110cd}',
            '\u{13430}',
            '\u{1bca0}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{378}',
            '\u{e0001}',
            '\u{e0020}',
            '\u{e0100}',
            '\u{e01ef}',
            '\u{10ffff}',
        ];
        for character in hidden {
            assert!(steers_terminal(character), "{:04x}", u32::from(character));
        }
        for character in " ~éßЖאابक中文かな한글한😀❤→€’\u{301}\u{e000}".chars() {
            assert!(!steers_terminal(character), "{character} {:04x}", u32::from(character));
        }
    }

    #[test]
    fn running_text_keeps_what_belongs_to_the_letter_before_it() {
        let shown = |text: &str| {
            let mut previous = None;
            text.chars().all(|character| {
                let is_shown = is_shown_in_text(previous, character);
                previous = Some(character);
                is_shown
            })
        };
        for text in ["⚠\u{fe0f} ❤\u{fe0f}", "日本語　です", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}", "plain"]
        {
            assert!(shown(text), "{text}");
        }
        for text in ["a\u{fe0f}", "\u{fe0f}", "a　b", "　", "\u{1161}", "x\u{11ab}", "\u{115f}\u{1161}", "👨\u{200d}👩"]
        {
            assert!(!shown(text), "{}", text.escape_unicode());
        }
    }
}
