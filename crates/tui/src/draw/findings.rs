use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::pages::{FindingRow, FindingsPage, Judged, Page};
use super::super::session::{Exploration, Session};
use super::super::theme::Theme;
use super::super::wrap::wrap;
use super::painter::Canvas;
use super::{pages, selection, title};
use nixdive_analyse::findings::{Places, Severity};
use nixdive_base::text::{counted, display_bytes};

const BYTES: usize = 10;
const SEVERITY: usize = 8;

/// Lines below the list that say what to do.
pub(super) fn lines_below(height: u16) -> u16 {
    match height {
        0..=13 => 0,
        14..=24 => 4,
        _ => 6,
    }
}

/// Problems, their cost, their locations and advice.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, session: &Session, opened: &Exploration) {
    let theme = canvas.theme;
    let page = &session.pages.judgement;
    let rows = pages::rows(body, Page::Findings);
    let Judged::Known(findings) = &page.judged else {
        title(canvas, body, "Findings", "", "", true);
        canvas.line(rows, 0).skip(2).fitted("Reading the files…", theme.plain);
        return;
    };
    let words = match findings.list.len() {
        0 => String::new(),
        _ => format!("{} can be saved, each byte counted once", display_bytes(findings.reclaimable_bytes)),
    };
    let length = page.rows.len();
    let place = if length == 0 { String::new() } else { format!("{}/{length}", page.cursor.selected + 1) };
    title(canvas, body, "Findings", &words, &place, true);
    let mut pen = canvas.line(body, 1);
    pen.right("Saves", BYTES, theme.head).skip(2).left("", SEVERITY, theme.head).skip(1);
    pen.fitted("What", theme.head);
    if findings.list.is_empty() {
        canvas.line(rows, 0).skip(2).fitted("No findings.", theme.plain);
    }
    let places =
        Places { image: &opened.image, store: session.pages.store.study().map(AsRef::as_ref), quote: str::to_owned };
    for line in 0..rows.height {
        let index = page.cursor.offset + usize::from(line);
        let Some(&row) = page.rows.get(index) else { break };
        draw_row(canvas, rows, line, page, row, places);
        if index == page.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
    let below = Rect { y: rows.bottom(), height: body.bottom().saturating_sub(rows.bottom()), ..body };
    tell(canvas, below, page);
}

fn draw_row(canvas: &mut Canvas, rows: Rect, line: u16, page: &FindingsPage, row: FindingRow, places: Places<'_>) {
    let theme = canvas.theme;
    let (open, closed) = (canvas.glyphs.open, canvas.glyphs.closed);
    let mut pen = canvas.line(rows, line);
    match row {
        FindingRow::Finding(index) => {
            let Some(finding) = page.finding(index) else { return };
            let bytes = if finding.bytes > 0 { display_bytes(finding.bytes) } else { String::new() };
            let (word, style) = severity(theme, finding.severity);
            pen.right(&bytes, BYTES, theme.plain).skip(2).left(word, SEVERITY, style).skip(1);
            pen.text(if page.is_open(index) { open } else { closed }, theme.dim);
            pen.fitted(&finding.title, theme.plain);
        }
        FindingRow::Evidence(index, hit) => {
            let Some(evidence) = page.finding(index).and_then(|finding| finding.evidence.get(hit)) else { return };
            let bytes = if evidence.bytes > 0 { display_bytes(evidence.bytes) } else { String::new() };
            pen.right(&bytes, BYTES, theme.dim).skip(SEVERITY + 5);
            pen.fitted(&places.describe(evidence), theme.link);
        }
    }
}

/// A word and its style, so that neither stands alone.
fn severity(theme: &Theme, severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Problem => ("problem", theme.error),
        Severity::Warning => ("warning", theme.warning),
        Severity::Information => ("info", theme.dim),
    }
}

/// The rule of the selected finding, how often it was met, and what to do.
fn tell(canvas: &mut Canvas, area: Rect, page: &FindingsPage) {
    let theme = canvas.theme;
    if area.height == 0 {
        return;
    }
    let rule = canvas.glyphs.rule;
    canvas.line(area, 0).fill(rule, theme.title);
    let Some(finding) = page.selected() else { return };
    let hits = counted(finding.count, "place");
    canvas.line(area, 1).skip(1).text(finding.rule.id(), theme.strong).skip(2).fitted(&hits, theme.dim);
    let room = usize::from(area.width).saturating_sub(8);
    for (number, piece) in wrap(finding.remedy, room).into_iter().enumerate() {
        let Ok(line) = u16::try_from(number + 2) else { break };
        let label = if number == 0 { "To do " } else { "      " };
        canvas.line(area, line).skip(1).text(label, theme.head).fitted(piece, theme.plain);
    }
}
