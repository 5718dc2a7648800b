//! Content of a path, as rows.

mod body;
mod finder;
mod patterns;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use finder::{Finder, Shown, difference_between};
use nixdive_image::Image;
use nixdive_preview::{Allowance, Cancel, Find, Finding, Hit, Layout, Rows, Screenful, Syntaxes, screenful};
use nixdive_source::open::Contents;
use nixdive_tui::{FindRequest, FindState, Form, Target, Ticket, View, ViewRequest};
use patterns::Patterns;

/// Rows of a screen beyond which no more are handed out.
const MOST_HEIGHT: u16 = 200;
/// Work done before an answer reports its progress.
const STEP: Allowance = Allowance { bytes: 32 << 20, colouring: Duration::from_millis(60) };
/// Work done before the first answer, which must come at once.
const FIRST_STEP: Allowance = Allowance { bytes: 4 << 20, ..STEP };
/// Answers that get no further after which no more are given.
const MOST_VAIN: u32 = 64;

/// A path shown in one form.
pub struct Viewed {
    ticket: Ticket,
    form: Form,
    shown: Shown,
    problem: Option<String>,
    search: Option<Search>,
    /// The last request, and the bytes read when it was answered.
    last: Option<(ViewRequest, u64)>,
    /// Answers to it that got no further.
    vain: u32,
}

/// A search in the content on screen.
struct Search {
    text: Arc<str>,
    find: Result<Find, String>,
    finding: Finding,
}

impl Viewed {
    /// Returns `true` if this is the content that `request` asks for.
    pub fn is_of(&self, request: &ViewRequest) -> bool {
        (self.ticket, self.form) == (request.ticket, request.form)
    }

    /// Determines the content to show; an error is shown in its place.
    ///
    /// `images` are those that were opened together, or the one.
    pub fn open(
        images: &[(&Image, &Contents)],
        request: &ViewRequest,
        syntaxes: &Arc<Syntaxes>,
        cancel: &Cancel,
    ) -> Self {
        let finder = |number: usize, subject| {
            let &(image, contents) = images.get(number)?;
            Some(Finder { image, contents, subject, syntaxes, cancel })
        };
        let form = request.form;
        let nowhere = || Err("it is in no image that is open".to_owned());
        let found = match request.target {
            Target::Path(subject) => finder(0, subject).map_or_else(nowhere, |finder| finder.find(form)),
            Target::Versions { left, right } => {
                let sides = [left, right].map(|side| side.and_then(|(number, subject)| finder(number, subject)));
                let [left, right] = sides;
                match form {
                    Form::Unified | Form::SideBySide => {
                        difference_between((left, right), form == Form::SideBySide, cancel)
                    }
                    // The newer version, where there is one.
                    Form::Content | Form::Bytes => right.or(left).map_or_else(nowhere, |finder| finder.find(form)),
                }
            }
        };
        let (shown, problem) = match found {
            Ok(shown) => (shown, None),
            Err(problem) => (Shown::default(), Some(problem)),
        };
        let (ticket, form) = (request.ticket, request.form);
        Self { ticket, form, shown, problem, search: None, last: None, vain: 0 }
    }

    /// Returns the requested rows, as far as one step gets.
    pub fn rows(&mut self, request: &ViewRequest) -> View {
        self.look_for(request.find.as_ref());
        let again = self.last.as_ref().is_some_and(|(last, _)| last == request);
        let allowance = if again { STEP } else { FIRST_STEP };
        let current = request.find.as_ref().and_then(|find| find.current);
        let search = &mut self.search;
        let answer = |rows: &mut dyn Rows| answer(rows, request, search.as_mut(), current, allowance);
        let (screen, mut view) = self.shown.body.with_rows(usize::from(request.width), answer);
        view.pending |= screen.pending;
        (view.rows, view.top, view.begins, view.ends) = (screen.rows, screen.top, screen.begins, screen.ends);
        (view.ticket, view.form) = (self.ticket, self.form);
        (view.place, view.by) = (request.place, request.by);
        (view.kind, view.halves) = (self.shown.kind.clone(), self.shown.halves.clone());
        (view.measure, view.total) = (self.shown.body.measure(), self.shown.body.total());
        let problem = self.shown.body.problem().map(|problem| format!("{}: {problem}", self.shown.layer));
        view.problem = self.problem.clone().or(problem);
        view.pending &= self.gets_further(request, &view);
        view
    }

    /// Begins another search where another text is looked for.
    fn look_for(&mut self, wanted: Option<&FindRequest>) {
        let known = self.search.as_ref().map(|search| &search.text);
        if wanted.map(|wanted| &wanted.text) == known {
            return;
        }
        let bytes = self.shown.body.is_bytes();
        self.search = wanted.map(|wanted| {
            let find =
                Patterns::parse(&wanted.text, bytes).map(|needle| Find { needle: Arc::new(needle), current: None });
            Search { text: Arc::clone(&wanted.text), find, finding: Finding::default() }
        });
    }

    /// Returns `true` if answering the same request again gets further.
    fn gets_further(&mut self, request: &ViewRequest, view: &View) -> bool {
        let find = view.find.as_ref().map_or(0, |find| find.percent + find.count);
        let done = self.shown.body.bytes_read().wrapping_add(find);
        let stands = self.last.as_ref().is_some_and(|(last, before)| last == request && *before == done);
        self.vain = if stands { self.vain + 1 } else { 0 };
        self.last = Some((request.clone(), done));
        self.vain < MOST_VAIN
    }
}

fn answer(
    rows: &mut dyn Rows,
    request: &ViewRequest,
    search: Option<&mut Search>,
    current: Option<Hit>,
    allowance: Allowance,
) -> (Screenful, View) {
    let gutter = rows.gutter();
    let layout = Layout {
        width: usize::from(request.width.saturating_sub(gutter).max(1)),
        height: usize::from(request.height.clamp(1, MOST_HEIGHT)),
        wrap: request.wrap,
    };
    let mut view = View { gutter, extent: rows.extent(), ..View::default() };
    let place = (request.place, request.by);
    let Some(search) = search else { return (screenful(rows, place, layout, None, allowance), view) };
    let Search { text, find, finding } = search;
    let mut state = FindState { text: Arc::clone(text), ..FindState::default() };
    let screen = match find {
        Ok(find) => {
            let find = Find { current, ..find.clone() };
            let screen = screenful(rows, place, layout, Some((&find, finding)), allowance);
            view.pending = finding.seeks() || finding.count_on(rows, &find);
            state.current = finding.current().or(current);
            state.index = state.current.and_then(|hit| finding.index_of(hit));
            (state.count, state.counted) = finding.count();
            (state.nothing, state.wrapped) = (finding.found_nothing(), finding.wrapped());
            state.percent = finding.percent(view.extent);
            state.problem = finding.problem().map(str::to_owned);
            screen
        }
        Err(problem) => {
            state.problem = Some(problem.clone());
            screenful(rows, place, layout, None, allowance)
        }
    };
    view.find = Some(state);
    (screen, view)
}
