//! What each action does.

use super::action::Action;
use super::layout::Pane;
use super::list::ListCursor;
use super::look;
use super::message::Effect;
use super::pages::{Heading, Look, Page, Way};
use super::prompt::{Prompt, Purpose};
use super::rows::Hidden;
use super::session::{Exploration, LayerChoice, Session};
use super::state::{Screen, State};
use super::update::{apply_prompt, back, name_of_selection, open_choice};
use super::walk::{Direction, Goal};
use crate::image::SortKey;

/// Does what an action says.
pub(super) fn perform(state: &mut State, action: Action, effects: &mut Vec<Effect>) {
    match action {
        Action::Quit | Action::QuitAnyway => effects.push(Effect::Quit),
        Action::Suspend => effects.push(Effect::Suspend),
        Action::Help => state.help = if state.help.is_some() { None } else { Some(ListCursor::default()) },
        Action::Back => back(state, effects),
        Action::Open => open_choice(state, effects),
        Action::Filter if state.context() == super::action::Context::Store => begin_prompt(state, Purpose::Rows),
        Action::Filter => begin_prompt(state, Purpose::Filter),
        Action::Find => begin_prompt(state, Purpose::Find),
        Action::Palette | Action::SearchFiles | Action::FindPath | Action::Extract | Action::FindWithin => {
            look::begin_asking(state, action);
        }
        Action::Accept => accept_prompt(state, effects),
        Action::Abandon => abandon_prompt(state),
        Action::ToggleMouse => {
            state.mouse = !state.mouse;
            effects.push(Effect::Mouse(state.mouse));
            state.inform(if state.mouse { "Mouse on" } else { "Mouse off: the terminal selects text again" });
        }
        Action::CopyPath => copy(state, name_of_selection(state), effects),
        Action::CopyRow => copy(state, super::draw::row_as_text(state), effects),
        Action::MoveDown | Action::PromptDown => move_by(state, Step::Lines(1)),
        Action::MoveUp | Action::PromptUp => move_by(state, Step::Lines(-1)),
        Action::HalfPageDown => move_by(state, Step::Halves(1)),
        Action::HalfPageUp => move_by(state, Step::Halves(-1)),
        Action::PageDown => move_by(state, Step::Halves(2)),
        Action::PageUp => move_by(state, Step::Halves(-2)),
        Action::First => move_by(state, Step::Lines(isize::MIN)),
        Action::Last => move_by(state, Step::Lines(isize::MAX)),
        _ => {
            let size = state.size;
            let Screen::Session(session) = &mut state.screen else { return };
            if let Some(page) = page_of(session, action) {
                if session.opened.is_none() {
                    return state.inform("The image is not read yet");
                }
                session.pages.current = page;
                if page == Page::Map && session.pages.map.selected.is_none() {
                    go(session, size, Heading::Down);
                }
                return;
            }
            match action {
                Action::OpenHit => return look::open_hit(session),
                Action::RevealHit => return look::reveal(session),
                _ if session.viewer.is_some() => return look::perform_on_viewer(session, size.0, action),
                _ if session.results.is_some() => return,
                Action::OnlyWasted => {
                    let text = session.toggle_wasted();
                    return state.inform(text);
                }
                _ => {}
            }
            if look::begin(session, action) {
                return;
            }
            if session.pages.current != Page::Files {
                if let Some(text) = perform_on_page(session, size, action) {
                    state.inform(text);
                }
                return;
            }
            let said = perform_on_session(session, action).or_else(|| perform_on_tree(session, action));
            if let Some(text) = said {
                state.inform(text);
            }
        }
    }
}

fn copy(state: &mut State, text: Option<String>, effects: &mut Vec<Effect>) {
    match text {
        Some(text) => {
            state.inform(format!("Copied {text}"));
            effects.push(Effect::Copy(text));
        }
        None => state.inform("Nothing to copy here"),
    }
}

fn begin_prompt(state: &mut State, purpose: Purpose) {
    let text = match (&mut state.screen, purpose) {
        (Screen::Choosing, _) => state.choosers.last().map(|chooser| chooser.filter.clone()).unwrap_or_default(),
        (Screen::Session(session), purpose) => {
            let Some(opened) = &session.opened else {
                return state.inform("The files are not read yet");
            };
            if purpose == Purpose::Rows {
                let text = session.pages.store.filter.clone();
                state.prompt = Some(Prompt { purpose, text });
                return;
            }
            // What is typed is about the files, so they had better be in sight.
            session.focus = Pane::Tree;
            match purpose {
                Purpose::Filter => opened.tree.filter.as_ref().map(|filter| filter.text.clone()).unwrap_or_default(),
                _ => String::new(),
            }
        }
        (Screen::Failed { .. }, _) => return,
    };
    state.help = None;
    state.prompt = Some(Prompt { purpose, text });
}

