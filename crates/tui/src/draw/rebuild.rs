use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::action::{Action, Context};
use super::super::pages::{Page, PlanItem, PlanStage, RebuildPage};
use super::super::session::Session;
use super::super::theme::Theme;
use super::super::wrap::wrap;
use super::painter::{Canvas, fit, fit_end};
use super::{pages, selection, title};
use nixdive_base::text::{counted, display_bytes, display_name};
use nixdive_rebuild::plan::{ClassRow, Plan, Row, RowSubject};

/// Minimum width, in columns, for showing details of a row next to the list.
const WIDE: u16 = 110;
const MARK: usize = 6;
const BYTES: usize = 9;
/// Columns of a name where reasons follow it.
const NAME: usize = 32;
/// Minimum width, in columns, of a useful reason, also next to the list.
const REASON: usize = 16;
const REASON_TWICE: usize = 28;
/// Digits of a hash that are shown.
const HASH: usize = 7;

/// Height of the details of the selected row, below the list.
pub(super) fn lines_below(body: Rect) -> u16 {
    match body.height {
        _ if body.width >= WIDE => 0,
        0..=12 => 0,
        13..=17 => 4,
        18..=24 => 7,
        _ => 10,
    }
}

/// Width of the details of the selected row, next to the list.
pub(super) fn columns_beside(width: u16) -> u16 {
    if width >= WIDE { width * 2 / 5 } else { 0 }
}

/// Files that would be kept and dropped, why, and the resulting size.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, session: &Session) {
    let theme = canvas.theme;
    let page = &session.pages.rebuild;
    let rows = pages::rows(body, Page::Rebuild);
    let Some(plan) = page.plan() else {
        title(canvas, body, "Rebuild", "", "", true);
        let (text, style) = match &page.stage {
            PlanStage::Impossible(reason) => (display_name(reason.as_bytes()).into_owned(), theme.warning),
            _ if session.pages.is_store_known => ("Analysing the needs of the image…".to_owned(), theme.plain),
            _ => ("Reading the content of the image…".to_owned(), theme.plain),
        };
        let room = usize::from(body.width).saturating_sub(4);
        for (line, piece) in (0..rows.height).zip(wrap(&text, room)) {
            canvas.line(Rect { width: body.width, ..rows }, line).skip(2).fitted(piece, style);
        }
        return;
    };
    let length = page.items.len();
    let place = if length == 0 { String::new() } else { format!("{}/{length}", page.cursor.selected + 1) };
    title(canvas, body, "Rebuild", &summary(page, canvas.glyphs.symlink), &place, true);
    let list = Rect { width: rows.width, ..body };
    let mut pen = canvas.line(list, 1);
    pen.skip(1).left("", MARK, theme.head).right("Before", BYTES, theme.head).right("After", BYTES + 1, theme.head);
    pen.skip(2).fitted("What", theme.head);
    if length == 0 {
        canvas.message(rows, "No matches", (Context::Rebuild, &[(Action::Back, "show all")]), theme.plain);
    }
    for line in 0..rows.height {
        let index = page.cursor.offset + usize::from(line);
        let Some(&item) = page.items.get(index) else { break };
        draw_item(canvas, rows, line, page, plan, item);
        if index == page.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
    tell(canvas, body, rows, page, plan);
}

/// Resulting size, and how certain it is.
fn summary(page: &RebuildPage, arrow: &str) -> String {
    let (before, after) = page.totals();
    let saved = before.saturating_sub(after);
    let part = if before == 0 { 0.0 } else { 100.0 * saved as f64 / before as f64 };
    let mut words = format!("{}{arrow}{}, -{part:.1} %", display_bytes(before), display_bytes(after));
    match page.uncertain() {
        0 => {}
        count => words.push_str(&format!(", {count} uncertain")),
    }
    if page.decided() > 0 {
        words.push_str(&format!(", {} decided by you", page.decided()));
    }
    if !page.filter.is_empty() {
        words.push_str(&format!(", matching “{}”", display_name(page.filter.as_bytes())));
    }
    if page.asked.is_some() || page.is_stale {
        words.push('…');
    }
    words
}

/// Mark of a row: a word for kept or dropped, `!` if the user decided it, `?` if it is uncertain.
fn mark(theme: &Theme, is_kept: bool, is_decided: bool, is_uncertain: bool) -> (String, Style) {
    let (word, style) = if is_kept { ("keep", theme.plain) } else { ("drop", theme.removed) };
    let decided = if is_decided { "!" } else { "" };
    let uncertain = if is_uncertain { "?" } else { "" };
    (format!("{word}{decided}{uncertain}"), if is_uncertain { theme.warning } else { style })
}

