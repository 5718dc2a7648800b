//! Changes of the state by incoming messages.

use super::action::{Context, Resolved};
use super::chooser::{self, Chooser};
use super::compare;
use super::input::Key;
use super::layout::Pane;
use super::message::{Effect, Identified, Message, Opening, Report};
use super::pages::Page;
use super::perform::perform;
use super::picker::Picker;
use super::pointer;
use super::prompt::Purpose;
use super::request::Request;
use super::session::Session;
use super::state::{Level, Notice, Screen, State};
use super::viewer::Viewer;
use nixdive_base::text::display_name;
use nixdive_image::{DigestCheck, NodeId};

/// Applies a message to the state; returns the effects to perform.
pub fn update(state: &mut State, message: Message) -> Vec<Effect> {
    let mut effects = Vec::new();
    state.changed = true;
    match message {
        Message::Report(opening, report) => take_report(state, opening, report, &mut effects),
        Message::Key(key) => take_key(state, key, &mut effects),
        Message::Mouse(mouse) => pointer::take(state, mouse, &mut effects),
        Message::Paste(text) => {
            if state.prompt.as_mut().is_some_and(|prompt| prompt.paste(&text)) {
                apply_prompt(state);
            }
        }
        Message::Resize { width, height } => state.size = (width, height),
        Message::Tick => {
            state.changed = state.has_work();
            match &mut state.screen {
                Screen::Session(session) => session.proceed(),
                Screen::Comparing(comparing) => comparing.proceed(),
                Screen::Choosing | Screen::Failed { .. } => {}
            }
        }
    }
    settle(state);
    ask(state, &mut effects);
    effects
}

/// Requests what the screen needs and does not have.
fn ask(state: &mut State, effects: &mut Vec<Effect>) {
    let size = state.size;
    let opening = match &state.screen {
        Screen::Session(session) => session.opening,
        Screen::Comparing(comparing) => comparing.opening,
        Screen::Choosing | Screen::Failed { .. } => return,
    };
    let request = state.screen.viewer_mut().and_then(|viewer| {
        let area = super::draw::viewer_rows(size, viewer);
        viewer.wanted(area.width, area.height)
    });
    effects.extend(request.map(|request| Effect::Ask { opening, request }));
    let Screen::Session(session) = &mut state.screen else { return };
    if session.pages.current == Page::Findings && session.pages.asks_for_judgement() {
        effects.push(Effect::Ask { opening, request: Request::Judge });
    }
    if session.pages.current == Page::Rebuild && session.pages.asks_for_plan() {
        let ticket = session.next_ticket();
        let request = Request::Plan(session.pages.rebuild.ask(ticket));
        effects.push(Effect::Ask { opening, request });
    }
    effects.extend(super::look::ask_for_paths(state));
}

