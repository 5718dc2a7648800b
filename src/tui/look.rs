//! What actions do that look into files.

use super::action::Action;
use super::layout::Pane;
use super::pages::Page;
use super::request::Form;
use super::session::Session;

/// Actions that begin to look into something; whether this is one and there was something to look into.
pub(super) fn begin(session: &mut Session, action: Action) -> bool {
    let Some(node) = session.opened.as_ref().and_then(|opened| {
        let (node, seen) = opened.tree.selected_seen(&opened.image.tree)?;
        let wanted = match action {
            Action::Preview => true,
            Action::Toggle => !seen.is_directory,
            _ => false,
        };
        wanted.then_some(node)
    }) else {
        return false;
    };
    if session.pages.current != Page::Files || session.focus == Pane::Layers {
        return false;
    }
    if let Some(subject) = session.subject(node) {
        session.view(subject, Form::Content);
    }
    true
}

/// Actions on the file that is looked at.
pub(super) fn perform_on_viewer(session: &mut Session, action: Action) {
    let Some(viewer) = &mut session.viewer else { return };
    let or_content = |form: Form, now: Form| if now == form { Form::Content } else { form };
    match action {
        Action::ToggleBytes => viewer.switch(or_content(Form::Bytes, viewer.form)),
        Action::ToggleDifference => viewer.switch(or_content(Form::Difference, viewer.form)),
        Action::ToggleWrap => {
            viewer.wrap = !viewer.wrap;
            viewer.left = 0;
        }
        Action::ScrollLeft => viewer.side(false),
        Action::ScrollRight => viewer.side(true),
        _ => {}
    }
}
