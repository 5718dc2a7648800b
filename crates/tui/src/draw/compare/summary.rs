use ratatui::layout::Rect;

use super::super::super::compare::{Mark, PairScreen, SummaryLine};
use super::super::painter::Canvas;
use super::super::{selection, title};

/// Cells before the text of an item: its bytes, and a gap.
pub(in super::super::super) const INDENT: usize = 12;

/// The comparison in words and figures.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, rows: Rect, pair: &PairScreen) {
    let theme = canvas.theme;
    let (view, lines) = (&pair.summary, &pair.compared.summary);
    let last = (view.cursor.offset + usize::from(rows.height)).min(view.shown.len());
    title(
        canvas,
        body,
        "Summary",
        "left is the old image, right the new one",
        &format!("{last}/{}", view.shown.len()),
        true,
    );
    // Room for the longest name of a category, as far as the figures leave it.
    let name_width = 31.min(usize::from(body.width).saturating_sub(30));
    for (line, (index, (number, text, begins))) in
        (0..rows.height).zip(view.shown.iter().enumerate().skip(view.cursor.offset))
    {
        let Some(content) = lines.get(*number) else { continue };
        let mut pen = canvas.line(rows, line);
        pen.skip(1);
        match content {
            SummaryLine::Gap => {}
            SummaryLine::Heading(text) => {
                pen.fitted(text, theme.title_focused);
            }
            SummaryLine::Text(_) => {
                pen.skip(1).text(text, theme.plain);
            }
            SummaryLine::Warning(_) => {
                pen.skip(1).text(text, theme.warning);
            }
            SummaryLine::Figures { name, left, right, delta } => {
                pen.skip(1).left(name, name_width, theme.plain);
                pen.right(left, 9, theme.plain).skip(1).right(right, 9, theme.plain).skip(2);
                let style = if delta.starts_with('+') {
                    theme.added
                } else if delta.starts_with('-') {
                    theme.removed
                } else {
                    theme.dim
                };
                pen.fitted(delta, style);
            }
            SummaryLine::Figure { value, meaning } => {
                pen.right(value, INDENT - 2, theme.strong).skip(2).fitted(meaning, theme.dim);
            }
            SummaryLine::Item { mark, bytes, .. } => {
                let style = match mark {
                    Mark::Added => theme.added,
                    Mark::Removed => theme.removed,
                    Mark::Changed | Mark::Same => theme.modified,
                };
                if *begins {
                    pen.right(bytes, INDENT - 2, style);
                } else {
                    pen.skip(INDENT - 2);
                }
                let is_cause = text.starts_with("  ");
                pen.skip(2).text(text, if is_cause { theme.dim } else { theme.plain });
            }
        }
        if index == view.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
}
