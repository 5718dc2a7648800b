use super::{Allowance, Find, Finding, Hit, Layout, Place, Reach, Row, Rows, Spot};

/// Rows by which one answer moves at most; further is gone in several.
const MOST_ROWS: i64 = 20_000;

/// Bytes that are read around a place in any case.
const LEAST_BYTES: u64 = 1 << 20;

/// Rows around a place.
#[derive(Debug, Default)]
pub struct Screenful {
    /// Rows that follow each other: about two screens before the first on screen and three from it on.
    pub rows: Vec<Row>,
    /// Which of them is the first on screen.
    pub top: usize,
    /// True if the first row of all is included.
    pub begins: bool,
    /// True if the last row of all is included.
    pub ends: bool,
    /// True if repeating the request gets further.
    pub pending: bool,
}

/// The rows on a screen whose first row is `by` rows from `place`, those of the screens before and after included; no
/// rows where the place is not found yet, or nothing is there.
pub fn screenful(
    rows: &mut dyn Rows,
    (place, by): (Place, i64),
    layout: Layout,
    find: Option<(&Find, &mut Finding)>,
    allowance: Allowance,
) -> Screenful {
    let mut walk = Walk { rows, layout, bytes: allowance.bytes, late: false };
    let mut finding = find;
    let spot = walk.resolve(place, &mut finding);
    // Where nothing is found one stays where one is.
    let lost =
        matches!(place, Place::Hit { .. }) && finding.as_ref().is_none_or(|(_, finding)| finding.current().is_none());
    let Some(spot) = spot.and_then(|spot| walk.moved(spot, if lost { 0 } else { by })) else {
        return Screenful { pending: walk.late, ..Screenful::default() };
    };
    // However much was read on the way, what is around the place is to be seen.
    walk.bytes = walk.bytes.max(LEAST_BYTES);
    let (below, ends) = walk.gather(spot, 1, 3 * layout.height);
    walk.bytes = walk.bytes.max(LEAST_BYTES);
    let (mut above, begins) = walk.gather(spot, -1, 2 * layout.height + layout.height.saturating_sub(below.len() + 1));
    above.reverse();
    let mut top = above.len();
    // The screen is full where there are rows enough.
    if ends {
        top = top.min((above.len() + 1 + below.len()).saturating_sub(layout.height));
    }
    let mut spots = above;
    spots.push(spot);
    spots.extend(below);
    let late = walk.late;
    let find = finding.map(|(find, finding)| Find { current: finding.current().or(find.current), ..find.clone() });
    let (shown, whole) = rows.show(&spots, layout, find.as_ref(), allowance);
    Screenful { rows: shown, top, begins, ends, pending: late || !whole }
}

struct Walk<'a> {
    rows: &'a mut dyn Rows,
    layout: Layout,
    bytes: u64,
    /// True if something exceeded the limits.
    late: bool,
}

/// One step further.
enum Moved {
    To(Spot),
    Edge,
    Late,
}

impl Walk<'_> {
    fn resolve(&mut self, place: Place, find: &mut Option<(&Find, &mut Finding)>) -> Option<Spot> {
        let first = self.rows.first()?;
        let spot = match place {
            Place::Start => Some(Spot { at: first, part: 0 }),
            Place::At(spot) => self.existing(spot),
            Place::Byte(byte) => self.with_hit(Hit { at: byte, start: 0 }),
            Place::End => {
                let last = self.rows.last(&mut self.bytes);
                let last = last.and_then(|at| self.existing(Spot { at, part: u64::MAX }));
                // What lies before it may be far: the end itself is shown in any case.
                last.map(|last| {
                    let (above, _) = self.gather(last, -1, self.layout.height.saturating_sub(1));
                    above.last().copied().unwrap_or(last)
                })
            }
            Place::Hit { from, toward } => match find {
                Some((find, finding)) => match finding.seek(self.rows, find, from, toward) {
                    Some(hit) => self.with_hit(hit),
                    None if finding.seeks() => None,
                    None => self.with_hit(from),
                },
                None => self.with_hit(from),
            },
        };
        self.late |= spot.is_none();
        spot
    }

    /// A row that is there, the next to one that is not.
    fn existing(&mut self, spot: Spot) -> Option<Spot> {
        let at = self.rows.line_with(spot.at, &mut self.bytes)?;
        let part = if at == spot.at { spot.part } else { 0 };
        let part = self.rows.part_up_to(at, part, self.layout, &mut self.bytes)?;
        Some(Spot { at, part })
    }

    fn with_hit(&mut self, hit: Hit) -> Option<Spot> {
        let at = self.rows.line_with(hit.at, &mut self.bytes)?;
        let part = self.rows.part_with(at, hit, self.layout, &mut self.bytes)?;
        Some(Spot { at, part })
    }

    /// Returns the row `by` rows further, or the last one in that direction.
    fn moved(&mut self, spot: Spot, by: i64) -> Option<Spot> {
        let mut spot = spot;
        for _ in 0..by.unsigned_abs().min(MOST_ROWS.unsigned_abs()) {
            match self.step(spot, by.signum()) {
                Moved::To(next) => spot = next,
                Moved::Edge => break,
                Moved::Late => return None,
            }
        }
        Some(spot)
    }

    /// Up to `most` rows next to one, and whether the last in that direction is among them.
    fn gather(&mut self, from: Spot, direction: i64, most: usize) -> (Vec<Spot>, bool) {
        let mut spots = Vec::new();
        let mut spot = from;
        while spots.len() < most {
            match self.step(spot, direction) {
                Moved::To(next) => spot = next,
                Moved::Edge => return (spots, true),
                Moved::Late => break,
            }
            spots.push(spot);
        }
        (spots, false)
    }

    fn step(&mut self, spot: Spot, direction: i64) -> Moved {
        let moved = if direction > 0 { self.down(spot) } else { self.up(spot) };
        self.late |= matches!(moved, Moved::Late);
        moved
    }

    fn down(&mut self, spot: Spot) -> Moved {
        if self.layout.wrap {
            match self.rows.part_up_to(spot.at, spot.part + 1, self.layout, &mut self.bytes) {
                Some(part) if part > spot.part => return Moved::To(Spot { part, ..spot }),
                Some(_) => {}
                None => return Moved::Late,
            }
        }
        match self.rows.after(spot.at, &mut self.bytes) {
            Reach::At(at) => Moved::To(Spot { at, part: 0 }),
            Reach::Edge => Moved::Edge,
            Reach::NotYet => Moved::Late,
        }
    }

    fn up(&mut self, spot: Spot) -> Moved {
        if let Some(part) = spot.part.checked_sub(1) {
            return Moved::To(Spot { part, ..spot });
        }
        match self.rows.before(spot.at, &mut self.bytes) {
            Reach::At(at) => match self.rows.part_up_to(at, u64::MAX, self.layout, &mut self.bytes) {
                Some(part) => Moved::To(Spot { at, part }),
                None => Moved::Late,
            },
            Reach::Edge => Moved::Edge,
            Reach::NotYet => Moved::Late,
        }
    }
}
