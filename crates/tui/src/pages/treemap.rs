//! A squarified treemap: M. Bruls, K. Huizing, J. van Wijk, "Squarified Treemaps", 2000. A cell of a terminal is about
//! twice as high as it is wide, so rows count double.

use ratatui::layout::Rect;

/// Maximum number of tiles in one block; smaller ones are combined in the last one.
const MOST_TILES: usize = 400;
/// Minimum number of cells of a useful tile; smaller blocks are combined in the last one.
const LEAST_CELLS: u64 = 12;
/// A tile is divided from this many cells on.
const ROOM_TO_DIVIDE: (u16, u16) = (14, 5);
/// Tiles that the whole map may have.
const MOST_IN_ALL: usize = 3000;

/// Something with bytes that is to have a tile.
#[derive(Debug, Clone, Copy)]
pub struct Block<K> {
    pub key: K,
    pub bytes: u64,
    /// True if it may contain other blocks.
    pub can_divide: bool,
}

/// One rectangle of the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tile<K> {
    /// `None` for all that was too small for a tile of its own.
    pub key: Option<K>,
    pub bytes: u64,
    /// Number of blocks in the tile: one, or all that are too small.
    pub paths: usize,
    /// True if it may contain other blocks.
    pub can_divide: bool,
    /// True if tiles of its content are drawn over it.
    pub is_divided: bool,
    pub area: Rect,
}

/// Directions of the arrow keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    Left,
    Right,
    Up,
    Down,
}

/// The next tile from the selected one in a direction, or the first one if none is selected.
pub fn next_tile<K: Copy + PartialEq>(tiles: &[Tile<K>], selected: Option<K>, heading: Heading) -> Option<K> {
    let current = selected.and_then(|key| tiles.iter().find(|tile| tile.key == Some(key)));
    let Some(current) = current else { return tiles.first().and_then(|tile| tile.key) };
    let from = middle(visible(current));
    let distance = |tile: &&Tile<K>| {
        let to = middle(visible(tile));
        let (ahead, aside) = match heading {
            Heading::Left => (from.0 - to.0, (from.1 - to.1).abs()),
            Heading::Right => (to.0 - from.0, (from.1 - to.1).abs()),
            Heading::Up => (from.1 - to.1, (from.0 - to.0).abs()),
            Heading::Down => (to.1 - from.1, (from.0 - to.0).abs()),
        };
        (ahead > 0).then_some(ahead + 3 * aside)
    };
    let others = tiles.iter().filter(|tile| tile.key.is_some() && tile.key != selected);
    let next = others.filter(|tile| distance(tile).is_some()).min_by_key(|tile| distance(tile));
    next.map_or(selected, |tile| tile.key)
}

/// Part of a tile that its inner tiles do not cover: for a divided tile, the first line.
fn visible<K>(tile: &Tile<K>) -> Rect {
    if tile.is_divided { Rect { height: tile.area.height.min(1), ..tile.area } } else { tile.area }
}

/// Middle of a rectangle, doubled, in cells of equal sides.
fn middle(area: Rect) -> (i32, i32) {
    (i32::from(area.x) * 2 + i32::from(area.width), (i32::from(area.y) * 2 + i32::from(area.height)) * 2)
}

/// Content of a block as tiles that fill an area, the largest first. Large tiles are divided further, with their inner
/// tiles after them. `blocks` returns the content of a block.
pub fn lay_out<K: Copy, R: From<K>>(area: Rect, within: R, blocks: impl Fn(R) -> Vec<Block<K>>) -> Vec<Tile<K>> {
    let mut all = fill(area, blocks(within));
    let mut next = 0;
    while let Some(tile) = all.get_mut(next) {
        next += 1;
        let (Some(key), true) = (tile.key, tile.can_divide) else { continue };
        let area = tile.area;
        if area.width < ROOM_TO_DIVIDE.0 || area.height < ROOM_TO_DIVIDE.1 {
            continue;
        }
        let inner = Rect::new(area.x + 1, area.y + 1, area.width - 1, area.height - 1);
        let below = fill(inner, blocks(R::from(key)));
        tile.is_divided = !below.is_empty();
        all.extend(below);
        if all.len() >= MOST_IN_ALL {
            break;
        }
    }
    all
}

/// Blocks as tiles that fill an area, the largest first.
fn fill<K: Copy>(area: Rect, mut blocks: Vec<Block<K>>) -> Vec<Tile<K>> {
    blocks.retain(|block| block.bytes > 0);
    blocks.sort_by_key(|block| std::cmp::Reverse(block.bytes));
    let all: u64 = blocks.iter().map(|block| block.bytes).fold(0, u64::saturating_add);
    let least = all.saturating_mul(LEAST_CELLS) / u64::from(area.area()).max(1);
    let shown = blocks.iter().take(MOST_TILES).take_while(|block| block.bytes >= least).count();
    let rest_paths = blocks.len() - shown;
    let rest = blocks.iter().skip(shown).map(|block| block.bytes).fold(0, u64::saturating_add);
    let tile = |block: &Block<K>| Tile {
        key: Some(block.key),
        bytes: block.bytes,
        paths: 1,
        can_divide: block.can_divide,
        is_divided: false,
        area: Rect::default(),
    };
    let mut tiles: Vec<Tile<K>> = blocks.iter().take(shown).map(tile).collect();
    if rest > 0 {
        let (bytes, paths, area) = (rest, rest_paths, Rect::default());
        tiles.push(Tile { key: None, bytes, paths, can_divide: false, is_divided: false, area });
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
fn squarify<K>(tiles: &mut [Tile<K>], area: Rect) {
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

/// Approximate height of a cell in widths.
const ROW_HEIGHT: f64 = 2.0;

/// The ratio of the sides of the least square tile in a row that takes `sum` of space along a side.
fn worst_ratio(sum: f64, largest: f64, smallest: f64, side: f64) -> f64 {
    let (sum, side) = (sum * sum, side * side);
    (side * largest / sum).max(sum / (side * smallest))
}

/// Lays a row of tiles along the shorter side of `left`, of which it takes `share`, and gives what is then left.
fn lay_row<K>(row: &mut [Tile<K>], row_bytes: f64, share: f64, left: Space, area: Rect) -> Space {
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

    fn laid_out(bytes: &[u64], area: Rect) -> Vec<Tile<()>> {
        let area_of = Rect::default();
        let tile =
            |&bytes: &u64| Tile { key: None, bytes, paths: 1, can_divide: false, is_divided: false, area: area_of };
        let mut tiles: Vec<Tile<()>> = bytes.iter().map(tile).collect();
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
