use ratatui::layout::Rect;

use super::super::action::{Action, Context};
use super::super::layout::Pane;
use super::super::message::{Traffic, Transfer};
use super::super::session::Session;
use super::painter::Canvas;
use super::title;
use nixdive_base::text::{display_bytes, display_name};

/// Drawn in place of the tree while the layers are read: the progress of each.
pub(super) fn draw(canvas: &mut Canvas, area: Rect, session: &Session) {
    if area.height == 0 {
        return;
    }
    let theme = canvas.theme;
    let state = if session.stopped { "stopped" } else { "being read" };
    title(canvas, area, "Files", state, "", session.focus == Pane::Tree);
    let rows = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let progress = &session.progress;
    let mut line = 0;
    if session.stopped {
        let text = canvas.keymap.hint("Reading stopped", Context::Everywhere, &[(Action::Quit, "quit")]);
        canvas.line(rows, line).skip(1).fitted(&text, theme.warning);
        line += 2;
    }
    if let Some(transfer) = progress.source {
        let mut pen = canvas.line(rows, line);
        pen.skip(1).left("Source", 8, theme.dim);
        draw_transfer(&mut pen, transfer, None, theme);
        line += 1;
    }
    if progress.layers.is_empty() && progress.source.is_none() && !session.stopped {
        canvas.line(rows, line).skip(1).fitted("Opening…", theme.dim);
        return;
    }
    // Without room for all layers, those being read come first.
    let room = usize::from(rows.height.saturating_sub(line));
    let is_done = |transfer: Transfer| transfer.total_bytes.is_some_and(|total| transfer.read_bytes >= total);
    let first_busy = progress.layers.iter().position(|layer| !is_done(layer.transfer)).unwrap_or(0);
    let first = first_busy.min(progress.layers.len().saturating_sub(room));
    for (index, layer) in progress.layers.iter().enumerate().skip(first).take(room) {
        let mut pen = canvas.line(rows, line);
        pen.skip(1).right(&index.to_string(), 4, theme.dim).skip(1);
        draw_transfer(&mut pen, layer.transfer, Some(layer.entries), theme);
        line += 1;
    }
}

pub(super) fn draw_transfer(
    pen: &mut super::painter::Pen,
    transfer: Transfer,
    entries: Option<u64>,
    theme: &super::super::theme::Theme,
) {
    let share = match transfer.total_bytes {
        Some(0) => 1.0,
        Some(total) => transfer.read_bytes as f64 / total as f64,
        None => 0.0,
    };
    let width = (pen.room() / 3).min(30);
    let track = pen.glyphs().track;
    if transfer.total_bytes.is_some() && share <= 0.0 {
        pen.text(&track.repeat(width), theme.dim);
    } else {
        pen.bar(share, width, theme.bar);
    }
    let read = display_bytes(transfer.read_bytes);
    let bytes = match transfer.total_bytes {
        Some(total) if transfer.read_bytes >= total => read,
        Some(total) => format!("{read} of {}", display_bytes(total)),
        None => read,
    };
    pen.skip(1).left(&bytes, 16, theme.plain);
    if let Some(entries) = entries.filter(|&entries| entries > 0) {
        pen.skip(1).fitted(&format!("{entries} entries"), theme.dim);
    }
}

/// Progress of the reading in one line, for the footer.
pub(super) fn in_brief(session: &Session) -> String {
    if session.opened.is_some() || session.stopped {
        return String::new();
    }
    let layers = session.progress.layers.iter().map(|layer| layer.transfer);
    let sum = session.progress.source.or_else(|| {
        layers.reduce(|sum, next| Transfer {
            read_bytes: sum.read_bytes.saturating_add(next.read_bytes),
            total_bytes: sum.total_bytes.zip(next.total_bytes).map(|(sum, next)| sum.saturating_add(next)),
        })
    });
    how_far(sum, session.progress.traffic)
}

/// Bytes, and how they come over the network where they do.
pub(super) fn how_far(sum: Option<Transfer>, traffic: Option<Traffic>) -> String {
    let left = sum.and_then(|sum| Some(sum.total_bytes?.saturating_sub(sum.read_bytes)));
    let traffic = traffic.map(|traffic| traffic.in_words(left)).filter(|words| !words.is_empty());
    let bytes = match sum {
        None => "opening".to_owned(),
        Some(Transfer { read_bytes, total_bytes: Some(total) }) => {
            format!("{} of {}", display_bytes(read_bytes), display_bytes(total))
        }
        Some(Transfer { read_bytes, total_bytes: None }) => display_bytes(read_bytes),
    };
    traffic.map_or(bytes.clone(), |traffic| format!("{bytes} · {traffic}"))
}

/// Screen shown if nothing could be opened.
pub(super) fn draw_failure(canvas: &mut Canvas, screen: Rect, name: &str, reason: &str) {
    let theme = canvas.theme;
    canvas.line(screen, 0).text(" nixdive ", theme.brand).fitted(&display_name(name.as_bytes()), theme.strong);
    let area = Rect { x: 2, y: 2, width: screen.width.saturating_sub(4), height: screen.height.saturating_sub(4) };
    canvas.line(area, 0).fitted("Could not be opened", theme.error);
    let mut line = 2;
    for paragraph in reason.lines() {
        let text = display_name(paragraph.as_bytes());
        for piece in super::super::wrap::wrap(&text, usize::from(area.width)) {
            canvas.line(area, line).text(piece, theme.plain);
            line = line.saturating_add(1);
        }
    }
}
