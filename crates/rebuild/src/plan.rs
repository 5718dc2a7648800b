//! Plan of a rebuild: what would be kept and dropped with the evidence for each, as rows for the user to decide on.

use tracing::{debug, info};

use nixdive_base::text::display_bytes;
use nixdive_image::NodeId;
use nixdive_nix::graph::PathId;

/// A rebuild that saves less than one in this many bytes is not worthwhile.
const LEAST_PART: u64 = 100;

/// Plan of a rebuild.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Store paths, packages and groups of files, largest first. Each file of the image is in exactly one.
    pub rows: Vec<Row>,
    /// Classes of files within the rows that can be dropped, or are.
    pub classes: Vec<ClassRow>,
    /// References that are cut, as sentences that are safe to show.
    pub cuts: Vec<String>,
    /// Uncertainties and other remarks, as sentences that are safe to show.
    pub doubts: Vec<String>,
}

/// Unit of the decision: a store path, a package, or a group of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Subject of the row.
    pub subject: RowSubject,
    /// Displayed name: base name of a store path, package with its version, or path. Safe to show.
    pub name: String,
    /// Bytes of its files that remain if the row is kept.
    pub kept_bytes: u64,
    /// Bytes of its files that are dropped even if the row is kept.
    pub dropped_bytes: u64,
    /// Proposed decision, or the user's.
    pub decision: Decision,
    /// Reasons, the decisive one first: the chain that needs it, or that nothing does. Safe to show.
    pub evidence: Vec<String>,
    /// Uncertainty about the row, if any. Safe to show.
    pub doubt: Option<String>,
}

/// Subject of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowSubject {
    /// Path of the Nix store.
    StorePath(PathId),
    /// Installed package, by its position in the inventory.
    Package(u32),
    /// Files of neither kind below a directory.
    Files(NodeId),
    /// Files of a class at any path.
    Class(DropClass),
}

/// All files of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRow {
    /// Class of the files.
    pub class: DropClass,
    /// Number of files among those otherwise kept.
    pub files: u64,
    /// Size of the files, bytes.
    pub bytes: u64,
    /// True if the files are kept.
    pub is_kept: bool,
}

/// Classes of files that can be dropped by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropClass {
    /// Files that no reference reaches.
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
    /// All classes.
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

    /// Returns the name used on the command line.
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

    /// Returns the class with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.id() == name)
    }
}

/// Decision about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Needed by something.
    Keep,
    /// Not needed by anything in the image.
    Drop,
    /// Kept by the user, needed or not.
    KeepAsked,
    /// Dropped by the user, needed or not.
    DropAsked,
}

impl Decision {
    /// Returns `true` if the row will be in the result.
    #[must_use]
    pub fn is_kept(self) -> bool {
        matches!(self, Self::Keep | Self::KeepAsked)
    }
}

impl Row {
    /// Returns the bytes of its files in the result.
    #[must_use]
    pub fn bytes_after(&self) -> u64 {
        if self.decision.is_kept() { self.kept_bytes } else { 0 }
    }

    /// Returns the bytes of its files in the topmost layer's view of the image.
    #[must_use]
    pub fn bytes_before(&self) -> u64 {
        self.kept_bytes.saturating_add(self.dropped_bytes)
    }
}

impl Plan {
    /// Returns the bytes of all files in the topmost layer's view of the image.
    #[must_use]
    pub fn bytes_before(&self) -> u64 {
        self.rows.iter().map(Row::bytes_before).fold(0, u64::saturating_add)
    }

    /// Returns the bytes of all files in the result.
    #[must_use]
    pub fn bytes_after(&self) -> u64 {
        self.rows.iter().map(Row::bytes_after).fold(0, u64::saturating_add)
    }

    /// Adds a remark if a rebuild is hardly worthwhile: little is dropped, and the additions take space too.
    pub(super) fn remark_on_small_savings(&mut self) {
        let (before, after) = (self.bytes_before(), self.bytes_after());
        let goes = before.saturating_sub(after);
        if goes < before / LEAST_PART {
            let sentence = if goes == 0 {
                "nothing can be removed; rebuilding would not shrink this image".to_owned()
            } else {
                format!("only {} can be removed; rebuilding would hardly shrink this image", display_bytes(goes))
            };
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

    /// Sorts the rows by descending size, then by name.
    pub(super) fn sort(&mut self) {
        self.rows.sort_by(|left, right| {
            right.bytes_before().cmp(&left.bytes_before()).then_with(|| left.name.cmp(&right.name))
        });
    }
}
