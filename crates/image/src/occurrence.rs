use super::{LayerIndex, NodeId, Segment, Xattrs};

/// Kind of a path in one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A regular file with content of its own.
    File,
    /// A directory with an entry of its own.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A second name of another entry's content.
    HardLink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// Not there any more: OCI image specification, "Whiteouts".
    Whiteout,
    /// A directory without an entry in this layer whose lower content is hidden: "Opaque Whiteout".
    OpaqueMark,
}

bitflags::bitflags! {
    /// In what an entry differs from the entry of the same path that it covers.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Difference: u8 {
        /// There was nothing to cover.
        const ADDED = 1;
        /// File, directory, link, device: another type.
        const TYPE = 1 << 1;
        /// Size or bytes.
        const CONTENT = 1 << 2;
        /// Permission bits.
        const MODE = 1 << 3;
        /// User or group.
        const OWNER = 1 << 4;
        /// Link target or device numbers.
        const LINK = 1 << 5;
        /// Extended attributes, file capabilities among them.
        const XATTRS = 1 << 6;
        /// Modification time, which alone does not count as a change of the file.
        const MTIME = 1 << 7;
    }
}

impl Difference {
    /// Returns `true` if anything but the modification time differs.
    #[must_use]
    pub fn is_real(self) -> bool {
        !self.difference(Self::MTIME).is_empty()
    }
}

/// Index of an occurrence in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OccurrenceId(pub(super) u32);

impl OccurrenceId {
    pub(super) const NONE: u32 = u32::MAX;

    pub(super) fn from_raw(raw: u32) -> Option<Self> {
        (raw != Self::NONE).then_some(Self(raw))
    }

    /// The index itself.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Numeric and textual owner of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

pub(super) mod flags {
    /// Lower content of this directory is hidden.
    pub const OPAQUE: u8 = 1;
    /// The layer also holds a whiteout of this very path.
    pub const WHITEOUT_TOO: u8 = 1 << 1;
    /// No other entry of the same layer lies below this one.
    pub const LEAF: u8 = 1 << 2;
    /// The content's identity is known.
    pub const HASHED: u8 = 1 << 3;
    /// Lower content of this directory is hidden by a whiteout of the same layer that came behind it.
    pub const ERASES: u8 = 1 << 4;
    /// A directory without an entry, made because something else was in its place or nothing.
    pub const IMPLIED: u8 = 1 << 5;
    /// The name in the archive begins with a slash.
    pub const ABSOLUTE: u8 = 1 << 6;
    /// The name in the archive led here through a symbolic link.
    pub const MOVED: u8 = 1 << 7;
}

/// One path in one layer. 48 bytes, so that a million of them are 48 MB.
#[derive(Debug, Clone)]
pub struct Occurrence {
    pub(super) node: u32,
    pub(super) older: u32,
    pub(super) extra: u32,
    pub(super) owner: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Size that the header gives, bytes.
    pub bytes: u64,
    /// Offset of its content in the unpacked layer, bytes.
    pub offset: u64,
    /// The layer it is in.
    pub layer: LayerIndex,
    pub(super) mode_bits: u16,
    /// Kind of the entry.
    pub kind: Kind,
    pub(super) flags: u8,
    pub(super) difference: Difference,
    /// The tar type flag as it stands in the header.
    pub type_flag: u8,
}

impl Occurrence {
    /// The path that it is an occurrence of.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId(self.node)
    }

    /// Permission, set-id and sticky bits.
    #[must_use]
    pub fn mode(&self) -> u16 {
        self.mode_bits
    }

    /// Returns `true` if it hides lower content below this path from this layer on: a whiteout, an
    /// opaque directory, or anything that is not a directory.
    #[must_use]
    pub fn erases_below(&self) -> bool {
        self.flags & (flags::OPAQUE | flags::ERASES) != 0 || self.kind != Kind::Directory
    }

    /// Returns `true` if the directory hides its content in lower layers.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        self.flags & flags::OPAQUE != 0 && matches!(self.kind, Kind::Directory | Kind::OpaqueMark)
    }

    /// Returns `true` if the layer contains a whiteout of this path in addition to the entry
    /// itself.
    #[must_use]
    pub fn is_whiteout_too(&self) -> bool {
        self.flags & flags::WHITEOUT_TOO != 0
    }

    /// Returns `true` for a directory without an entry in the layer: entries or marks below it
    /// replace something else of a lower layer, or need a directory that did not exist.
    #[must_use]
    pub fn is_implied(&self) -> bool {
        self.flags & flags::IMPLIED != 0
    }

    /// Returns `true` if its name in the archive begins with a slash.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        self.flags & flags::ABSOLUTE != 0
    }

    /// Returns `true` if its name in the archive is another path, which led here through a symbolic
    /// link of the same layer.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.flags & flags::MOVED != 0
    }

    /// Returns `true` if no other entry of the same layer lies below this one.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        self.flags & flags::LEAF != 0
    }

    /// In what it differs from the entry that it covers; empty before [`super::compute_history`] ran.
    #[must_use]
    pub fn difference(&self) -> Difference {
        self.difference
    }
}

/// Rarely used fields of an entry.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    pub link: Box<[u8]>,
    pub xattrs: Xattrs,
    pub sparse: Option<Box<[Segment]>>,
    pub device: (u32, u32),
    /// Index of a hard link's content in `FileTree::linked_contents`.
    pub content: u32,
}
