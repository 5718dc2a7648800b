use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::action::{Action, Context};
use super::super::chooser::Subject;
use super::super::state::State;
use super::painter::{Canvas, fit_end};
use nixdive_base::text::display_name;

/// The list of images to choose from.
pub(super) fn draw(canvas: &mut Canvas, screen: Rect, state: &State) {
    let theme = canvas.theme;
    let Some(chooser) = state.choosers.last() else { return };
    let shown: Vec<_> = chooser.shown().collect();
    let heading = match &chooser.subject {
        Subject::Here => "Images here".to_owned(),
        Subject::Source(name) => format!("{} images in {}", chooser.choices.len(), display_name(name.as_bytes())),
        Subject::Question(text) => display_name(text.as_bytes()).into_owned(),
    };
    let place = format!("{} of {}", (chooser.cursor.selected + 1).min(shown.len()), shown.len());
    let mut pen = canvas.line(screen, 0);
    pen.text(" nixdive ", theme.brand).fitted(&heading, theme.strong);
    pen.skip_to_last(place.width() + 1).text(&place, theme.dim);
    let height = screen.height.saturating_sub(3);
    let rows = Rect { y: 2, height, ..screen };
    if shown.is_empty() {
        return draw_nothing(canvas, rows, state);
    }
    let title = |choice: &super::super::message::Choice| {
        let title = if choice.title.is_empty() { &choice.reference } else { &choice.title };
        display_name(title.as_bytes()).into_owned()
    };
    let on_screen = shown.iter().enumerate().skip(chooser.cursor.offset).take(usize::from(height));
    let widest = on_screen.clone().map(|(_, choice)| title(choice).width()).max().unwrap_or(0);
    let column = widest.clamp(8, (usize::from(screen.width) * 3 / 5).max(8));
    for (line, (index, choice)) in (0..).zip(on_screen) {
        let mut pen = canvas.line(rows, line);
        let name = title(choice);
        let name = fit_end(&name, column, pen.glyphs().ellipsis);
        pen.skip(2).left(&name, column, theme.strong);
        pen.skip(2).fitted(&display_name(choice.detail.as_bytes()), theme.dim);
        if index == chooser.cursor.selected {
            let style = super::selection(canvas, true);
            canvas.overlay(rows, line, style);
        }
    }
}

fn draw_nothing(canvas: &mut Canvas, rows: Rect, state: &State) {
    let theme = canvas.theme;
    let filter = state.choosers.last().map(|chooser| chooser.filter.as_str()).unwrap_or_default();
    if filter.is_empty() {
        canvas.line(rows, 0).skip(2).fitted("No images found", theme.strong);
        canvas.line(rows, 2).skip(2).fitted("nixdive IMAGE opens one: a docker-archive, an OCI layout or", theme.plain);
        canvas.line(rows, 3).skip(2).fitted("archive, a directory; plain or compressed.", theme.plain);
    } else {
        let text = format!("No matches for “{}”", display_name(filter.as_bytes()));
        canvas.message(rows, &text, (Context::Chooser, &[(Action::Back, "clear the filter")]), theme.dim);
    }
}
