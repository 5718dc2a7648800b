//! The Nix store: a table of its paths, a walk along references and referrers, and a map by what each path adds.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::treemap::{Block, Heading, Tile, lay_out, next_tile};
use crate::list::ListCursor;
use nixdive_nix::graph::PathId;
use nixdive_nix::study::{Chain, StoreStudy};

/// Sort keys of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreSort {
    /// Bytes that would be removed with the path.
    #[default]
    Added,
    /// The path with all that it needs.
    Closure,
    /// The path itself.
    Nar,
    /// The lowest layer that holds it.
    Layer,
    /// Name and version.
    Name,
}

impl StoreSort {
    fn next(self) -> Self {
        match self {
            Self::Added => Self::Closure,
            Self::Closure => Self::Nar,
            Self::Nar => Self::Layer,
            Self::Layer => Self::Name,
            Self::Name => Self::Added,
        }
    }
}

/// Directions of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To what a path refers to, rightwards.
    References,
    /// To what refers to a path, leftwards.
    Referrers,
}

/// One column of a walk.
#[derive(Debug, Clone)]
pub struct Column {
    pub paths: Vec<PathId>,
    pub cursor: ListCursor,
}

/// Columns that follow each other, the table being the first of them.
#[derive(Debug, Clone)]
pub struct Walk {
    pub way: Way,
    pub columns: Vec<Column>,
}

/// The map: what a path holds alone, and what of that is selected.
#[derive(Debug, Clone, Default)]
pub struct StoreMap {
    /// `None` for what no single path holds.
    pub within: Option<PathId>,
    pub selected: Option<PathId>,
}

/// Views of the store.
#[derive(Debug, Clone, Default)]
pub enum Look {
    #[default]
    Table,
    Walk(Walk),
    Map(StoreMap),
}

/// Chains that lead to the selected path, computed once per selection.
#[derive(Debug, Clone)]
pub struct Reason {
    pub path: PathId,
    /// All chains, or the shortest alone.
    pub all: bool,
    pub chains: Vec<Chain>,
    /// Number of the chain shown.
    pub shown: usize,
}

/// The state of the page.
#[derive(Debug, Default)]
pub struct StorePage {
    study: Option<Arc<StoreStudy>>,
    /// By path, those that leave with it; last those that no single path holds.
    held: (Vec<Vec<PathId>>, Vec<PathId>),
    pub rows: Vec<PathId>,
    pub sort: StoreSort,
    pub reversed: bool,
    pub filter: String,
    pub cursor: ListCursor,
    pub look: Look,
    pub reason: Option<Reason>,
}

impl StorePage {
    /// The page of a store.
    pub fn new(study: Option<Arc<StoreStudy>>) -> Self {
        let held = study.as_ref().map(|study| study.dominators.children()).unwrap_or_default();
        let mut page = Self { study, held, ..Self::default() };
        page.arrange();
        page
    }

    pub fn study(&self) -> Option<&Arc<StoreStudy>> {
        self.study.as_ref()
    }

    /// Filters and sorts the table, keeping the selected path selected.
    fn arrange(&mut self) {
        let Some(study) = self.study.clone() else { return };
        let kept = self.rows.get(self.cursor.selected).copied();
        let wanted = self.filter.to_lowercase();
        let name = |id: PathId| study.store.get(id).map_or("", |known| known.path.name());
        self.rows = study.ids().filter(|&id| name(id).to_lowercase().contains(&wanted)).collect();
        let figures = |id: PathId| study.paths.get(id.index()).copied().unwrap_or_default();
        let layer = |id: PathId| study.store.get(id).and_then(|known| known.layers.first()).map(|share| share.layer);
        match self.sort {
            StoreSort::Added => self.rows.sort_by_key(|&id| std::cmp::Reverse(figures(id).added_bytes)),
            StoreSort::Closure => self.rows.sort_by_key(|&id| std::cmp::Reverse(figures(id).closure_bytes)),
            StoreSort::Nar => self.rows.sort_by_key(|&id| std::cmp::Reverse(study.graph.nar_bytes(id))),
            StoreSort::Layer => self.rows.sort_by_key(|&id| layer(id)),
            StoreSort::Name => self.rows.sort_by(|&one, &other| name(one).cmp(name(other))),
        }
        if self.reversed {
            self.rows.reverse();
        }
        let place = kept.and_then(|kept| self.rows.iter().position(|&id| id == kept));
        self.cursor.selected = place.unwrap_or(0);
    }

