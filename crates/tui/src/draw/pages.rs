use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::super::list::ListCursor;
use super::super::pages::{Colouring, LABEL_WIDTH, LineKind, Page, Tile, tiles};
use super::super::session::{Exploration, Session};
use super::header::percent;
use super::painter::Canvas;
use super::{selection, title};
use nixdive_base::text::{display_bytes, display_name};
use nixdive_image::{FileTree, Kind, NodeId};

/// Lines of a page above its rows: title, figures and column heads.
fn lines_above(page: Page) -> u16 {
    match page {
        Page::Files | Page::Image => 1,
        Page::Packages | Page::Map | Page::Store | Page::Findings | Page::Rebuild => 2,
        Page::Waste => 5,
    }
}

/// Area of the rows of a page. Below it, the waste page shows how to save the selected path, and the store page why
/// the path is included; the rebuild page shows details of the selected row below or to the right.
pub(super) fn rows(body: Rect, page: Page) -> Rect {
    let above = lines_above(page).min(body.height);
    let below = match page {
        Page::Waste => 1,
        Page::Store => super::store::lines_below(body.height),
        Page::Findings => super::findings::lines_below(body.height),
        Page::Rebuild => super::rebuild::lines_below(body),
        _ => 0,
    };
    let below = below.min(body.height - above);
    let beside = if page == Page::Rebuild { super::rebuild::columns_beside(body.width) } else { 0 };
    let width = body.width.saturating_sub(beside);
    Rect { y: body.y + above, width, height: body.height - above - below, ..body }
}

pub(super) fn draw(canvas: &mut Canvas, body: Rect, session: &Session, opened: &Exploration) {
    match session.pages.current {
        Page::Files => {}
        Page::Image => image(canvas, body, session),
        Page::Waste => waste(canvas, body, session, opened),
        Page::Packages => packages(canvas, body, session),
        Page::Map => map(canvas, body, session, opened),
        Page::Store => super::store::draw(canvas, body, session, opened),
        Page::Findings => super::findings::draw(canvas, body, session, opened),
        Page::Rebuild => super::rebuild::draw(canvas, body, session),
    }
}

/// Position in a list.
fn place(cursor: &ListCursor, length: usize) -> String {
    if length == 0 { String::new() } else { format!("{}/{length}", cursor.selected + 1) }
}

fn image(canvas: &mut Canvas, body: Rect, session: &Session) {
    const LABEL: usize = LABEL_WIDTH;
    let theme = canvas.theme;
    let page = &session.pages.image;
    let rows = rows(body, Page::Image);
    title(canvas, body, "Image", "", &place(&page.cursor, page.shown.len()), true);
    for (line, (index, (_, content))) in (0..rows.height).zip(page.shown.iter().enumerate().skip(page.cursor.offset)) {
        let mut pen = canvas.line(rows, line);
        pen.skip(1);
        match content.kind {
            LineKind::Gap => {}
            LineKind::Heading => {
                pen.fitted(&content.text, theme.strong);
            }
            LineKind::Field => {
                pen.left(&content.label, LABEL, theme.dim).fitted(&content.text, theme.plain);
            }
            LineKind::Instruction => {
                let (keyword, rest) = content.text.split_once(' ').unwrap_or((&content.text, ""));
                pen.left(&content.label, LABEL, theme.dim).text(keyword, theme.title_focused).text(" ", theme.plain);
                pen.fitted(rest, theme.plain);
            }
            LineKind::Continuation => {
                pen.skip(LABEL).fitted(&content.text, theme.plain);
            }
            LineKind::Comment => {
                pen.left(&content.label, LABEL, theme.dim).fitted(&content.text, theme.dim);
            }
            LineKind::StorePath => {
                pen.skip(LABEL + 2).fitted(&content.text, theme.link);
            }
        }
        if index == page.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
}

fn waste(canvas: &mut Canvas, body: Rect, session: &Session, opened: &Exploration) {
    let theme = canvas.theme;
    let pages = &session.pages;
    let assessment = &pages.findings.assessment;
    let length = pages.waste.len();
    title(canvas, body, "Waste", "paths stored more than once", &place(&pages.waste.cursor, length), true);
    let overview = &opened.overview;
    let figures = [
        (percent(overview.efficiency), "efficiency: the smallest copy of every path over all copies"),
        (display_bytes(overview.wasted_bytes), "wasted: all copies of the paths below, as dive counts them"),
        (percent(overview.user_wasted_percent), "of the bytes in the layers above the base are wasted"),
    ];
    for (line, (value, meaning)) in (1..4).zip(figures) {
        canvas.line(body, line).skip(1).right(&value, 15, theme.strong).skip(2).fitted(meaning, theme.dim);
    }
    // The longest cause, if the paths leave room for it.
    let cause = match body.width {
        0..84 => 0,
        84..110 => 26,
        _ => 38,
    };
    let mut pen = canvas.line(body, 4);
    pen.right("Bytes", 10, theme.head).skip(2).left("Copies", 7, theme.head).left("Layers", 13, theme.head);
    if cause > 0 {
        pen.left("Why", cause, theme.head).skip(1);
    }
    pen.fitted("Path", theme.head);
    let rows = rows(body, Page::Waste);
    if length == 0 {
        canvas.line(rows, 1).skip(2).fitted("No waste found.", theme.plain);
    }
    for line in 0..rows.height {
        let index = pages.waste.cursor.offset + usize::from(line);
        let Some(row) = pages.waste.row(&opened.image, assessment, index) else { break };
        let mut pen = canvas.line(rows, line);
        pen.right(&row.bytes, 10, theme.plain).skip(2);
        pen.left(&row.copies, 7, theme.dim).left(&row.layers, 13, theme.dim);
        if cause > 0 {
            pen.left(row.cause, cause, theme.modified).skip(1);
        }
        pen.fitted(&row.path, theme.plain);
        if index == pages.waste.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
            let below = body.height.saturating_sub(1);
            canvas.line(body, below).skip(1).text("Saved by: ", theme.dim).fitted(row.remedy, theme.plain);
        }
    }
}

