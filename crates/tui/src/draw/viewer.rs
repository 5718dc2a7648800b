use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::super::request::{Form, Measure};
use super::super::theme::Theme;
use super::super::viewer::{NARROWEST_HALVES, Viewer};
use super::painter::{Canvas, Pen, fit_end};
use super::title;
use nixdive_base::text::display_name;
use nixdive_preview::{FoundLine, Row, RowContent, Sign};

/// Area of the rows of a preview.
pub(in super::super) fn rows(body: Rect, viewer: &Viewer) -> Rect {
    let above = (1 + u16::from(has_headings(viewer))).min(body.height);
    let below = u16::from(problem(viewer).is_some());
    Rect { y: body.y + above, height: body.height.saturating_sub(above + below), ..body }
}

fn has_headings(viewer: &Viewer) -> bool {
    viewer.form == Form::SideBySide
}

fn problem(viewer: &Viewer) -> Option<&str> {
    viewer.view.problem.as_deref().filter(|_| viewer.is_current())
}

/// A file with its title.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, viewer: &Viewer) {
    let place = place(viewer);
    let kind = kind(viewer);
    let room = usize::from(body.width).saturating_sub(place.len() + kind.len().min(24) + 12);
    let path = fit_end(&viewer.path, room.max(8), canvas.glyphs.ellipsis).into_owned();
    title(canvas, body, &path, &kind, &place, true);
    let rows = rows(body, viewer);
    let theme = canvas.theme;
    if let Some(problem) = problem(viewer) {
        let line = body.height.saturating_sub(1);
        canvas.line(body, line).skip(1).fitted(&display_name(problem.as_bytes()), theme.error);
    }
    if !viewer.is_current() {
        let ellipsis = canvas.glyphs.ellipsis;
        canvas.line(rows, 0).skip(1).text("Reading", theme.dim).text(ellipsis, theme.dim);
        return;
    }
    if has_headings(viewer) {
        headings(canvas, body, viewer);
    }
    for (line, row) in (0..rows.height).zip(viewer.rows()) {
        match &row.content {
            RowContent::Line(content) => draw_line(&mut canvas.line(rows, line), row, content, viewer),
            RowContent::Halves { sign, before, after } => {
                let halves = Halves::of(rows);
                let (left, right) = signs(*sign);
                half(canvas, halves.left, line, left, before.as_ref(), viewer);
                let rule = canvas.glyphs.separator;
                canvas.line(halves.rule, line).text(rule, theme.dim);
                half(canvas, halves.right, line, right, after.as_ref(), viewer);
            }
        }
    }
}

/// Short description of the content.
fn kind(viewer: &Viewer) -> String {
    if !viewer.is_current() {
        return String::new();
    }
    if viewer.is_too_narrow() {
        return format!("side by side needs {NARROWEST_HALVES} columns; {}", viewer.view.kind);
    }
    viewer.view.kind.clone()
}

/// Position in the content.
fn place(viewer: &Viewer) -> String {
    let (view, Some(row)) = (&viewer.view, viewer.rows().first()) else { return String::new() };
    let spot = row.spot;
    let percent = || format!("{}%", u128::from(spot.at) * 100 / u128::from(view.extent.max(1)));
    let counted = |number: u64| {
        let line = number.saturating_add(1);
        let line = view.total.map_or_else(|| line.to_string(), |total| format!("{line}/{total}"));
        match (spot.part, view.total) {
            (0, Some(_)) => line,
            (0, None) => format!("{line} {}", percent()),
            (part, _) => format!("{line} row {}", part.saturating_add(1)),
        }
    };
    match (view.measure, row.number) {
        (Measure::Bytes, _) => format!("{:#x}/{:#x}", spot.at, view.extent),
        (Measure::Lines, _) => counted(spot.at),
        (Measure::Text, Some(number)) => counted(number),
        (Measure::Text, None) => percent(),
    }
}

/// A row that is a line or a part of one, behind its number.
fn draw_line(pen: &mut Pen, row: &Row, content: &FoundLine, viewer: &Viewer) {
    let theme = pen.theme();
    let gutter = usize::from(viewer.view.gutter);
    if gutter > 0 {
        let number = row.number.filter(|_| row.spot.part == 0).map(|number| number.saturating_add(1).to_string());
        pen.right(&number.unwrap_or_default(), gutter.saturating_sub(1), theme.dim).skip(1);
    }
    found_line(pen, content, viewer.left);
}