fn take_report(state: &mut State, opening: Opening, report: Report, effects: &mut Vec<Effect>) {
    let size = state.size;
    if matches!(state.screen, Screen::Comparing(_)) {
        return take_comparison(state, opening, report, effects);
    }
    let Screen::Session(session) = &mut state.screen else { return };
    if session.opening != opening {
        return;
    }
    match report {
        Report::Identified(identified) => identify(session, *identified),
        Report::Progress(progress) => session.progress = progress,
        Report::Fetching(fetching) => session.fetching = fetching,
        Report::Opened(opened) => {
            if let Some(defect) = opened.image.defects.first() {
                let text = format!("The image is incomplete or altered: {}", defect.message);
                state.notice = Some(Notice { level: Level::Error, text });
            }
            session.open(opened);
        }
        Report::Insights(findings) => session.pages.learn(findings),
        Report::Judged(findings) => session.pages.judgement.learn(findings),
        Report::Store(study) => session.pages.learn_store(study),
        Report::Refined(refined) => session.refine(refined),
        Report::DigestChecked { layer, check } => {
            if matches!(check, DigestCheck::Differs { .. }) {
                let text = format!("The bytes of layer {} do not match the digest in the image", layer.0);
                state.notice = Some(Notice { level: Level::Error, text });
            }
            if let Some(known) = session.opened.as_mut().and_then(|opened| opened.checks.get_mut(layer.index())) {
                *known = check;
            }
        }
        Report::View(view) => {
            if let Some(viewer) = &mut session.viewer {
                let rows = super::draw::viewer_rows(size, viewer).height;
                viewer.take(*view, rows);
            }
        }
        Report::Hits(hits) => {
            if let Some(results) = &mut session.results {
                results.take(hits);
            }
        }
        Report::Paths(paths) => {
            if let Some(Picker::Paths(list)) = &mut state.picker {
                list.take(paths);
            }
        }
        Report::Planned(planned) => {
            if let Some(problem) = session.pages.rebuild.take(*planned) {
                state.notice = Some(Notice { level: Level::Error, text: problem });
            }
        }
        Report::Writing(transfer) => session.writing = Some(transfer),
        Report::Rebuilt(rebuilt) => {
            session.writing = None;
            super::perform::take_rebuilt(state, rebuilt, effects);
        }
        Report::Gathering(_) | Report::Compared(_) | Report::Shared(_) => {}
        Report::Copying(transfer) => session.copying = Some(transfer),
        Report::Copied(done) => {
            session.copying = None;
            match done {
                Ok(text) => state.inform(text),
                Err(text) => state.notice = Some(Notice { level: Level::Error, text }),
            }
        }
        Report::Done(Ok(text)) => state.inform(text),
        Report::Done(Err(text)) => state.notice = Some(Notice { level: Level::Error, text }),
        Report::Choose(choices) => {
            let source = std::mem::take(&mut session.name);
            state.choosers.push(Chooser::new(choices, chooser::Subject::Source(source)));
            state.screen = Screen::Choosing;
        }
        Report::Confirm { question, choice } => {
            state.choosers.push(Chooser::new(vec![choice], chooser::Subject::Question(question)));
            state.screen = Screen::Choosing;
        }
        Report::Failed(reason) if session.opened.is_some() => {
            state.notice = Some(Notice { level: Level::Error, text: reason });
        }
        Report::Failed(reason) => {
            let name = std::mem::take(&mut session.name);
            state.screen = Screen::Failed { name, reason };
            state.prompt = None;
        }
    }
}

/// Handles messages during a comparison, for it or for the screen beneath.
fn take_comparison(state: &mut State, opening: Opening, report: Report, effects: &mut Vec<Effect>) {
    let size = state.size;
    let Screen::Comparing(comparing) = &mut state.screen else { return };
    if comparing.opening != opening {
        let Some(beneath) = comparing.beneath.take() else { return };
        let above = std::mem::replace(&mut state.screen, *beneath);
        take_report(state, opening, report, effects);
        let beneath = std::mem::replace(&mut state.screen, above);
        if let Screen::Comparing(comparing) = &mut state.screen {
            comparing.beneath = Some(Box::new(beneath));
        }
        return;
    }
    match report {
        Report::Gathering(progress) => comparing.progress = progress,
        Report::Compared(compared) => comparing.take_compared(compared),
        Report::Shared(shared) => comparing.take_shared(shared),
        Report::View(view) => {
            if let Some(viewer) = &mut comparing.viewer {
                let rows = super::draw::viewer_rows(size, viewer).height;
                viewer.take(*view, rows);
            }
        }
        Report::Done(Ok(text)) => state.inform(text),
        Report::Failed(reason) if comparing.is_open() => {
            comparing.asked = None;
            state.notice = Some(Notice { level: Level::Error, text: reason });
        }
        Report::Failed(reason) => {
            let name = comparing.names.join(", ");
            match comparing.beneath.take() {
                Some(beneath) => {
                    state.screen = *beneath;
                    state.notice = Some(Notice { level: Level::Error, text: reason });
                }
                None => state.screen = Screen::Failed { name, reason },
            }
            state.prompt = None;
        }
        _ => {}
    }
}

fn identify(session: &mut Session, identified: Identified) {
    session.identified = identified;
}

fn take_key(state: &mut State, key: Key, effects: &mut Vec<Effect>) {
    if state.notice.as_ref().is_some_and(|notice| notice.level == Level::Info) {
        state.notice = None;
    }
    let context = state.context();
    state.typed.push(key);
    let resolved = state.keymap.resolve(context, &state.typed);
    let resolved = match resolved {
        // A key that does not go on with a sequence is taken by itself.
        Resolved::Nothing if state.typed.len() > 1 => {
            state.typed = vec![key];
            state.keymap.resolve(context, &state.typed)
        }
        other => other,
    };
    match resolved {
        Resolved::Prefix => return,
        Resolved::Action(action) => perform(state, action, effects),
        Resolved::Nothing if context == Context::Prompt => {
            if state.prompt.as_mut().is_some_and(|prompt| prompt.take(key)) {
                apply_prompt(state);
            }
        }
        Resolved::Nothing => {}
    }
    state.typed.clear();
}

