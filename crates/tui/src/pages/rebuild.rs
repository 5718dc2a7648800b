//! Plan of a rebuild, and the user's decisions about it.

use std::sync::Arc;

use crate::list::ListCursor;
use crate::message::Planned;
use crate::request::{PlanRequest, Ticket};
use nixdive_image::NodeId;
use nixdive_rebuild::choices::Choices;
use nixdive_rebuild::plan::{ClassRow, Decision, DropClass, Plan, Row, RowSubject};

/// State of the plan.
#[derive(Debug, Default)]
pub enum PlanStage {
    /// None was made yet.
    #[default]
    Unknown,
    Known(Arc<Plan>),
    /// None can be made; why, as a sentence.
    Impossible(String),
}

/// A line of the list, by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanItem {
    Row(usize),
    Class(usize),
    Cut(usize),
    /// Something that static analysis cannot decide.
    Doubt(usize),
}

/// The state of the page.
#[derive(Debug)]
pub struct RebuildPage {
    pub stage: PlanStage,
    /// Decisions of the user.
    pub choices: Choices,
    /// True if the plan does not match the decisions, and no request for a new one is under way.
    pub is_stale: bool,
    /// A question that is awaited.
    pub asked: Option<Ticket>,
    pub items: Vec<PlanItem>,
    pub filter: String,
    pub cursor: ListCursor,
    /// Decision about unreachable paths, until the plan shows it.
    unreachable: Option<bool>,
    /// Destination of the result, as proposed or typed last.
    pub destination: String,
    /// Problem with the typed destination.
    pub problem: Option<String>,
    /// Destination that the user was already warned about, because the file exists.
    pub told_of: Option<String>,
}

impl Default for RebuildPage {
    fn default() -> Self {
        Self {
            stage: PlanStage::Unknown,
            choices: Choices::default(),
            is_stale: true,
            asked: None,
            items: Vec::new(),
            filter: String::new(),
            cursor: ListCursor::default(),
            unreachable: None,
            destination: String::new(),
            problem: None,
            told_of: None,
        }
    }
}

