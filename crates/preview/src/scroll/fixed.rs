use std::io;
use std::ops::Range;

use super::super::wrap::row_starts;
use super::hits::all_in;
use super::{Allowance, Find, Found, FoundLine, Hit, Layout, Needle, Reach, Row, RowContent, Rows, Spot};

/// Base of the positions of hits in the newer half of a row.
const AFTER: u64 = 1 << 32;

/// Lines of a known number, each made when it is asked for.
pub struct Fixed<'a> {
    total: u64,
    line: &'a dyn Fn(u64) -> Option<RowContent>,
}

impl<'a> Fixed<'a> {
    /// `total` lines.
    #[must_use]
    pub fn new(total: u64, line: &'a dyn Fn(u64) -> Option<RowContent>) -> Self {
        Self { total, line }
    }

    fn content(&self, line: u64) -> RowContent {
        (self.line)(line).unwrap_or_default()
    }

    /// Returns the offsets of a line's rows, and its length.
    fn starts(&self, line: u64, layout: Layout) -> (Vec<usize>, usize) {
        match self.content(line) {
            RowContent::Line(line) if layout.wrap => {
                let text = line.line.text();
                (row_starts(&text, layout.width), text.len())
            }
            RowContent::Line(line) => (vec![0], line.line.text().len()),
            RowContent::Halves { .. } => (vec![0], usize::MAX),
        }
    }
}

impl Rows for Fixed<'_> {
    fn first(&mut self) -> Option<u64> {
        (self.total > 0).then_some(0)
    }

    fn last(&mut self, _: &mut u64) -> Option<u64> {
        self.total.checked_sub(1)
    }

    fn line_with(&mut self, place: u64, _: &mut u64) -> Option<u64> {
        Some(place.min(self.total.checked_sub(1)?))
    }

    fn after(&mut self, line: u64, _: &mut u64) -> Reach {
        line.checked_add(1).filter(|&next| next < self.total).map_or(Reach::Edge, Reach::At)
    }

    fn before(&mut self, line: u64, _: &mut u64) -> Reach {
        line.checked_sub(1).map_or(Reach::Edge, Reach::At)
    }

    fn part_up_to(&mut self, line: u64, part: u64, layout: Layout, _: &mut u64) -> Option<u64> {
        let last = self.starts(line, layout).0.len().saturating_sub(1) as u64;
        Some(part.min(last))
    }

    fn part_with(&mut self, line: u64, hit: Hit, layout: Layout, _: &mut u64) -> Option<u64> {
        let starts = self.starts(line, layout).0;
        Some(starts.partition_point(|&start| start as u64 <= hit.start).saturating_sub(1) as u64)
    }

    fn show(&mut self, spots: &[Spot], layout: Layout, find: Option<&Find>, _: Allowance) -> (Vec<Row>, bool) {
        let mut rows = Vec::with_capacity(spots.len());
        for line in spots.chunk_by(|a, b| a.at == b.at) {
            let at = line.first().map_or(0, |spot| spot.at);
            let content = with_hits(self.content(at), at, find);
            let starts = if layout.wrap { self.starts(at, layout) } else { (vec![0], usize::MAX) };
            rows.extend(line.iter().map(|&spot| {
                let content = match &content {
                    RowContent::Line(line) if layout.wrap => RowContent::Line(part_of(line, &starts, spot.part)),
                    other => other.clone(),
                };
                Row { spot, number: None, content }
            }));
        }
        (rows, true)
    }

    fn extent(&self) -> u64 {
        self.total
    }

    fn piece(&self) -> u64 {
        1024
    }

    fn hits(&mut self, needle: &dyn Needle, range: Range<u64>) -> io::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for at in range {
            let mut take = |line: &FoundLine, offset: u64| {
                let text = line.line.text();
                let found = all_in(needle, text.as_bytes(), 0..text.len());
                hits.extend(found.iter().map(|range| Hit { at, start: offset + range.start as u64 }));
            };
            match self.content(at) {
                RowContent::Line(line) => take(&line, 0),
                RowContent::Halves { before, after, .. } => {
                    before.iter().for_each(|(_, line)| take(line, 0));
                    after.iter().for_each(|(_, line)| take(line, AFTER));
                }
            }
        }
        Ok(hits)
    }
}

/// A row of a line that begins rows at `starts`.
pub(super) fn part_of(line: &FoundLine, (starts, length): &(Vec<usize>, usize), part: u64) -> FoundLine {
    let part = usize::try_from(part).unwrap_or(usize::MAX);
    let Some(&start) = starts.get(part) else { return FoundLine::default() };
    line.part(start..starts.get(part + 1).copied().unwrap_or(*length))
}

fn with_hits(content: RowContent, at: u64, find: Option<&Find>) -> RowContent {
    let Some(find) = find else { return content };
    let mark = |line: FoundLine, offset: u64| {
        let text = line.line.text();
        let found = all_in(&*find.needle, text.as_bytes(), 0..text.len());
        let current = |range: &Range<usize>| find.current == Some(Hit { at, start: offset + range.start as u64 });
        let found = found.into_iter().map(|range| Found { current: current(&range), range }).collect();
        FoundLine { found, ..line }
    };
    match content {
        RowContent::Line(line) => RowContent::Line(mark(line, 0)),
        RowContent::Halves { sign, before, after } => RowContent::Halves {
            sign,
            before: before.map(|(number, line)| (number, mark(line, 0))),
            after: after.map(|(number, line)| (number, mark(line, AFTER))),
        },
    }
}