/// Applies the text typed so far.
pub(super) fn apply_prompt(state: &mut State) {
    let Some(prompt) = &state.prompt else { return };
    let text = prompt.text.clone();
    if let Some(Picker::Commands(commands)) = &mut state.picker {
        return commands.filter(&text);
    }
    match (&mut state.screen, prompt.purpose) {
        (Screen::Choosing, _) => {
            if let Some(chooser) = state.choosers.last_mut() {
                chooser.filter = text;
                chooser.cursor = Default::default();
            }
        }
        (screen, Purpose::Within) => {
            if let Some(viewer) = screen.viewer_mut() {
                viewer.look_for(&text);
            }
        }
        (Screen::Comparing(comparing), _) => comparing.set_filter(&text),
        (Screen::Session(session), Purpose::Destination) => session.pages.rebuild.problem = None,
        (Screen::Session(session), Purpose::Rows) => session.pages.set_filter(&text),
        (Screen::Session(session), purpose) => session.look_for(purpose, &text),
        (Screen::Failed { .. }, _) => {}
    }
}

/// Opens what the chooser has selected.
pub(super) fn open_choice(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(choice) = state.choosers.last().and_then(Chooser::selected) else { return };
    let opening = Opening(state.latest_opening.0.wrapping_add(1));
    let name = if choice.title.is_empty() { &choice.reference } else { &choice.title };
    effects.push(Effect::Open { opening, reference: choice.reference.clone() });
    state.screen = Screen::Session(Box::new(Session::new(opening, name.clone(), state.view)));
    state.latest_opening = opening;
    state.prompt = None;
}

/// One step back: the error, the filter, the loading, the image.
pub(super) fn back(state: &mut State, effects: &mut Vec<Effect>) {
    if state.help.take().is_some() || state.notice.take().is_some_and(|notice| notice.level == Level::Error) {
        return;
    }
    if let Screen::Session(session) = &state.screen
        && session.writing.is_some()
    {
        return effects.push(Effect::Ask { opening: session.opening, request: Request::StopRebuild });
    }
    if let Screen::Session(session) = &state.screen
        && session.copying.is_some()
    {
        return effects.push(Effect::Ask { opening: session.opening, request: Request::StopExtract });
    }
    match &mut state.screen {
        Screen::Choosing => {
            let cleared =
                state.choosers.last_mut().is_some_and(|chooser| !std::mem::take(&mut chooser.filter).is_empty());
            if !cleared && state.choosers.len() > 1 {
                state.choosers.pop();
            }
        }
        Screen::Session(session) if session.viewer.is_some() => {
            if !session.viewer.as_mut().is_some_and(Viewer::forget) {
                session.viewer = None;
            }
        }
        Screen::Session(session) if session.results.is_some() => {
            let stopped = session.results.as_mut().is_none_or(|results| std::mem::replace(&mut results.complete, true));
            if stopped {
                session.results = None;
            } else {
                effects.push(Effect::Ask { opening: session.opening, request: Request::StopSearch });
            }
        }
        Screen::Session(session) if session.pages.current != Page::Files => {
            if session.pages.back() {
                return;
            }
            let at_root = session.pages.map.directory == NodeId::ROOT;
            if session.pages.current == Page::Map && !at_root {
                super::perform::map_out(session);
            } else {
                session.pages.current = Page::Files;
            }
        }
        Screen::Session(session) => {
            let filtered = session.opened.as_ref().is_some_and(|opened| opened.tree.filter.is_some());
            if filtered {
                session.look_for(Purpose::Filter, "");
            } else if session.preferences.wasted {
                session.toggle_wasted();
            } else if session.preferences.zoomed {
                session.preferences.zoomed = false;
            } else if !state.choosers.is_empty() {
                effects.push(Effect::Cancel(session.opening));
                state.screen = Screen::Choosing;
            } else if session.opened.is_none() && !session.stopped {
                session.stopped = true;
                effects.push(Effect::Cancel(session.opening));
            }
        }
        Screen::Comparing(comparing) => {
            if compare::back(comparing) {
                return;
            }
            if let Some(beneath) = comparing.beneath.take() {
                effects.push(Effect::Cancel(comparing.opening));
                state.screen = *beneath;
            } else if !comparing.is_open() && !comparing.stopped {
                comparing.stopped = true;
                effects.push(Effect::Cancel(comparing.opening));
            }
        }
        Screen::Failed { .. } if !state.choosers.is_empty() => state.screen = Screen::Choosing,
        Screen::Failed { .. } => {}
    }
}

