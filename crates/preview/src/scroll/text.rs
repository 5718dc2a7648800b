use std::io;
use std::ops::Range;

use super::super::style::{LineWriter, StyledLine};
use super::super::text::LINE_BYTES;
use super::super::wrap::{LongLine, row_starts};
use super::super::{Meaning, TextPreview};
use super::fixed::part_of;
use super::hits::all_in_encoded;
use super::{Allowance, Find, Found, FoundLine, Hit, Layout, Needle, Reach, Row, RowContent, Rows, Spot};
use nixdive_scan::Section;

/// Bytes before and after a piece that are looked at as context of a hit.
const OVERLAP: u64 = 4 << 10;
/// Long lines whose rows are remembered.
const MOST_LONG: usize = 4;
/// Fewest digits of a line number.
const FEWEST_DIGITS: u16 = 3;

impl Rows for TextPreview {
    fn first(&mut self) -> Option<u64> {
        let there = self.text_start < self.content.length();
        there.then_some(self.text_start)
    }

    fn last(&mut self, bytes: &mut u64) -> Option<u64> {
        let unit = self.encoding.unit();
        let last = self.content.length().checked_sub(1)?;
        let last = if self.ends.is_there(last, bytes)? {
            last
        } else {
            // Shorter than it claims: only counting tells where it ends.
            self.index.locate(u64::MAX, bytes);
            self.index.total()?;
            self.index.indexed_bytes().saturating_sub(1)
        };
        let last = last - last % unit;
        self.ends.start_of(last.max(self.text_start), bytes)
    }

    fn line_with(&mut self, place: u64, bytes: &mut u64) -> Option<u64> {
        if place >= self.content.length() {
            return self.last(bytes);
        }
        self.ends.start_of(place.max(self.text_start), bytes)
    }

    fn after(&mut self, line: u64, bytes: &mut u64) -> Reach {
        self.ends.after(line, bytes)
    }

    fn before(&mut self, line: u64, bytes: &mut u64) -> Reach {
        self.ends.before(line, bytes)
    }

    fn part_up_to(&mut self, line: u64, part: u64, layout: Layout, bytes: &mut u64) -> Option<u64> {
        if !layout.wrap {
            return Some(0);
        }
        if !self.is_long(line) {
            let last = self.row_starts(line, layout.width).len().saturating_sub(1) as u64;
            return Some(part.min(last));
        }
        let (content, encoding) = (self.content.clone(), self.encoding);
        let long = self.long_line(line, layout.width);
        long.reach(part, &content, encoding, bytes).then(|| part.min(long.rows() - 1))
    }

    fn part_with(&mut self, line: u64, hit: Hit, layout: Layout, bytes: &mut u64) -> Option<u64> {
        if !layout.wrap {
            return Some(0);
        }
        let offset = hit.at.saturating_sub(line);
        if !self.is_long(line) {
            let byte = offset..offset.saturating_add(1);
            let place = self.shown_ranges(line, std::slice::from_ref(&byte)).first().map_or(0, |range| range.start);
            let starts = self.row_starts(line, layout.width);
            return Some(starts.partition_point(|&start| start <= place).saturating_sub(1) as u64);
        }
        let (content, encoding) = (self.content.clone(), self.encoding);
        let long = self.long_line(line, layout.width);
        loop {
            if let Some(row) = long.row_of(offset, &content, encoding) {
                return Some(row);
            }
            if !long.reach(long.rows(), &content, encoding, bytes) {
                return None;
            }
        }
    }

