use ratatui::layout::Rect;

use super::super::action::{Action, Context};
use super::super::results::Results;
use super::super::session::Exploration;
use super::painter::{Canvas, Pen, fit_end};
use super::{selection, title};
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_source::search::ContentHit;

/// Area of the hits.
pub(in super::super) fn rows(body: Rect) -> Rect {
    Rect { y: body.y + 2.min(body.height), height: body.height.saturating_sub(2), ..body }
}

/// The hits of a search, and how far it is.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, results: &Results, opened: &Exploration) {
    let theme = canvas.theme;
    let count = results.hits.len();
    let place = if count == 0 { String::new() } else { format!("{}/{count}", results.cursor.selected + 1) };
    let wanted = format!("“{}”", display_name(results.text.as_bytes()));
    title(canvas, body, "In files", &wanted, &place, true);
    if results.problem.is_none() {
        canvas.line(body, 1).skip(1).fitted(&progress(results), theme.dim);
    }
    let rows = rows(body);
    if let Some(problem) = &results.problem {
        canvas.line(rows, 0).skip(1).fitted(&display_name(problem.as_bytes()), theme.error);
    } else if results.complete && count == 0 {
        let text = canvas.keymap.hint("No matches in files", Context::Hits, &[(Action::SearchFiles, "search again")]);
        canvas.line(rows, 0).skip(1).fitted(&text, theme.dim);
    }
    let shown = results.hits.iter().enumerate().skip(results.cursor.offset).take(usize::from(rows.height));
    for (line, (index, hit)) in (0..).zip(shown) {
        let mut pen = canvas.line(rows, line);
        draw_hit(&mut pen, hit, opened, usize::from(rows.width));
        if index == results.cursor.selected {
            let style = selection(canvas, true);
            canvas.overlay(rows, line, style);
        }
    }
}

fn progress(results: &Results) -> String {
    let summary = &results.summary;
    let (hits, files) = (counted(summary.hits, "hit"), counted(summary.files_with_hits, "file"));
    let mut text = format!("{hits} in {files}; ");
    let (searched, all) = (display_bytes(summary.bytes), display_bytes(summary.total_bytes));
    if summary.cancelled {
        text.push_str(&format!("stopped after {searched} of {all}"));
    } else if results.complete {
        text.push_str(&format!("{searched} searched"));
    } else {
        text.push_str(&format!("{searched} of {all} searched…"));
    }
    if summary.handed_out < summary.hits {
        text.push_str(&format!("; {} shown", summary.handed_out));
    }
    if summary.unreadable > 0 {
        text.push_str(&format!("; {} files could not be read", summary.unreadable));
    }
    text
}

/// Draws `path:line: text` with the matches highlighted; for binary files, the offset instead of the line.
fn draw_hit(pen: &mut Pen, hit: &ContentHit, opened: &Exploration, width: usize) {
    let (theme, glyphs) = (pen.theme(), pen.glyphs());
    let path = display_name(&opened.image.tree.path(hit.node)).into_owned();
    let place = if hit.binary { format!(":{:#x}: ", hit.offset) } else { format!(":{}: ", hit.line.saturating_add(1)) };
    pen.skip(1).text(&fit_end(&path, width / 2, glyphs.ellipsis), theme.link).text(&place, theme.dim);
    // Blanks at the beginning of a line say nothing here.
    let trimmed = hit.excerpt.len() - hit.excerpt.trim_start().len();
    let mut shown = hit.matches.first().map_or(trimmed, |first| trimmed.min(first.start));
    let first = hit.matches.first().map_or(0, |first| first.start);
    for found in &hit.matches {
        let before = hit.excerpt.get(shown..found.start).unwrap_or_default();
        // What stands before the first match makes room for it.
        let room = if found.start == first { pen.room() / 3 } else { usize::MAX };
        let before = fit_end(before, room, glyphs.ellipsis);
        let within = hit.excerpt.get(found.clone()).unwrap_or_default();
        pen.text(&before, theme.plain).text(within, theme.hit);
        shown = found.end.max(shown);
    }
    pen.fitted(hit.excerpt.get(shown..).unwrap_or_default(), theme.plain);
}