/// Returns the selection as text for the clipboard: a path, a digest, a reference.
pub(super) fn name_of_selection(state: &State) -> Option<String> {
    match &state.screen {
        Screen::Choosing => Some(display_name(state.choosers.last()?.selected()?.reference.as_bytes()).into_owned()),
        Screen::Failed { reason, .. } => Some(reason.clone()),
        Screen::Comparing(comparing) => compare::name_of_selection(comparing),
        Screen::Session(session) if session.viewer.is_some() => {
            session.viewer.as_ref().map(|viewer| viewer.path.clone())
        }
        Screen::Session(session) if session.results.is_some() => {
            let (opened, hit) = (session.opened.as_ref()?, session.results.as_ref()?.selected()?);
            let path = opened.image.tree.path(hit.node);
            Some(format!("{}:{}", display_name(&path), hit.line.saturating_add(1)))
        }
        Screen::Session(session) if session.pages.current != Page::Files => {
            let opened = session.opened.as_ref()?;
            super::perform::selected_on_page(session, opened)
        }
        Screen::Session(session) if session.focus == Pane::Layers => {
            let outlined = || session.selected_outline().and_then(|outline| outline.diff_id.clone());
            match session.selected_layer() {
                Some(layer) => layer.diff_id.as_ref().map(ToString::to_string).or_else(outlined),
                None if session.layers.selected > 0 => outlined(),
                None => {
                    let identity =
                        &session.opened.as_ref().map_or(&session.identified.identity, |opened| &opened.image.identity);
                    let digest = identity.manifest_digest.as_ref().or(identity.config_digest.as_ref());
                    Some(digest.map_or_else(|| session.name.clone(), ToString::to_string))
                }
            }
        }
        Screen::Session(session) => {
            let opened = session.opened.as_ref()?;
            let node = opened.tree.selected_row()?.node;
            Some(display_name(&opened.image.tree.path(node)).into_owned())
        }
    }
}

/// Keeps every selection inside its list and on screen.
fn settle(state: &mut State) {
    let size = state.size;
    let full = usize::from(size.1.saturating_sub(3));
    if let Some(chooser) = state.choosers.last_mut() {
        let length = chooser.shown().count();
        chooser.cursor.settle(length, full);
    }
    if let Some(picker) = &mut state.picker {
        let (cursor, length) = picker.list();
        cursor.settle(length, usize::from(super::draw::picker_rows(size).height));
    }
    if let Some(help) = &mut state.help {
        let length = super::draw::help_length(&state.screen);
        help.offset = help.offset.min(length.saturating_sub(full));
    }
    if let Some(viewer) = state.screen.viewer_mut() {
        viewer.settle(super::draw::viewer_rows(size, viewer).height);
    }
    if let Screen::Comparing(comparing) = &mut state.screen {
        let height = usize::from(super::draw::compared_rows(comparing, size).height);
        compare::settle(comparing, size.0, height);
    }
    if let Screen::Session(session) = &mut state.screen {
        if let Some(results) = &mut session.results {
            results.cursor.settle(results.hits.len(), usize::from(super::draw::results_rows(size).height));
        }
        session.pages.fit(size.0);
        let page_rows = usize::from(super::draw::page_rows(session, size));
        if let Some((cursor, length)) = session.pages.list() {
            cursor.settle(length, page_rows);
        }
        if session.pages.current == Page::Store {
            session.pages.store.explain();
        }
        let areas = session.areas(size);
        let rows = |pane| usize::from(areas.rows(pane).height);
        let length = session.layer_rows();
        session.layers.settle(length, rows(Pane::Layers));
        session.with_tree(|view, _| view.settle(rows(Pane::Tree)));
        let length = super::draw::details_length(session, areas.rows(Pane::Details).width, state.options.unicode);
        session.details_offset = session.details_offset.min(length.saturating_sub(rows(Pane::Details)));
    }
}