impl RebuildPage {
    /// The plan, as it was when it was made last.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        match &self.stage {
            PlanStage::Known(plan) => Some(plan),
            PlanStage::Unknown | PlanStage::Impossible(_) => None,
        }
    }

    /// Request for a plan of the current decisions.
    pub fn ask(&mut self, ticket: Ticket) -> PlanRequest {
        self.is_stale = false;
        self.asked = Some(ticket);
        PlanRequest { ticket, choices: self.choices.clone() }
    }

    /// Takes an answer; returns its error if an older plan remains usable.
    pub fn take(&mut self, planned: Planned) -> Option<String> {
        // Of a question that was replaced by another one.
        if self.asked != Some(planned.ticket) {
            return None;
        }
        self.asked = None;
        if self.destination.is_empty() {
            self.destination = planned.proposal;
        }
        match (planned.plan, self.plan().is_some()) {
            (Ok(plan), _) => {
                self.unreachable = None;
                self.stage = PlanStage::Known(plan);
                self.arrange();
                None
            }
            (Err(reason), true) => Some(reason),
            (Err(reason), false) => {
                self.stage = PlanStage::Impossible(reason);
                None
            }
        }
    }

    /// Builds the list, keeping the selection.
    fn arrange(&mut self) {
        let Some(plan) = self.plan().cloned() else { return };
        let selected = self.selected().and_then(|item| self.key_of(item));
        let wanted = self.filter.to_lowercase();
        let matches = |name: &str| wanted.is_empty() || name.to_lowercase().contains(&wanted);
        let rows = (0..).zip(&plan.rows).filter(|(_, row)| matches(&row.name));
        let classes = (0..).zip(&plan.classes).filter(|(_, row)| matches(row.class.id()));
        let of_all = wanted.is_empty();
        self.items = rows.map(|(place, _)| PlanItem::Row(place)).collect();
        self.items.extend(classes.map(|(place, _)| PlanItem::Class(place)));
        self.items.extend((0..plan.cuts.len()).filter(|_| of_all).map(PlanItem::Cut));
        self.items.extend((0..plan.doubts.len()).filter(|_| of_all).map(PlanItem::Doubt));
        let place = selected.and_then(|key| self.items.iter().position(|&item| self.key_of(item) == Some(key)));
        self.cursor.selected = place.unwrap_or(self.cursor.selected);
    }

    /// Subject of a line, by which it is found again in another plan.
    fn key_of(&self, item: PlanItem) -> Option<RowSubject> {
        match item {
            PlanItem::Row(place) => Some(self.plan()?.rows.get(place)?.subject),
            PlanItem::Class(place) => Some(RowSubject::Class(self.plan()?.classes.get(place)?.class)),
            PlanItem::Cut(_) | PlanItem::Doubt(_) => None,
        }
    }

    pub fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
        self.arrange();
    }

    /// The selected line.
    pub fn selected(&self) -> Option<PlanItem> {
        self.items.get(self.cursor.selected).copied()
    }

    /// Returns `true` if the user keeps a row, even if the plan does not show that yet.
    pub fn is_kept(&self, row: &Row) -> bool {
        self.choices.decided.get(&row.subject).copied().unwrap_or(row.decision.is_kept())
    }

    /// The same of a class.
    pub fn keeps_class(&self, row: &ClassRow) -> bool {
        match row.class {
            DropClass::Unreachable => self.unreachable.unwrap_or(row.is_kept),
            class => !self.choices.classes.contains(&class),
        }
    }

    /// Bytes of a row in the result; of one that was decided just now, what it will be at most.
    pub fn bytes_after(&self, row: &Row) -> u64 {
        match (self.is_kept(row), row.decision.is_kept()) {
            (false, _) => 0,
            (true, false) if row.kept_bytes == 0 => row.bytes_before(),
            (true, _) => row.kept_bytes,
        }
    }

    /// Bytes of files before and after.
    pub fn totals(&self) -> (u64, u64) {
        let rows = self.plan().map(|plan| plan.rows.as_slice()).unwrap_or_default();
        let after = rows.iter().map(|row| self.bytes_after(row)).fold(0, u64::saturating_add);
        (rows.iter().map(Row::bytes_before).fold(0, u64::saturating_add), after)
    }

    /// Rows and other things that nothing in the image can tell.
    pub fn uncertain(&self) -> usize {
        self.plan().map_or(0, |plan| plan.rows.iter().filter(|row| row.doubt.is_some()).count() + plan.doubts.len())
    }

    /// Number of the user's decisions.
    pub fn decided(&self) -> usize {
        self.choices.decided.len() + self.choices.classes.len()
    }

    /// Keeps a dropped row or drops a kept one; returns a message for the user. `unreached` are the unreachable paths.
    pub fn toggle(&mut self, unreached: &[RowSubject]) -> Option<String> {
        let plan = Arc::clone(self.plan()?);
        match self.selected()? {
            PlanItem::Row(place) => {
                let row = plan.rows.get(place)?;
                let is_nix = plan.rows.iter().any(|row| matches!(row.subject, RowSubject::StorePath(_)));
                if is_nix && row.subject == RowSubject::Files(NodeId::ROOT) {
                    return Some("Files outside the store are always kept".to_owned());
                }
                // What was decided before is left to the plan again.
                let kept = self.is_kept(row);
                if self.choices.decided.remove(&row.subject).is_none() {
                    self.choices.decided.insert(row.subject, !kept);
                }
            }
            PlanItem::Class(place) => {
                let row = *plan.classes.get(place)?;
                self.toggle_class(row, unreached);
            }
            PlanItem::Cut(_) | PlanItem::Doubt(_) => return Some("Nothing to decide here".to_owned()),
        }
        self.is_stale = true;
        None
    }

    fn toggle_class(&mut self, row: ClassRow, unreached: &[RowSubject]) {
        let keeps = !self.keeps_class(&row);
        if row.class == DropClass::Unreachable {
            // Nothing brings these in, so that each is kept for its own sake.
            for &subject in unreached {
                match keeps {
                    true => self.choices.decided.insert(subject, true),
                    false => self.choices.decided.remove(&subject),
                };
            }
            self.unreachable = Some(keeps);
        }
        match keeps {
            true => self.choices.classes.remove(&row.class),
            false => self.choices.classes.insert(row.class),
        };
    }

    /// Leaves all to the plan; what to tell the user.
    pub fn undo(&mut self) -> &'static str {
        if self.decided() == 0 {
            return "No decisions to undo";
        }
        self.choices = Choices::default();
        self.unreachable = None;
        self.is_stale = true;
        "All decisions undone"
    }

    /// Returns the selection as text for the clipboard.
    pub fn name_of_selection(&self) -> Option<String> {
        let plan = self.plan()?;
        match self.selected()? {
            PlanItem::Row(place) => {
                let row = plan.rows.get(place)?;
                let is_path = matches!(row.subject, RowSubject::StorePath(_));
                Some(if is_path { format!("/nix/store/{}", row.name) } else { row.name.clone() })
            }
            PlanItem::Class(place) => Some(plan.classes.get(place)?.class.id().to_owned()),
            PlanItem::Cut(place) => plan.cuts.get(place).cloned(),
            PlanItem::Doubt(place) => plan.doubts.get(place).cloned(),
        }
    }

    /// Why a row is as it is, in a word.
    pub fn decision_words(&self, row: &Row) -> &'static str {
        match (self.choices.decided.get(&row.subject), row.decision) {
            (Some(true), _) | (None, Decision::KeepAsked) => "kept by your decision",
            (Some(false), _) | (None, Decision::DropAsked) => "dropped by your decision",
            (None, Decision::Keep) => "kept",
            (None, Decision::Drop) => "dropped",
        }
    }
}
