use super::Meaning;
use super::difference::{Side, TextDifference};
use super::style::{StyledLine, plain_line};

/// One row of a unified difference. Line numbers are from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnifiedRow {
    /// Position of a run of rows: first line and number of lines before, and after.
    Header {
        /// Before.
        before: (u32, u32),
        /// After.
        after: (u32, u32),
    },
    /// A line that both have.
    Both {
        /// Before.
        before: u32,
        /// After.
        after: u32,
    },
    /// A line that is gone.
    Removed(u32),
    /// A line that is new.
    Added(u32),
}

/// One row of a difference with the older version on the left. Line numbers are from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideBySideRow {
    /// Lines between two runs that are not shown: their number.
    Gap(u32),
    /// A line that both have.
    Both {
        /// Before.
        before: u32,
        /// After.
        after: u32,
    },
    /// Lines that differ; `None` where one side has none.
    Changed {
        /// Before.
        before: Option<u32>,
        /// After.
        after: Option<u32>,
    },
}

/// Changes that stand together, with the lines around them.
struct Group {
    before: std::ops::Range<u32>,
    after: std::ops::Range<u32>,
    hunks: std::ops::Range<usize>,
}

impl TextDifference {
    /// Returns all rows of a unified difference with `context` common lines around each change.
    #[must_use]
    pub fn unified(&self, context: u32) -> Vec<UnifiedRow> {
        let mut rows = Vec::new();
        for group in self.groups(context) {
            rows.push(UnifiedRow::Header {
                before: (group.before.start, group.before.end - group.before.start),
                after: (group.after.start, group.after.end - group.after.start),
            });
            let (mut before, mut after) = (group.before.start, group.after.start);
            for hunk in self.hunks().get(group.hunks).unwrap_or_default() {
                rows.extend(
                    (before..hunk.before.start).zip(after..).map(|(before, after)| UnifiedRow::Both { before, after }),
                );
                rows.extend(hunk.before.clone().map(UnifiedRow::Removed));
                rows.extend(hunk.after.clone().map(UnifiedRow::Added));
                (before, after) = (hunk.before.end, hunk.after.end);
            }
            rows.extend(
                (before..group.before.end).zip(after..).map(|(before, after)| UnifiedRow::Both { before, after }),
            );
        }
        rows
    }

    /// Returns all rows side by side with `context` common lines around each change.
    #[must_use]
    pub fn side_by_side(&self, context: u32) -> Vec<SideBySideRow> {
        let mut rows = Vec::new();
        let mut shown = 0;
        for group in self.groups(context) {
            if group.before.start > shown {
                rows.push(SideBySideRow::Gap(group.before.start - shown));
            }
            shown = group.before.end;
            let (mut before, mut after) = (group.before.start, group.after.start);
            for hunk in self.hunks().get(group.hunks).unwrap_or_default() {
                rows.extend(
                    (before..hunk.before.start)
                        .zip(after..)
                        .map(|(before, after)| SideBySideRow::Both { before, after }),
                );
                let height = hunk.before.len().max(hunk.after.len());
                rows.extend((0..height).map(|row| SideBySideRow::Changed {
                    before: hunk.before.clone().nth(row),
                    after: hunk.after.clone().nth(row),
                }));
                (before, after) = (hunk.before.end, hunk.after.end);
            }
            rows.extend(
                (before..group.before.end).zip(after..).map(|(before, after)| SideBySideRow::Both { before, after }),
            );
        }
        let (total, _) = self.line_counts();
        if total > shown {
            rows.push(SideBySideRow::Gap(total - shown));
        }
        rows
    }

    /// A row of [`Self::unified`] as a line, with its sign.
    #[must_use]
    pub fn unified_line(&self, row: UnifiedRow) -> StyledLine {
        let (sign, mut line) = match row {
            UnifiedRow::Header { before, after } => {
                let text = format!("@@ -{} +{} @@", hunk_range(before), hunk_range(after));
                return plain_line(&text, Meaning::Dim);
            }
            UnifiedRow::Both { before, .. } => (" ", self.styled(Side::Before, before, Meaning::Plain)),
            UnifiedRow::Removed(number) => ("-", self.styled(Side::Before, number, Meaning::Removed)),
            UnifiedRow::Added(number) => ("+", self.styled(Side::After, number, Meaning::Added)),
        };
        match line.spans.first_mut() {
            Some(span) => span.text.insert_str(0, sign),
            None => line = plain_line(sign, sign_meaning(sign)),
        }
        line
    }

    /// The two sides of a row of [`Self::side_by_side`]; `None` where a side has no line. A gap has none.
    #[must_use]
    pub fn side_lines(&self, row: SideBySideRow) -> (Option<StyledLine>, Option<StyledLine>) {
        match row {
            SideBySideRow::Gap(_) => (None, None),
            SideBySideRow::Both { before, after } => (
                Some(self.styled(Side::Before, before, Meaning::Plain)),
                Some(self.styled(Side::After, after, Meaning::Plain)),
            ),
            SideBySideRow::Changed { before, after } => (
                before.map(|number| self.styled(Side::Before, number, Meaning::Removed)),
                after.map(|number| self.styled(Side::After, number, Meaning::Added)),
            ),
        }
    }

    /// Changes together with those whose surroundings touch theirs.
    fn groups(&self, context: u32) -> Vec<Group> {
        let (before_lines, after_lines) = self.line_counts();
        let mut groups: Vec<Group> = Vec::new();
        for (index, hunk) in self.hunks().iter().enumerate() {
            let above = context.min(hunk.before.start).min(hunk.after.start);
            let before = hunk.before.start - above..hunk.before.end.saturating_add(context).min(before_lines);
            let after = hunk.after.start - above..hunk.after.end.saturating_add(context).min(after_lines);
            match groups.last_mut() {
                Some(last) if before.start <= last.before.end => {
                    last.before.end = before.end;
                    last.after.end = after.end;
                    last.hunks.end = index + 1;
                }
                _ => groups.push(Group { before, after, hunks: index..index + 1 }),
            }
        }
        groups
    }
}

/// A range of lines as `diff -u` writes it: from 1, and for no lines the one before.
fn hunk_range((start, count): (u32, u32)) -> String {
    match count {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        _ => format!("{},{count}", start + 1),
    }
}

fn sign_meaning(sign: &str) -> Meaning {
    match sign {
        "-" => Meaning::Removed,
        "+" => Meaning::Added,
        _ => Meaning::Plain,
    }
}
