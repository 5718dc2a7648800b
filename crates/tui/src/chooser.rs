use super::list::ListCursor;
use super::message::Choice;

/// Kinds of things to choose.
#[derive(Debug, Default)]
pub(super) enum Subject {
    /// The images around.
    #[default]
    Here,
    /// The images of a source that has several, by its name.
    Source(String),
    /// A question.
    Question(String),
}

/// A list of images to choose from.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    pub choices: Vec<Choice>,
    pub cursor: ListCursor,
    pub filter: String,
    pub subject: Subject,
}

impl Chooser {
    pub(super) fn new(choices: Vec<Choice>, subject: Subject) -> Self {
        Self { choices, subject, ..Self::default() }
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
