//! Colours and characters. All of the look is decided here.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use nixdive_image::Change;
use nixdive_preview::{self, Meaning};

/// Styles by meaning, in the terminal's own sixteen colours, which its user has made to fit light or dark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub plain: Style,
    pub dim: Style,
    pub strong: Style,
    pub head: Style,
    pub title: Style,
    pub title_focused: Style,
    pub brand: Style,
    pub key: Style,
    pub added: Style,
    pub modified: Style,
    pub removed: Style,
    pub directory: Style,
    pub link: Style,
    pub bar: Style,
    pub hit: Style,
    pub warning: Style,
    pub error: Style,
    /// Laid over the selected row of the focused pane.
    pub selected: Style,
    /// Laid over the selected row of another pane.
    pub remembered: Style,
}

impl Theme {
    pub(super) const SIXTEEN: Self = Self {
        plain: Style::new(),
        dim: Style::new().add_modifier(Modifier::DIM),
        strong: Style::new().add_modifier(Modifier::BOLD),
        head: Style::new().add_modifier(Modifier::DIM),
        title: Style::new().add_modifier(Modifier::DIM),
        title_focused: Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
        brand: Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
        key: Style::new().add_modifier(Modifier::BOLD),
        added: Style::new().fg(Color::Green),
        modified: Style::new().fg(Color::Yellow),
        removed: Style::new().fg(Color::Red),
        directory: Style::new().add_modifier(Modifier::BOLD),
        link: Style::new().fg(Color::Cyan),
        bar: Style::new().fg(Color::Blue),
        hit: Style::new().fg(Color::Magenta).add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)),
        warning: Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        error: Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        selected: Style::new().add_modifier(Modifier::REVERSED),
        remembered: Style::new().add_modifier(Modifier::UNDERLINED),
    };

    /// Style of a piece of a file.
    pub(super) fn text(&self, style: nixdive_preview::Style) -> Style {
        let mut look = match style.meaning {
            Meaning::Plain | Meaning::Operator | Meaning::Variable => self.plain,
            Meaning::Comment | Meaning::Punctuation | Meaning::Dim => self.dim,
            Meaning::String | Meaning::Added => self.added,
            Meaning::Number | Meaning::Constant | Meaning::Type => self.modified,
            Meaning::Escape | Meaning::Function | Meaning::Link => self.link,
            Meaning::Keyword | Meaning::Key => self.bar,
            Meaning::Heading => self.title_focused,
            Meaning::Removed => self.removed,
            Meaning::Problem => self.error,
            Meaning::Label => self.strong,
        };
        if style.bold {
            look = look.add_modifier(Modifier::BOLD);
        }
        if style.italic {
            look = look.add_modifier(Modifier::ITALIC);
        }
        look
    }

    pub(super) fn change(&self, change: Change) -> Style {
        match change {
            Change::Added => self.added,
            Change::Modified(_) => self.modified,
            Change::Removed => self.removed,
            Change::Touched | Change::Unmodified => self.dim,
        }
    }
}

/// Takes all colours off a finished screen. Writing none beats writing their absence, which would end reverse video.
pub(super) fn strip_colours(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        cell.fg = Color::Reset;
        cell.bg = Color::Reset;
    }
}

/// The characters that are drawn with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyphs {
    pub guide: &'static str,
    pub gap: &'static str,
    pub branch: &'static str,
    pub last_branch: &'static str,
    pub open: &'static str,
    pub closed: &'static str,
    pub leaf: &'static str,
    pub symlink: &'static str,
    pub hard_link: &'static str,
    pub ellipsis: &'static str,
    pub rule: &'static str,
    pub rule_focused: &'static str,
    pub separator: &'static str,
    pub dot: &'static str,
    pub crumb: &'static str,
    pub descending: &'static str,
    pub ascending: &'static str,
    /// From the thinnest to the full cell.
    pub bar: &'static [&'static str],
    pub track: &'static str,
    pub cursor: &'static str,
    pub check: &'static str,
    pub cross: &'static str,
}

impl Glyphs {
    pub(super) fn new(unicode: bool) -> &'static Self {
        if unicode { &UNICODE } else { &ASCII }
    }
}

const UNICODE: Glyphs = Glyphs {
    guide: "│ ",
    gap: "  ",
    branch: "├─",
    last_branch: "└─",
    open: "▾ ",
    closed: "▸ ",
    leaf: "─ ",
    symlink: " → ",
    hard_link: " ⇒ ",
    ellipsis: "…",
    rule: "─",
    rule_focused: "━",
    separator: "│",
    dot: " · ",
    crumb: " › ",
    descending: "▼",
    ascending: "▲",
    bar: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    track: "─",
    cursor: "█",
    check: "✓",
    cross: "✗",
};

const ASCII: Glyphs = Glyphs {
    guide: "| ",
    gap: "  ",
    branch: "|-",
    last_branch: "`-",
    open: "v ",
    closed: "> ",
    leaf: "- ",
    symlink: " -> ",
    hard_link: " => ",
    ellipsis: "~",
    rule: "-",
    rule_focused: "=",
    separator: "|",
    dot: " - ",
    crumb: " / ",
    descending: "v",
    ascending: "^",
    bar: &["#"],
    track: ".",
    cursor: "_",
    check: "ok",
    cross: "!!",
};
