use nixdive_preview::{
    ArchiveListing, Fixed, HexView, RowContent, Rows, SideBySideRow, Sign, StyledLine, TextDifference, TextPreview,
    UnifiedRow,
};
use nixdive_tui::Measure;

/// Content shown for a path.
pub enum Body {
    Lines(Vec<StyledLine>),
    Listing(ArchiveListing),
    Text(Box<TextPreview>),
    Bytes(HexView),
    Unified(Box<TextDifference>, Vec<UnifiedRow>),
    SideBySide(Box<TextDifference>, Vec<SideBySideRow>),
    ByteRows(Box<ByteRows>),
}

/// The rows of bytes that two versions of a file do not have in common.
pub struct ByteRows {
    pub before: HexView,
    pub after: HexView,
    /// Offsets of the rows, bytes.
    pub rows: Vec<u64>,
    pub side_by_side: bool,
    /// Said after them.
    pub end: Option<StyledLine>,
}

impl Default for Body {
    fn default() -> Self {
        Self::Lines(Vec::new())
    }
}

impl Body {
    /// Runs `work` on the rows, laid out for a screen of `width` columns.
    pub fn with_rows<R>(&mut self, width: usize, work: impl FnOnce(&mut dyn Rows) -> R) -> R {
        let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        match self {
            Self::Text(text) => work(&mut **text),
            Self::Bytes(hex) => {
                hex.fit(width);
                work(hex)
            }
            Self::Lines(lines) => {
                let line = |number| Some(RowContent::Line(lines.get(index(number))?.clone().into()));
                work(&mut Fixed::new(lines.len() as u64, &line))
            }
            Self::Listing(listing) => {
                let line = |number| {
                    let number = index(number);
                    Some(RowContent::Line(listing.lines(number..number.saturating_add(1)).pop()?.into()))
                };
                work(&mut Fixed::new(listing.total_lines() as u64, &line))
            }
            Self::Unified(difference, rows) => {
                let line = |number| Some(RowContent::Line(difference.unified_line(*rows.get(index(number))?).into()));
                work(&mut Fixed::new(rows.len() as u64, &line))
            }
            Self::SideBySide(difference, rows) => {
                let line = |number| Some(halves(difference, *rows.get(index(number))?));
                work(&mut Fixed::new(rows.len() as u64, &line))
            }
            Self::ByteRows(rows) => work(&mut Fixed::new(rows.total(), &|number| rows.row(number))),
        }
    }

    pub fn measure(&self) -> Measure {
        match self {
            Self::Text(_) => Measure::Text,
            Self::Bytes(_) => Measure::Bytes,
            _ => Measure::Lines,
        }
    }

    /// Number of all lines or bytes, where it is known.
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Text(text) => text.total_lines(),
            Self::Bytes(hex) => Some(hex.length()),
            Self::Lines(lines) => Some(lines.len() as u64),
            Self::Listing(listing) => Some(listing.total_lines() as u64),
            Self::Unified(_, rows) => Some(rows.len() as u64),
            Self::SideBySide(_, rows) => Some(rows.len() as u64),
            Self::ByteRows(rows) => Some(rows.total()),
        }
    }

    /// Returns `true` if it is shown as hexadecimal bytes.
    pub fn is_bytes(&self) -> bool {
        matches!(self, Self::Bytes(_))
    }

    /// Why it cannot be shown to its end.
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.problem(),
            Self::Bytes(hex) => hex.problem(),
            _ => None,
        }
    }

    /// Bytes examined so far, for rows that are found gradually.
    pub fn bytes_read(&self) -> u64 {
        match self {
            Self::Text(text) => text.bytes_looked_at(),
            _ => 0,
        }
    }
}

/// A row of a difference as its two halves; of lines left out, how many.
fn halves(difference: &TextDifference, row: SideBySideRow) -> RowContent {
    let (sign, before, after) = match row {
        SideBySideRow::Gap(count) => {
            let text = if count == 1 { "1 line in common".to_owned() } else { format!("{count} lines in common") };
            return RowContent::Line(StyledLine::remark(&text).into());
        }
        SideBySideRow::Both { before, after } => (Sign::Same, Some(before), Some(after)),
        SideBySideRow::Changed { before, after } => {
            let sign = match (before, after) {
                (Some(_), None) => Sign::Removed,
                (None, Some(_)) => Sign::Added,
                _ => Sign::Changed,
            };
            (sign, before, after)
        }
    };
    let (left, right) = difference.side_lines(row);
    let half = |number: Option<u32>, line: Option<StyledLine>| Some((u64::from(number?), line?.into()));
    RowContent::Halves { sign, before: half(before, left), after: half(after, right) }
}

impl ByteRows {
    fn total(&self) -> u64 {
        let each = if self.side_by_side { 1 } else { 2 };
        self.rows.len() as u64 * each + u64::from(self.end.is_some())
    }

    fn row(&self, number: u64) -> Option<RowContent> {
        let each = if self.side_by_side { 1 } else { 2 };
        let Some(&offset) = self.rows.get(usize::try_from(number / each).ok()?) else {
            return self.end.clone().map(|line| RowContent::Line(line.into()));
        };
        let line = |hex: &HexView| {
            let row = hex.row_at(offset);
            let rows = hex.rows(row..row.saturating_add(1)).ok()?;
            rows.first().map(|row| hex.line(row))
        };
        let (before, after) = (line(&self.before), line(&self.after));
        if !self.side_by_side {
            let (sign, line) = if number.is_multiple_of(2) { ("-", before) } else { ("+", after) };
            return Some(RowContent::Line(line.unwrap_or_default().signed(sign).into()));
        }
        let sign = match (&before, &after) {
            (Some(_), None) => Sign::Removed,
            (None, Some(_)) => Sign::Added,
            _ => Sign::Changed,
        };
        let half = |line: Option<StyledLine>| line.map(|line| (offset, line.into()));
        Some(RowContent::Halves { sign, before: half(before), after: half(after) })
    }
}
