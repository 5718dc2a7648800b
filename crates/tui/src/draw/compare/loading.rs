use ratatui::layout::Rect;

use super::super::super::action::{Action, Context};
use super::super::super::compare::{Comparing, Stage};
use super::super::loading::draw_transfer;
use super::super::painter::{Canvas, fit_end};
use super::super::title;
use nixdive_base::text::display_name;

/// Progress of reading each image.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, comparing: &Comparing) {
    let theme = canvas.theme;
    let state = if comparing.stopped { "stopped" } else { "being read" };
    title(canvas, body, "Images", state, "", true);
    let rows = Rect { y: body.y.saturating_add(1), height: body.height.saturating_sub(1), ..body };
    if comparing.stopped {
        let text = canvas.keymap.hint("Reading stopped", Context::Everywhere, &[(Action::Quit, "quit")]);
        canvas.line(rows, 0).skip(1).fitted(&text, theme.warning);
        return;
    }
    let two = comparing.names.len() == 2;
    for (number, (name, progress)) in (0u16..).zip(comparing.names.iter().zip(&comparing.progress)) {
        let line = number.saturating_mul(2);
        let side = match (two, number) {
            (true, 0) => "left".to_owned(),
            (true, _) => "right".to_owned(),
            (false, number) => super::super::super::compare::letter(usize::from(number)),
        };
        let mut pen = canvas.line(rows, line);
        pen.skip(1).left(&side, 6, theme.dim);
        let name = display_name(name.as_bytes());
        let name = fit_end(&name, pen.room(), pen.glyphs().ellipsis).into_owned();
        pen.text(&name, theme.strong);
        let mut pen = canvas.line(rows, line.saturating_add(1));
        pen.skip(7);
        match progress.stage {
            Stage::Opening => {
                pen.text("opening", theme.dim);
            }
            Stage::Reading => draw_transfer(&mut pen, progress.transfer, Some(progress.entries), theme),
            Stage::Read => {
                pen.text("read", theme.plain);
            }
        }
    }
    if comparing.progress.iter().all(|progress| progress.stage == Stage::Read) {
        let line = u16::try_from(comparing.names.len().saturating_mul(2) + 1).unwrap_or(u16::MAX);
        canvas.line(rows, line).skip(1).fitted("Comparing", theme.plain);
    }
}

/// Progress of the work, for the footer.
pub(in super::super::super) fn in_brief(comparing: &Comparing) -> String {
    if comparing.asked.is_some() {
        return "comparing".to_owned();
    }
    match &comparing.pair {
        Some(pair) if pair.files.has_work() => format!("{} rows…", pair.files.rows().len()),
        Some(pair) => match pair.files.filter.as_ref().map(|filter| filter.marks.count) {
            Some(1) => "1 match".to_owned(),
            Some(count) => format!("{count} matches"),
            None => String::new(),
        },
        None if comparing.matrix.is_none() && !comparing.stopped => {
            let read = comparing.progress.iter().filter(|progress| progress.stage == Stage::Read).count();
            format!("{read} of {} read", comparing.names.len())
        }
        None => String::new(),
    }
}
