//! Problems and possible improvements of the image, each with its locations.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::list::ListCursor;
use nixdive_analyse::findings::{Evidence, Finding, Findings};

/// One row: a finding, or one of its hits below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingRow {
    Finding(usize),
    Evidence(usize, usize),
}

/// State of the findings.
#[derive(Debug, Default)]
pub enum Judged {
    /// The page has not been opened yet.
    #[default]
    NotAsked,
    /// The files are being read.
    Asked,
    Known(Arc<Findings>),
}

/// The state of the page.
#[derive(Debug, Default)]
pub struct FindingsPage {
    pub judged: Judged,
    /// Findings whose hits are shown.
    open: BTreeSet<usize>,
    pub rows: Vec<FindingRow>,
    pub cursor: ListCursor,
}

impl FindingsPage {
    pub fn learn(&mut self, findings: Arc<Findings>) {
        self.judged = Judged::Known(findings);
        self.open.clear();
        self.cursor = ListCursor::default();
        self.arrange();
    }

    fn arrange(&mut self) {
        let Judged::Known(findings) = &self.judged else { return };
        self.rows.clear();
        for (index, finding) in findings.list.iter().enumerate() {
            self.rows.push(FindingRow::Finding(index));
            if self.open.contains(&index) {
                self.rows.extend((0..finding.evidence.len()).map(|hit| FindingRow::Evidence(index, hit)));
            }
        }
    }

    /// The finding of a number.
    pub fn finding(&self, index: usize) -> Option<&Finding> {
        match &self.judged {
            Judged::Known(findings) => findings.list.get(index),
            _ => None,
        }
    }

    pub fn is_open(&self, index: usize) -> bool {
        self.open.contains(&index)
    }

    /// The finding that is selected, or that has the selected hit.
    pub fn selected(&self) -> Option<&Finding> {
        match *self.rows.get(self.cursor.selected)? {
            FindingRow::Finding(index) | FindingRow::Evidence(index, _) => self.finding(index),
        }
    }

    /// The selected hit; of a finding that is selected itself, its first.
    pub fn evidence(&self) -> Option<&Evidence> {
        match *self.rows.get(self.cursor.selected)? {
            FindingRow::Finding(index) => self.finding(index)?.evidence.first(),
            FindingRow::Evidence(index, hit) => self.finding(index)?.evidence.get(hit),
        }
    }

    /// Shows or hides the hits of the selected finding; returns `true` if a finding itself is selected.
    pub fn toggle(&mut self) -> bool {
        let Some(&FindingRow::Finding(index)) = self.rows.get(self.cursor.selected) else { return false };
        if !self.open.remove(&index) {
            self.open.insert(index);
        }
        self.arrange();
        true
    }

    /// Goes to the finding of the selected hit, and hides its hits.
    pub fn close(&mut self) {
        let Some(&(FindingRow::Finding(index) | FindingRow::Evidence(index, _))) = self.rows.get(self.cursor.selected)
        else {
            return;
        };
        self.open.remove(&index);
        self.arrange();
        let place = self.rows.iter().position(|row| *row == FindingRow::Finding(index));
        self.cursor.selected = place.unwrap_or(0);
    }
}
