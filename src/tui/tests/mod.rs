//! The interface as a person uses it: keys in, screen and state out.

mod comparing;
mod hostile;
mod journeys;
mod judging;
mod looking;
mod narrowing;
mod pages;
mod rebuilding;
mod samples;
mod screens;
mod screenshots;
mod searching;
mod states;
mod store;
mod svg;
mod views;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::draw::draw;
use super::input::Key;
use super::message::{Effect, Message, Opening, Options, Report, Start};
use super::session::{Exploration, Session};
use super::state::{Screen, State};
use super::update::update;

/// A person at a terminal.
struct Person {
    state: State,
    effects: Vec<Effect>,
}

impl Person {
    /// One who has just started the program on a screen of this size.
    fn starting(start: Start, size: (u16, u16)) -> Self {
        Self { state: State::new(start, Options::default(), size), effects: Vec::new() }
    }

    /// One who sees an image.
    fn seeing(opened: super::Opened, size: (u16, u16)) -> Self {
        let mut person = Self::starting(Start::Loading("image.tar".into()), size);
        person.hears(Report::Opened(opened));
        person
    }

    fn hears(&mut self, report: Report) {
        self.takes(Message::Report(Opening::FIRST, report));
    }

    fn takes(&mut self, message: Message) {
        self.effects.extend(update(&mut self.state, message));
        while self.state.has_work() {
            update(&mut self.state, Message::Tick);
        }
    }

    /// Presses keys, with spaces between their names.
    fn presses(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            self.takes(Message::Key(Key::parse(key).unwrap_or_else(|| panic!("no key {key}"))));
        }
        self
    }

    /// Types a text.
    fn types(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            self.takes(Message::Key(Key::plain(super::KeyCode::Char(character))));
        }
        self
    }

    fn session(&self) -> &Session {
        match &self.state.screen {
            Screen::Session(session) => session,
            other => panic!("no image on screen but {other:?}"),
        }
    }

    fn opened(&self) -> &Exploration {
        self.session().opened.as_ref().expect("the image is open")
    }

    fn selected_path(&self) -> String {
        let opened = self.opened();
        let row = opened.tree.selected_row().expect("something is selected");
        String::from_utf8_lossy(&opened.image.tree.path(row.node)).into_owned()
    }

    /// The names of all rows with their changes, two spaces for each directory that they are in.
    fn rows(&self) -> Vec<String> {
        let opened = self.opened();
        let tree = &opened.image.tree;
        let lens = opened.tree.lens(tree);
        let rows = opened.tree.rows().iter();
        rows.map(|row| {
            let seen = lens.see_alone(row.node).expect("a row is there to be seen");
            let name = String::from_utf8_lossy(tree.name(row.node));
            format!("{}{}{name}", seen.change.mark(), "  ".repeat(usize::from(row.depth))).trim_end().to_owned()
        })
        .collect()
    }

    fn screen(&self) -> Buffer {
        let (width, height) = self.state.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&self.state, &mut buffer);
        self.draws_where_the_terminal_was_resized(&buffer);
        buffer
    }

    /// Between the resizing of a terminal and the message about it, its dimensions are not those of the state.
    fn draws_where_the_terminal_was_resized(&self, shown: &Buffer) {
        for (width, height) in [(20, 5), (shown.area.width + 7, shown.area.height / 2)] {
            let mut resized = Buffer::empty(Rect::new(0, 0, width, height));
            draw(&self.state, &mut resized);
            for position in resized.area.intersection(shown.area).positions() {
                assert_eq!(resized[position], shown[position], "{position}");
            }
        }
    }

    /// What stands on the screen, its styles left out.
    fn text(&self) -> String {
        let screen = self.screen();
        let lines = screen.content.chunks(usize::from(screen.area.width).max(1));
        lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
    }
}
