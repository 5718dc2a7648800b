use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::super::super::action::{Action, Context};
use super::super::super::compare::{Comparing, PairPage, PairRow, PairScreen, PairSort, brief, facts, signed};
use super::super::super::rows::RowFlags;
use super::super::files::{HASH_SHOWN, draw_branches, hash_length, is_in_store};
use super::super::painter::{Canvas, Pen, fit_end};
use super::super::{selection, title};
use nixdive_analyse::compare::{FileChange, FileChangeKind, PairNode};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{FileTree, NodeId};

const BYTES: usize = 6;
const DELTA: usize = 8;
const LABEL: usize = 11;
/// Columns from which on both trees have a half each.
const HALVES: u16 = 84;
/// Minimum width, in columns, for a column of differences next to both sizes.
const ROOM_FOR_DELTA: u16 = 50;

/// Height of the details of the selected path, below the trees.
pub(super) fn lines_below(height: u16) -> u16 {
    match height {
        0..=15 => 1,
        16..=24 => 5,
        25..=31 => 7,
        _ => 9,
    }
}

/// Both trees with their title, heads and rows, and details of the selected path.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, rows: Rect, pair: &PairScreen) {
    let files = &pair.files;
    let count = files.rows().len();
    let place = if count == 0 { String::new() } else { format!("{}/{count}", files.cursor.selected + 1) };
    title(canvas, body, "Files", &describe(pair), &place, true);
    heads(canvas, Rect { y: body.y.saturating_add(1), height: 1, ..body }, pair);
    let shown = files.rows().iter().enumerate().skip(files.cursor.offset);
    for (line, (index, row)) in (0..rows.height).zip(shown) {
        draw_row(canvas, rows, line, pair, row);
        if index == files.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
    if count == 0 && !files.has_work() {
        nothing(canvas, rows, pair);
    }
    let below = Rect { y: rows.bottom(), height: body.bottom().saturating_sub(rows.bottom()), ..body };
    details(canvas, below, pair);
}

fn describe(pair: &PairScreen) -> String {
    let files = &pair.files;
    let mut words = if files.only_differences { "only differences" } else { "all entries" }.to_owned();
    if let Some(filter) = &files.filter {
        words.push_str(&format!(", matching “{}”", display_name(filter.text.as_bytes())));
    }
    let sums = &pair.compared.differences.files.sums;
    words.push_str(&format!(
        ", added {}, removed {}, changed {}",
        signed(i64::try_from(sums.added_bytes).unwrap_or(i64::MAX)),
        signed(i64::try_from(sums.removed_bytes).map_or(i64::MIN, |bytes| -bytes)),
        signed(nixdive_analyse::compare::delta(sums.shrunk_bytes, sums.grown_bytes))
    ));
    words
}

/// The columns of both trees: the left half, the line between, the right half.
fn halves(area: Rect) -> (Rect, Rect, Rect) {
    let width = area.width.saturating_sub(1) / 2;
    let rule = Rect { x: area.x + width, width: 1.min(area.width), ..area };
    let right = Rect { x: rule.right(), width: area.right().saturating_sub(rule.right()), ..area };
    (Rect { width, ..area }, rule, right)
}

fn heads(canvas: &mut Canvas, line: Rect, pair: &PairScreen) {
    let (theme, glyphs, files) = (canvas.theme, canvas.glyphs, &pair.files);
    let head = |name: &str, sort: PairSort| {
        let falling = (sort == PairSort::Change) != files.reversed;
        let arrow = if falling { glyphs.descending } else { glyphs.ascending };
        if files.sort == sort { (format!("{name}{arrow}"), theme.strong) } else { (name.to_owned(), theme.head) }
    };
    let ((delta, delta_style), (name, name_style)) = (head("Change", PairSort::Change), head("Name", PairSort::Name));
    if line.width < HALVES {
        let mut pen = canvas.line(line, 0);
        pen.skip(2).right("Left", BYTES, theme.head).skip(1).right("Right", BYTES, theme.head).skip(1);
        if line.width >= ROOM_FOR_DELTA {
            pen.right(&delta, DELTA, delta_style).skip(1);
        }
        pen.text(&name, name_style);
        return;
    }
    let (left, rule, right) = halves(line);
    let titles = (pair.compared.left.title(), pair.compared.right.title());
    let of = |title: &str| if titles.0 == titles.1 { String::new() } else { format!("  {title}") };
    let mut pen = canvas.line(left, 0);
    pen.skip(2).right("Left", BYTES, theme.head).skip(1).text(&name, name_style).fitted(&of(&titles.0), theme.dim);
    canvas.line(rule, 0).text(glyphs.separator, theme.dim);
    let mut pen = canvas.line(right, 0);
    pen.skip(1).right("Right", BYTES, theme.head).skip(1).right(&delta, DELTA, delta_style).skip(1);
    pen.text(&name, name_style).fitted(&of(&titles.1), theme.dim);
}

