//! Two images next to each other, and what several share.

mod files;
mod lists;
mod loading;
mod matrix;
mod summary;

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::action::{Action, Context, Keymap};
use super::super::compare::{Comparing, PairPage, PairScreen, signed};
use super::super::state::State;
use super::header::{ROOM_FOR_KEYS, ROOM_FOR_NAMES, draw_line};
use super::painter::Canvas;
use super::viewer;
use nixdive_base::text::{display_bytes, display_name};

pub(in super::super) use files::row_as_text;
pub(in super::super) use loading::in_brief;
pub(in super::super) use summary::INDENT as SUMMARY_INDENT;

/// Area of the rows of the list or the trees.
pub(super) fn rows(comparing: &Comparing, body: Rect) -> Rect {
    let Some(pair) = &comparing.pair else { return body };
    let (above, below) = match pair.page {
        PairPage::Files => (2, files::lines_below(body.height)),
        PairPage::Summary => (1, 0),
        _ => (2, lists::lines_below(body.height)),
    };
    let above = above.min(body.height);
    let below = below.min(body.height - above);
    Rect { y: body.y + above, height: body.height - above - below, ..body }
}

pub(super) fn draw(canvas: &mut Canvas, comparing: &Comparing, state: &State) {
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    let header = Rect { height: 1, ..screen };
    let body = super::body(state.size);
    match (&comparing.pair, &comparing.matrix) {
        (Some(pair), _) => {
            let tabs = tabs(pair, &state.keymap, state.size.0);
            // Two names come before all figures but the first.
            let names = names(comparing, pair, canvas.glyphs.symlink);
            let least = (names.width() + 2).min(usize::from(state.size.0) / 2);
            draw_line(canvas, header, &tabs, (&names, least), &figures(pair));
        }
        (None, Some(matrix)) => {
            let count = format!("{} images", matrix.shared.images.len());
            draw_line(canvas, header, &[], (&count, 0), &[]);
        }
        (None, None) => {
            let names: Vec<String> =
                comparing.names.iter().map(|name| display_name(name.as_bytes()).into_owned()).collect();
            draw_line(canvas, header, &[], (&names.join(", "), 0), &[]);
        }
    }
    if let Some(viewer) = &comparing.viewer {
        return viewer::draw(canvas, body, viewer);
    }
    match (&comparing.pair, &comparing.matrix) {
        (Some(pair), _) => match pair.page {
            PairPage::Files => files::draw(canvas, body, rows(comparing, body), pair),
            PairPage::Summary => summary::draw(canvas, body, rows(comparing, body), pair),
            _ => lists::draw(canvas, body, rows(comparing, body), pair),
        },
        (None, Some(matrix)) => matrix::draw(canvas, body, matrix),
        (None, None) => loading::draw(canvas, body, comparing),
    }
}

/// Names of the two images: the typed references if their own names are the same.
fn names(comparing: &Comparing, pair: &PairScreen, arrow: &str) -> String {
    let (left, right) = (pair.compared.left.title(), pair.compared.right.title());
    if left != right {
        return format!("{left}{arrow}{right}");
    }
    let (one, other) = pair.compared.request.pair;
    let typed = |number: usize| {
        comparing.names.get(number).map(|name| display_name(name.as_bytes()).into_owned()).unwrap_or_default()
    };
    format!("{}{arrow}{}", typed(one), typed(other))
}

/// The pages with their keys; `true` for the current one. On a narrow screen, only that one has its name.
fn tabs(pair: &PairScreen, keymap: &Keymap, width: u16) -> Vec<(String, bool)> {
    if width < ROOM_FOR_KEYS {
        return Vec::new();
    }
    let actions = [
        Action::ShowDifferences,
        Action::ShowSummary,
        Action::ShowStorePaths,
        Action::ShowPackageChanges,
        Action::ShowConfigChanges,
        Action::ShowAlignedLayers,
    ];
    let tab = |(page, action): (PairPage, Action)| {
        let key = keymap.key(Context::Comparison, action).unwrap_or_default();
        let current = page == pair.page;
        let named = current || width >= ROOM_FOR_NAMES;
        (if named { format!("{key} {}", page.name()) } else { key.to_owned() }, current)
    };
    PairPage::ALL.into_iter().zip(actions).map(tab).collect()
}

fn figures(pair: &PairScreen) -> Vec<String> {
    let differences = &pair.compared.differences;
    let mut figures = vec![format!("{} unpacked", signed(differences.bytes.unpacked.delta()))];
    figures.push(match differences.files.changes.len() {
        0 => "no differences".to_owned(),
        1 => "1 path differs".to_owned(),
        count => format!("{count} paths differ"),
    });
    if pair.compared.request.options.semantic {
        figures.push("metadata hidden".to_owned());
    }
    figures.push(format!("{} shared by layers", display_bytes(differences.bytes.shared_unpacked)));
    figures
}
