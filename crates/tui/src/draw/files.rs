use std::borrow::Cow;

use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::super::action::{Action, Context};
use super::super::columns::Column;
use super::super::layout::Pane;
use super::super::rows::{Hidden, Row, RowFlags};
use super::super::session::{Exploration, LayerChoice, Session};
use super::super::theme::Glyphs;
use super::super::tree_view::TreeView;
use super::painter::{Canvas, Pen, fit, fit_end};
use super::{selection, title};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{
    Change, FileTree, Kind, Layer, LayerIndex, NodeId, OccurrenceId, Scope, Seen, SortKey, display_mode,
};

const BYTES_WIDTH: usize = 6;
const BAR_WIDTH: usize = 5;

/// The columns that there is room for, and the cells of the owner's.
struct Shown {
    columns: Vec<Column>,
    owner_width: usize,
}

const LAYER_WIDTH: usize = 5;
const DATE_WIDTH: usize = 10;

/// The file tree with its title, column heads, rows and breadcrumbs.
pub(super) fn draw(canvas: &mut Canvas, area: Rect, session: &Session, opened: &Exploration) {
    if area.height == 0 {
        return;
    }
    let focused = session.focus == Pane::Tree;
    let count = opened.tree.rows().len();
    let place = format!("{}/{count}", (opened.tree.selected() + 1).min(count));
    title(canvas, area, "Files", &describe(session, &opened.tree), &place, focused);
    let height = area.height.saturating_sub(3);
    let rows = Rect { y: area.y + 2, height, ..area };
    let view = &opened.tree;
    let tree = &opened.image.tree;
    let lens = view.lens(tree);
    let shown = view.rows().iter().enumerate().skip(view.offset()).take(usize::from(height));
    let shown: Vec<(usize, &Row, Option<Seen>)> =
        shown.map(|(index, row)| (index, row, lens.see_alone(row.node))).collect();
    let columns = columns(session, tree, area.width, &shown);
    draw_heads(canvas, area, view, &columns);
    let mut parents = ParentBytes::new(view, tree);
    for (line, (index, row, seen)) in (0..).zip(&shown) {
        let Some(seen) = seen else { continue };
        let mut pen = canvas.line(rows, line);
        draw_row(&mut pen, session, opened, &columns, row, seen, parents.of(row.node));
        if *index == view.selected() {
            let style = selection(canvas, focused);
            canvas.overlay(rows, line, style);
        }
    }
    if shown.is_empty() && !view.is_pending() {
        draw_nothing(canvas, rows, view);
    }
    draw_crumbs(canvas, Rect { y: area.bottom() - 1, height: 1, ..area }, opened);
}

/// The bytes of the directory that a row is in, looked up once for all rows of that directory in a row.
struct ParentBytes<'a> {
    view: &'a TreeView,
    tree: &'a FileTree,
    last: Option<(NodeId, u64)>,
}

impl<'a> ParentBytes<'a> {
    fn new(view: &'a TreeView, tree: &'a FileTree) -> Self {
        Self { view, tree, last: None }
    }

    fn of(&mut self, node: NodeId) -> u64 {
        let parent = self.tree.parent(node).unwrap_or(NodeId::ROOT);
        match self.last {
            Some((known, bytes)) if known == parent => bytes,
            _ => {
                let bytes = self.view.lens(self.tree).see_alone(parent).map_or(0, |seen| seen.totals.bytes);
                self.last = Some((parent, bytes));
                bytes
            }
        }
    }
}

/// Describes the layers shown.
pub(super) fn scope_words(session: &Session, scope: Scope) -> String {
    match (session.layer_choice(), scope) {
        (LayerChoice::All, _) => "of the whole image".to_owned(),
        (_, Scope::Layer(layer)) => format!("of layer {} alone", layer.0),
        (_, Scope::Stacked(layer)) if layer.0 == 0 => "of layer 0".to_owned(),
        (_, Scope::Stacked(layer)) => format!("of layers 0-{}", layer.0),
    }
}

