//! A map of what is large below a directory.

use ratatui::layout::Rect;

use super::treemap::{Block, Heading, Tile, lay_out, next_tile};
use nixdive_image::{Baseline, Change, FileTree, NodeId, Scope};

/// What tiles are coloured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colouring {
    /// The layer that brought most of it.
    #[default]
    Layer,
    /// Directory, program, library, text …
    Kind,
    /// The package that owns it.
    Package,
}

impl Colouring {
    /// The next one.
    pub fn next(self) -> Self {
        match self {
            Self::Layer => Self::Kind,
            Self::Kind => Self::Package,
            Self::Package => Self::Layer,
        }
    }

    /// What it is called on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Kind => "kind",
            Self::Package => "package",
        }
    }
}

/// Which directory the map shows, and which of its tiles is selected.
#[derive(Debug, Clone)]
pub struct MapView {
    pub directory: NodeId,
    pub selected: Option<NodeId>,
    pub colouring: Colouring,
}

impl Default for MapView {
    fn default() -> Self {
        Self { directory: NodeId::ROOT, selected: None, colouring: Colouring::default() }
    }
}

impl MapView {
    /// Selects the tile that lies next in a direction; the first where none is selected.
    pub fn go(&mut self, tiles: &[Tile<NodeId>], heading: Heading) {
        self.selected = next_tile(tiles, self.selected, heading);
    }
}

/// What lies in a directory as tiles that fill an area. A large directory is divided in its turn.
pub fn tiles(tree: &FileTree, directory: NodeId, scope: Scope, area: Rect) -> Vec<Tile<NodeId>> {
    lay_out(area, directory, |directory: NodeId| blocks(tree, directory, scope))
}

fn blocks(tree: &FileTree, directory: NodeId, scope: Scope) -> Vec<Block<NodeId>> {
    let baseline = Baseline::Below;
    let Some(seen) = tree.see_alone(directory, scope, baseline) else { return Vec::new() };
    let seen = |child| tree.see(child, scope, baseline, seen.floors).filter(|seen| seen.change != Change::Removed);
    let block = |child| {
        let seen = seen(child)?;
        Some(Block { key: child, bytes: seen.totals.bytes, can_divide: seen.is_directory })
    };
    tree.children(directory).filter_map(block).collect()
}