    fn show(&mut self, spots: &[Spot], layout: Layout, find: Option<&Find>, allowance: Allowance) -> (Vec<Row>, bool) {
        let mut offsets: Vec<u64> = spots.iter().map(|spot| spot.at).collect();
        offsets.dedup();
        let (lines, coloured) = self.styled(&offsets, allowance.colouring);
        let first = offsets.first().and_then(|&first| self.index.line_at(first, &mut { allowance.bytes }));
        let mut rows = Vec::with_capacity(spots.len());
        let parts = spots.chunk_by(|a, b| a.at == b.at);
        for ((line, spots), number) in lines.into_iter().zip(parts).zip(0..) {
            let number = first.map(|first| first + number);
            let long = layout.wrap && self.is_long(line.at);
            let shown = if long {
                self.long_rows(line.at, spots, layout, find)
            } else {
                let whole = self.with_hits(line.at, line.line, find);
                let starts = if layout.wrap { self.row_starts(line.at, layout.width).to_vec() } else { vec![0] };
                let starts = (starts, usize::MAX);
                spots.iter().map(|spot| part_of(&whole, &starts, spot.part)).collect()
            };
            rows.extend(spots.iter().zip(shown).map(|(&spot, line)| Row {
                spot,
                number,
                content: RowContent::Line(line),
            }));
        }
        (rows, coloured && first.is_some())
    }

    fn extent(&self) -> u64 {
        self.content.length()
    }

    fn piece(&self) -> u64 {
        1 << 20
    }

    fn hits(&mut self, needle: &dyn Needle, range: Range<u64>) -> io::Result<Vec<Hit>> {
        let start = range.start.max(self.text_start);
        let context = start.saturating_sub(OVERLAP).max(self.text_start);
        let until = range.end.saturating_add(OVERLAP).min(self.content.length());
        let mut bytes = vec![0; until.saturating_sub(context) as usize];
        let count = self.content.read_full_at(&mut bytes, context)?;
        bytes.truncate(count);
        let within = |place: u64| (place.saturating_sub(context) as usize).min(count);
        let found = all_in_encoded(needle, self.encoding, &bytes, within(start)..within(range.end));
        Ok(found.iter().map(|hit| Hit { at: context + hit.start as u64, start: 0 }).collect())
    }

    fn gutter(&self) -> u16 {
        let likely = self.content.length() / 32;
        let lines = self.index.total().unwrap_or(likely.max(self.index.known()));
        FEWEST_DIGITS.max(lines.max(1).ilog10() as u16 + 1) + 1
    }
}

impl TextPreview {
    fn is_long(&mut self, line: u64) -> bool {
        self.line_bytes(line).len() > LINE_BYTES
    }

    fn long_line(&mut self, at: u64, width: usize) -> &mut LongLine {
        let known = self.long.iter().position(|long| (long.at, long.width) == (at, width.max(1)));
        let long = known.map_or_else(|| LongLine::new(at, width), |known| self.long.remove(known));
        if self.long.len() >= MOST_LONG {
            self.long.remove(0);
        }
        self.long.push(long);
        let last = self.long.len() - 1;
        &mut self.long[last]
    }

    /// Returns the offsets of the rows in the shown text of a line that is not long.
    fn row_starts(&mut self, at: u64, width: usize) -> &[usize] {
        if self.rows.as_ref().is_none_or(|(line, known, _)| (*line, *known) != (at, width)) {
            let starts = row_starts(&self.plain(at).text(), width);
            self.rows = Some((at, width, starts));
        }
        self.rows.as_ref().map_or(&[], |(_, _, starts)| starts)
    }

    fn plain(&mut self, at: u64) -> StyledLine {
        self.raw_line(at).plain()
    }

    /// A line with what is found in it.
    fn with_hits(&mut self, at: u64, line: StyledLine, find: Option<&Find>) -> FoundLine {
        let Some(find) = find else { return line.into() };
        let encoding = self.encoding;
        let bytes = self.line_bytes(at);
        let hits = all_in_encoded(&*find.needle, encoding, bytes, 0..bytes.len());
        let ranges: Vec<Range<u64>> = hits.iter().map(|hit| hit.start as u64..hit.end as u64).collect();
        let length = line.spans.iter().map(|span| span.text.len()).sum();
        let found = self.shown_ranges(at, &ranges).into_iter().zip(&ranges).map(|(shown, hit)| Found {
            range: shown.start.min(length)..shown.end.min(length),
            current: is_current(find, at + hit.start),
        });
        FoundLine { found: found.filter(|found| !found.range.is_empty()).collect(), line }
    }

