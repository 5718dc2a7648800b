use std::io;
use std::ops::Range;

use super::super::HexView;
use super::hits::all_in;
use super::{Allowance, Find, Found, FoundLine, Hit, Layout, Needle, Reach, Row, RowContent, Rows, Spot};

/// Bytes that a hit may have on both sides of a boundary between pieces, or of what is on screen.
const OVERLAP: u64 = 4 << 10;

impl Rows for HexView {
    fn first(&mut self) -> Option<u64> {
        (self.length() > 0).then_some(0)
    }

    fn last(&mut self, bytes: &mut u64) -> Option<u64> {
        let last = self.length().checked_sub(1)?;
        self.line_with(last, bytes)
    }

    fn line_with(&mut self, place: u64, _: &mut u64) -> Option<u64> {
        let place = place.min(self.length().checked_sub(1)?);
        Some(place - place % u64::from(self.columns()))
    }

    fn after(&mut self, line: u64, _: &mut u64) -> Reach {
        let next = line.checked_add(u64::from(self.columns()));
        next.filter(|&next| next < self.length()).map_or(Reach::Edge, Reach::At)
    }

    fn before(&mut self, line: u64, _: &mut u64) -> Reach {
        line.checked_sub(u64::from(self.columns())).map_or(Reach::Edge, Reach::At)
    }

    fn part_up_to(&mut self, _: u64, _: u64, _: Layout, _: &mut u64) -> Option<u64> {
        Some(0)
    }

    fn part_with(&mut self, _: u64, _: Hit, _: Layout, _: &mut u64) -> Option<u64> {
        Some(0)
    }

    fn show(&mut self, spots: &[Spot], _: Layout, find: Option<&Find>, _: Allowance) -> (Vec<Row>, bool) {
        let (Some(first), Some(last)) = (spots.first(), spots.last()) else { return (Vec::new(), true) };
        let columns = u64::from(self.columns());
        let shown = match self.rows(first.at / columns..(last.at / columns).saturating_add(1)) {
            Ok(shown) => shown,
            Err(error) => {
                self.problem = Some(error.to_string());
                return (Vec::new(), true);
            }
        };
        let hits = find.map(|find| self.hits_around(find, first.at..last.at.saturating_add(columns)));
        let hits = hits.unwrap_or_default();
        let rows = shown.iter().map(|row| {
            let line = self.line(row);
            let end = row.offset + row.bytes.len() as u64;
            let mut found: Vec<Found> = Vec::new();
            for (hit, current) in hits.iter().filter(|(hit, _)| hit.start < end && hit.end > row.offset) {
                let from = hit.start.max(row.offset) - row.offset;
                let to = hit.end.min(end) - row.offset;
                let places = self.places(from as usize..to as usize);
                found.extend(places.into_iter().map(|range| Found { range, current: *current }));
            }
            found.sort_by_key(|found| found.range.start);
            Row {
                spot: Spot { at: row.offset, part: 0 },
                number: None,
                content: RowContent::Line(FoundLine { line, found }),
            }
        });
        (rows.collect(), true)
    }

    fn extent(&self) -> u64 {
        self.length()
    }

    fn piece(&self) -> u64 {
        1 << 20
    }

    fn hits(&mut self, needle: &dyn Needle, range: Range<u64>) -> io::Result<Vec<Hit>> {
        let found = self.found(needle, range)?;
        Ok(found.into_iter().map(|hit| Hit { at: hit.start, start: 0 }).collect())
    }
}

impl HexView {
    /// The hits that begin within a range.
    fn found(&self, needle: &dyn Needle, range: Range<u64>) -> io::Result<Vec<Range<u64>>> {
        let context = range.start.saturating_sub(OVERLAP);
        let until = range.end.saturating_add(OVERLAP).min(self.length());
        let bytes = self.read(context..until)?;
        let within = |place: u64| (place.saturating_sub(context) as usize).min(bytes.len());
        let found = all_in(needle, &bytes, within(range.start)..within(range.end));
        Ok(found.iter().map(|hit| context + hit.start as u64..context + hit.end as u64).collect())
    }

    /// The hits of which a byte is within a range, each with whether it is the one that was gone to.
    fn hits_around(&self, find: &Find, range: Range<u64>) -> Vec<(Range<u64>, bool)> {
        let from = range.start.saturating_sub(OVERLAP);
        let found = self.found(&*find.needle, from..range.end).unwrap_or_default();
        let current = |hit: &Range<u64>| find.current.is_some_and(|current| current.at == hit.start);
        found.into_iter().map(|hit| (hit.clone(), current(&hit))).collect()
    }
}
