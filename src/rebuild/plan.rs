//! What a rebuild would keep and drop, and the evidence for each, as rows that a person can decide about.

/// A plan: what is kept and what goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Largest first.
    pub rows: Vec<Row>,
    /// Bytes of all files of the image as its topmost layer leaves it.
    pub bytes_before: u64,
    /// Length of the image's unpacked layers, bytes.
    pub unpacked_before: u64,
    /// What nothing in the image can tell, as sentences that are safe to show.
    pub doubts: Vec<String>,
}

/// What is kept or dropped as one: a store path, a package, or a group of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: RowKind,
    /// Its name as it is shown: a store path's base name, a package, a path.
    pub name: String,
    /// Bytes of its files that are kept when the row is.
    pub kept_bytes: u64,
    /// Bytes of its files that go whether the row is kept or not, as nothing needs them.
    pub dropped_bytes: u64,
    /// What is proposed, or decided by the user's options.
    pub decision: Decision,
    /// Why, the decisive reason first: the chain that needs it, or that nothing does.
    pub evidence: Vec<String>,
    /// What of it nothing in the image can tell, if anything.
    pub doubt: Option<String>,
    /// Rows that must be kept with this one: places in [`Plan::rows`].
    pub needs: Vec<u32>,
}

/// Kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// A path of the Nix store.
    StorePath,
    /// What a package manager installed.
    Package,
    /// Files that no package owns.
    Files,
    /// Files of one of the classes that can be dropped by name.
    Class(DropClass),
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

impl Plan {
    /// Bytes of the files that are kept.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.rows.iter().filter(|row| row.decision.is_kept()).map(|row| row.kept_bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of the files that go.
    #[must_use]
    pub fn dropped_bytes(&self) -> u64 {
        let dropped = |row: &Row| match row.decision.is_kept() {
            true => row.dropped_bytes,
            false => row.dropped_bytes.saturating_add(row.kept_bytes),
        };
        self.rows.iter().map(dropped).fold(0, u64::saturating_add)
    }
}
