use ratatui::layout::Rect;

use super::super::action::{Action, Context};
use super::super::list::ListCursor;
use super::super::pages::{Look, Page, StorePage, StoreSort, Walk, Way};
use super::super::session::{Exploration, Session};
use super::super::wrap::wrap;
use super::painter::{Canvas, Pen};
use super::{pages, selection, title};
use nixdive_base::text::{counted, display_bytes};
use nixdive_image::Image;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::{StoreStudy, StudiedPath};

const FIGURE: usize = 9;
const BAR: usize = 8;
/// Digits of a hash that are shown.
const HASH: usize = 7;

/// Height of the details of the selected path, below the list.
pub(super) fn lines_below(height: u16) -> u16 {
    match height {
        0..=13 => 0,
        14..=20 => 3,
        21..=30 => 5,
        _ => 8,
    }
}

/// The store as the user looks at it.
pub(super) fn draw(canvas: &mut Canvas, body: Rect, session: &Session, opened: &Exploration) {
    let page = &session.pages.store;
    let rows = pages::rows(body, Page::Store);
    let Some(study) = page.study() else {
        title(canvas, body, "Store", "", "", true);
        let text =
            if !session.pages.is_store_known { "Reading the store paths…" } else { "No Nix store in this image." };
        let style = canvas.theme.plain;
        canvas.line(rows, 0).skip(2).fitted(text, style);
        return;
    };
    head(canvas, body, page, study);
    match &page.look {
        Look::Table => table(canvas, body, rows, page, study),
        Look::Walk(walk) => columns(canvas, body, rows, page, study, walk),
        Look::Map(map) => {
            let tiles = page.tiles(map.within, rows);
            for tile in &tiles {
                let label = tile.key.map(|id| name(study, id)).unwrap_or_else(|| format!("{} smaller", tile.paths));
                let colour = pages::colour(tile.key.map_or("", |id| package(study, id)));
                let is_selected = tile.key.is_some() && tile.key == map.selected;
                pages::draw_tile(canvas, &label, tile.bytes, tile.area, colour, is_selected);
            }
            if tiles.is_empty() {
                let style = canvas.theme.plain;
                canvas.line(rows, 0).skip(2).fitted("No bytes here.", style);
            }
        }
    }
    let below = Rect { y: rows.bottom(), height: body.bottom().saturating_sub(rows.bottom()), ..body };
    tell(canvas, below, page, study, &opened.image);
}

/// The title: the current view, its amounts, and the position.
fn head(canvas: &mut Canvas, body: Rect, page: &StorePage, study: &StoreStudy) {
    let total = match (study.ids().len(), study.absent_paths()) {
        (all, 0) => format!("{all} paths, {} of NAR", display_bytes(study.total_nar_bytes())),
        (all, absent) if all == absent => format!("{all} paths, contents missing"),
        (all, absent) => {
            format!("{all} paths, {} of NAR, {absent} missing", display_bytes(study.total_nar_bytes()))
        }
    };
    let mut words = match &page.look {
        Look::Table if page.filter.is_empty() => total,
        Look::Table => format!("matching “{}”", nixdive_base::text::display_name(page.filter.as_bytes())),
        Look::Walk(walk) => trail(page, study, walk),
        Look::Map(map) => match map.within {
            None => format!("by added size, {total}"),
            Some(within) => format!("needed only by {}", name(study, within)),
        },
    };
    let unreachable = study.unreachable_bytes();
    if matches!(page.look, Look::Table) && page.filter.is_empty() && unreachable > 0 {
        words.push_str(&format!(", {} unreachable", display_bytes(unreachable)));
    }
    if let Some(builder) = study.builder.filter(|_| matches!(page.look, Look::Table)) {
        words.push_str(&format!(", by {}", builder.builder.name()));
    }
    let (selected, length) = match &page.look {
        Look::Table => (page.cursor.selected, page.rows.len()),
        Look::Walk(walk) => walk.columns.last().map_or((0, 0), |column| (column.cursor.selected, column.paths.len())),
        Look::Map(_) => (0, 0),
    };
    let place = if length == 0 { String::new() } else { format!("{}/{length}", selected + 1) };
    title(canvas, body, "Store", &words, &place, true);
}

/// The paths that a walk came through.
fn trail(page: &StorePage, study: &StoreStudy, walk: &Walk) -> String {
    let (arrow, first) = match walk.way {
        Way::References => (" → ", page.rows.get(page.cursor.selected)),
        Way::Referrers => (" ← ", page.rows.get(page.cursor.selected)),
    };
    let mut names: Vec<String> = first.map(|&id| name(study, id)).into_iter().collect();
    let before = walk.columns.len().saturating_sub(1);
    let steps = walk.columns.iter().take(before).filter_map(|column| column.paths.get(column.cursor.selected));
    names.extend(steps.map(|&id| name(study, id)));
    names.join(arrow)
}

