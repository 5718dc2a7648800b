//! A squarified treemap: M. Bruls, K. Huizing, J. van Wijk, "Squarified Treemaps", 2000. A cell of a terminal is about
//! twice as high as it is wide, so rows count double.

use ratatui::layout::Rect;

use crate::image::{FileTree, NodeId, Scope, Seen};

/// Tiles that are laid out in one directory; what is smaller is put together in the last one.
const MOST_TILES: usize = 400;
/// Cells below which a tile says nothing: its path goes to the last one too.
const LEAST_CELLS: u64 = 12;

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

/// One rectangle of the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tile {
    /// `None` for all that was too small for a tile of its own.
    pub node: Option<NodeId>,
    pub bytes: u64,
    /// Paths that it stands for: itself, or all that are too small.
    pub paths: usize,
    pub is_directory: bool,
    /// Whether the tiles of what lies in it are laid over it.
    pub is_divided: bool,
    pub area: Rect,
}

/// Where an arrow key leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    Left,
    Right,
    Up,
    Down,
}

impl MapView {
    /// Selects the tile that lies next in a direction; the first where none is selected.
    pub fn go(&mut self, tiles: &[Tile], heading: Heading) {
        let current = self.selected.and_then(|node| tiles.iter().find(|tile| tile.node == Some(node)));
        let Some(current) = current else {
            self.selected = tiles.iter().find(|tile| !tile.is_divided).and_then(|tile| tile.node);
            return;
        };
        let from = middle(current.area);
        let distance = |tile: &&Tile| {
            let to = middle(tile.area);
            let (ahead, aside) = match heading {
                Heading::Left => (from.0 - to.0, (from.1 - to.1).abs()),
                Heading::Right => (to.0 - from.0, (from.1 - to.1).abs()),
                Heading::Up => (from.1 - to.1, (from.0 - to.0).abs()),
                Heading::Down => (to.1 - from.1, (from.0 - to.0).abs()),
            };
            (ahead > 0).then_some(ahead + 3 * aside)
        };
        let others = tiles.iter().filter(|tile| tile.node.is_some() && !tile.is_divided && tile.area != current.area);
        if let Some(next) = others.filter(|tile| distance(tile).is_some()).min_by_key(|tile| distance(tile)) {
            self.selected = next.node;
        }
    }
}

/// Middle of a rectangle, doubled, in cells of equal sides.
fn middle(area: Rect) -> (i32, i32) {
    (i32::from(area.x) * 2 + i32::from(area.width), (i32::from(area.y) * 2 + i32::from(area.height)) * 2)
}

/// A directory's tile is divided from this many cells on.
const ROOM_TO_DIVIDE: (u16, u16) = (14, 5);
/// Tiles that the whole map may have.
const MOST_IN_ALL: usize = 3000;

/// What lies in a directory as tiles that fill an area. A large directory is divided in its turn, its tiles behind its
/// own.
pub fn tiles(tree: &FileTree, directory: NodeId, scope: Scope, area: Rect) -> Vec<Tile> {
    let mut all = children(tree, directory, scope, area);
    let mut next = 0;
    while let Some(tile) = all.get_mut(next) {
        next += 1;
        let (Some(node), true) = (tile.node, tile.is_directory) else { continue };
        let area = tile.area;
        if area.width < ROOM_TO_DIVIDE.0 || area.height < ROOM_TO_DIVIDE.1 {
            continue;
        }
        let inner = Rect::new(area.x + 1, area.y + 1, area.width - 1, area.height - 1);
        let below = children(tree, node, scope, inner);
        tile.is_divided = !below.is_empty();
        all.extend(below);
        if all.len() >= MOST_IN_ALL {
            break;
        }
    }
    all
}

/// The children of a directory as tiles that fill an area, the largest first.
fn children(tree: &FileTree, directory: NodeId, scope: Scope, area: Rect) -> Vec<Tile> {
    let baseline = crate::image::Baseline::Below;
    let Some(seen) = tree.see_alone(directory, scope, baseline) else { return Vec::new() };
    let mut children: Vec<(NodeId, Seen)> = tree
        .children(directory)
        .filter_map(|child| Some((child, tree.see(child, scope, baseline, seen.floors)?)))
        .filter(|(_, seen)| seen.totals.bytes > 0 && seen.change != crate::image::Change::Removed)
        .collect();
    children.sort_by_key(|(node, seen)| (std::cmp::Reverse(seen.totals.bytes), *node));
    let all: u64 = children.iter().map(|(_, seen)| seen.totals.bytes).fold(0, u64::saturating_add);
    let least = all.saturating_mul(LEAST_CELLS) / u64::from(area.area()).max(1);
    let shown = children.iter().take(MOST_TILES).take_while(|(_, seen)| seen.totals.bytes >= least).count();
    let rest_paths = children.len() - shown;
    let rest = children.iter().skip(shown).map(|(_, seen)| seen.totals.bytes).fold(0, u64::saturating_add);
    children.truncate(shown);
    let mut tiles: Vec<Tile> = children
        .iter()
        .map(|(node, seen)| Tile {
            node: Some(*node),
            bytes: seen.totals.bytes,
            paths: 1,
            is_directory: seen.is_directory,
            is_divided: false,
            area: Rect::default(),
        })
        .collect();
    if rest > 0 {
        let (bytes, paths, area) = (rest, rest_paths, Rect::default());
        tiles.push(Tile { node: None, bytes, paths, is_directory: false, is_divided: false, area });
    }
    squarify(&mut tiles, area);
    tiles.retain(|tile| tile.area.width > 0 && tile.area.height > 0);
    tiles
}

