use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::action::{Action, Context, Keymap};
use super::super::pages::Page;
use super::super::session::Session;
use super::painter::{Canvas, fit_end};
use nixdive_base::text::{display_bytes, display_name};

/// Columns from which on all pages have their names, and from which on they are there at all.
pub(super) const ROOM_FOR_NAMES: u16 = 112;
pub(super) const ROOM_FOR_KEYS: u16 = 50;

/// The top line: which image this is, and its figures as far as there is room, the most telling first.
pub(super) fn draw(canvas: &mut Canvas, area: Rect, session: &Session, keymap: &Keymap) {
    let tabs = tabs(session, keymap, area.width);
    let name = name(session);
    // The end of the name is what a narrow terminal shows.
    let title = if session.is_complete() { name } else { format!("{name} INCOMPLETE OR ALTERED") };
    draw_line(canvas, area, &tabs, (&title, 24), &figures(session));
}

/// Draws the top line: tabs, one of them current, a name, and as many figures as fit once the name has `name_room`
/// cells.
pub(super) fn draw_line(
    canvas: &mut Canvas,
    area: Rect,
    tabs: &[(String, bool)],
    (name, least): (&str, usize),
    figures: &[String],
) {
    let theme = canvas.theme;
    let tabs_width: usize = tabs.iter().map(|(text, _)| text.width() + 1).sum();
    let glyphs = canvas.glyphs;
    let mut right = String::new();
    let room = usize::from(area.width).saturating_sub(10 + least + tabs_width);
    for figure in figures {
        let with = if right.is_empty() { figure.clone() } else { format!("{right}{}{figure}", glyphs.dot) };
        if with.width() > room {
            break;
        }
        right = with;
    }
    let mut pen = canvas.line(area, 0);
    pen.text(" nixdive ", theme.brand);
    for (text, current) in tabs {
        pen.text(text, if *current { theme.title_focused } else { theme.dim }).text(" ", theme.plain);
    }
    if !tabs.is_empty() {
        pen.skip(1);
    }
    let room = pen.room().saturating_sub(right.width() + 2);
    pen.text(&fit_end(name, room, glyphs.ellipsis), theme.strong);
    pen.skip_to_last(right.width() + 1).text(&right, theme.plain);
}

/// The pages with their keys; `true` for the current one. On a narrow screen, only that one has its name.
fn tabs(session: &Session, keymap: &Keymap, width: u16) -> Vec<(String, bool)> {
    if session.opened.is_none() || width < ROOM_FOR_KEYS {
        return Vec::new();
    }
    let actions = [
        Action::ShowFiles,
        Action::ShowImage,
        Action::ShowWaste,
        Action::ShowPackages,
        Action::ShowMap,
        Action::ShowStore,
        Action::ShowFindings,
        Action::ShowRebuild,
    ];
    let tab = |(page, action): (Page, Action)| {
        let key = keymap.key(Context::Tree, action).unwrap_or_default();
        let current = page == session.pages.current;
        let named = current || width >= ROOM_FOR_NAMES;
        (if named { format!("{key} {}", page.name()) } else { key.to_owned() }, current)
    };
    Page::ALL.into_iter().zip(actions).map(tab).collect()
}

/// Name of the image: the first reference that the source lists, else the typed one.
pub(super) fn name(session: &Session) -> String {
    let identity = session.opened.as_ref().map_or(&session.identified.identity, |opened| &opened.image.identity);
    let reference = identity.references.first().filter(|reference| !reference.is_empty());
    let typed = Some(&identity.requested).filter(|requested| !requested.is_empty()).unwrap_or(&session.name);
    display_name(reference.unwrap_or(typed).as_bytes()).into_owned()
}

fn figures(session: &Session) -> Vec<String> {
    let Some(opened) = &session.opened else { return Vec::new() };
    let (image, overview) = (&opened.image, &opened.overview);
    let mut figures = vec![
        format!("{} unpacked", display_bytes(image.unpacked_bytes())),
        format!("{} wasted", display_bytes(overview.wasted_bytes)),
        format!("efficiency {}", percent(overview.efficiency)),
        image.config.platform.to_string(),
    ];
    if let Some(bytes) = image.compressed_bytes().filter(|&bytes| bytes < image.unpacked_bytes()) {
        figures.insert(1, format!("{} compressed", display_bytes(bytes)));
    }
    figures.iter().map(|figure| display_name(figure.as_bytes()).into_owned()).collect()
}

/// A share of 1 in percent, rounded down, so that only a complete share reads 100 %.
pub(super) fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).floor() / 10.0;
    match tenths {
        0.0 if share > 0.0 => "less than 0.1 %".to_owned(),
        tenths if tenths.is_finite() => format!("{tenths} %"),
        _ => "unknown".to_owned(),
    }
}
