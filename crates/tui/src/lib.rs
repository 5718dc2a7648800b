//! The terminal interface.
//!
//! `message` is what comes in and what goes out; `state` holds everything that is drawn; `update` (with `perform` for
//! actions and `pointer` for the mouse) takes messages into the state and answers with effects; `draw` makes a screen
//! of the state and changes nothing. `tree_view` is the file tree as it is looked at: `rows` flattens it, `find`
//! searches its names, `walk` jumps in it, `narrow` leaves out the base image or what is not wasted. `request` is what is asked of the contents of files, which other threads read;
//! `viewer` is a file that is looked at. `compare` is two images next to each other, or what several share. `action` is the one table of everything that a key can do. Only `terminal`
//! knows the real terminal, and `run` ties it all together.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod action;
mod bits;
mod chooser;
mod columns;
mod compare;
mod draw;
mod expansion;
mod find;
mod input;
mod layout;
mod list;
mod look;
mod message;
mod narrow;
mod node_set;
mod pages;
mod perform;
mod picker;
mod pointer;
mod prompt;
mod request;
mod results;
mod rows;
mod run;
mod session;
mod settings;
mod state;
mod terminal;
mod terminal_input;
mod theme;
mod themes;
mod tree_view;
mod update;
mod viewer;
mod walk;
mod wrap;

#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use action::{ACTIONS, Action, ActionInfo, Context, Keymap, Resolved};
pub use compare::{CompareRequest, Compared, ComparedImage, PairNumbers, Shared, SideProgress, Stage};
pub use draw::draw;
pub use input::{Key, KeyCode, Mouse, MouseAction};
pub use message::{
    Choice, Effect, Identified, LayerOutline, LayerProgress, Message, Opened, Opening, Options, Overview, Planned,
    Progress, Rebuilt, Report, Start, Traffic, Transfer,
};
pub use pages::Insights;
pub use request::{
    ExtractRequest, FindRequest, FindState, Form, Hits, Measure, PathRequest, Paths, PlanRequest, RebuildRequest,
    Request, SearchRequest, Subject, Target, Ticket, View, ViewRequest,
};
pub use run::{Ended, run};
pub use settings::{Settings, SettingsError};
pub use state::State;
pub use update::update;
