use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference};

use super::style::{LineWriter, StyledLine};
use super::{Meaning, Style, Syntaxes};

/// Lines between two states that are kept.
const STRIDE: usize = 64;
/// Lines before those asked for with which a fresh start is made, far into a text.
pub(super) const FRESH_LEAD: usize = 64;
/// States that are kept of one text.
const MOST_STATES: usize = 256;
/// Bytes that are gone through before those asked for, so that their colours are right; beyond, a fresh start is made
/// a little before them.
const MOST_LEAD: u64 = 32 << 10;
/// Bytes of the longest line that is coloured.
const MOST_LINE_BYTES: usize = 2 << 10;
/// Scopes within each other; more are a file that lies about its type.
const MOST_DEPTH: usize = 200;
/// Time after which one line shows that this file cannot be coloured at bearable cost.
const MOST_LINE_TIME: Duration = Duration::from_millis(400);

#[derive(Clone)]
struct State {
    parse: ParseState,
    scopes: ScopeStack,
}

/// Colours lines, remembering the parser's state here and there.
pub(super) struct Highlighter {
    syntaxes: Arc<Syntaxes>,
    name: String,
    fresh: State,
    /// Offset at which the text begins.
    start: u64,
    /// By the offset of the line before which they are the state.
    states: BTreeMap<u64, State>,
    meanings: HashMap<Scope, Option<Meaning>>,
    /// Set for a text that the parser cannot cope with.
    given_up: bool,
}

impl Highlighter {
    pub(super) fn new(syntaxes: Arc<Syntaxes>, syntax: &SyntaxReference, start: u64) -> Self {
        let fresh = State { parse: ParseState::new(syntax), scopes: ScopeStack::new() };
        let name = syntax.name.clone();
        let meanings = HashMap::new();
        Self { syntaxes, name, fresh, start, states: BTreeMap::new(), meanings, given_up: false }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the offset from which lines must be coloured for those at `offset` to be right: a
    /// line shortly before whose state is known; `None` for a fresh start some [`FRESH_LEAD`] lines
    /// before.
    pub(super) fn begin_at(&self, offset: u64) -> Option<u64> {
        if self.given_up {
            return Some(offset);
        }
        let known = self.states.range(..=offset).next_back().map_or(self.start, |(&known, _)| known);
        (offset.saturating_sub(known) <= MOST_LEAD).then_some(known)
    }

    /// Colours lines that follow each other, each with where it begins and whether it was cut, from one on that
    /// [`Self::begin_at`] gave; whether the time sufficed. Lines that are cut at a bound are left plain.
    pub(super) fn style<'a>(
        &mut self,
        lines: impl Iterator<Item = (u64, &'a str, bool)>,
        time: Duration,
    ) -> (Vec<StyledLine>, bool) {
        let start = Instant::now();
        let mut state = self.fresh.clone();
        let mut styled = Vec::new();
        let mut in_time = true;
        for (number, (offset, text, cut)) in lines.enumerate() {
            if number == 0
                && let Some(known) = self.states.get(&offset)
            {
                state = known.clone();
            }
            if in_time && !self.given_up && start.elapsed() > time {
                in_time = false;
                self.remember(offset, &state);
            }
            let colour = in_time && !self.given_up && !cut && text.len() <= MOST_LINE_BYTES;
            if colour && number > 0 && number % STRIDE == 0 {
                self.remember(offset, &state);
            }
            let mut line = if colour { self.style_line(text, &mut state) } else { None };
            let line = line.take().unwrap_or_else(|| {
                let mut plain = LineWriter::default();
                plain.push(text, Meaning::Plain);
                plain.finish()
            });
            styled.push(StyledLine { cut, ..line });
        }
        (styled, in_time || self.given_up)
    }

    fn style_line(&mut self, text: &str, state: &mut State) -> Option<StyledLine> {
        let start = Instant::now();
        let syntaxes = Arc::clone(&self.syntaxes);
        let loaded = syntaxes.loaded();
        let with_end = format!("{text}\n");
        let parsed = state.parse.parse_line(&with_end, &loaded.set).ok();
        if parsed.is_none() || start.elapsed() > MOST_LINE_TIME {
            self.give_up();
        }
        let mut line = LineWriter::default();
        let mut from = 0;
        for (at, operation) in parsed? {
            let at = at.min(text.len());
            if at > from {
                line.push(text.get(from..at)?, loaded.scopes.style(&state.scopes, &mut self.meanings));
                from = at;
            }
            if state.scopes.apply(&operation).is_err() || state.scopes.len() > MOST_DEPTH {
                self.give_up();
                return None;
            }
        }
        let style: Style = loaded.scopes.style(&state.scopes, &mut self.meanings);
        line.push(text.get(from..)?, style);
        Some(line.finish())
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.states.clear();
    }

    fn remember(&mut self, offset: u64, state: &State) {
        self.states.insert(offset, state.clone());
        if self.states.len() > MOST_STATES {
            let mut keep = false;
            self.states.retain(|&other, _| {
                keep = !keep;
                keep || other == offset
            });
        }
    }
}