    pub fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
        self.look = Look::Table;
        self.arrange();
    }

    pub fn next_sort(&mut self) {
        self.sort = self.sort.next();
        self.reversed = false;
        self.arrange();
    }

    pub fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.arrange();
    }

    /// The selected path.
    pub fn selected(&self) -> Option<PathId> {
        match &self.look {
            Look::Table => self.rows.get(self.cursor.selected).copied(),
            Look::Walk(walk) => {
                walk.columns.last().and_then(|column| column.paths.get(column.cursor.selected)).copied()
            }
            Look::Map(map) => map.selected,
        }
    }

    /// Selects a path in the table, which shows all for it.
    pub fn select(&mut self, path: PathId) {
        self.set_filter("");
        self.cursor.selected = self.rows.iter().position(|&id| id == path).unwrap_or(0);
    }

    /// Cursor and length of the list in use; `None` for the map.
    pub fn list(&mut self) -> Option<(&mut ListCursor, usize)> {
        match &mut self.look {
            Look::Table => Some((&mut self.cursor, self.rows.len())),
            Look::Walk(walk) => walk.columns.last_mut().map(|column| (&mut column.cursor, column.paths.len())),
            Look::Map(_) => None,
        }
    }

    /// Neighbours of a path, those that add most first; in a closure, its references in the order of `nix-store
    /// --query --tree`.
    pub fn neighbours(&self, path: PathId, way: Way) -> Vec<PathId> {
        let Some(study) = &self.study else { return Vec::new() };
        if study.is_closure() && way == Way::References {
            return study.graph.tree_references(path).into_iter().filter(|&id| id != path).collect();
        }
        let mut paths = match way {
            Way::References => study.graph.references(path).to_vec(),
            Way::Referrers => study.graph.referrers(path).to_vec(),
        };
        paths.sort_by_key(|id| std::cmp::Reverse(study.paths.get(id.index()).map_or(0, |path| path.added_bytes)));
        paths
    }

    /// Goes a step: into what the selected path leads to, or back where the walk came from. What to tell the user.
    pub fn step(&mut self, way: Way) -> Option<String> {
        if let Look::Walk(walk) = &mut self.look
            && walk.way != way
        {
            walk.columns.pop();
            if walk.columns.is_empty() {
                self.look = Look::Table;
            }
            return None;
        }
        let from = self.selected()?;
        let paths = self.neighbours(from, way);
        if paths.is_empty() {
            return Some(match way {
                Way::References => "No references to other store paths".to_owned(),
                Way::Referrers => "No referrers".to_owned(),
            });
        }
        let column = Column { paths, cursor: ListCursor::default() };
        match &mut self.look {
            Look::Walk(walk) => walk.columns.push(column),
            look => *look = Look::Walk(Walk { way, columns: vec![column] }),
        }
        None
    }

    /// Leaves the walk or the map, or clears the filter; returns `true` if there was one.
    pub fn back(&mut self) -> bool {
        if !matches!(self.look, Look::Table) {
            let selected = self.selected();
            self.look = Look::Table;
            let place = selected.and_then(|selected| self.rows.iter().position(|&id| id == selected));
            self.cursor.selected = place.unwrap_or(self.cursor.selected);
            return true;
        }
        let filtered = !self.filter.is_empty();
        if filtered {
            self.set_filter("");
        }
        filtered
    }

    /// Switches between the table and the map by added size.
    pub fn toggle_map(&mut self) {
        self.look = match &self.look {
            Look::Map(map) => {
                let selected = map.selected;
                let place = selected.and_then(|selected| self.rows.iter().position(|&id| id == selected));
                self.cursor.selected = place.unwrap_or(self.cursor.selected);
                Look::Table
            }
            _ => Look::Map(StoreMap::default()),
        };
    }

    /// Tiles of the map in an area, each as large as what its path adds.
    pub fn tiles(&self, within: Option<PathId>, area: Rect) -> Vec<Tile<PathId>> {
        let Some(study) = &self.study else { return Vec::new() };
        lay_out(area, within, |path| {
            let inner: &[PathId] = match path {
                None => &self.held.1,
                Some(path) => self.held.0.get(path.index()).map_or(&[], Vec::as_slice),
            };
            let block = |&id: &PathId| Block {
                key: id,
                bytes: study.dominators.added_bytes(id),
                can_divide: self.held.0.get(id.index()).is_some_and(|held| !held.is_empty()),
            };
            inner.iter().map(block).collect()
        })
    }

    /// Goes to the next tile of the map in a direction.
    pub fn go(&mut self, area: Rect, heading: Heading) {
        let Look::Map(map) = &self.look else { return };
        let tiles = self.tiles(map.within, area);
        let selected = next_tile(&tiles, map.selected, heading);
        if let Look::Map(map) = &mut self.look {
            map.selected = selected;
        }
    }

    /// Selects the tile of the map at a cell; returns `true` if the map is shown.
    pub fn press(&mut self, area: Rect, at: (u16, u16)) -> bool {
        let Look::Map(map) = &self.look else { return false };
        let tiles = self.tiles(map.within, area);
        let selected = tiles.iter().rfind(|tile| tile.area.contains(at.into())).and_then(|tile| tile.key);
        if let Look::Map(map) = &mut self.look {
            map.selected = selected.or(map.selected);
        }
        true
    }

    /// Into what the selected tile's path holds alone; what to tell the user.
    pub fn map_in(&mut self) -> Option<String> {
        let Look::Map(map) = &mut self.look else { return None };
        let selected = map.selected?;
        if self.held.0.get(selected.index()).is_none_or(Vec::is_empty) {
            return Some("No path is needed only by this one".to_owned());
        }
        *map = StoreMap { within: Some(selected), selected: None };
        None
    }

    /// Zooms out; returns `true` if the map was zoomed into a path.
    pub fn map_out(&mut self) -> bool {
        let Look::Map(map) = &mut self.look else { return false };
        let Some(within) = map.within else { return false };
        let above = self.study.as_ref().and_then(|study| study.dominators.immediate(within));
        *map = StoreMap { within: above, selected: Some(within) };
        true
    }

    /// Computes the chains that lead to the selected path, unless they are known.
    pub fn explain(&mut self) {
        let Some(path) = self.selected() else { return self.reason = None };
        if self.reason.as_ref().is_none_or(|reason| reason.path != path) {
            self.explain_anew(path, false);
        }
    }

    fn explain_anew(&mut self, path: PathId, all: bool) {
        let Some(study) = &self.study else { return };
        let why = study.why(path, all);
        self.reason = Some(Reason { path, all, chains: why.chains, shown: 0 });
    }

    /// The next of the chains that lead to the selected path; what to tell the user.
    pub fn next_chain(&mut self) -> Option<String> {
        let path = self.selected()?;
        if self.reason.as_ref().is_none_or(|reason| !reason.all) {
            self.explain_anew(path, true);
        }
        let reason = self.reason.as_mut()?;
        reason.shown = if reason.shown + 1 < reason.chains.len() { reason.shown + 1 } else { 0 };
        match reason.chains.len() {
            0 => Some("Unreachable: nothing refers to it".to_owned()),
            1 => Some("Only one chain".to_owned()),
            count => Some(format!("Chain {} of {count}", reason.shown + 1)),
        }
    }
}
