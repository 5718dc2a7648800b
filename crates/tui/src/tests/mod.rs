//! The interface as a person uses it: keys in, screen and state out.

mod comparing;
mod hints;
mod hostile;
mod journeys;
mod judging;
mod looking;
mod narrowing;
mod pages;
mod rebuilding;
mod samples;
mod screens;
mod searching;
mod states;
mod store;
mod views;

use ratatui::buffer::Buffer;

use super::input::Key;
use super::message::{Effect, Message, Opening, Options, Report, Start};
use super::session::Exploration;
use super::state::Screen;
use super::update::update;
use crate::testing::Person;

impl Person {
    pub(crate) fn opened(&self) -> &Exploration {
        self.session().opened.as_ref().expect("the image is open")
    }

    pub(crate) fn selected_path(&self) -> String {
        let opened = self.opened();
        let row = opened.tree.selected_row().expect("something is selected");
        String::from_utf8_lossy(&opened.image.tree.path(row.node)).into_owned()
    }

    /// The names of all rows with their changes, two spaces for each directory that they are in.
    pub(crate) fn rows(&self) -> Vec<String> {
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
}