fn accept_prompt(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(prompt) = state.prompt.take() else { return };
    if look::accept(state, &prompt, effects) {
        return;
    }
    match &mut state.screen {
        Screen::Choosing => open_choice(state, effects),
        Screen::Session(session) if prompt.purpose == Purpose::Find && !prompt.text.is_empty() => {
            let found = session.search.as_ref().is_some_and(|search| search.marks.count > 0);
            if !found {
                state.inform(format!("Nothing is called «{}»", prompt.text));
            }
        }
        Screen::Session(session) => {
            session.with_tree(|view, _| view.stay());
        }
        Screen::Failed { .. } => {}
    }
}

fn abandon_prompt(state: &mut State) {
    if let Some(prompt) = &mut state.prompt {
        prompt.text.clear();
        if matches!(prompt.purpose, Purpose::Filter | Purpose::Rows | Purpose::Within) {
            apply_prompt(state);
        }
    }
    state.prompt = None;
    state.picker = None;
}

/// How far a movement goes: lines, or halves of a page.
#[derive(Debug, Clone, Copy)]
enum Step {
    Lines(isize),
    Halves(isize),
}

impl Step {
    fn lines(self, height: u16) -> isize {
        match self {
            Self::Lines(lines) => lines,
            Self::Halves(halves) => halves * (isize::try_from(height).unwrap_or(1) / 2).max(1),
        }
    }
}

fn move_by(state: &mut State, step: Step) {
    let full = state.size.1.saturating_sub(3);
    if let Some(picker) = &mut state.picker {
        let (cursor, length) = picker.list();
        cursor.move_by(step.lines(full), length);
        return;
    }
    if let Some(help) = &mut state.help {
        help.offset = help.offset.saturating_add_signed(step.lines(full));
        return;
    }
    match &mut state.screen {
        Screen::Choosing => {
            if let Some(chooser) = state.choosers.last_mut() {
                let length = chooser.shown().count();
                chooser.cursor.move_by(step.lines(full), length);
            }
        }
        Screen::Session(session) if session.viewer.is_some() => {
            if let Some(viewer) = &mut session.viewer {
                viewer.move_by(step.lines(super::draw::viewer_rows(state.size, viewer).height));
            }
        }
        Screen::Session(session) if session.results.is_some() => {
            let lines = step.lines(super::draw::results_rows(state.size).height);
            if let Some(results) = &mut session.results {
                results.cursor.move_by(lines, results.hits.len());
            }
        }
        Screen::Session(session) if session.pages.current != Page::Files => {
            let lines = step.lines(super::draw::page_rows(session, state.size));
            move_on_page(session, state.size, lines);
        }
        Screen::Session(session) => {
            let lines = step.lines(session.areas(state.size).rows(session.focus).height);
            move_in_session(session, lines);
        }
        Screen::Failed { .. } => {}
    }
}

fn move_in_session(session: &mut Session, lines: isize) {
    match session.focus {
        Pane::Layers => move_layer(session, lines),
        Pane::Tree => {
            session.with_tree(|view, _| view.move_by(lines));
            session.details_offset = 0;
        }
        Pane::Details => session.details_offset = session.details_offset.saturating_add_signed(lines),
    }
}

pub(super) fn move_layer(session: &mut Session, lines: isize) {
    let length = session.layer_rows();
    session.layers.move_by(lines, length);
    session.details_offset = 0;
    session.follow();
}

/// Actions on panes and layers; what to tell the user of them.
fn perform_on_session(session: &mut Session, action: Action) -> Option<String> {
    let preferences = &mut session.preferences;
    match action {
        Action::NextPane => session.focus = session.focus.next(),
        Action::PreviousPane => session.focus = session.focus.previous(),
        Action::EnterTree => session.focus = Pane::Tree,
        Action::Zoom => preferences.zoomed = !preferences.zoomed,
        Action::Widen | Action::Narrow => {
            let grows = (action == Action::Widen) == (session.focus != Pane::Tree);
            let share = if grows { preferences.share + 4 } else { preferences.share - 4 };
            preferences.share = share.clamp(16, 80);
        }
        Action::ToggleWrap => preferences.wrap = !preferences.wrap,
        Action::ToggleAttributes => preferences.attributes = !preferences.attributes,
        Action::NextLayer => move_layer(session, 1),
        Action::PreviousLayer => move_layer(session, -1),
        Action::ToggleBase => return Some(session.toggle_base()),
        Action::ChangingLayer => return session.go_to_change(Direction::Backward),
        Action::LaterChangingLayer => return session.go_to_change(Direction::Forward),
        Action::ToggleScope => {
            preferences.alone = !preferences.alone;
            let text = if preferences.alone {
                "Files of the selected layer alone"
            } else {
                "Files of all layers up to the selected one"
            };
            return told(session, text);
        }
        Action::ToggleBaseline | Action::LayerChanges | Action::AggregatedChanges => {
            preferences.aggregated = match action {
                Action::LayerChanges => false,
                Action::AggregatedChanges => true,
                _ => !preferences.aggregated,
            };
            let text = if preferences.aggregated {
                "Changes of all layers above the base"
            } else {
                "Changes of the selected layer"
            };
            return told(session, text);
        }
        _ => {}
    }
    None
}

