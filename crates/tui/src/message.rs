use std::sync::Arc;
use std::time::Duration;

use super::compare::{Compared, Shared, SideProgress};
use super::input::{Key, Mouse};
use super::pages::Insights;
use super::request::{Hits, Paths, Request, Ticket, View};
use nixdive_analyse::compare::CompareOptions;
use nixdive_analyse::findings::Findings;
use nixdive_base::text::display_bytes;
use nixdive_image::{Config, DigestCheck, Identity, Image, LayerIndex};
use nixdive_nix::study::StoreStudy;
use nixdive_rebuild::plan::Plan;

/// One opening of one reference. Reports of an opening that has been left are dropped, however late they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opening(pub u32);

impl Opening {
    /// Number of the opening that [`Start::Loading`] begins with; [`Effect::Open`] carries later ones.
    pub const FIRST: Self = Self(0);
}

/// Messages to the interface.
#[derive(Debug)]
pub enum Message {
    /// From the opener.
    Report(Opening, Report),
    /// A key was pressed.
    Key(Key),
    /// The mouse was used.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size, in cells.
    Resize {
        /// Cells from left to right.
        width: u16,
        /// Cells from top to bottom.
        height: u16,
    },
    /// There is time for unfinished work.
    Tick,
}

/// Reports of the opener.
#[derive(Debug)]
pub enum Report {
    /// Manifest and configuration are known.
    Identified(Box<Identified>),
    /// Progress of the reading. Each report replaces the previous one.
    Progress(Progress),
    /// State of layers fetched on demand; `None` when done.
    Fetching(Option<(Transfer, Traffic)>),
    /// The trees are complete.
    Opened(Opened),
    /// Waste and packages are known.
    Insights(Arc<Insights>),
    /// The store was studied, or there is none.
    Store(Option<Arc<StoreStudy>>),
    /// Progress of reading several images, one by one. Each report replaces the previous one.
    Gathering(Vec<SideProgress>),
    /// Two images were compared.
    Compared(Arc<Compared>),
    /// The comparison of several images is done.
    Shared(Arc<Shared>),
    /// A new plan of a rebuild.
    Planned(Box<Planned>),
    /// Progress of writing a rebuilt image. The total is known from its first byte on.
    Writing(Transfer),
    /// Result of writing a rebuilt image.
    Rebuilt(Rebuilt),
    /// The findings of the image.
    Judged(Arc<Findings>),
    /// The same tree, the same nodes: contents compared exactly, figures exact.
    Refined(Opened),
    /// The bytes of a layer were checked against its diffID.
    DigestChecked {
        /// The layer.
        layer: LayerIndex,
        /// Result of the check.
        check: DigestCheck,
    },
    /// There are several images or platforms to choose from.
    Choose(Vec<Choice>),
    /// It may go on only if the user says so.
    Confirm {
        /// Question to ask.
        question: String,
        /// Choice to open if the answer is yes.
        choice: Choice,
    },
    /// Rows of what a path holds.
    View(Box<View>),
    /// Hits of a search through files.
    Hits(Hits),
    /// The best paths for some letters.
    Paths(Paths),
    /// Progress of copying to disk.
    Copying(Transfer),
    /// Result of copying to disk, as a sentence.
    Copied(Result<String, String>),
    /// A request is done or failed; a sentence.
    Done(Result<String, String>),
    /// It could not be opened or read on; the reason as a sentence.
    Failed(String),
}

/// An answer to a question for a plan.
#[derive(Debug)]
pub struct Planned {
    /// The question.
    pub ticket: Ticket,
    /// The plan, or why there is none, as a sentence.
    pub plan: Result<Arc<Plan>, String>,
    /// Proposed destination, as a user would type it.
    pub proposal: String,
}

/// Results of writing a rebuilt image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilt {
    /// The image is written.
    Written {
        /// The reference by which it is opened.
        reference: String,
        /// Description of what was written, as a sentence.
        told: String,
    },
    /// There is a file already that the user did not say could be replaced.
    Occupied,
    /// It could not be written, and nothing of it is left; the reason as a sentence.
    Failed(String),
}

/// Facts known before any layer has been read.
#[derive(Debug, Default)]
pub struct Identified {
    /// Identity of the image.
    pub identity: Identity,
    /// Its configuration.
    pub config: Config,
    /// Its layers, base first.
    pub layers: Vec<LayerOutline>,
}

/// Facts about a layer known before it has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerOutline {
    /// The command that made it.
    pub command: String,
    /// Digest of its unpacked bytes, as the configuration gives it.
    pub diff_id: Option<String>,
    /// Length of the stored blob, bytes.
    pub compressed_bytes: Option<u64>,
}

/// Progress of the reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Progress of the source as one stream, if it is read as one.
    pub source: Option<Transfer>,
    /// By layer, base first; empty while the layers are not known.
    pub layers: Vec<LayerProgress>,
    /// State of the network transfer, if there is one.
    pub traffic: Option<Traffic>,
}