/// A rectangle in cells of equal sides.
#[derive(Clone, Copy)]
struct Space {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Gives every tile its rectangle. Tiles come the largest first; each row of tiles is laid along the shorter side of
/// what is left, and takes tiles as long as that makes the worst of them more like a square.
fn squarify(tiles: &mut [Tile], area: Rect) {
    let mut left = Space { x: 0.0, y: 0.0, width: f64::from(area.width), height: f64::from(area.height) * ROW_HEIGHT };
    let mut bytes_left: f64 = tiles.iter().map(|tile| tile.bytes as f64).sum();
    let mut start = 0;
    while start < tiles.len() && bytes_left > 0.0 {
        let scale = left.width * left.height / bytes_left;
        let side = left.width.min(left.height);
        let largest = tiles[start].bytes as f64 * scale;
        let (mut end, mut sum, mut worst) = (start, 0.0, f64::INFINITY);
        while let Some(tile) = tiles.get(end) {
            let space = tile.bytes as f64 * scale;
            let with = worst_ratio(sum + space, largest, space, side);
            if with > worst {
                break;
            }
            (worst, sum, end) = (with, sum + space, end + 1);
        }
        end = end.max(start + 1);
        let row_bytes: f64 = tiles[start..end].iter().map(|tile| tile.bytes as f64).sum();
        left = lay_row(&mut tiles[start..end], row_bytes, row_bytes / bytes_left, left, area);
        bytes_left -= row_bytes;
        start = end;
    }
}

/// A cell is about so many times as high as it is wide.
const ROW_HEIGHT: f64 = 2.0;

/// The ratio of the sides of the least square tile in a row that takes `sum` of space along a side.
fn worst_ratio(sum: f64, largest: f64, smallest: f64, side: f64) -> f64 {
    let (sum, side) = (sum * sum, side * side);
    (side * largest / sum).max(sum / (side * smallest))
}

/// Lays a row of tiles along the shorter side of `left`, of which it takes `share`, and gives what is then left.
fn lay_row(row: &mut [Tile], row_bytes: f64, share: f64, left: Space, area: Rect) -> Space {
    let upright = left.width >= left.height;
    let thickness = share * if upright { left.width } else { left.height };
    let length = if upright { left.height } else { left.width };
    let mut at = 0.0;
    for tile in row {
        let part = length * tile.bytes as f64 / row_bytes;
        let space = if upright {
            Space { x: left.x, y: left.y + at, width: thickness, height: part }
        } else {
            Space { x: left.x + at, y: left.y, width: part, height: thickness }
        };
        tile.area = cells(space, area);
        at += part;
    }
    if upright {
        Space { x: left.x + thickness, width: left.width - thickness, ..left }
    } else {
        Space { y: left.y + thickness, height: left.height - thickness, ..left }
    }
}

/// The cells of a rectangle. Edges are rounded, so that neighbours share them.
fn cells(space: Space, area: Rect) -> Rect {
    let column = |x: f64| (x.round().max(0.0) as u16).min(area.width);
    let row = |y: f64| ((y / ROW_HEIGHT).round().max(0.0) as u16).min(area.height);
    let (left, right) = (column(space.x), column(space.x + space.width));
    let (top, bottom) = (row(space.y), row(space.y + space.height));
    Rect::new(area.x + left, area.y + top, right - left, bottom - top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn laid_out(bytes: &[u64], area: Rect) -> Vec<Tile> {
        let area_of = Rect::default();
        let tile =
            |&bytes: &u64| Tile { node: None, bytes, paths: 1, is_directory: false, is_divided: false, area: area_of };
        let mut tiles: Vec<Tile> = bytes.iter().map(tile).collect();
        squarify(&mut tiles, area);
        tiles
    }

    #[test]
    fn the_example_of_the_paper_is_laid_out_as_in_the_paper() {
        // Figure 5: areas 6 6 4 3 2 2 1 in a rectangle of 6 by 4; here with 20 cells to a unit, 10 rows to a unit.
        let tiles = laid_out(&[6, 6, 4, 3, 2, 2, 1], Rect::new(0, 0, 120, 40));
        let areas: Vec<(u16, u16)> = tiles.iter().map(|tile| (tile.area.width, tile.area.height)).collect();
        assert_eq!(areas[..2], [(60, 20), (60, 20)]);
        assert_eq!(areas[2..4].iter().map(|(_, height)| height).collect::<Vec<_>>(), [&23, &23]);
        assert_eq!(tiles[2].area.x, 60);
    }

    proptest! {
        #[test]
        fn tiles_fill_the_area_and_never_overlap(
            mut bytes in prop::collection::vec(1u64..1 << 40, 1..60), width in 1u16..200, height in 1u16..60,
        ) {
            bytes.sort_unstable_by(|one, other| other.cmp(one));
            let area = Rect::new(3, 2, width, height);
            let tiles = laid_out(&bytes, area);
            let covered: u32 = tiles.iter().map(|tile| tile.area.area()).sum();
            prop_assert_eq!(covered, area.area());
            for (index, one) in tiles.iter().enumerate() {
                prop_assert_eq!(one.area.intersection(area), one.area);
                for other in &tiles[index + 1..] {
                    prop_assert!(one.area.intersection(other.area).is_empty());
                }
            }
        }
    }
}