/// The columns of two versions next to each other.
struct Halves {
    left: Rect,
    rule: Rect,
    right: Rect,
}

impl Halves {
    fn of(area: Rect) -> Self {
        let width = area.width.saturating_sub(1) / 2;
        let rule = Rect { x: area.x + width, width: 1.min(area.width), ..area };
        let right = Rect { x: rule.right(), width: area.right().saturating_sub(rule.right()), ..area };
        Self { left: Rect { width, ..area }, rule, right }
    }
}

fn signs(sign: Sign) -> (&'static str, &'static str) {
    match sign {
        Sign::Same => (" ", " "),
        Sign::Removed => ("-", " "),
        Sign::Added => (" ", "+"),
        Sign::Changed => ("~", "~"),
    }
}

/// Says which version each half is.
fn headings(canvas: &mut Canvas, body: Rect, viewer: &Viewer) {
    let theme = canvas.theme;
    let Some((before, after)) = &viewer.view.halves else { return };
    let line = Rect { y: body.y.saturating_add(1), height: 1.min(body.height.saturating_sub(1)), ..body };
    let halves = Halves::of(line);
    for (area, sign, name) in [(halves.left, "- ", before), (halves.right, "+ ", after)] {
        canvas.line(area, 0).text(sign, theme.strong).fitted(&display_name(name.as_bytes()), theme.strong);
    }
    let rule = canvas.glyphs.separator;
    canvas.line(halves.rule, 0).text(rule, theme.dim);
}

fn half(canvas: &mut Canvas, area: Rect, row: u16, sign: &str, content: Option<&(u64, FoundLine)>, viewer: &Viewer) {
    let theme = canvas.theme;
    let mut pen = canvas.line(area, row);
    let Some((number, content)) = content else { return };
    let style = match sign {
        "-" => theme.removed,
        "+" => theme.added,
        "~" => theme.modified,
        _ => theme.dim,
    };
    // Rows of bytes say themselves where they are.
    pen.text(sign, style);
    if viewer.view.measure == Measure::Lines && !content.line.text().starts_with(&format!("{number:08x}")) {
        pen.right(&number.saturating_add(1).to_string(), 4, theme.dim);
    }
    pen.skip(1);
    found_line(&mut pen, content, viewer.left);
}

/// One line from column `left` on, with matches highlighted.
fn found_line(pen: &mut Pen, content: &FoundLine, left: usize) {
    let theme = pen.theme();
    let (mut hidden, mut at) = (left, 0);
    let mut found = content.found.iter().peekable();
    for span in &content.line.spans {
        let style = theme.text(span.style);
        let end = at + span.text.len();
        while at < end && pen.room() > 0 {
            while found.next_if(|found| found.range.end <= at).is_some() {}
            let (until, style) = match found.peek() {
                Some(hit) if hit.range.start <= at => (hit.range.end.min(end), set_off(theme, style, hit.current)),
                Some(hit) => (hit.range.start.min(end), style),
                None => (end, style),
            };
            let start = span.text.len() - (end - at);
            let text = span.text.get(start..start + (until - at)).unwrap_or_default();
            pen.text(behind(text, &mut hidden), style);
            at = until;
        }
        if pen.room() == 0 {
            return;
        }
    }
    if content.line.cut {
        pen.text(pen.glyphs().ellipsis, theme.dim);
    }
}

/// Returns the part of a text to the right of the hidden columns.
fn behind<'a>(text: &'a str, hidden: &mut usize) -> &'a str {
    if *hidden == 0 {
        return text;
    }
    let width = text.width();
    if width <= *hidden {
        *hidden -= width;
        return "";
    }
    let mut start = 0;
    for character in text.chars() {
        if *hidden == 0 {
            break;
        }
        *hidden = hidden.saturating_sub(character.width().unwrap_or(0));
        start += character.len_utf8();
    }
    text.get(start..).unwrap_or_default()
}

/// The look of a hit: it is to be seen without colours, and the one that was gone to among the others.
fn set_off(theme: &Theme, style: Style, current: bool) -> Style {
    if current { style.add_modifier(Modifier::REVERSED.union(Modifier::BOLD)) } else { style.patch(theme.hit) }
}
