//! Layers stacked in the plainest way: each is unpacked in order into a sorted map of its own, as an overlay engine
//! unpacks it into a directory, and laid over the map of what is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Difference, Totals};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub kind: char,
    pub path: String,
    pub bytes: u64,
    pub mode: u16,
    pub time: i64,
    pub content: u8,
    pub target: String,
}

impl Line {
    /// As `crate::testing` reads it.
    pub fn text(&self) -> String {
        let Self { kind, path, bytes, mode, time, content, target } = self;
        match kind {
            'w' | 'o' => format!("{kind} {path}"),
            'l' => format!("l {path} -> {target} mode={mode:o} time={time}"),
            'd' => format!("d {path} mode={mode:o} time={time}"),
            _ => format!("f {path} {bytes} mode={mode:o} time={time} content={content}"),
        }
    }

    /// Returns `true` if the directory exists only because something below it needs it.
    pub fn is_implied(&self) -> bool {
        self.path.is_empty()
    }

    pub fn difference(&self, older: &Self) -> Difference {
        let files = self.kind == 'f' && older.kind == 'f';
        let content = self.bytes != older.bytes || (self.bytes > 0 && self.content != older.content);
        let mut found = Difference::empty();
        found.set(Difference::TYPE, self.kind != older.kind);
        found.set(Difference::MODE, self.mode != older.mode);
        found.set(Difference::MTIME, self.time != older.time);
        found.set(Difference::LINK, !files && self.target != older.target);
        found.set(Difference::CONTENT, files && content);
        found
    }
}

/// The visible entries by path.
pub(super) type State = BTreeMap<String, (usize, Line)>;

pub(super) struct Model {
    /// After each layer.
    pub states: Vec<State>,
    pub layers: Vec<ModelLayer>,
}

#[derive(Default)]
pub(super) struct ModelLayer {
    pub entries: BTreeMap<String, Line>,
    pub whiteouts: BTreeSet<String>,
    pub opaque: BTreeSet<String>,
}

impl Model {
    pub fn new(layers: &[Vec<Line>]) -> Self {
        let mut model = Self { states: Vec::new(), layers: Vec::new() };
        let mut state = State::new();
        for (index, lines) in layers.iter().enumerate() {
            let mut upper = Upper { before: &state, made: BTreeMap::new() };
            lines.iter().for_each(|line| upper.unpack(line));
            let made = upper.made;
            let hides = |path: &str| {
                made.get(path).is_some_and(|made| matches!(made, Made::Whiteout))
                    || made.iter().any(|(above, made)| is_below(path, above) && made.erases())
            };
            state.retain(|path, _| !hides(path));
            let layer = ModelLayer::new(&made);
            state.extend(layer.entries.iter().map(|(path, line)| (path.clone(), (index, line.clone()))));
            model.states.push(state.clone());
            model.layers.push(layer);
        }
        model
    }

