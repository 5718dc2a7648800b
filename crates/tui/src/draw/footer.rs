use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::action::{Action, Context};
use super::super::prompt::Purpose;
use super::super::request::FindState;
use super::super::state::{Level, Screen, State};
use super::painter::{Canvas, fit, fit_end};
use nixdive_base::text::{display_bytes, display_name};

/// The bottom line: the prompt, a notice, or the keys of the context; progress at the right.
pub(super) fn draw(canvas: &mut Canvas, screen: Rect, state: &State) {
    let theme = canvas.theme;
    let area = Rect { y: screen.bottom().saturating_sub(1), height: 1, ..screen };
    let right = right(state);
    let right_width = if right.is_empty() { 0 } else { right.width() + 2 };
    let mut pen = canvas.line(area, 0);
    let room = pen.room().saturating_sub(right_width);
    if let Some(prompt) = &state.prompt {
        let label = match prompt.purpose {
            Purpose::Filter | Purpose::Rows => " Show only: ",
            Purpose::Find => " Jump to: ",
            Purpose::Within => " Find in the file: ",
            Purpose::Search => " Search in files (re: for a pattern): ",
            Purpose::Path => " Go to path: ",
            Purpose::Directory => " Copy to disk, into directory: ",
            Purpose::Destination => " Write to: ",
            Purpose::Command => " Action: ",
        };
        pen.text(label, theme.key);
        let text = display_name(prompt.text.as_bytes());
        let room = room.saturating_sub(label.width() + 1);
        pen.text(&fit_end(&text, room, pen.glyphs().ellipsis), theme.plain);
        pen.text(pen.glyphs().cursor, theme.plain);
    } else if let Some(notice) = &state.notice {
        let style = if notice.level == Level::Error { theme.error } else { theme.strong };
        let text = display_name(notice.text.as_bytes());
        let dismiss = state.keymap.hint(" ", state.context(), &[(Action::Back, "dismiss")]);
        let hint = if notice.level == Level::Error { dismiss.as_str() } else { "" };
        let text = fit(&text, room.saturating_sub(1 + hint.width()), pen.glyphs().ellipsis);
        pen.skip(1).text(&text, style).text(hint, theme.dim);
    } else {
        let width = |(key, word): &(&str, &str)| key.width() + 1 + word.width() + 2;
        // How to leave is always said.
        let leave = state.keymap.key(state.context(), Action::Quit).map(|key| (key, "quit"));
        let mut left = room.saturating_sub(1 + leave.as_ref().map_or(0, width));
        let shown = hints(state).into_iter().take_while(|hint| {
            let fits = width(hint) <= left;
            left = left.saturating_sub(width(hint));
            fits
        });
        pen.skip(1);
        for (key, word) in shown.chain(leave) {
            pen.text(key, theme.key).text(" ", theme.dim).text(word, theme.dim).skip(2);
        }
    }
    if !right.is_empty() {
        pen.skip_to_last(right.width() + 1).text(&right, theme.plain);
    }
}