fn table(canvas: &mut Canvas, body: Rect, rows: Rect, page: &StorePage, study: &StoreStudy) {
    let theme = canvas.theme;
    let wide = body.width >= 70;
    let arrows = (canvas.glyphs.descending, canvas.glyphs.ascending);
    let head = |sort: StoreSort, text: &str| {
        let falls = matches!(sort, StoreSort::Added | StoreSort::Closure | StoreSort::Nar) != page.reversed;
        let arrow = if falls { arrows.0 } else { arrows.1 };
        if page.sort == sort { (format!("{text}{arrow}"), theme.strong) } else { (text.to_owned(), theme.head) }
    };
    let mut pen = canvas.line(body, 1);
    let figure = |pen: &mut Pen, sort, text| {
        let (text, style) = head(sort, text);
        pen.right(&text, FIGURE, style).skip(1);
    };
    figure(&mut pen, StoreSort::Added, "Added");
    if wide {
        pen.skip(BAR + 1);
        figure(&mut pen, StoreSort::Closure, "Closure");
        figure(&mut pen, StoreSort::Nar, "NAR");
        let (text, style) = head(StoreSort::Layer, "Layer");
        pen.left(&text, 8, style);
    }
    let (text, style) = head(StoreSort::Name, "Name");
    pen.fitted(&text, style);
    let most = study.paths.iter().map(|path| path.added_bytes).max().unwrap_or(0).max(1);
    if page.rows.is_empty() {
        canvas.message(rows, "No matches", (Context::Store, &[(Action::Back, "show all")]), theme.plain);
    }
    for line in 0..rows.height {
        let index = page.cursor.offset + usize::from(line);
        let Some(&id) = page.rows.get(index) else { break };
        let Some(path) = study.paths.get(id.index()) else { continue };
        let mut pen = canvas.line(rows, line);
        if path.is_absent {
            pen.right("missing", FIGURE, theme.warning).skip(1);
        } else {
            pen.right(&display_bytes(path.added_bytes), FIGURE, theme.plain).skip(1);
        }
        if wide {
            pen.bar(path.added_bytes as f64 / most as f64, BAR, theme.bar).skip(1);
            pen.right(&path.closure_bytes.map(display_bytes).unwrap_or_default(), FIGURE, theme.dim).skip(1);
            let nar = if path.is_absent { String::new() } else { display_bytes(study.graph.nar_bytes(id)) };
            pen.right(&nar, FIGURE, theme.dim).skip(1);
            let layers = layers(study, id);
            pen.left(&layers, 8, if layers.contains(' ') { theme.warning } else { theme.dim });
        }
        path_name(&mut pen, study, id);
        if index == page.cursor.selected {
            canvas.overlay(rows, line, selection(canvas, true));
        }
    }
}

/// Three columns: where the walk came from, where it is, and where the selected path leads.
fn columns(canvas: &mut Canvas, body: Rect, rows: Rect, page: &StorePage, study: &StoreStudy, walk: &Walk) {
    let theme = canvas.theme;
    let Some(current) = walk.columns.last() else { return };
    let before = walk.columns.len().checked_sub(2).and_then(|place| walk.columns.get(place));
    let before = before.map_or((&page.rows, page.cursor), |column| (&column.paths, column.cursor));
    let ahead = page.selected().map(|id| page.neighbours(id, walk.way)).unwrap_or_default();
    let third = body.width / 3;
    let part = |place: u16| {
        let x = body.x + place * third;
        let width = if place == 2 { body.right() - x } else { third.saturating_sub(1) };
        (Rect { x, width, ..rows }, Rect { x, width, y: body.y + 1, height: 1 })
    };
    let (names, places) = match walk.way {
        Way::References => (["from", "refers to", "which refers to"], [0, 1, 2]),
        Way::Referrers => (["which are referred to by", "is referred to by", "from"], [2, 1, 0]),
    };
    for (place, text) in (0..3).zip(names) {
        canvas.line(part(place).1, 0).skip(1).fitted(text, theme.head);
    }
    column(canvas, part(places[0]).0, study, before.0, Some(before.1), false);
    column(canvas, part(places[1]).0, study, &current.paths, Some(current.cursor), true);
    column(canvas, part(places[2]).0, study, &ahead, None, false);
    if ahead.is_empty() {
        canvas.line(part(places[2]).0, 0).skip(1).fitted("nothing", theme.dim);
    }
}

fn column(
    canvas: &mut Canvas,
    area: Rect,
    study: &StoreStudy,
    paths: &[PathId],
    cursor: Option<ListCursor>,
    focused: bool,
) {
    let theme = canvas.theme;
    let height = usize::from(area.height);
    // The list of before keeps its selection in sight, whatever height it had.
    let offset = cursor.map_or(0, |cursor| {
        let lowest = (cursor.selected + 1).saturating_sub(height);
        cursor.offset.max(lowest)
    });
    for line in 0..area.height {
        let index = offset + usize::from(line);
        let Some(&id) = paths.get(index) else { break };
        let path = study.paths.get(id.index()).copied().unwrap_or_default();
        let added = if path.is_absent { "missing".to_owned() } else { display_bytes(path.added_bytes) };
        let mut pen = canvas.line(area, line);
        pen.right(&added, FIGURE, theme.dim).skip(1);
        path_name(&mut pen, study, id);
        if cursor.is_some_and(|cursor| cursor.selected == index) {
            canvas.overlay(area, line, selection(canvas, focused));
        }
    }
}