fn draw_item(canvas: &mut Canvas, rows: Rect, line: u16, page: &RebuildPage, plan: &Plan, item: PlanItem) {
    let theme = canvas.theme;
    let is_told_beside = columns_beside(canvas.buffer.area.width) > 0;
    let mut pen = canvas.line(rows, line);
    pen.skip(1);
    match item {
        PlanItem::Row(place) => {
            let Some(row) = plan.rows.get(place) else { return };
            let (is_kept, is_decided) = (page.is_kept(row), page.choices.decided.contains_key(&row.subject));
            let (text, style) = mark(theme, is_kept, is_decided, row.doubt.is_some());
            pen.left(&text, MARK, style);
            pen.right(&display_bytes(row.bytes_before()), BYTES, if is_kept { theme.dim } else { theme.plain });
            let after = if is_kept { display_bytes(page.bytes_after(row)) } else { "none".to_owned() };
            pen.right(&after, BYTES + 1, if is_kept { theme.plain } else { theme.dim }).skip(2);
            let (name, hash) = name(row);
            let least = NAME + if is_told_beside { REASON_TWICE } else { REASON };
            let reason = row.evidence.first().filter(|_| pen.room() >= least);
            let Some(reason) = reason else {
                pen.fitted(name, theme.plain);
                if pen.room() > HASH + 1 {
                    pen.skip(1).text(hash, theme.dim);
                }
                return;
            };
            pen.left(name, NAME - 1, theme.plain).skip(1);
            // Of a chain the end says most: where it begins is the same for many rows.
            let (room, ellipsis) = (pen.room(), pen.glyphs().ellipsis);
            let is_chain = reason.contains(" → ");
            let reason = if is_chain { fit_end(reason, room, ellipsis) } else { fit(reason, room, ellipsis) };
            pen.text(&reason, theme.dim);
        }
        PlanItem::Class(place) => {
            let Some(row) = plan.classes.get(place) else { return };
            let is_kept = page.keeps_class(row);
            let (text, style) = mark(theme, is_kept, page.choices.classes.contains(&row.class), false);
            pen.left(&text, MARK, style).right(&display_bytes(row.bytes), BYTES, theme.dim);
            let after = if is_kept { display_bytes(row.bytes) } else { "none".to_owned() };
            pen.right(&after, BYTES + 1, theme.dim).skip(2).text("all ", theme.dim);
            pen.text(row.class.id(), theme.link).fitted(&format!(", {}", files(row.files)), theme.dim);
        }
        PlanItem::Cut(place) => {
            let Some(cut) = plan.cuts.get(place) else { return };
            pen.left("cut", MARK, theme.modified).skip(1).fitted(cut, theme.plain);
        }
        PlanItem::Doubt(place) => {
            let Some(doubt) = plan.doubts.get(place) else { return };
            pen.left("note?", MARK, theme.warning).skip(1).fitted(doubt, theme.plain);
        }
    }
}

/// Name of a row, and the beginning of its hash if it has one.
fn name(row: &Row) -> (&str, &str) {
    let parts = row.name.split_once('-').filter(|_| matches!(row.subject, RowSubject::StorePath(_)));
    parts.map_or((row.name.as_str(), ""), |(hash, name)| (name, hash.get(..HASH).unwrap_or_default()))
}

fn files(count: u64) -> String {
    counted(count, "file")
}

/// All details of the selected row, next to the list or below it.
fn tell(canvas: &mut Canvas, body: Rect, rows: Rect, page: &RebuildPage, plan: &Plan) {
    let theme = canvas.theme;
    let area = if columns_beside(body.width) > 0 {
        let separator = canvas.glyphs.separator;
        let x = rows.right();
        for line in 1..body.height {
            canvas.line(Rect { x, width: 1, ..body }, line).text(separator, theme.dim);
        }
        Rect { x: x + 2, y: rows.y, width: body.right().saturating_sub(x + 3), height: rows.height }
    } else {
        let below = Rect { y: rows.bottom(), height: body.bottom().saturating_sub(rows.bottom()), ..body };
        if below.height == 0 {
            return;
        }
        let rule = canvas.glyphs.rule;
        canvas.line(below, 0).fill(rule, theme.title);
        Rect { x: below.x + 1, y: below.y + 1, width: below.width.saturating_sub(2), height: below.height - 1 }
    };
    let details = page.selected().map(|item| details(theme, page, plan, item)).unwrap_or_default();
    let mut line = 0;
    for (text, style) in &details {
        for piece in wrap(text, usize::from(area.width)) {
            canvas.line(area, line).fitted(piece, *style);
            line = line.saturating_add(1);
        }
    }
}

fn details(theme: &Theme, page: &RebuildPage, plan: &Plan, item: PlanItem) -> Vec<(String, Style)> {
    match item {
        PlanItem::Row(place) => plan.rows.get(place).map(|row| of_row(theme, page, row)).unwrap_or_default(),
        PlanItem::Class(place) => plan.classes.get(place).map(|row| of_class(theme, page, row)).unwrap_or_default(),
        PlanItem::Cut(place) => plan.cuts.get(place).map(|cut| (cut.clone(), theme.plain)).into_iter().collect(),
        PlanItem::Doubt(place) => {
            plan.doubts.get(place).map(|doubt| (doubt.clone(), theme.plain)).into_iter().collect()
        }
    }
}

fn of_row(theme: &Theme, page: &RebuildPage, row: &Row) -> Vec<(String, Style)> {
    let mut lines = vec![(row.name.clone(), theme.strong)];
    let after = page.bytes_after(row);
    let goes = row.bytes_before().saturating_sub(after);
    let bytes = match (after, goes) {
        (_, 0) => format!("all {}", display_bytes(after)),
        (0, _) => format!("all {}", display_bytes(goes)),
        _ => format!("{} of it, {} dropped", display_bytes(after), display_bytes(goes)),
    };
    lines.push((format!("{}: {bytes}", page.decision_words(row)), theme.plain));
    lines.extend(row.doubt.iter().map(|doubt| (format!("Uncertain: {doubt}"), theme.warning)));
    lines.extend(row.evidence.iter().map(|reason| (reason.clone(), theme.plain)));
    lines
}

fn of_class(theme: &Theme, page: &RebuildPage, row: &ClassRow) -> Vec<(String, Style)> {
    let state = if page.keeps_class(row) { "kept" } else { "dropped" };
    let which = match row.class {
        nixdive_rebuild::plan::DropClass::Unreachable => "in unreachable store paths",
        _ => "in what is kept otherwise",
    };
    vec![
        (format!("All {}", row.class.id()), theme.strong),
        (format!("{state}: {} {which}, {}", files(row.files), display_bytes(row.bytes)), theme.plain),
    ]
}