fn told(session: &mut Session, text: &str) -> Option<String> {
    session.follow();
    let whole = session.layer_choice() == LayerChoice::All;
    Some(if whole { format!("{text}; select a layer to see them") } else { text.to_owned() })
}

/// Actions on the tree; what to tell the user of them.
fn perform_on_tree(session: &mut Session, action: Action) -> Option<String> {
    match action {
        Action::FindNext => return jump(session, Direction::Forward),
        Action::FindPrevious => return jump(session, Direction::Backward),
        _ => {}
    }
    let said = session.with_tree(|view, tree| {
        match action {
            Action::Toggle => view.toggle(tree),
            Action::Expand => view.expand(tree),
            Action::Collapse => view.collapse(tree),
            Action::ExpandBelow => view.expand_below(tree),
            Action::CollapseBelow => view.collapse_below(tree),
            Action::ToggleAll => view.toggle_all(tree),
            Action::NextChange | Action::PreviousChange => {
                let forward = action == Action::NextChange;
                let direction = if forward { Direction::Forward } else { Direction::Backward };
                let found = view.jump(tree, Goal::Changes, direction);
                return (!found).then(|| "Nothing changed here".to_owned());
            }
            Action::Sort => {
                view.settings.sort = next_sort(view.settings.sort);
                view.settings.reversed = false;
                view.rebuild(tree);
            }
            Action::ReverseSort => {
                view.settings.reversed = !view.settings.reversed;
                view.rebuild(tree);
            }
            _ => {
                return toggle_hidden(action).map(|(hidden, name)| {
                    view.settings.hidden.toggle(hidden);
                    view.rebuild(tree);
                    let shown = if view.settings.hidden.contains(hidden) { "hidden" } else { "shown" };
                    format!("{name} {shown}")
                });
            }
        }
        None
    });
    said.flatten()
}

/// The page that an action leads to.
fn page_of(session: &Session, action: Action) -> Option<Page> {
    let beside = |by: usize| {
        let at = Page::ALL.iter().position(|&page| page == session.pages.current).unwrap_or(0);
        Page::ALL[(at + by) % Page::ALL.len()]
    };
    Some(match action {
        Action::ShowFiles => Page::Files,
        Action::ShowImage => Page::Image,
        Action::ShowWaste => Page::Waste,
        Action::ShowPackages => Page::Packages,
        Action::ShowMap => Page::Map,
        Action::ShowStore => Page::Store,
        Action::NextPage => beside(1),
        Action::PreviousPage => beside(Page::ALL.len() - 1),
        _ => return None,
    })
}

fn move_on_page(session: &mut Session, size: (u16, u16), lines: isize) {
    if session.pages.current == Page::Store && matches!(session.pages.store.look, Look::Map(_)) {
        let heading = if lines > 0 { Heading::Down } else { Heading::Up };
        return session.pages.store.go(super::draw::page_rows_area(session, size), heading);
    }
    if session.pages.current == Page::Map {
        return go(session, size, if lines > 0 { Heading::Down } else { Heading::Up });
    }
    if let Some((cursor, length)) = session.pages.list() {
        cursor.move_by(lines, length);
    }
}

fn go(session: &mut Session, size: (u16, u16), heading: Heading) {
    let Some(opened) = &session.opened else { return };
    let tiles = super::draw::map_tiles(session, opened, size);
    session.pages.map.go(&tiles, heading);
}

/// Along references and referrers, or on the map to the side.
fn step_in_store(session: &mut Session, size: (u16, u16), action: Action) -> Option<String> {
    let (way, heading) = match action {
        Action::StoreLeft => (Way::Referrers, Heading::Left),
        _ => (Way::References, Heading::Right),
    };
    if matches!(session.pages.store.look, Look::Map(_)) {
        let area = super::draw::page_rows_area(session, size);
        session.pages.store.go(area, heading);
        return None;
    }
    session.pages.store.step(way)
}

