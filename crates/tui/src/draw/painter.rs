use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::action::{Action, Context, Keymap};
use super::super::theme::{Glyphs, Theme};

/// Buffer and styles that all drawing uses.
pub(in super::super) struct Canvas<'a> {
    pub buffer: &'a mut Buffer,
    pub theme: &'a Theme,
    pub glyphs: &'static Glyphs,
    pub keymap: &'a Keymap,
}

/// Actions whose keys a message names, with the words for what they do, in a context.
pub(super) type Hints<'h> = (Context, &'h [(Action, &'h str)]);

/// A pen in one line of the screen. It stops at the end of its room.
pub(super) struct Pen<'a, 'b> {
    canvas: &'b mut Canvas<'a>,
    x: u16,
    end: u16,
    y: u16,
}

impl<'a> Canvas<'a> {
    /// Writes a message in the first line of an area, with the keys of some actions.
    pub(super) fn message(&mut self, area: Rect, text: &str, (context, actions): Hints, style: Style) {
        let text = self.keymap.hint(text, context, actions);
        self.line(area, 0).skip(2).fitted(&text, style);
    }

    /// A pen at the beginning of line `line` of an area; one without room where the area has no such line.
    pub(super) fn line(&mut self, area: Rect, line: u16) -> Pen<'a, '_> {
        let end = if line < area.height { area.right() } else { area.x };
        Pen { x: area.x, end, y: area.y.saturating_add(line), canvas: self }
    }

    /// Lays a style over a whole line of an area.
    pub(super) fn overlay(&mut self, area: Rect, line: u16, style: Style) {
        if line < area.height {
            self.buffer.set_style(Rect { y: area.y + line, height: 1, ..area }, style);
        }
    }
}

impl<'a> Pen<'a, '_> {
    pub(super) fn theme(&self) -> &'a Theme {
        self.canvas.theme
    }

    pub(super) fn glyphs(&self) -> &'static Glyphs {
        self.canvas.glyphs
    }

    /// Cells left in the line.
    pub(super) fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    /// Writes a text, cut without a sign where the room ends.
    pub(super) fn text(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        if room > 0 {
            self.x = self.canvas.buffer.set_stringn(self.x, self.y, text, room, style).0;
        }
        self
    }

    /// Writes a text, with a sign at its end where it had to be cut.
    pub(super) fn fitted(&mut self, text: &str, style: Style) -> &mut Self {
        let text = fit(text, self.room(), self.canvas.glyphs.ellipsis);
        self.text(&text, style)
    }

    /// Writes a text right-aligned into `width` cells.
    pub(super) fn right(&mut self, text: &str, width: usize, style: Style) -> &mut Self {
        let text = fit(text, width, self.canvas.glyphs.ellipsis);
        self.skip(width.saturating_sub(text.width()));
        self.text(&text, style)
    }

    /// Writes a text left-aligned into `width` cells.
    pub(super) fn left(&mut self, text: &str, width: usize, style: Style) -> &mut Self {
        let text = fit(text, width, self.canvas.glyphs.ellipsis);
        self.text(&text, style);
        self.skip(width.saturating_sub(text.width()))
    }

    /// Leaves cells free.
    pub(super) fn skip(&mut self, cells: usize) -> &mut Self {
        self.x = self.x.saturating_add(u16::try_from(cells).unwrap_or(u16::MAX)).min(self.end);
        self
    }

    /// Moves to `cells` before the end of the line, unless the pen is already past that.
    pub(super) fn skip_to_last(&mut self, cells: usize) -> &mut Self {
        let free = self.room().saturating_sub(cells);
        self.skip(free)
    }

    /// Fills the rest of the line.
    pub(super) fn fill(&mut self, symbol: &str, style: Style) -> &mut Self {
        while self.room() > 0 {
            self.text(symbol, style);
        }
        self
    }

    /// Draws a bar of `width` cells, filled to `share`, from 0 to 1.
    pub(super) fn bar(&mut self, share: f64, width: usize, style: Style) -> &mut Self {
        let steps = self.canvas.glyphs.bar;
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let filled = (share * (width * steps.len()) as f64).round() as usize;
        let filled = if share > 0.0 { filled.max(1) } else { filled };
        let (full, part) = (filled / steps.len(), filled % steps.len());
        let whole = steps.last().copied().unwrap_or_default();
        self.text(&whole.repeat(full), style);
        let mut used = full;
        if let Some(symbol) = part.checked_sub(1).and_then(|part| steps.get(part)) {
            self.text(symbol, style);
            used += 1;
        }
        self.skip(width.saturating_sub(used))
    }
}

/// A text in no more than `width` cells, with a sign at its end where it had to be cut.
pub(super) fn fit<'a>(text: &'a str, width: usize, ellipsis: &str) -> Cow<'a, str> {
    // Every character that fits takes four bytes at most, marks upon characters aside.
    if text.len() <= width || (text.len() <= width.saturating_mul(8) && text.width() <= width) {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut used = 0;
    let kept = text.char_indices().find(|(_, character)| {
        used += character.width().unwrap_or(0);
        used > room
    });
    match kept {
        Some((end, _)) if width > 0 => Cow::Owned(format!("{}{ellipsis}", &text[..end])),
        Some(_) => Cow::Borrowed(""),
        None => Cow::Borrowed(text),
    }
}

/// A text in no more than `width` cells, with a sign at its beginning where it had to be cut.
pub(super) fn fit_end<'a>(text: &'a str, width: usize, ellipsis: &str) -> Cow<'a, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut used = 0;
    let cut = text.char_indices().rev().find(|(_, character)| {
        used += character.width().unwrap_or(0);
        used > room
    });
    let start = cut.map_or(0, |(at, character)| at + character.len_utf8());
    if width == 0 { Cow::Borrowed("") } else { Cow::Owned(format!("{ellipsis}{}", &text[start..])) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_texts_are_cut_by_cells() {
        assert_eq!(fit("plain", 5, "…"), "plain");
        assert_eq!(fit("plainer", 5, "…"), "plai…");
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(fit("日本語", 4, "…"), "日…");
        assert_eq!(fit_end("/usr/lib/x", 6, "…"), "…lib/x");
        assert_eq!(fit_end("日本語", 4, "…"), "…語");
    }

    proptest! {
        #[test]
        fn no_text_takes_more_cells_than_it_may(text in "\\PC*", width in 0usize..20) {
            prop_assert!(fit(&text, width, "…").width() <= width);
            prop_assert!(fit_end(&text, width, "…").width() <= width);
        }
    }
}
