use super::list::ListCursor;
use super::message::Choice;

/// A list of images to choose from.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    pub choices: Vec<Choice>,
    pub cursor: ListCursor,
    pub filter: String,
    /// What the choices are choices of: the name of a source with several images; empty at the start.
    pub source: String,
}

impl Chooser {
    pub(super) fn new(choices: Vec<Choice>, source: String) -> Self {
        Self { choices, source, ..Self::default() }
    }

    /// The choices that the filter lets through.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Choice> {
        let wanted = self.filter.to_lowercase();
        self.choices.iter().filter(move |choice| {
            [&choice.title, &choice.detail, &choice.reference].iter().any(|text| text.to_lowercase().contains(&wanted))
        })
    }

    pub(super) fn selected(&self) -> Option<&Choice> {
        self.shown().nth(self.cursor.selected)
    }
}