/// Actions on the pages beside the files; what to tell the user of them.
fn perform_on_page(session: &mut Session, size: (u16, u16), action: Action) -> Option<String> {
    match action {
        Action::StoreLeft | Action::StoreRight => return step_in_store(session, size, action),
        Action::NextChain => return session.pages.store.next_chain(),
        Action::StoreMap => {
            session.pages.store.toggle_map();
            session.pages.store.go(super::draw::page_rows_area(session, size), Heading::Down);
        }
        Action::StoreMapIn => {
            let said = session.pages.store.map_in();
            session.pages.store.go(super::draw::page_rows_area(session, size), Heading::Down);
            return said;
        }
        Action::StoreMapOut => {
            session.pages.store.map_out();
        }
        Action::Sort => session.pages.store.next_sort(),
        Action::ReverseSort => session.pages.store.reverse(),
        Action::RevealPath => {
            let id = session.pages.store.selected()?;
            let node = session.pages.store.study()?.store.get(id)?.node;
            session.reveal(node);
        }
        Action::MapLeft => go(session, size, Heading::Left),
        Action::MapRight => go(session, size, Heading::Right),
        Action::MapOut => map_out(session),
        Action::MapColour => {
            session.pages.map.colouring = session.pages.map.colouring.next();
            return Some(format!("Coloured by {}", session.pages.map.colouring.name()));
        }
        Action::MapIn => {
            let node = session.pages.map.selected?;
            let opened = session.opened.as_ref()?;
            let (scope, baseline) = session.scope(&opened.image);
            let seen = opened.image.tree.see_alone(node, scope, baseline)?;
            if !seen.is_directory || seen.totals.bytes == 0 {
                return Some("Nothing to look into: it is a file".to_owned());
            }
            session.pages.map.directory = node;
            session.pages.map.selected = None;
            go(session, size, Heading::Down);
        }
        Action::RevealTile => {
            let node = session.pages.map.selected?;
            session.reveal(node);
        }
        Action::Reveal => match session.pages.current {
            Page::Waste => {
                let opened = session.opened.as_ref()?;
                let waste = &session.pages.waste;
                let assessment = &session.pages.findings.assessment;
                let row = waste.row(&opened.image, assessment, waste.cursor.selected)?;
                session.reveal(row.node);
            }
            Page::Packages => {
                let findings = std::sync::Arc::clone(&session.pages.findings);
                let package = session.pages.packages.get(session.pages.packages.cursor.selected)?;
                let name = findings.packages.packages.get(package).name.clone();
                session.show_only(&name, findings.packages.ownership.files(package));
                return Some(format!("Files of {name}; esc shows all again"));
            }
            Page::Files | Page::Image | Page::Map | Page::Store => {}
        },
        _ => {}
    }
    None
}

/// From a directory of the map to the one above it.
pub(super) fn map_out(session: &mut Session) {
    let Some(opened) = &session.opened else { return };
    let below = session.pages.map.directory;
    if let Some(above) = opened.image.tree.parent(below) {
        session.pages.map.directory = above;
        session.pages.map.selected = Some(below);
    }
}

/// What is selected on a page beside the files, as it is called outside.
pub(super) fn selected_on_page(session: &Session, opened: &Exploration) -> Option<String> {
    let pages = &session.pages;
    match pages.current {
        Page::Files => None,
        Page::Image => pages.image.selected().map(str::to_owned),
        Page::Waste => {
            Some(pages.waste.row(&opened.image, &pages.findings.assessment, pages.waste.cursor.selected)?.path)
        }
        Page::Packages => Some(pages.packages.row(&pages.findings.packages, pages.packages.cursor.selected)?.name),
        Page::Store => {
            let id = pages.store.selected()?;
            Some(pages.store.study()?.store.get(id)?.path.to_string())
        }
        Page::Map => {
            let node = pages.map.selected?;
            Some(crate::image::display_name(&opened.image.tree.path(node)).into_owned())
        }
    }
}

fn next_sort(sort: SortKey) -> SortKey {
    sort.next()
}

fn toggle_hidden(action: Action) -> Option<(Hidden, &'static str)> {
    Some(match action {
        Action::ToggleAdded => (Hidden::ADDED, "Added"),
        Action::ToggleModified => (Hidden::MODIFIED, "Modified"),
        Action::ToggleRemoved => (Hidden::REMOVED, "Removed"),
        Action::ToggleUnmodified => (Hidden::UNMODIFIED, "Unmodified"),
        _ => return None,
    })
}

fn jump(session: &mut Session, direction: Direction) -> Option<String> {
    if session.search.is_none() {
        // Without a search of its own, the jump goes by the filter.
        session.search = session.opened.as_ref()?.tree.filter.clone();
    }
    let Some(search) = &session.search else { return Some("Nothing to find yet: f asks for a name".to_owned()) };
    let text = search.text.clone();
    (!session.jump(direction)).then(|| format!("Nothing in sight is called «{text}»"))
}
