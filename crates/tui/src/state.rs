//! All that the screen is drawn from.

use super::action::{Context, Keymap};
use super::chooser::{Chooser, Subject};
use super::compare::Comparing;
use super::input::Key;
use super::layout::Pane;
use super::list::ListCursor;
use super::message::{Opening, Options, Start};
use super::pages::Page;
use super::picker::Picker;
use super::prompt::Prompt;
use super::session::Session;
use super::settings::{Settings, View};
use super::theme::Theme;
use super::viewer::Viewer;

/// Screens.
#[derive(Debug)]
pub(super) enum Screen {
    /// The topmost of the choosers.
    Choosing,
    /// An image, being read or open.
    Session(Box<Session>),
    /// Several images next to each other, being read or open.
    Comparing(Box<Comparing>),
    /// Nothing could be opened.
    Failed { name: String, reason: String },
}

/// Importance of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Gone with the next key.
    Info,
    /// Stays until escape.
    Error,
}

/// One line for the user to read.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub level: Level,
    pub text: String,
}

/// The whole state of the interface.
#[derive(Debug)]
pub struct State {
    pub(super) options: Options,
    pub(super) keymap: Keymap,
    pub(super) theme: Theme,
    /// Initial view of an image.
    pub(super) view: View,
    pub(super) size: (u16, u16),
    pub(super) screen: Screen,
    /// From the first to the latest.
    pub(super) choosers: Vec<Chooser>,
    pub(super) help: Option<ListCursor>,
    pub(super) prompt: Option<Prompt>,
    /// List to choose from while typing.
    pub(super) picker: Option<Picker>,
    pub(super) notice: Option<Notice>,
    pub(super) typed: Vec<Key>,
    pub(super) mouse: bool,
    pub(super) dragging: bool,
    pub(super) latest_opening: Opening,
    pub(super) changed: bool,
}

impl State {
    /// The state in which the interface begins, on a screen of `size` columns and rows.
    #[must_use]
    pub fn new(start: Start, options: Options, size: (u16, u16)) -> Self {
        Self::with_settings(start, options, size, Settings::default())
    }

    /// The same, as the user has set it.
    #[must_use]
    pub fn with_settings(start: Start, options: Options, size: (u16, u16), settings: Settings) -> Self {
        let Settings { theme, keymap, view, unicode, mouse } = settings;
        let options = Options { unicode: unicode.unwrap_or(options.unicode), mouse: options.mouse && mouse, ..options };
        let (screen, choosers) = match start {
            Start::Loading(name) => (Screen::Session(Box::new(Session::new(Opening::FIRST, name, view))), Vec::new()),
            Start::Comparing { names, options } => {
                (Screen::Comparing(Box::new(Comparing::new(Opening::FIRST, names, options))), Vec::new())
            }
            Start::Choosing(choices) => (Screen::Choosing, vec![Chooser::new(choices, Subject::Here)]),
        };
        Self {
            options,
            keymap,
            theme,
            view,
            size,
            screen,
            choosers,
            help: None,
            prompt: None,
            picker: None,
            notice: None,
            typed: Vec::new(),
            mouse: options.mouse,
            dragging: false,
            latest_opening: Opening::FIRST,
            changed: true,
        }
    }

    /// Returns `true` if there is something new to draw since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Returns `true` if there is something new to draw.
    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Returns `true` if a [`super::Message::Tick`] would make progress.
    #[must_use]
    pub fn has_work(&self) -> bool {
        match &self.screen {
            Screen::Session(session) => session.has_work(),
            Screen::Comparing(comparing) => comparing.has_work(),
            Screen::Choosing | Screen::Failed { .. } => false,
        }
    }

    /// Context of the next key.
    pub(super) fn context(&self) -> Context {
        match &self.screen {
            _ if self.prompt.is_some() => Context::Prompt,
            _ if self.help.is_some() => Context::Help,
            screen => screen.context(),
        }
    }

    pub(super) fn inform(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { level: Level::Info, text: text.into() });
    }
}

impl Screen {
    /// The context of the screen itself, without overlays.
    pub(super) fn context(&self) -> Context {
        match self {
            Self::Choosing => Context::Chooser,
            Self::Session(session) if session.viewer.is_some() => Context::Preview,
            Self::Session(session) if session.results.is_some() => Context::Hits,
            Self::Session(session) if session.opened.is_some() && session.pages.current != Page::Files => {
                session.pages.current.context().unwrap_or(Context::Everywhere)
            }
            Self::Session(session) => match session.focus {
                Pane::Layers => Context::Layers,
                Pane::Tree => Context::Tree,
                Pane::Details => Context::Details,
            },
            Self::Comparing(comparing) => comparing.context(),
            Self::Failed { .. } => Context::Everywhere,
        }
    }

    /// The file on screen.
    pub(super) fn viewer(&self) -> Option<&Viewer> {
        match self {
            Self::Session(session) => session.viewer.as_ref(),
            Self::Comparing(comparing) => comparing.viewer.as_ref(),
            Self::Choosing | Self::Failed { .. } => None,
        }
    }

    /// The same, to change it.
    pub(super) fn viewer_mut(&mut self) -> Option<&mut Viewer> {
        match self {
            Self::Session(session) => session.viewer.as_mut(),
            Self::Comparing(comparing) => comparing.viewer.as_mut(),
            Self::Choosing | Self::Failed { .. } => None,
        }
    }
}