fn packages(canvas: &mut Canvas, body: Rect, session: &Session) {
    let theme = canvas.theme;
    let pages = &session.pages;
    let list = &pages.packages;
    let words = match list.filter.as_str() {
        "" => "sizes as recorded by the databases".to_owned(),
        text => format!("matching “{}”", display_name(text.as_bytes())),
    };
    title(canvas, body, "Packages", &words, &place(&list.cursor, list.len()), true);
    let wide = body.width >= 70;
    let mut pen = canvas.line(body, 1);
    pen.right("Installed", 10, theme.head).skip(1);
    if wide {
        pen.skip(9).right("Files", 6, theme.head).right("Layer", 7, theme.head).skip(2).left("Type", 8, theme.head);
    }
    pen.left("Package", 30.min(usize::from(body.width) / 3), theme.head).skip(1).fitted("Version", theme.head);
    let rows = rows(body, Page::Packages);
    if list.len() == 0 {
        let text = "No package database found: no dpkg, apk, RPM or Python.";
        canvas.line(rows, 1).skip(2).fitted(text, theme.plain);
    }
    for line in 0..rows.height {
        let index = list.cursor.offset + usize::from(line);
        let Some(row) = list.row(&pages.findings.packages, index) else { break };
        let mut pen = canvas.line(rows, line);
        pen.right(&row.bytes, 10, theme.plain).skip(1);
        if wide {
            pen.bar(row.share, 8, theme.bar).skip(1);
            pen.right(&row.files, 6, theme.dim).right(&row.layer, 7, theme.dim).skip(2).left(row.kind, 8, theme.dim);
        }
        pen.left(&row.name, 30.min(usize::from(body.width) / 3), theme.strong).skip(1);
        pen.fitted(&row.version, theme.plain);
        if index == list.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
}

/// The tiles of the map in an area.
pub(super) fn map_tiles(session: &Session, opened: &Exploration, area: Rect) -> Vec<Tile<NodeId>> {
    let (scope, _) = session.scope(&opened.image);
    tiles(&opened.image.tree, session.pages.map.directory, scope, area)
}

fn map(canvas: &mut Canvas, body: Rect, session: &Session, opened: &Exploration) {
    let theme = canvas.theme;
    let view = &session.pages.map;
    let tree = &opened.image.tree;
    let directory = display_name(&tree.path(view.directory)).into_owned();
    let area = rows(body, Page::Map);
    let tiles = map_tiles(session, opened, area);
    let of = super::files::scope_words(session, session.scope(&opened.image).0);
    title(canvas, body, "Map", &format!("{directory} {of}"), &format!("{} tiles", tiles.len()), true);
    let selected = view.selected.and_then(|node| tiles.iter().find(|tile| tile.key == Some(node)));
    let mut pen = canvas.line(body, 1);
    pen.skip(1).text("coloured by ", theme.dim).text(view.colouring.name(), theme.strong);
    if let Some(tile) = selected {
        let group = group(session, opened, tile, view.colouring);
        pen.skip(2).text(&display_bytes(tile.bytes), theme.strong).skip(2);
        pen.text(&name(tree, tile), theme.plain).skip(2).fitted(&group, theme.dim);
    }
    if tiles.is_empty() {
        canvas.line(area, 1).skip(2).fitted("No bytes here.", theme.plain);
    }
    for tile in &tiles {
        let colour = colour(&group(session, opened, tile, view.colouring));
        draw_tile(canvas, &name(tree, tile), tile.bytes, tile.area, colour, selected == Some(tile));
    }
}

fn name(tree: &FileTree, tile: &Tile<NodeId>) -> String {
    let Some(node) = tile.key else { return format!("{} smaller", tile.paths) };
    let mut name = display_name(tree.name(node)).into_owned();
    if tile.can_divide {
        name.push('/');
    }
    name
}

/// A block of one colour, its name in its first line; told from its neighbours by a border where there is room, and
/// without colours by its name and that border.
pub(super) fn draw_tile(canvas: &mut Canvas, name: &str, bytes: u64, area: Rect, colour: Color, selected: bool) {
    let style = Style::new().fg(colour);
    let style = if selected { style.add_modifier(Modifier::REVERSED | Modifier::BOLD) } else { style };
    let (rule, side) = (canvas.glyphs.rule, canvas.glyphs.separator);
    for line in 0..area.height {
        let mut pen = canvas.line(area, line);
        let top = line == 0;
        match (top, area.height) {
            (true, _) if area.width >= 2 => {
                let label = format!("{name} {}", display_bytes(bytes));
                let room = pen.room().saturating_sub(1);
                pen.text(side, style);
                if label.width() <= room || area.width >= 6 {
                    pen.fitted(&label, style);
                }
                pen.fill(if area.height > 1 { rule } else { " " }, style);
            }
            _ => {
                pen.text(side, style).fill(" ", style);
            }
        }
    }
}

/// Name of the group that a tile belongs to.
fn group(session: &Session, opened: &Exploration, tile: &Tile<NodeId>, colouring: Colouring) -> String {
    let Some(node) = tile.key else { return String::new() };
    let tree = &opened.image.tree;
    match colouring {
        Colouring::Layer => {
            let newest = newest_layer(tree, node);
            newest.map_or_else(String::new, |layer| format!("layer {layer}"))
        }
        Colouring::Kind => kind(tree, node, tile.can_divide).to_owned(),
        Colouring::Package => {
            let inventory = &session.pages.findings.packages;
            match inventory.ownership.owner(node) {
                Some(package) => display_name(inventory.packages.get(package).name.as_bytes()).into_owned(),
                None if tile.can_divide => "directory".to_owned(),
                None => "no package".to_owned(),
            }
        }
    }
}

/// The layer that last touched a path, or for a directory something below it.
fn newest_layer(tree: &FileTree, node: NodeId) -> Option<u16> {
    let own = tree.occurrences_of(node).next().map(|id| tree.occurrence(id).layer);
    let below = tree.top_layer().and_then(|top| tree.last_change_below(node, top));
    own.max(below).map(|layer| layer.0)
}

fn kind(tree: &FileTree, node: NodeId, is_directory: bool) -> &'static str {
    if is_directory {
        return "directory";
    }
    let Some(id) = tree.occurrences_of(node).next() else { return "other" };
    let occurrence = tree.occurrence(id);
    let name = tree.name(node);
    let ends = |endings: &[&[u8]]| endings.iter().any(|ending| name.ends_with(ending));
    match occurrence.kind {
        Kind::Symlink | Kind::HardLink => "link",
        _ if ends(&[b".so", b".a", b".o"]) || name.windows(4).any(|part| part == b".so.") => "library",
        _ if ends(&[b".gz", b".xz", b".zst", b".bz2", b".zip", b".jar", b".whl", b".tar", b".deb"]) => "archive",
        _ if ends(&[b".py", b".pyc", b".pl", b".pm", b".js", b".rb", b".sh"]) => "script",
        _ if ends(&[b".html", b".txt", b".md", b".conf", b".json", b".xml", b".yaml", b".yml"]) => "text",
        _ if occurrence.mode() & 0o111 != 0 => "program",
        _ => "other",
    }
}

/// The same of the terminal's colours for the same name.
pub(super) fn colour(group: &str) -> Color {
    const COLOURS: [Color; 12] = [
        Color::Blue,
        Color::Green,
        Color::Yellow,
        Color::Magenta,
        Color::Cyan,
        Color::Red,
        Color::LightBlue,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightMagenta,
        Color::LightCyan,
        Color::LightRed,
    ];
    if let Some(layer) = group.strip_prefix("layer ").and_then(|number| number.parse::<usize>().ok()) {
        return COLOURS[layer % COLOURS.len()];
    }
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(group);
    COLOURS[hash as usize % COLOURS.len()]
}