/// A path as it is drawn: what became of it.
struct Look<'a> {
    change: Option<&'a FileChange>,
    mark: &'static str,
    style: Style,
}

fn look<'a>(canvas: &Canvas, pair: &'a PairScreen, node: &PairNode) -> Look<'a> {
    let theme = canvas.theme;
    let change = node.change.and_then(|place| pair.compared.differences.files.changes.get(place as usize));
    let (mark, style) = match (node.left, node.right, change) {
        (None, _, _) => ("+", theme.added),
        (_, None, _) => ("-", theme.removed),
        // Another time of modification alone is worth no colour.
        (_, _, Some(change)) if !change.difference.is_real() && node.differing == 1 => ("~", theme.dim),
        (_, _, Some(_)) => ("~", theme.modified),
        _ if node.differing > 0 => ("~", theme.modified),
        _ => (" ", theme.dim),
    };
    Look { change, mark, style }
}

fn draw_row(canvas: &mut Canvas, rows: Rect, line: u16, pair: &PairScreen, row: &PairRow) {
    let Some(node) = pair.compared.tree.get(row.id) else { return };
    let theme = canvas.theme;
    let Look { change, mark, style } = look(canvas, pair, node);
    let bytes = |side: Option<NodeId>, bytes| if side.is_some() { display_bytes(bytes) } else { String::new() };
    let (before, after) = (bytes(node.left, node.left_bytes), bytes(node.right, node.right_bytes));
    let quiet = if style == theme.dim { theme.dim } else { theme.plain };
    let delta = if is_moved(change) { "moved".to_owned() } else { signed(node.delta()) };
    let delta_style = match node.delta() {
        1.. => theme.added,
        0 => theme.dim,
        _ => theme.removed,
    };
    if rows.width < HALVES {
        let mut pen = canvas.line(rows, line);
        pen.text(mark, style).skip(1).right(&before, BYTES, quiet).skip(1).right(&after, BYTES, quiet).skip(1);
        if rows.width >= ROOM_FOR_DELTA {
            pen.right(&delta, DELTA, delta_style).skip(1);
        }
        let on_right = node.right.is_some();
        named(&mut pen, pair, row, node, style, on_right);
        return remark(&mut pen, pair, change, on_right);
    }
    let (left, rule, right) = halves(rows);
    let mut pen = canvas.line(left, line);
    pen.text(mark, style).skip(1);
    if node.left.is_some() {
        pen.right(&before, BYTES, quiet).skip(1);
        named(&mut pen, pair, row, node, style, false);
        if node.right.is_none() {
            remark(&mut pen, pair, change, false);
        }
    }
    let separator = canvas.glyphs.separator;
    canvas.line(rule, line).text(separator, theme.dim);
    let mut pen = canvas.line(right, line);
    pen.skip(1).right(&after, BYTES, quiet).skip(1).right(&delta, DELTA, delta_style).skip(1);
    if node.right.is_some() {
        named(&mut pen, pair, row, node, style, true);
        remark(&mut pen, pair, change, true);
    }
}

fn is_moved(change: Option<&FileChange>) -> bool {
    change.is_some_and(|change| change.kind == FileChangeKind::Renamed)
}

/// Branches and name; of a store path the name and version first and the beginning of the hash behind them.
fn named(pen: &mut Pen, pair: &PairScreen, row: &PairRow, node: &PairNode, style: Style, on_right: bool) {
    let theme = pen.theme();
    draw_branches(pen, (row.depth, row.guides, row.flags), pen.glyphs());
    let (tree, id) = match (on_right, node.left, node.right) {
        (true, _, Some(id)) => (&pair.compared.right.image.tree, id),
        (_, Some(id), _) => (&pair.compared.left.image.tree, id),
        _ => return,
    };
    let style = if row.flags.contains(RowFlags::DIRECTORY) { style.patch(theme.directory) } else { style };
    let name = display_name(tree.name(id));
    let needle = pair.files.filter.as_ref().filter(|_| row.flags.contains(RowFlags::MATCH));
    let hit = needle.and_then(|filter| filter.needle.position(name.as_bytes()));
    if let Some(hit) = hit
        && let (Some(before), Some(found), Some(after)) =
            (name.get(..hit.start), name.get(hit.clone()), name.get(hit.end..))
        && name.width() <= pen.room()
    {
        pen.text(before, style).text(found, style.patch(theme.hit)).text(after, style);
        return;
    }
    let hash = if is_in_store(tree, id) { hash_length(&name) } else { 0 };
    match (name.get(..HASH_SHOWN), name.get(hash + 1..)) {
        (Some(hash_shown), Some(rest)) if hash > 0 => {
            pen.fitted(rest, style);
            if pen.room() > HASH_SHOWN {
                pen.skip(1).text(hash_shown, theme.dim);
            }
        }
        _ => {
            pen.fitted(&name, style);
        }
    }
}

