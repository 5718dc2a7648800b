use super::super::action::{Action, Context, Keymap};
use super::super::layout::Pane;
use super::super::rows::Hidden;
use super::super::session::{LayerChoice, Session};
use super::super::walk::{Direction, Goal};
use super::movement::move_layer;
use nixdive_image::SortKey;

/// Actions on panes and layers; returns a message for the user.
pub(super) fn perform_on_session(session: &mut Session, action: Action) -> Option<String> {
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

/// Actions on the tree; returns a message for the user.
pub(super) fn perform_on_tree(session: &mut Session, action: Action, keymap: &Keymap) -> Option<String> {
    match action {
        Action::FindNext => return jump(session, Direction::Forward, keymap),
        Action::FindPrevious => return jump(session, Direction::Backward, keymap),
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
                return (!found).then(|| "No changes here".to_owned());
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

fn jump(session: &mut Session, direction: Direction, keymap: &Keymap) -> Option<String> {
    if session.search.is_none() {
        // Without a search, the jump uses the filter.
        session.search = session.opened.as_ref()?.tree.filter.clone();
    }
    let Some(search) = &session.search else {
        return Some(keymap.hint("Nothing to find yet", Context::Tree, &[(Action::Find, "find")]));
    };
    let text = search.text.clone();
    (!session.jump(direction)).then(|| format!("No visible match for “{text}”"))
}
