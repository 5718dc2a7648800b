use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::action::{ACTIONS, ActionInfo, Context};
use super::super::state::{Screen, State};
use super::painter::Canvas;

/// A line of the help.
enum Line {
    Heading(String),
    Keys(Context, &'static ActionInfo),
    Note(&'static str, &'static str),
    Gap,
}

const MARKS: [(&str, &str); 6] = [
    ("+", "added by the layer, or since the base"),
    ("~", "modified: content, mode, owner, kind, link or attributes; or something below"),
    ("-", "removed"),
    ("dim", "changed modification time only"),
    ("Unpacked", "bytes of the layer's tar stream; Net: growth of the file stack"),
    ("Bytes", "size of a file or of everything below a directory; bar: share of the parent"),
];

/// All keys, those of the current context first.
pub(super) fn draw(canvas: &mut Canvas, screen: Rect, state: &State, offset: usize) {
    let theme = canvas.theme;
    let context = state.screen.context();
    canvas.line(screen, 0).text(" nixdive ", theme.brand).fitted("Help", theme.strong);
    let rows = Rect { y: 2, height: screen.height.saturating_sub(3), ..screen };
    let lines = lines(context, matches!(state.screen, Screen::Session(_)));
    let widest = lines
        .iter()
        .map(|line| if let Line::Keys(context, info) = line { keys(state, *context, info).width() } else { 0 })
        .max();
    let column = widest.unwrap_or(0).clamp(10, 24);
    for (line, content) in (0..rows.height).zip(lines.iter().skip(offset)) {
        let mut pen = canvas.line(rows, line);
        match content {
            Line::Heading(text) => pen.skip(1).fitted(text, theme.title_focused),
            Line::Keys(context, info) => pen
                .skip(2)
                .left(&keys(state, *context, info), column, theme.key)
                .skip(2)
                .fitted(info.description, theme.plain),
            Line::Note(name, text) => pen.skip(2).left(name, column, theme.key).skip(2).fitted(text, theme.plain),
            Line::Gap => &mut pen,
        };
    }
}

/// The keys that do it now, whatever the defaults are.
fn keys(state: &State, context: Context, info: &ActionInfo) -> String {
    state.keymap.keys(context, info.action).join("  ")
}

fn lines(context: Context, with_marks: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut contexts = vec![context];
    contexts.extend([Context::Everywhere, Context::Prompt].into_iter().filter(|&other| other != context));
    if with_marks {
        let panes = [Context::Layers, Context::Tree, Context::Details];
        contexts.extend(panes.into_iter().filter(|&pane| pane != context));
    }
    let mut listed: Vec<&str> = Vec::new();
    for context in contexts {
        let here: Vec<&ActionInfo> =
            ACTIONS.iter().filter(|info| info.contexts.contains(&context) && !listed.contains(&info.name)).collect();
        if here.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::Gap);
        }
        lines.push(Line::Heading(format!("Keys: {}", context.name())));
        for info in here {
            listed.push(info.name);
            lines.push(Line::Keys(context, info));
        }
    }
    if with_marks {
        lines.push(Line::Gap);
        lines.push(Line::Heading("Legend".to_owned()));
        lines.extend(MARKS.iter().map(|(name, text)| Line::Note(name, text)));
    }
    lines
}

/// Most lines that the help has.
pub(super) fn length(screen: &Screen) -> usize {
    lines(screen.context(), matches!(screen, Screen::Session(_))).len()
}