/// Draws a change that the marks do not express.
fn remark(pen: &mut Pen, pair: &PairScreen, change: Option<&FileChange>, on_right: bool) {
    let Some(change) = change else { return };
    let theme = pen.theme();
    let (left, right) = (&pair.compared.left.image.tree, &pair.compared.right.image.tree);
    if pen.room() < 6 {
        return;
    }
    pen.skip(2);
    if change.kind == FileChangeKind::Renamed {
        let other = if on_right { change.left } else { change.right };
        let tree = if on_right { left } else { right };
        let word = if on_right { "from " } else { "to " };
        let path = other.map(|path| path_of(tree, path.node)).unwrap_or_default();
        pen.text(word, theme.dim);
        let path = fit_end(&path, pen.room(), pen.glyphs().ellipsis).into_owned();
        pen.text(&path, theme.link);
        return;
    }
    let text = brief(left, right, change);
    // The mark already shows changed content.
    if text != "content" && text != "content, time" {
        pen.fitted(&text, theme.dim);
    }
}

fn path_of(tree: &FileTree, node: NodeId) -> String {
    display_name(&tree.path(node)).into_owned()
}

fn nothing(canvas: &mut Canvas, rows: Rect, pair: &PairScreen) {
    let style = canvas.theme.dim;
    let files = &pair.files;
    let (text, actions): (String, &[(Action, &str)]) = match &files.filter {
        Some(filter) => {
            let what = if files.only_differences { "No differences match" } else { "No matches for" };
            let text = format!("{what} “{}”", display_name(filter.text.as_bytes()));
            (text, &[(Action::Back, "clear the filter")])
        }
        None if files.only_differences => {
            ("All files are the same on both sides".to_owned(), &[(Action::ToggleEqual, "show them")])
        }
        None => ("No files on either side".to_owned(), &[]),
    };
    canvas.message(rows, &text, (Context::Differences, actions), style);
}

/// Details of the selected path, old and new; on one line if the area is small.
fn details(canvas: &mut Canvas, area: Rect, pair: &PairScreen) {
    let Some(row) = pair.files.selected_row() else { return };
    let theme = canvas.theme;
    let facts = facts(&pair.compared, row.id);
    if area.height <= 1 {
        let told: Vec<&str> =
            facts.iter().filter(|(label, _)| *label != "Bytes").map(|(_, value)| value.as_str()).collect();
        let told = told.join(canvas.glyphs.dot);
        canvas.line(area, 0).skip(1).fitted(&told, theme.dim);
        return;
    }
    title(canvas, area, "Details", "old → new", "", false);
    for (line, (label, value)) in (1..area.height).zip(&facts) {
        canvas.line(area, line).skip(1).left(label, LABEL, theme.dim).fitted(value, theme.plain);
    }
}

/// The selected row, its columns apart by tabulators.
pub(in super::super::super) fn row_as_text(comparing: &Comparing) -> Option<String> {
    let pair = comparing.pair.as_ref().filter(|pair| pair.page == PairPage::Files)?;
    let row = pair.files.selected_row()?;
    let node = pair.compared.tree.get(row.id)?;
    let mark = match (node.left, node.right) {
        (None, _) => "+",
        (_, None) => "-",
        _ if node.differing > 0 => "~",
        _ => "",
    };
    let right = node.right.map(|id| path_of(&pair.compared.right.image.tree, id));
    let path = right.or_else(|| node.left.map(|id| path_of(&pair.compared.left.image.tree, id)))?;
    Some(
        [mark, &node.left_bytes.to_string(), &node.right_bytes.to_string(), &node.delta().to_string(), &path]
            .join("\t"),
    )
}
