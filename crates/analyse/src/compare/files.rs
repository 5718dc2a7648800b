use nixdive_image::{Difference, NodeId, OccurrenceId};

/// Kind of change of a path between the left and the right image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileChangeKind {
    /// On the right side only.
    Added,
    /// On the left side only.
    Removed,
    /// Other bytes, another link target, other device numbers.
    Content,
    /// Mode, owner, extended attributes or time of modification, and nothing else.
    Metadata,
    /// A file here, a directory or link there.
    Type,
    /// The same content under another path.
    Renamed,
}

impl FileChangeKind {
    /// All kinds, in the order of reports.
    pub const ALL: [Self; 6] = [Self::Added, Self::Removed, Self::Content, Self::Metadata, Self::Type, Self::Renamed];

    /// `added`, `removed`, `content`, `metadata`, `type`, `renamed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Content => "content",
            Self::Metadata => "metadata",
            Self::Type => "type",
            Self::Renamed => "renamed",
        }
    }
}

/// A path of one of the two final trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparedPath {
    /// Its place in its own image's tree.
    pub node: NodeId,
    /// Its entry; `None` for a directory that only its children imply.
    pub occurrence: Option<OccurrenceId>,
    /// File bytes of the entry; 0 for hard links and anything other than a file.
    pub file_bytes: u64,
}

/// A path that differs between the two images, or was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileChange {
    /// Kind of the change.
    pub kind: FileChangeKind,
    /// In the left image.
    pub left: Option<ComparedPath>,
    /// In the right image.
    pub right: Option<ComparedPath>,
    /// In what the two differ; empty for what is on one side only.
    pub difference: Difference,
}

impl FileChange {
    /// File bytes on the right side less those on the left.
    #[must_use]
    pub fn delta(&self) -> i64 {
        super::delta(self.left.map_or(0, |path| path.file_bytes), self.right.map_or(0, |path| path.file_bytes))
    }
}

/// Sums of file bytes over all changed paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileSums {
    /// Bytes of added paths.
    pub added_bytes: u64,
    /// Bytes of removed paths.
    pub removed_bytes: u64,
    /// By which changed paths grew.
    pub grown_bytes: u64,
    /// By which changed paths shrank.
    pub shrunk_bytes: u64,
    /// Paths that are equal on both sides.
    pub unchanged_paths: u64,
}

impl FileSums {
    /// Sum of |Δ| over all paths.
    #[must_use]
    pub fn absolute_bytes(&self) -> u64 {
        [self.added_bytes, self.removed_bytes, self.grown_bytes, self.shrunk_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// The differences between two final trees.
#[derive(Debug, Clone, Default)]
pub struct FileChanges {
    /// In the order of the paths, directories before what is in them; renamed ones where they are now.
    pub changes: Vec<FileChange>,
    /// Sums over them.
    pub sums: FileSums,
}

impl FileChanges {
    /// The changes of one kind, the largest |Δ| first, equals in the order of the paths.
    #[must_use]
    pub fn of(&self, kind: FileChangeKind) -> Vec<&FileChange> {
        let mut found: Vec<&FileChange> = self.changes.iter().filter(|change| change.kind == kind).collect();
        found.sort_by_key(|change| std::cmp::Reverse(change.delta().unsigned_abs()));
        found
    }

    /// How many changes there are of one kind.
    #[must_use]
    pub fn count(&self, kind: FileChangeKind) -> usize {
        self.changes.iter().filter(|change| change.kind == kind).count()
    }
}
