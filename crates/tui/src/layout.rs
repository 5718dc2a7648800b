use ratatui::layout::Rect;

/// A part of the screen that keys can be meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Layers,
    Tree,
    Details,
}

impl Pane {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Layers => Self::Tree,
            Self::Tree => Self::Details,
            Self::Details => Self::Layers,
        }
    }

    pub(super) fn previous(self) -> Self {
        self.next().next()
    }
}

/// Below this nothing sensible can be drawn.
pub(super) const SMALLEST: (u16, u16) = (30, 8);

/// Under this many columns the panes stand one above the other.
const LANDSCAPE: u16 = 84;

/// With fewer rows than this, one pane is all there is room for.
const ROOM_FOR_TWO: u16 = 9;

/// Title, column heads, a row and breadcrumbs.
const ROOM_FOR_A_ROW: u16 = 4;

/// Areas of the screen. Hidden parts have no height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Areas {
    pub header: Rect,
    pub layers: Rect,
    pub details: Rect,
    pub tree: Rect,
    /// The column between the two sides; empty where the panes stand one above the other.
    pub separator: Rect,
    pub status: Rect,
}

/// Settings that determine the layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrangement {
    pub size: (u16, u16),
    pub layer_rows: usize,
    pub focus: Pane,
    pub zoomed: bool,
    /// Share of the layers and details, percent.
    pub share: u16,
}

pub(super) fn fits(size: (u16, u16)) -> bool {
    size.0 >= SMALLEST.0 && size.1 >= SMALLEST.1
}

pub(super) fn arrange(arrangement: &Arrangement) -> Areas {
    let (width, height) = arrangement.size;
    if !fits(arrangement.size) {
        return Areas::default();
    }
    let body = Rect::new(0, 1, width, height - 2);
    let mut areas =
        Areas { header: Rect::new(0, 0, width, 1), status: Rect::new(0, height - 1, width, 1), ..Areas::default() };
    if arrangement.zoomed || body.height < ROOM_FOR_TWO {
        *areas.pane_mut(arrangement.focus) = body;
    } else if width >= LANDSCAPE {
        side_by_side(&mut areas, body, arrangement);
    } else {
        stacked(&mut areas, body, arrangement);
    }
    areas
}

fn side_by_side(areas: &mut Areas, body: Rect, arrangement: &Arrangement) {
    let wanted = (u32::from(body.width) * u32::from(arrangement.share) / 100) as u16;
    let left = wanted.clamp(28, body.width - 36);
    let half = body.height / 2;
    let layers = rows_wanted(arrangement).clamp(3, half.max(3));
    areas.layers = Rect { width: left, height: layers, ..body };
    areas.details = Rect { y: body.y + layers, width: left, height: body.height - layers, ..body };
    areas.separator = Rect { x: left, width: 1, ..body };
    areas.tree = Rect { x: left + 1, width: body.width - left - 1, ..body };
}

fn stacked(areas: &mut Areas, body: Rect, arrangement: &Arrangement) {
    let share = u32::from(arrangement.share.clamp(20, 80)) * 3 / 4;
    let most = (u32::from(body.height) * share / 100) as u16;
    let layers = rows_wanted(arrangement).clamp(3, most.max(3));
    let room_for_details = body.height >= 20;
    let details = match (room_for_details, arrangement.focus == Pane::Details) {
        (true, _) => body.height / 4,
        (false, true) => body.height / 2,
        (false, false) => 0,
    };
    // Without room for all three panes, details replace the layers while they have the focus.
    let layers = if !room_for_details && details > 0 { 0 } else { layers };
    let layers = layers.min(body.height.saturating_sub(details + ROOM_FOR_A_ROW));
    let tree = body.height - layers - details;
    areas.layers = Rect { height: layers, ..body };
    areas.tree = Rect { y: body.y + layers, height: tree, ..body };
    areas.details = Rect { y: body.y + layers + tree, height: details, ..body };
}

/// Rows, their header and the title.
fn rows_wanted(arrangement: &Arrangement) -> u16 {
    u16::try_from(arrangement.layer_rows).unwrap_or(u16::MAX).saturating_add(2)
}

impl Areas {
    pub(super) fn pane(&self, pane: Pane) -> Rect {
        match pane {
            Pane::Layers => self.layers,
            Pane::Tree => self.tree,
            Pane::Details => self.details,
        }
    }

    fn pane_mut(&mut self, pane: Pane) -> &mut Rect {
        match pane {
            Pane::Layers => &mut self.layers,
            Pane::Tree => &mut self.tree,
            Pane::Details => &mut self.details,
        }
    }

    /// Area of the rows of a pane, without its title, column heads and breadcrumbs.
    pub(super) fn rows(&self, pane: Pane) -> Rect {
        let area = self.pane(pane);
        let (above, below) = match pane {
            Pane::Layers => (2, 0),
            Pane::Tree => (2, 1),
            Pane::Details => (1, 0),
        };
        let height = area.height.saturating_sub(above + below);
        Rect { y: area.y + above.min(area.height), height, ..area }
    }

    /// Pane at a cell.
    pub(super) fn pane_at(&self, column: u16, row: u16) -> Option<Pane> {
        [Pane::Layers, Pane::Tree, Pane::Details]
            .into_iter()
            .find(|&pane| self.pane(pane).contains(ratatui::layout::Position { x: column, y: row }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_fill_the_screen_and_never_overlap_at_any_size() {
        for width in (1..220).step_by(3) {
            for height in 1..70 {
                for focus in [Pane::Layers, Pane::Tree, Pane::Details] {
                    for (zoomed, share, layer_rows) in [(false, 40, 5), (false, 90, 500), (false, 10, 0), (true, 40, 5)]
                    {
                        let size = (width, height);
                        let areas = arrange(&Arrangement { size, layer_rows, focus, zoomed, share });
                        check(&areas, size, focus);
                    }
                }
            }
        }
    }

    fn check(areas: &Areas, size: (u16, u16), focus: Pane) {
        let all = [areas.header, areas.layers, areas.details, areas.tree, areas.separator, areas.status];
        let covered: u32 = all.iter().map(|area| area.area()).sum();
        let screen = u32::from(size.0) * u32::from(size.1);
        assert_eq!(covered, if fits(size) { screen } else { 0 }, "{size:?} {areas:?}");
        for (index, one) in all.iter().enumerate() {
            assert!(one.right() <= size.0 && one.bottom() <= size.1, "{size:?} {areas:?}");
            for other in all[index + 1..].iter().filter(|other| !other.is_empty() && !one.is_empty()) {
                assert!(one.intersection(*other).is_empty(), "{size:?} {areas:?}");
            }
        }
        assert!(!fits(size) || areas.rows(focus).height > 0, "{focus:?} has no row at {size:?}: {areas:?}");
    }
}