/// Keys worth knowing here, the most useful first.
fn hints(state: &State) -> Vec<(&str, &'static str)> {
    let context = state.context();
    let wanted: &[(Action, &str)] = match context {
        Context::Layers | Context::Tree | Context::Details if is_unopened(state, false) => {
            &[(Action::Help, "help"), (Action::Back, "stop")]
        }
        Context::Layers | Context::Tree | Context::Details if is_unopened(state, true) => &[(Action::Help, "help")],
        Context::Help => &[(Action::Help, "back"), (Action::MoveDown, "down")],
        Context::Chooser => &[(Action::Open, "open"), (Action::Filter, "filter"), (Action::Help, "help")],
        Context::Layers => &[
            (Action::Help, "help"),
            (Action::NextPane, "files"),
            (Action::Filter, "filter"),
            (Action::ToggleScope, "stacked/alone"),
            (Action::ToggleBaseline, "changes"),
            (Action::OnlyWasted, "only waste"),
            (Action::ToggleBase, "hide base"),
            (Action::CopyPath, "copy"),
            (Action::Zoom, "zoom"),
        ],
        Context::Tree => &[
            (Action::Help, "help"),
            (Action::Toggle, "open"),
            (Action::Preview, "preview"),
            (Action::Filter, "filter"),
            (Action::Sort, "sort"),
            (Action::SearchFiles, "search"),
            (Action::Palette, "commands"),
            (Action::NextChange, "next change"),
            (Action::OnlyWasted, "only waste"),
            (Action::ChangingLayer, "changing layer"),
            (Action::ToggleUnmodified, "unmodified"),
            (Action::NextPane, "details"),
            (Action::ToggleAll, "all"),
            (Action::NextLayer, "layer"),
            (Action::CopyPath, "copy"),
            (Action::Zoom, "zoom"),
        ],
        Context::Details => &[
            (Action::Help, "help"),
            (Action::NextPane, "layers"),
            (Action::ToggleWrap, "wrap"),
            (Action::Zoom, "zoom"),
            (Action::CopyPath, "copy"),
        ],
        Context::Image => &[
            (Action::Help, "help"),
            (Action::ShowFiles, "files"),
            (Action::NextPage, "next page"),
            (Action::CopyPath, "copy"),
        ],
        Context::Waste => &[
            (Action::Help, "help"),
            (Action::Reveal, "show in files"),
            (Action::OnlyWasted, "show tree"),
            (Action::ShowFiles, "files"),
            (Action::NextPage, "next page"),
            (Action::CopyPath, "copy"),
        ],
        Context::Packages => &[
            (Action::Help, "help"),
            (Action::Reveal, "show files"),
            (Action::Filter, "filter"),
            (Action::ShowFiles, "files"),
            (Action::NextPage, "next page"),
            (Action::CopyPath, "copy"),
        ],
        Context::Map => &[
            (Action::Help, "help"),
            (Action::MapIn, "in"),
            (Action::MapOut, "out"),
            (Action::RevealTile, "show in files"),
            (Action::MapColour, "colour"),
            (Action::ShowFiles, "files"),
        ],
        Context::Findings => &[
            (Action::Help, "help"),
            (Action::ShowPlace, "locations"),
            (Action::CloseFinding, "collapse"),
            (Action::CopyPath, "copy"),
            (Action::ShowFiles, "files"),
            (Action::NextPage, "next page"),
        ],
        Context::Rebuild => &[
            (Action::Help, "help"),
            (Action::ToggleKept, "keep/drop"),
            (Action::WriteImage, "write"),
            (Action::UndoChoices, "undo all"),
            (Action::Last, "classes"),
            (Action::Filter, "filter"),
            (Action::RevealRow, "show files"),
            (Action::ShowFiles, "files"),
            (Action::NextPage, "next page"),
        ],
        Context::Store => &[
            (Action::Help, "help"),
            (Action::RevealPath, "show files"),
            (Action::StoreRight, "references"),
            (Action::StoreLeft, "referrers"),
            (Action::Sort, "sort"),
            (Action::Filter, "filter"),
            (Action::NextChain, "next chain"),
            (Action::StoreMap, "map"),
            (Action::ShowFiles, "files"),
        ],
        Context::Preview if is_finding(state) => &[
            (Action::FindNext, "next hit"),
            (Action::FindPrevious, "previous"),
            (Action::Back, "end search"),
            (Action::FindWithin, "find"),
            (Action::Help, "help"),
            (Action::ToggleWrap, "wrap"),
            (Action::ToggleBytes, "bytes"),
            (Action::ToggleDifference, "difference"),
        ],
        Context::Preview => &[
            (Action::Help, "help"),
            (Action::Back, "back"),
            (Action::FindWithin, "find"),
            (Action::ToggleDifference, "difference"),
            (Action::ToggleWrap, "wrap"),
            (Action::ToggleBytes, "bytes"),
            (Action::Last, "end"),
            (Action::RevealHit, "show in files"),
            (Action::CopyPath, "copy"),
        ],
        Context::Hits => &[
            (Action::OpenHit, "preview"),
            (Action::Help, "help"),
            (Action::Back, "back"),
            (Action::RevealHit, "show in files"),
            (Action::SearchFiles, "search again"),
            (Action::CopyPath, "copy"),
        ],
        Context::Differences => &[
            (Action::Help, "help"),
            (Action::Toggle, "open"),
            (Action::NextDifference, "next difference"),
            (Action::ToggleEqual, "all/differences"),
            (Action::Filter, "filter"),
            (Action::Sort, "sort"),
            (Action::ToggleSemantic, "hide metadata"),
            (Action::NextPage, "next page"),
            (Action::CopyPath, "copy"),
        ],
        Context::Comparison => &[
            (Action::Help, "help"),
            (Action::ShowDifferences, "files"),
            (Action::NextPage, "next page"),
            (Action::RevealDifference, "show in files"),
            (Action::ToggleEqual, "all/differences"),
            (Action::Filter, "filter"),
            (Action::ToggleSemantic, "hide metadata"),
            (Action::CopyPath, "copy"),
        ],
        Context::Matrix => &[
            (Action::ComparePair, "compare"),
            (Action::Help, "help"),
            (Action::NextLevel, "next level"),
            (Action::CopyPath, "copy"),
        ],
        Context::Everywhere if matches!(state.screen, Screen::Comparing(_)) => {
            &[(Action::Help, "help"), (Action::Back, "stop")]
        }
        Context::Prompt => &[(Action::Accept, "accept"), (Action::Abandon, "clear")],
        Context::Everywhere if state.choosers.is_empty() => &[],
        Context::Everywhere => &[(Action::Back, "other images")],
    };
    wanted.iter().filter_map(|&(action, word)| Some((state.keymap.key(context, action)?, word))).collect()
}

