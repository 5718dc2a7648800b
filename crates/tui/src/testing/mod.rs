//! A person at a terminal, and pictures of what they see, for tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod svg;

use nixdive_image::DigestCheck;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::draw;
use super::input::Key;
use super::message::{Effect, Message, Opening, Options, Report, Start};
use super::session::Session;
use super::state::{Screen, State};
use super::update::update;
pub use svg::svg;

/// A person at a terminal.
pub struct Person {
    pub state: State,
    pub effects: Vec<Effect>,
}

impl Person {
    /// One who has just started the program on a screen of this size.
    pub fn starting(start: Start, size: (u16, u16)) -> Self {
        Self { state: State::new(start, Options::default(), size), effects: Vec::new() }
    }

    /// One who sees an image.
    pub fn seeing(opened: super::Opened, size: (u16, u16)) -> Self {
        let mut person = Self::starting(Start::Loading("image.tar".into()), size);
        person.hears(Report::Opened(opened));
        person
    }

    pub fn hears(&mut self, report: Report) {
        self.takes(Message::Report(Opening::FIRST, report));
    }

    pub fn takes(&mut self, message: Message) {
        self.effects.extend(update(&mut self.state, message));
        while self.state.has_work() {
            update(&mut self.state, Message::Tick);
        }
    }

    /// Presses keys, with spaces between their names.
    pub fn presses(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            self.takes(Message::Key(Key::parse(key).unwrap_or_else(|| panic!("no key {key}"))));
        }
        self
    }

    /// Types a text.
    pub fn types(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            self.takes(Message::Key(Key::plain(super::KeyCode::Char(character))));
        }
        self
    }

    pub(crate) fn session(&self) -> &Session {
        match &self.state.screen {
            Screen::Session(session) => session,
            other => panic!("no image on screen but {other:?}"),
        }
    }

    /// Returns `true` if all requests are answered.
    pub fn is_settled(&self) -> bool {
        match &self.state.screen {
            Screen::Comparing(comparing) => comparing.is_open() && comparing.asked.is_none(),
            _ => is_settled(self.session()),
        }
    }

    pub fn screen(&self) -> Buffer {
        let (width, height) = self.state.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&self.state, &mut buffer);
        self.draws_where_the_terminal_was_resized(&buffer);
        buffer
    }

    /// Between the resizing of a terminal and the message about it, its dimensions are not those of the state.
    pub fn draws_where_the_terminal_was_resized(&self, shown: &Buffer) {
        for (width, height) in [(20, 5), (shown.area.width + 7, shown.area.height / 2)] {
            let mut resized = Buffer::empty(Rect::new(0, 0, width, height));
            draw(&self.state, &mut resized);
            for position in resized.area.intersection(shown.area).positions() {
                assert_eq!(resized[position], shown[position], "{position}");
            }
        }
    }

    /// Text of the screen, without styles.
    pub fn text(&self) -> String {
        let screen = self.screen();
        let lines = screen.content.chunks(usize::from(screen.area.width).max(1));
        lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
    }
}

/// Returns `true` if the image and the file on screen are completely known.
fn is_settled(session: &Session) -> bool {
    let learnt = session.pages.findings.assessment.figures.efficiency > 0.0;
    let checked = (0..session.layer_count())
        .all(|layer| session.digest_check(layer).is_some_and(|check| *check != DigestCheck::NotChecked));
    let viewed = session.viewer.as_ref().is_none_or(|viewer| viewer.is_current() && !viewer.view.pending);
    let searched = session.results.as_ref().is_none_or(|results| results.complete);
    let learnt = learnt && session.pages.is_store_known;
    let planned = session.pages.current != crate::pages::Page::Rebuild || session.pages.rebuild.plan().is_some();
    let judged = !matches!(session.pages.judgement.judged, crate::pages::Judged::Asked);
    session.opened.is_some() && judged && planned && learnt && checked && viewed && searched
}