/// Describes what the tree shows.
fn describe(session: &Session, view: &TreeView) -> String {
    let mut words = scope_words(session, view.settings.scope);
    if session.preferences.aggregated && session.layer_choice() != LayerChoice::All {
        words.push_str(", changes since the base");
    }
    for (hidden, name) in [
        (Hidden::ADDED, "added"),
        (Hidden::MODIFIED, "modified"),
        (Hidden::REMOVED, "removed"),
        (Hidden::UNMODIFIED, "unmodified"),
    ] {
        if view.settings.hidden.contains(hidden) {
            words.push_str(&format!(", {name} hidden"));
        }
    }
    if view.shows_wasted() {
        words.push_str(", only waste");
    }
    if session.preferences.hide_base {
        words.push_str(", base hidden");
    }
    if let Some(filter) = &view.filter {
        words.push_str(&format!(", matching “{}”", display_name(filter.text.as_bytes())));
    }
    words
}

fn columns(session: &Session, tree: &FileTree, width: u16, shown: &[(usize, &Row, Option<Seen>)]) -> Shown {
    let attributes = session.preferences.attributes;
    let owners = shown.iter().filter_map(|(_, _, seen)| Some(owner(tree, seen.as_ref()?.occurrence?).len()));
    let owner = owners.max().unwrap_or(0).max(5);
    let fits = |column: &Column| width >= column.least_width() && (attributes || !column.is_attribute());
    Shown { columns: session.preferences.columns.iter().filter(fits).collect(), owner_width: owner }
}

fn draw_heads(canvas: &mut Canvas, area: Rect, view: &TreeView, shown: &Shown) {
    let theme = canvas.theme;
    let (settings, glyphs) = (view.settings, canvas.glyphs);
    let head = |name: &str, key: SortKey| {
        let falling = (key != SortKey::Name) != settings.reversed;
        let arrow = if falling { glyphs.descending } else { glyphs.ascending };
        if settings.sort == key { format!("{name}{arrow}") } else { name.to_owned() }
    };
    let mut pen = canvas.line(area, 1);
    match settings.sort {
        SortKey::Change => pen.text(&head("", SortKey::Change), theme.strong).skip(1),
        _ => pen.skip(2),
    };
    let style = |key: SortKey| if settings.sort == key { theme.strong } else { theme.head };
    for column in &shown.columns {
        match column {
            Column::Mode => pen.left("Mode", 11, theme.head),
            Column::Owner => pen.left("Owner", shown.owner_width + 1, theme.head),
            Column::Layer => pen.left("Layer", LAYER_WIDTH + 1, theme.head),
            Column::Modified => pen.left("Modified", DATE_WIDTH + 1, theme.head),
            Column::Bytes => pen.right(&head("Bytes", SortKey::Bytes), BYTES_WIDTH, style(SortKey::Bytes)).skip(1),
            Column::Share => pen.skip(BAR_WIDTH + 1),
        };
    }
    pen.text(&head("Name", SortKey::Name), style(SortKey::Name));
}

fn draw_row(
    pen: &mut Pen,
    session: &Session,
    opened: &Exploration,
    shown: &Shown,
    row: &Row,
    seen: &Seen,
    parent_bytes: u64,
) {
    let tree = &opened.image.tree;
    let theme = pen.theme();
    let glyphs = pen.glyphs();
    let changed = theme.change(seen.change);
    let quiet = if matches!(seen.change, Change::Touched | Change::Unmodified) { theme.dim } else { theme.plain };
    pen.text(seen.change.mark().encode_utf8(&mut [0; 4]), changed).skip(1);
    let entry = seen.occurrence.map(|id| tree.occurrence(id));
    for column in &shown.columns {
        match column {
            Column::Mode => pen.left(&permissions(tree, seen), 11, theme.dim),
            Column::Owner => {
                let owner = seen.occurrence.map(|id| owner(tree, id)).unwrap_or_default();
                pen.left(&owner, shown.owner_width + 1, theme.dim)
            }
            Column::Layer => {
                let layer = entry.map(|entry| entry.layer.0.to_string()).unwrap_or_default();
                pen.right(&layer, LAYER_WIDTH, theme.dim).skip(1)
            }
            Column::Modified => {
                let time = entry.map(|entry| super::time::time(entry.mtime)).unwrap_or_default();
                pen.left(time.get(..DATE_WIDTH).unwrap_or_default(), DATE_WIDTH + 1, theme.dim)
            }
            Column::Bytes => {
                let absent = seen.totals.bytes == 0 && entry.is_some_and(|entry| is_absent(opened, entry.layer));
                let bytes = if absent { "absent".to_owned() } else { display_bytes(seen.totals.bytes) };
                pen.right(&bytes, BYTES_WIDTH, quiet).skip(1)
            }
            Column::Share => {
                let share = seen.totals.bytes as f64 / parent_bytes.max(1) as f64;
                pen.bar(share, BAR_WIDTH, theme.bar).skip(1)
            }
        };
    }
    draw_branches(pen, (row.depth, row.guides, row.flags), glyphs);
    let name = display_name(tree.name(row.node));
    let mut style = changed;
    if seen.is_directory {
        style = style.patch(theme.directory);
    }
    draw_name(pen, session, opened, row, &name, style);
    if let Some((arrow, target)) = link(tree, seen, glyphs.symlink, glyphs.hard_link) {
        pen.text(arrow, theme.dim).fitted(&target, theme.link);
    }
}