    /// Returns the ranges of the shown text that some bytes of a line correspond to; the ranges are
    /// in order and apart.
    fn shown_ranges(&mut self, at: u64, ranges: &[Range<u64>]) -> Vec<Range<usize>> {
        let encoding = self.encoding;
        let mut writer = LineWriter::default();
        let mut shown: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
        let (mut offset, mut begun) = (0u64, None);
        for (character, length) in encoding.characters(self.line_bytes(at)) {
            while let Some(range) = ranges.get(shown.len()) {
                if begun.is_none() && offset >= range.start {
                    begun = Some(writer.length());
                }
                match begun {
                    Some(from) if offset >= range.end => shown.push(from..writer.length()),
                    _ => break,
                }
                begun = None;
            }
            if shown.len() == ranges.len() {
                return shown;
            }
            writer.push(character.encode_utf8(&mut [0; 4]), Meaning::Plain);
            offset += length as u64;
        }
        if shown.len() < ranges.len() {
            shown.push(begun.unwrap_or(writer.length())..writer.length());
        }
        shown
    }

    /// Rows of a line beyond all bounds.
    fn long_rows(&mut self, at: u64, spots: &[Spot], layout: Layout, find: Option<&Find>) -> Vec<FoundLine> {
        let (content, encoding) = (self.content.clone(), self.encoding);
        let (Some(first), Some(last)) = (spots.first(), spots.last()) else { return Vec::new() };
        let long = self.long_line(at, layout.width);
        let starts = long.starts(first.part, last.part - first.part + 1, &content, encoding);
        let (Some(&from), Some(&to)) = (starts.first(), starts.last()) else { return Vec::new() };
        let bytes = around(&content, at + from, at + to);
        let hits = find.map_or_else(Vec::new, |find| {
            all_in_encoded(&*find.needle, encoding, &bytes.bytes, 0..bytes.bytes.len())
                .into_iter()
                .map(|hit| {
                    let hit = bytes.start + hit.start as u64..bytes.start + hit.end as u64;
                    (hit.clone(), is_current(find, hit.start))
                })
                .collect()
        });
        let row = |(&start, &end): (&u64, &u64)| {
            let (start, end) = (at + start, at + end);
            let slice = (start - bytes.start) as usize..(end - bytes.start) as usize;
            let mut writer = LineWriter::default();
            let mut places = vec![];
            let mut offset = start;
            for (character, length) in encoding.characters(bytes.bytes.get(slice).unwrap_or_default()) {
                places.push((offset, writer.length()));
                if character != '\r' || offset + (length as u64) < end {
                    writer.push(character.encode_utf8(&mut [0; 4]), Meaning::Plain);
                }
                offset += length as u64;
            }
            places.push((offset, writer.length()));
            let place =
                |byte: u64| places[places.partition_point(|(offset, _)| *offset < byte).min(places.len() - 1)].1;
            let within = hits.iter().filter(|(hit, _)| hit.start < end && hit.end > start);
            let found = within.map(|(hit, current)| Found {
                range: place(hit.start.max(start))..place(hit.end.min(end)),
                current: *current,
            });
            FoundLine { found: found.collect(), line: writer.finish() }
        };
        starts.iter().zip(starts.iter().skip(1)).map(row).collect()
    }
}

fn is_current(find: &Find, offset: u64) -> bool {
    find.current.is_some_and(|current| current.at == offset)
}

/// Some bytes of a file with those around them.
struct Around {
    start: u64,
    bytes: Vec<u8>,
}

fn around(content: &Section, from: u64, to: u64) -> Around {
    /// Maximum number of bytes of the rows shown.
    const MOST: u64 = 4 << 20;
    let context = OVERLAP.min(from);
    let start = from - context;
    let end = to.min(from.saturating_add(MOST)).saturating_add(OVERLAP).min(content.length());
    let mut bytes = vec![0; end.saturating_sub(start) as usize];
    let count = content.read_full_at(&mut bytes, start).unwrap_or_default();
    bytes.truncate(count);
    Around { start, bytes }
}
