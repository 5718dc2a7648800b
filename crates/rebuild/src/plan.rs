//! What a rebuild would keep and drop, and the evidence for each, as rows that a person can decide about.

use tracing::{debug, info};

use nixdive_base::text::display_bytes;
use nixdive_image::NodeId;
use nixdive_nix::graph::PathId;

/// Where less than one in so many bytes goes, a rebuild saves nothing.
const LEAST_PART: u64 = 100;

/// A plan: what is kept and what goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Store paths, packages and groups of files: each file of the image is in one of them. Largest first.
    pub rows: Vec<Row>,
    /// Classes of files within the rows that could go or do go.
    pub classes: Vec<ClassRow>,
    /// References that are cut, as sentences that are safe to show.
    pub cuts: Vec<String>,
    /// What nothing in the image can tell, and what else should be known: sentences that are safe to show.
    pub doubts: Vec<String>,
}

/// What is kept or dropped as one: a store path, a package, or a group of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub subject: RowSubject,
    /// Its name as it is shown: a store path's base name, a package with its version, a path. Safe to show.
    pub name: String,
    /// Bytes of its files that stay when the row is kept.
    pub kept_bytes: u64,
    /// Bytes of its files that go even where the row is kept.
    pub dropped_bytes: u64,
    /// What is proposed, or decided by the user.
    pub decision: Decision,
    /// Why, the decisive reason first: the chain that needs it, or that nothing does. Safe to show.
    pub evidence: Vec<String>,
    /// What of it nothing in the image can tell, if anything. Safe to show.
    pub doubt: Option<String>,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowSubject {
    /// A path of the Nix store.
    StorePath(PathId),
    /// What a package manager installed: its place in the inventory.
    Package(u32),
    /// Files that belong to neither, below a directory.
    Files(NodeId),
    /// Files of a class, wherever they are.
    Class(DropClass),
}

/// The files of one class, wherever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRow {
    /// Which.
    pub class: DropClass,
    /// How many, among what is otherwise kept.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether they stay.
    pub is_kept: bool,
}

/// Classes of files that can be dropped by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropClass {
    /// What no reference reaches.
    Unreachable,
    /// Manuals, info pages, documentation.
    Docs,
    /// Message catalogues and locale data.
    Locales,
    /// Headers, pkg-config and CMake files, libtool archives.
    Dev,
    /// Libraries for static linking.
    StaticLibs,
    /// Compiled Python.
    Pycache,
    /// Test suites.
    Tests,
    /// Debug information in files of its own.
    Debug,
    /// The package manager and its database.
    PackageManager,
}

impl DropClass {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Unreachable,
        Self::Docs,
        Self::Locales,
        Self::Dev,
        Self::StaticLibs,
        Self::Pycache,
        Self::Tests,
        Self::Debug,
        Self::PackageManager,
    ];

    /// The name that people type.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Docs => "docs",
            Self::Locales => "locales",
            Self::Dev => "dev",
            Self::StaticLibs => "static-libs",
            Self::Pycache => "pycache",
            Self::Tests => "tests",
            Self::Debug => "debug",
            Self::PackageManager => "package-manager",
        }
    }

    /// The class of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.id() == name)
    }
}

/// Whether a row is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Something needs it.
    Keep,
    /// Nothing in the image needs it.
    Drop,
    /// The user wants it, whether or not it is needed.
    KeepAsked,
    /// The user wants it gone, whether or not it is needed.
    DropAsked,
}

impl Decision {
    /// Whether it will be in the result.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Keep | Self::KeepAsked)
    }
}

impl Row {
    /// Bytes of its files that are in the result.
    #[must_use]
    pub fn bytes_after(&self) -> u64 {
        if self.decision.is_kept() { self.kept_bytes } else { 0 }
    }

    /// Bytes of its files in the image as its topmost layer leaves it.
    #[must_use]
    pub fn bytes_before(&self) -> u64 {
        self.kept_bytes.saturating_add(self.dropped_bytes)
    }
}

impl Plan {
    /// Bytes of the files in the image as its topmost layer leaves it.
    #[must_use]
    pub fn bytes_before(&self) -> u64 {
        self.rows.iter().map(Row::bytes_before).fold(0, u64::saturating_add)
    }

    /// Bytes of the files in the result.
    #[must_use]
    pub fn bytes_after(&self) -> u64 {
        self.rows.iter().map(Row::bytes_after).fold(0, u64::saturating_add)
    }

    /// Says where a rebuild is hardly worth it: next to nothing goes, and what is new in the image takes room too.
    pub(super) fn tell_how_little_goes(&mut self) {
        let (before, after) = (self.bytes_before(), self.bytes_after());
        let goes = before.saturating_sub(after);
        if goes < before / LEAST_PART {
            let what = if goes == 0 { "nothing goes".to_owned() } else { format!("only {} go", display_bytes(goes)) };
            let sentence = format!(
                "{what}: links and names of layers take room too, so that a rebuild by this plan would hardly be smaller, \
                 if not larger"
            );
            self.doubts.insert(0, sentence);
        }
    }

    /// Logs a line for each row and class, with the decisive reason.
    pub(super) fn log(&self) {
        let (before, after) = (self.bytes_before(), self.bytes_after());
        info!(target: "rebuild", rows = self.rows.len(), before, after, "plan");
        for row in &self.rows {
            let (before, after) = (row.bytes_before(), row.bytes_after());
            let why = row.evidence.first().map(String::as_str);
            let (row, decision, doubt) = (&row.name, row.decision, row.doubt.as_deref());
            debug!(target: "rebuild", ?decision, row, before, after, why, doubt, "row");
        }
        for class in &self.classes {
            let (files, bytes, is_kept) = (class.files, class.bytes, class.is_kept);
            debug!(target: "rebuild", class = class.class.id(), files, bytes, is_kept, "class");
        }
    }

    /// Puts the rows in order: largest first, those of equal bytes by their names.
    pub(super) fn sort(&mut self) {
        self.rows.sort_by(|left, right| {
            right.bytes_before().cmp(&left.bytes_before()).then_with(|| left.name.cmp(&right.name))
        });
    }
}