/// State of a network transfer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Over the last seconds; 0 where that is not known yet.
    pub bytes_per_second: u64,
    /// For how long nothing has come.
    pub silent: Duration,
    /// For how much longer a server is left alone before it is asked again.
    pub waiting: Duration,
}

/// Nothing has come for so long that one wonders.
const SILENCE: Duration = Duration::from_secs(3);

impl Traffic {
    /// Describes the transfer when `left_bytes` are still to come.
    #[must_use]
    pub fn in_words(&self, left_bytes: Option<u64>) -> String {
        if !self.waiting.is_zero() {
            return format!("rate limited, {} s left", self.waiting.as_secs().saturating_add(1));
        }
        if self.silent >= SILENCE {
            return format!("stalled for {} s", self.silent.as_secs());
        }
        if self.bytes_per_second == 0 {
            return String::new();
        }
        let rate = format!("{}/s", display_bytes(self.bytes_per_second));
        match left_bytes.map(|left| left / self.bytes_per_second) {
            None | Some(0) => rate,
            Some(seconds @ 1..120) => format!("{rate}, {seconds} s left"),
            Some(seconds) => format!("{rate}, {} min left", seconds / 60),
        }
    }
}

/// Bytes that have come, of those that are to come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Come so far, bytes.
    pub read_bytes: u64,
    /// In all, bytes, where that is known.
    pub total_bytes: Option<u64>,
}

/// Progress of reading one layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerProgress {
    /// Its bytes.
    pub transfer: Transfer,
    /// Entries met so far.
    pub entries: u64,
}

/// An image with its overview.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The image.
    pub image: Arc<Image>,
    /// Its figures.
    pub overview: Overview,
}

/// dive's figures of a whole image.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overview {
    /// Smallest copies over all copies: 1 where nothing is stored twice.
    pub efficiency: f64,
    /// All copies of paths that are stored more than once, bytes.
    pub wasted_bytes: u64,
    /// Wasted bytes over the file bytes of all layers but the base: 0.1 is a tenth.
    pub user_wasted_percent: f64,
}

/// Something that can be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Reference that [`Effect::Open`] returns.
    pub reference: String,
    /// Title of the choice.
    pub title: String,
    /// Details: kind, bytes, age.
    pub detail: String,
}

/// Effects that the interface requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Open this, and report under this number.
    Open {
        /// The number.
        opening: Opening,
        /// As a [`Choice`] gave it.
        reference: String,
    },
    /// Open another image, and compare it with one that is open already; report under this number.
    Compare {
        /// The number.
        opening: Opening,
        /// The one that is open: the old one.
        with: Opening,
        /// The new one.
        reference: String,
        /// Options of the comparison.
        options: CompareOptions,
    },
    /// Stop what this opening is still doing: nothing of it is wanted any more.
    Cancel(Opening),
    /// Find this out about an opened image, and report it.
    Ask {
        /// The image.
        opening: Opening,
        /// The question.
        request: Request,
    },
    /// Put this into the clipboard.
    Copy(String),
    /// Switch the mouse on or off.
    Mouse(bool),
    /// Go to the background.
    Suspend,
    /// Leave.
    Quit,
}

/// With what the interface begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// An image of this name is being opened as [`Opening::FIRST`].
    Loading(String),
    /// Images of these names are being opened together as [`Opening::FIRST`]: two to compare, or more to show what
    /// they share.
    Comparing {
        /// Names of the images.
        names: Vec<String>,
        /// Options of the comparison.
        options: CompareOptions,
    },
    /// Nothing is; these can be.
    Choosing(Vec<Choice>),
}

/// Capabilities of the terminal and wishes of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Use colours.
    pub colours: bool,
    /// Draw with characters beyond ASCII.
    pub unicode: bool,
    /// Take clicks and the wheel.
    pub mouse: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { colours: true, unicode: true, mouse: true }
    }
}

impl Options {
    /// As `NO_COLOR` and the locale say.
    #[must_use]
    pub fn from_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        Self { colours: set("NO_COLOR").is_none(), unicode: locale.is_none_or(|locale| is_utf8(&locale)), mouse: true }
    }
}

fn is_utf8(locale: &str) -> bool {
    let charset = locale.split_once('.').map_or("", |(_, charset)| charset).to_ascii_lowercase();
    charset.starts_with("utf-8") || charset.starts_with("utf8")
}

#[cfg(test)]
mod tests {
    use super::is_utf8;

    #[test]
    fn the_locale_tells_whether_more_than_ascii_can_be_drawn() {
        for (locale, expected) in
            [("en_GB.UTF-8", true), ("C.utf8", true), ("de_DE.UTF-8@euro", true), ("C", false), ("ja_JP.eucJP", false)]
        {
            assert_eq!(is_utf8(locale), expected, "{locale}");
        }
    }
}