/// Returns `true` if the layer's content is missing and only its description is known.
fn is_absent(opened: &Exploration, layer: LayerIndex) -> bool {
    opened.image.layers.get(layer.index()).is_some_and(Layer::is_absent)
}

/// Draws the guides before a name, for a row of this depth, with these guides and flags.
pub(super) fn draw_branches(pen: &mut Pen, (depth, guides, flags): (u16, u64, RowFlags), glyphs: &Glyphs) {
    let theme = pen.theme();
    let depth = usize::from(depth);
    // Deep rows lose their outer guides, so that a name always has room.
    let most = (pen.room() / 4).max(1);
    let from = if depth > most { depth - most + 1 } else { 1 };
    if from > 1 {
        pen.text(glyphs.ellipsis, theme.dim).skip(1);
    }
    for level in from..depth {
        let continues = level < 64 && guides & (1 << level) != 0;
        pen.text(if continues { glyphs.guide } else { glyphs.gap }, theme.dim);
    }
    if depth > 0 {
        let last = flags.contains(RowFlags::LAST);
        pen.text(if last { glyphs.last_branch } else { glyphs.branch }, theme.dim);
    }
    let marker = match (flags.contains(RowFlags::DIRECTORY), flags.contains(RowFlags::EXPANDED)) {
        (true, true) => glyphs.open,
        (true, false) => glyphs.closed,
        (false, _) if depth > 0 => glyphs.leaf,
        (false, _) => glyphs.gap,
    };
    pen.text(marker, theme.dim);
}

/// The name, with what the filter or the search found in it set off; of a store path the name and version first and
/// the beginning of the hash behind them, unless the hash is what was found.
fn draw_name(pen: &mut Pen, session: &Session, opened: &Exploration, row: &Row, name: &str, style: Style) {
    let theme = pen.theme();
    let needle = opened.tree.filter.as_ref().map(|filter| (&filter.needle, &filter.marks));
    let needle = needle.or(session.search.as_ref().map(|search| (&search.needle, &search.marks)));
    let hit = needle
        .filter(|(_, marks)| marks.matches.contains(row.node))
        .and_then(|(needle, _)| needle.position(name.as_bytes()));
    let hash = if is_in_store(&opened.image.tree, row.node) { hash_length(name) } else { 0 };
    let begins = hit.as_ref().map_or(name.len(), |hit| hit.start);
    // The dash between hash and name goes with the hash.
    let cut = if hash > 0 && hash < begins { hash + 1 } else { 0 };
    let (hash, name) = name.split_at(cut);
    let parts = hit.and_then(|hit| {
        let (start, end) = (hit.start.checked_sub(cut)?, hit.end.checked_sub(cut)?);
        Some((name.get(..start)?, name.get(start..end)?, name.get(end..)?))
    });
    match parts {
        Some((before, found, after)) if name.width() <= pen.room() => {
            pen.text(before, style).text(found, style.patch(theme.hit)).text(after, style);
        }
        _ => {
            pen.fitted(name, style);
        }
    }
    if pen.room() > HASH_SHOWN
        && let Some(hash) = hash.get(..HASH_SHOWN)
    {
        pen.skip(1).text(hash, theme.dim);
    }
}

/// Characters of a store path's hash that are shown.
pub(super) const HASH_SHOWN: usize = 7;

pub(super) fn is_in_store(tree: &FileTree, node: NodeId) -> bool {
    let store = tree.parent(node).filter(|_| tree.depth(node) == 3);
    let nix = store.filter(|&store| tree.name(store) == b"store").and_then(|store| tree.parent(store));
    nix.is_some_and(|nix| tree.name(nix) == b"nix")
}