    /// Every path that a layer mentions, and all directories above it.
    pub fn paths(&self) -> BTreeSet<String> {
        let mentioned = self.layers.iter().flat_map(ModelLayer::mentioned);
        mentioned
            .flat_map(|path| {
                path.match_indices('/').map(|(at, _)| path[..at].to_owned()).chain([path.clone()]).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The state below a layer; empty for the base.
    pub fn before(&self, layer: usize) -> State {
        layer.checked_sub(1).map(|below| self.states[below].clone()).unwrap_or_default()
    }

    /// Returns `true` if anything strictly below a path really differs between two states.
    pub fn changed_below(before: &State, after: &State, path: &str) -> bool {
        let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        all.into_iter().filter(|below| is_below(below, path)).any(|below| match (before.get(below), after.get(below)) {
            (Some(older), Some(newer)) => older.0 != newer.0 && newer.1.difference(&older.1).is_real(),
            (None, Some(newer)) if newer.1.is_implied() && exists(before, below) => false,
            _ => true,
        })
    }
}

/// A path as an engine creates it in the directory of a layer.
#[derive(Clone)]
enum Made {
    Whiteout,
    /// An opaque mark of a directory of lower layers.
    Mark,
    /// A directory; `line` is made up where it has no entry and is there for something below it.
    Directory {
        line: Line,
        opaque: bool,
        erases: bool,
        whiteout_too: bool,
    },
    /// Anything else.
    Other {
        line: Line,
        whiteout_too: bool,
    },
}

impl Made {
    fn implied() -> Self {
        let line =
            Line { kind: 'd', path: String::new(), bytes: 0, mode: 0o755, time: 0, content: 0, target: String::new() };
        Self::Directory { line, opaque: false, erases: false, whiteout_too: false }
    }

    fn erases(&self) -> bool {
        !matches!(self, Self::Directory { opaque: false, erases: false, .. })
    }
}

/// A layer's own directory while its entries are unpacked in order.
struct Upper<'a> {
    before: &'a State,
    made: BTreeMap<String, Made>,
}

impl Upper<'_> {
    fn unpack(&mut self, line: &Line) {
        let parts: Vec<&str> = line.path.split('/').collect();
        if line.kind == 'o' {
            return self.mark_opaque(&parts);
        }
        let (name, parent) = parts.split_last().unwrap();
        let Some(parent) = self.walk(parent, line.kind == 'w') else { return };
        let path = if parent.is_empty() { (*name).to_owned() } else { format!("{parent}/{name}") };
        if line.kind == 'w' {
            return self.whiteout(&parent, path);
        }
        let before = self.made.get(&path).cloned();
        let whiteout_too = match &before {
            Some(Made::Whiteout) => true,
            Some(Made::Directory { whiteout_too, .. } | Made::Other { whiteout_too, .. }) => *whiteout_too,
            _ => false,
        };
        let line = line.clone();
        let made = match (line.kind, before) {
            ('d', Some(Made::Directory { opaque, erases, .. })) => {
                Made::Directory { line, opaque, erases, whiteout_too }
            }
            ('d', Some(Made::Mark)) => Made::Directory { line, opaque: true, erases: false, whiteout_too },
            ('d', _) => Made::Directory { line, opaque: false, erases: false, whiteout_too },
            _ => {
                self.made.retain(|below, _| !is_below(below, &path));
                Made::Other { line, whiteout_too }
            }
        };
        self.made.insert(path, made);
    }

    fn mark_opaque(&mut self, parts: &[&str]) {
        let Some(path) = self.walk(parts, true) else { return };
        let is_below = self.has_lower_directory(&path);
        match self.made.get_mut(&path) {
            Some(Made::Directory { opaque, .. }) => *opaque = true,
            Some(_) => {}
            None if is_below => drop(self.made.insert(path, Made::Mark)),
            None => {
                let Made::Directory { line, .. } = Made::implied() else { return };
                let made = Made::Directory { line, opaque: true, erases: false, whiteout_too: false };
                self.made.insert(path, made);
            }
        }
    }

    fn whiteout(&mut self, parent: &str, path: String) {
        match self.made.get(parent) {
            Some(Made::Whiteout) => return,
            None if !parent.is_empty() && !self.has_lower_directory(parent) => {
                self.made.insert(parent.to_owned(), Made::implied());
            }
            _ => {}
        }
        match self.made.get_mut(&path) {
            Some(Made::Directory { erases, whiteout_too, .. }) => (*erases, *whiteout_too) = (true, true),
            Some(Made::Other { whiteout_too, .. }) => *whiteout_too = true,
            _ => drop(self.made.insert(path, Made::Whiteout)),
        }
    }

    /// Returns the directory of a path, created on the way; `None` if a mark creates none.
    fn walk(&mut self, parts: &[&str], is_mark: bool) -> Option<String> {
        let mut at = String::new();
        for part in parts {
            at = match self.follow(&at, part, is_mark) {
                Some(found) => found,
                None if is_mark => return None,
                None => {
                    let own = Self::join(&at, part);
                    self.made.insert(own.clone(), Made::implied());
                    own
                }
            };
        }
        Some(at)
    }

    fn join(at: &str, part: &str) -> String {
        if at.is_empty() { part.to_owned() } else { format!("{at}/{part}") }
    }

    /// The directory that a name leads to; `None` where links never end, and for a mark where there is none.
    fn follow(&mut self, at: &str, part: &str, is_mark: bool) -> Option<String> {
        let mut at = at.to_owned();
        let mut parts = vec![part.to_owned()];
        let mut links = 0;
        while let Some(part) = parts.pop() {
            if part == ".." {
                at = at.rsplit_once('/').map_or(String::new(), |(above, _)| above.to_owned());
                continue;
            }
            let path = Self::join(&at, &part);
            match self.made.get(&path) {
                Some(Made::Other { line, .. }) if line.kind == 'l' => {
                    links += 1;
                    if links > 41 {
                        return None;
                    }
                    if line.target.starts_with('/') {
                        at.clear();
                    }
                    parts.extend(line.target.split('/').filter(|part| !part.is_empty()).rev().map(str::to_owned));
                    continue;
                }
                Some(Made::Other { .. }) if is_mark => return None,
                Some(Made::Other { .. }) => drop(self.made.insert(path.clone(), Made::implied())),
                Some(_) => {}
                None if self.lower(&path).is_some_and(|line| line.kind != 'd') => {
                    self.made.insert(path.clone(), Made::implied());
                }
                None => {}
            }
            at = path;
        }
        Some(at)
    }

    fn lower(&self, path: &str) -> Option<&Line> {
        let is_hidden = self.made.iter().any(|(above, made)| is_below(path, above) && made.erases());
        self.before.get(path).map(|(_, line)| line).filter(|_| !is_hidden)
    }

    fn has_lower_directory(&self, path: &str) -> bool {
        self.lower(path).is_some_and(|line| line.kind == 'd')
    }
}

impl ModelLayer {
    fn new(made: &BTreeMap<String, Made>) -> Self {
        let mut layer = Self::default();
        for (path, made) in made {
            let (line, opaque, whiteout) = match made {
                Made::Whiteout => (None, false, true),
                Made::Mark => (None, true, false),
                Made::Directory { line, opaque, whiteout_too, .. } => (Some(line), *opaque, *whiteout_too),
                Made::Other { line, whiteout_too } => (Some(line), false, *whiteout_too),
            };
            if let Some(line) = line {
                layer.entries.insert(path.clone(), line.clone());
            }
            if opaque {
                layer.opaque.insert(path.clone());
            }
            if whiteout {
                layer.whiteouts.insert(path.clone());
            }
        }
        layer
    }

    pub fn mentioned(&self) -> impl Iterator<Item = String> {
        self.entries.keys().chain(&self.whiteouts).chain(&self.opaque).cloned()
    }
}

pub(super) fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn exists(state: &State, path: &str) -> bool {
    state.contains_key(path) || totals(state, path).entries > 0
}

pub(super) fn totals(state: &State, path: &str) -> Totals {
    let below = state.iter().filter(|(other, _)| is_below(other, path)).map(|(_, (_, line))| line);
    below.fold(Totals::default(), |sum, line| Totals {
        bytes: sum.bytes + if line.kind == 'f' { line.bytes } else { 0 },
        entries: sum.entries + 1,
    })
}