/// Name and version first, then the beginning of the hash, which tells builds apart.
fn path_name(pen: &mut Pen, study: &StoreStudy, id: PathId) {
    let theme = pen.theme();
    let Some(known) = study.store.get(id) else { return };
    let style = if study.is_reachable(id) { theme.plain } else { theme.removed };
    pen.fitted(known.path.name(), style);
    if pen.room() > HASH + 1 {
        pen.skip(1).text(known.path.base_name().get(..HASH).unwrap_or_default(), theme.dim);
    }
}

fn name(study: &StoreStudy, id: PathId) -> String {
    study.store.get(id).map(|known| known.path.name().to_owned()).unwrap_or_default()
}

fn package(study: &StoreStudy, id: PathId) -> &str {
    study.store.get(id).map_or("", |known| known.path.package().name)
}

/// The layers that hold something of a path.
fn layers(study: &StoreStudy, id: PathId) -> String {
    const NAMED: usize = 3;
    let Some(known) = study.store.get(id) else { return String::new() };
    let mut layers: Vec<String> = known.layers.iter().take(NAMED).map(|share| share.layer.0.to_string()).collect();
    if known.layers.len() > NAMED {
        layers.push("…".to_owned());
    }
    layers.join(" ")
}

/// Details of the selected path, and the chain that leads to it.
fn tell(canvas: &mut Canvas, area: Rect, page: &StorePage, study: &StoreStudy, image: &Image) {
    let theme = canvas.theme;
    if area.height == 0 {
        return;
    }
    let (rule, dot) = (canvas.glyphs.rule, canvas.glyphs.dot);
    canvas.line(area, 0).fill(rule, theme.title);
    let Some(id) = page.selected() else { return };
    let (Some(known), Some(path)) = (study.store.get(id), study.paths.get(id.index())) else { return };
    let facts = facts(study, id, path).join(dot);
    canvas.line(area, 1).skip(1).text(&known.path.to_string(), theme.strong);
    let mut line = 1;
    if area.height > 3 {
        line += 1;
        canvas.line(area, line).skip(1).fitted(&facts, theme.dim);
    }
    let text = why(page, study, image, id);
    let room = usize::from(area.width).saturating_sub(6);
    for (number, piece) in wrap(&text, room).into_iter().enumerate() {
        line += 1;
        if line >= area.height {
            break;
        }
        let label = if number == 0 { "Why " } else { "    " };
        canvas.line(area, line).skip(1).text(label, theme.head).fitted(piece, theme.plain);
    }
}

fn facts(study: &StoreStudy, id: PathId, path: &StudiedPath) -> Vec<String> {
    if path.is_absent {
        return vec!["only named by the image: contents missing, size unknown".to_owned()];
    }
    let mut facts = vec![format!("NAR {}", display_bytes(study.graph.nar_bytes(id)))];
    facts.extend(path.closure_bytes.map(|bytes| format!("closure {}", display_bytes(bytes))));
    facts.push(format!("adds {}", display_bytes(path.added_bytes)));
    facts.push(counted(path.files, "file"));
    let (references, referrers) = (study.graph.references(id).len(), study.graph.referrers(id).len());
    facts.push(format!("refers to {references}, referred to by {referrers}"));
    facts
}

fn why(page: &StorePage, study: &StoreStudy, image: &Image, id: PathId) -> String {
    let reason = page.reason.as_ref().filter(|reason| reason.path == id);
    let Some(chain) = reason.and_then(|reason| reason.chains.get(reason.shown)) else {
        return match study.absent_paths() {
            0 => "unreachable from the configuration and from files outside the store".to_owned(),
            absent => format!("unknown: {absent} store paths are missing"),
        };
    };
    let mut text = chain.reasons.first().map(|&source| source.describe(image)).unwrap_or_default();
    for pair in chain.paths.windows(2) {
        let &[from, to] = pair else { continue };
        let place = study.proofs(from, to).first().and_then(|proof| {
            let file = image.tree.path(proof.node);
            let inside = study.store.get(from).and_then(|known| {
                let root = image.tree.path(known.node);
                file.strip_prefix(root.as_slice()).map(<[u8]>::to_vec)
            });
            Some(nixdive_base::text::display_name(&inside?).trim_start_matches('/').to_owned())
                .filter(|text| !text.is_empty())
        });
        let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
        text.push_str(&format!(" → {}{place}", name(study, to)));
    }
    let others = reason.map_or(0, |reason| if reason.all { reason.chains.len() } else { 0 });
    if others > 1 {
        text.push_str(&format!("   [chain {} of {others}]", reason.map_or(0, |reason| reason.shown) + 1));
    }
    text
}
