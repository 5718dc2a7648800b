use std::cmp::Ordering;

use super::{Change, FileTree, NodeId, Seen};

/// Sort key of siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortKey {
    /// Byte order.
    Name,
    /// Unpacked bytes, the largest first.
    #[default]
    Bytes,
    /// Removed, modified, added, then the rest; the largest first among equals.
    Change,
}

impl SortKey {
    /// The next in the cycle of a sort key.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Bytes => Self::Name,
            Self::Name => Self::Change,
            Self::Change => Self::Bytes,
        }
    }
}

/// Puts siblings into the order of a sort key.
pub trait CompareOrder {
    /// Which of two siblings comes first.
    fn compare(&self, key: SortKey, left: (NodeId, &Seen), right: (NodeId, &Seen)) -> Ordering;
}

impl CompareOrder for FileTree {
    fn compare(&self, key: SortKey, left: (NodeId, &Seen), right: (NodeId, &Seen)) -> Ordering {
        let rank = |change: Change| match change {
            Change::Removed => 0u8,
            Change::Modified(_) => 1,
            Change::Added => 2,
            Change::Touched => 3,
            Change::Unmodified => 4,
        };
        let by_bytes = || right.1.totals.bytes.cmp(&left.1.totals.bytes);
        let first = match key {
            SortKey::Name => Ordering::Equal,
            SortKey::Bytes => by_bytes(),
            SortKey::Change => rank(left.1.change).cmp(&rank(right.1.change)).then_with(by_bytes),
        };
        first.then_with(|| self.name(left.0).cmp(self.name(right.0)))
    }
}
