//! Layers stacked in the plainest way: a sorted map of what is there, replayed layer by layer.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::{Difference, Totals};

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

/// What is to be seen, by path.
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
            let mut layer = ModelLayer::default();
            for line in lines {
                match line.kind {
                    'w' => drop(layer.whiteouts.insert(line.path.clone())),
                    'o' => drop(layer.opaque.insert(line.path.clone())),
                    _ => drop(layer.entries.insert(line.path.clone(), line.clone())),
                }
            }
            let hides = |path: &str| {
                let covered = layer.entries.values().filter(|line| line.kind != 'd').map(|line| &line.path);
                let directories = layer.whiteouts.iter().chain(&layer.opaque).chain(covered);
                layer.whiteouts.contains(path) || directories.into_iter().any(|above| is_below(path, above))
            };
            state.retain(|path, _| !hides(path));
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

    /// Whether something strictly below a path is really other in one state than in another.
    pub fn changed_below(before: &State, after: &State, path: &str) -> bool {
        let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        all.into_iter().filter(|below| is_below(below, path)).any(|below| match (before.get(below), after.get(below)) {
            (Some(older), Some(newer)) => older.0 != newer.0 && newer.1.difference(&older.1).is_real(),
            _ => true,
        })
    }
}

impl ModelLayer {
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
