//! Lists from which one is chosen by typing: all actions of a place, or the paths of an image.

use super::action::{ACTIONS, ActionInfo, Context};
use super::list::ListCursor;
use super::request::{Paths, Ticket};
use nixdive_image::{LayerIndex, NodeId};
use nixdive_source::search::PathQuery;

/// Actions with at least this many contexts are basic movements, which the palette leaves out.
const GENERAL: usize = 9;

/// A list that follows the prompt.
#[derive(Debug)]
pub(super) enum Picker {
    Commands(Commands),
    Paths(PathList),
}

/// The actions of a place.
#[derive(Debug)]
pub(super) struct Commands {
    /// Context to perform the action in.
    pub context: Context,
    pub shown: Vec<&'static ActionInfo>,
    pub cursor: ListCursor,
}

/// The best paths for the prompt.
#[derive(Debug)]
pub(super) struct PathList {
    pub layer: LayerIndex,
    pub paths: Paths,
    pub cursor: ListCursor,
    /// Last request and its number.
    pub asked: Option<(Ticket, String)>,
}

impl Commands {
    pub(super) fn new(context: Context) -> Self {
        let mut commands = Self { context, shown: Vec::new(), cursor: ListCursor::default() };
        commands.filter("");
        commands
    }

    /// Lists the actions whose names or descriptions have all words of a text, the best first.
    pub(super) fn filter(&mut self, text: &str) {
        let here = |info: &&ActionInfo| {
            info.contexts.iter().any(|&context| context == self.context || context == Context::Everywhere)
        };
        let query = PathQuery::new(text);
        let score = |info: &ActionInfo| {
            let names = [info.name, info.description].map(|name| query.score(name.as_bytes()));
            names.into_iter().flatten().max()
        };
        let mut scored: Vec<(i32, &ActionInfo)> = if query.is_empty() {
            // What one would look for by name comes before what every list does.
            let general = |info: &ActionInfo| info.contexts.len() >= GENERAL;
            ACTIONS.iter().filter(here).map(|info| (-i32::from(general(info)), info)).collect()
        } else {
            ACTIONS.iter().filter(here).filter_map(|info| Some((score(info)?, info))).collect()
        };
        scored.sort_by_key(|&(score, _)| std::cmp::Reverse(score));
        self.shown = scored.into_iter().map(|(_, info)| info).collect();
        self.cursor = ListCursor::default();
    }

    pub(super) fn selected(&self) -> Option<&'static ActionInfo> {
        self.shown.get(self.cursor.selected).copied()
    }
}

impl PathList {
    pub(super) fn new(layer: LayerIndex) -> Self {
        Self { layer, paths: Paths::default(), cursor: ListCursor::default(), asked: None }
    }

    /// Takes the best paths, unless they belong to an outdated request.
    pub(super) fn take(&mut self, paths: Paths) {
        if self.asked.as_ref().is_some_and(|(ticket, _)| *ticket == paths.ticket) {
            self.paths = paths;
        }
    }

    pub(super) fn selected(&self) -> Option<NodeId> {
        self.paths.hits.get(self.cursor.selected).map(|hit| hit.node)
    }
}

impl Picker {
    /// Cursor and length of the list.
    pub(super) fn list(&mut self) -> (&mut ListCursor, usize) {
        match self {
            Self::Commands(commands) => (&mut commands.cursor, commands.shown.len()),
            Self::Paths(list) => (&mut list.cursor, list.paths.hits.len()),
        }
    }
}