/// Length of the hash that a store path's name begins with; 0 where it begins with none.
pub(super) fn hash_length(name: &str) -> usize {
    const LENGTH: usize = 32;
    let digit = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let bytes = name.as_bytes();
    let hash = bytes.get(..LENGTH).filter(|hash| hash.iter().all(digit) && bytes.get(LENGTH) == Some(&b'-'));
    hash.map_or(0, <[u8]>::len)
}

fn link<'a>(
    tree: &'a FileTree,
    seen: &Seen,
    symlink: &'static str,
    hard_link: &'static str,
) -> Option<(&'static str, Cow<'a, str>)> {
    let id = seen.occurrence?;
    let target = tree.link_target(id)?;
    let arrow = if tree.occurrence(id).kind == Kind::HardLink { hard_link } else { symlink };
    Some((arrow, display_name(target)))
}

/// As `ls -l` writes it; empty for a directory that only its children imply.
pub(super) fn permissions(tree: &FileTree, seen: &Seen) -> String {
    let Some(occurrence) = seen.occurrence.map(|id| tree.occurrence(id)) else { return String::new() };
    match occurrence.kind {
        Kind::Whiteout => "whiteout".to_owned(),
        kind => display_mode(kind, occurrence.mode()),
    }
}

pub(super) fn owner(tree: &FileTree, id: OccurrenceId) -> String {
    let owner = tree.owner(id);
    format!("{}:{}", owner.uid, owner.gid)
}

/// Explains an empty tree.
fn draw_nothing(canvas: &mut Canvas, rows: Rect, view: &TreeView) {
    let style = canvas.theme.dim;
    let found;
    let (reason, actions): (&str, &[(Action, &str)]) = match (&view.filter, view.settings.hidden.is_empty()) {
        (Some(filter), _) => {
            found = format!("No matches for “{}”", display_name(filter.text.as_bytes()));
            (&found, &[(Action::Back, "clear the filter")])
        }
        (None, _) if view.shows_wasted() => {
            ("No waste: no later layer replaces or removes a file", &[(Action::OnlyWasted, "show all files")])
        }
        (None, _) if view.settings.base.is_some() => {
            ("Nothing above the base image", &[(Action::ToggleBase, "show the base image")])
        }
        (None, false) => (
            "All hidden",
            &[
                (Action::ToggleAdded, "added"),
                (Action::ToggleModified, "modified"),
                (Action::ToggleRemoved, "removed"),
                (Action::ToggleUnmodified, "unmodified"),
            ],
        ),
        (None, true) => ("No files here", &[]),
    };
    canvas.message(rows, reason, (Context::Tree, actions), style);
}

/// The selected path from the root down, its end where it is too long.
fn draw_crumbs(canvas: &mut Canvas, area: Rect, opened: &Exploration) {
    let (theme, glyphs) = (canvas.theme, canvas.glyphs);
    let Some(row) = opened.tree.selected_row() else { return };
    let tree = &opened.image.tree;
    let mut names = Vec::new();
    let mut at = Some(row.node);
    let mut room = usize::from(area.width);
    while let Some(node) = at.filter(|&node| node != NodeId::ROOT && room > 0) {
        let name = display_name(tree.name(node));
        room = room.saturating_sub(name.width() + glyphs.crumb.width());
        names.push(name);
        at = tree.parent(node);
    }
    names.reverse();
    let text = format!(" /{}{}", glyphs.crumb, names.join(glyphs.crumb));
    let text = fit_end(&text, usize::from(area.width), glyphs.ellipsis);
    canvas.line(area, 0).text(&fit(&text, usize::from(area.width), glyphs.ellipsis), theme.dim);
}

pub(super) fn row_as_text(session: &Session) -> Option<String> {
    let opened = session.opened.as_ref()?;
    let tree = &opened.image.tree;
    let (node, seen) = opened.tree.selected_seen(tree)?;
    let owner = seen.occurrence.map(|id| owner(tree, id)).unwrap_or_default();
    let path = display_name(&tree.path(node)).into_owned();
    let link = link(tree, &seen, " -> ", " => ").map(|(arrow, target)| format!("{arrow}{target}")).unwrap_or_default();
    let mark = seen.change.mark().to_string();
    Some([mark, permissions(tree, &seen), owner, seen.totals.bytes.to_string(), format!("{path}{link}")].join("\t"))
}