fn is_for_destination(state: &State) -> bool {
    state.prompt.as_ref().is_some_and(|prompt| prompt.purpose == Purpose::Destination)
}

fn is_finding(state: &State) -> bool {
    state.screen.viewer().is_some_and(|viewer| viewer.find.is_some())
}

/// Describes the result of a search in a file.
fn found(state: &FindState) -> String {
    if let Some(problem) = &state.problem {
        return display_name(problem.as_bytes()).into_owned();
    }
    let more = if state.counted { "" } else { "+" };
    let beyond = if state.wrapped { "from the other end: " } else { "" };
    match (state.current, state.index) {
        _ if state.nothing => "no hit".to_owned(),
        (None, _) => format!("looking, {}%", state.percent),
        (Some(_), Some(index)) => format!("{beyond}hit {}/{}{more}", index.saturating_add(1), state.count),
        (Some(_), None) if state.counted => format!("{beyond}{} hits", state.count),
        (Some(_), None) => format!("{beyond}counting hits, {}%", state.percent),
    }
}

/// Returns `true` if no files can be shown because they are being read, or because that was stopped.
fn is_unopened(state: &State, stopped: bool) -> bool {
    matches!(&state.screen, Screen::Session(session) if session.opened.is_none() && session.stopped == stopped)
}

/// Progress of the work under way.
fn right(state: &State) -> String {
    if let Screen::Comparing(comparing) = &state.screen {
        let found = comparing.viewer.as_ref().and_then(|viewer| viewer.found()).map(found);
        return found.unwrap_or_else(|| super::compare::in_brief(comparing));
    }
    let Screen::Session(session) = &state.screen else { return String::new() };
    let Some(opened) = &session.opened else { return super::loading::in_brief(session) };
    let mut right = String::new();
    if let Some(problem) = session.pages.rebuild.problem.as_ref().filter(|_| is_for_destination(state)) {
        return problem.clone();
    }
    let stoppable = |text: String| state.keymap.hint(&text, state.context(), &[(Action::Back, "stop")]);
    if let Some(writing) = &session.writing {
        return stoppable(match writing.total_bytes {
            Some(total) => format!("{} of {} written", display_bytes(writing.read_bytes), display_bytes(total)),
            None => "preparing the image".to_owned(),
        });
    }
    if let Some(copying) = &session.copying {
        let total = copying.total_bytes.map(|total| format!(" of {}", display_bytes(total))).unwrap_or_default();
        return stoppable(format!("copied {}{total}", display_bytes(copying.read_bytes)));
    }
    if let Some(viewer) = &session.viewer {
        return viewer.found().map(found).unwrap_or_default();
    }
    if let Some(filter) = &opened.tree.filter {
        right = match filter.marks.count {
            1 => "1 match".to_owned(),
            count => format!("{count} matches"),
        };
    }
    if let (Some((transfer, traffic)), true) = (session.fetching, right.is_empty()) {
        right = format!("fetching {}", super::loading::how_far(Some(transfer), Some(traffic)));
    }
    if opened.tree.is_pending() {
        right = format!("{} rows…", opened.tree.rows().len());
    }
    right
}
