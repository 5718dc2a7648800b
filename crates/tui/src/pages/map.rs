//! Map of the sizes below a directory.

use ratatui::layout::Rect;

use super::treemap::{Block, Heading, Tile, lay_out, next_tile};
use nixdive_image::{Baseline, Change, FileTree, NodeId, Scope};

/// Colour schemes of the tiles.
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

    /// Name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Kind => "kind",
            Self::Package => "package",
        }
    }
}

/// Directory that the map shows, and the selected tile.
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
    /// Selects the next tile in a direction, or the first one if none is selected.
    pub fn go(&mut self, tiles: &[Tile<NodeId>], heading: Heading) {
        self.selected = next_tile(tiles, self.selected, heading);
    }
}

/// Content of a directory as tiles that fill an area. Large directories are divided further.
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
