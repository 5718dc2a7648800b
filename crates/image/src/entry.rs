use super::{Kind, Xattrs};

/// First 16 bytes of a file's BLAKE3: identity of content inside this program, never shown as a digest.
pub type ContentHash = [u8; 16];

/// A run of stored bytes of a sparse file; what lies between runs is zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Offset of the run in the file, bytes.
    pub file_offset: u64,
    /// Its length, bytes.
    pub length: u64,
}

/// One entry of a layer, its names held by the [`EntryBatch`] around it.
#[derive(Debug, Clone)]
pub struct RawEntry {
    path: (u32, u32),
    link: (u32, u32),
    /// All but the names.
    pub fields: EntryFields,
}

/// Fields of a tar header, except the names.
#[derive(Debug, Clone)]
pub struct EntryFields {
    /// Kind of the entry.
    pub kind: Kind,
    /// Permission, set-id and sticky bits: 12 bits.
    pub mode: u16,
    /// The tar type flag as it stands in the header.
    pub type_flag: u8,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size of the file, bytes (of a sparse file: the unpacked size).
    pub bytes: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Offset of the stored content in the unpacked layer, bytes.
    pub offset: u64,
    /// Device numbers, major and minor.
    pub device: (u32, u32),
    /// Extended attributes, in the order of the header.
    pub xattrs: Xattrs,
    /// Stored runs of a sparse file.
    pub sparse: Option<Vec<Segment>>,
    /// Identity of the content, where the content was read.
    pub content: Option<ContentHash>,
    /// True if the name in the archive begins with a slash.
    pub is_absolute: bool,
}

impl EntryFields {
    /// Fields of an entry of `kind` with everything else zero.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            mode: 0,
            type_flag: b'0',
            uid: 0,
            gid: 0,
            bytes: 0,
            mtime: 0,
            offset: 0,
            device: (0, 0),
            xattrs: Xattrs::new(),
            sparse: None,
            content: None,
            is_absolute: false,
        }
    }
}

/// Some entries of one layer in their order, with one buffer for all their names.
#[derive(Debug, Default)]
pub struct EntryBatch {
    entries: Vec<RawEntry>,
    names: Vec<u8>,
    /// Bytes of sparse maps.
    map_bytes: usize,
}

impl EntryBatch {
    /// Entries after which a batch is handed on.
    pub const FULL: usize = 2048;

    /// Adds an entry. `path` has no leading, trailing or double slash and no `.` or `..`; the root is empty.
    pub fn push(&mut self, path: &[u8], link: &[u8], fields: EntryFields) {
        let path = self.keep(path);
        let link = self.keep(link);
        self.map_bytes += fields.sparse.as_ref().map_or(0, |map| size_of_val(map.as_slice()));
        self.entries.push(RawEntry { path, link, fields });
    }

    fn keep(&mut self, name: &[u8]) -> (u32, u32) {
        let start = self.names.len() as u32;
        self.names.extend_from_slice(name);
        (start, name.len() as u32)
    }

    /// Path and link target of `entry`, which is one of this batch.
    #[must_use]
    pub fn names(&self, entry: &RawEntry) -> (&[u8], &[u8]) {
        let slice = |(start, length): (u32, u32)| {
            self.names.get(start as usize..(start as usize).saturating_add(length as usize)).unwrap_or_default()
        };
        (slice(entry.path), slice(entry.link))
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> &[RawEntry] {
        &self.entries
    }

    /// Moves the offsets of all contents by `bytes`, for a stream that begins earlier.
    pub fn shift_contents(&mut self, bytes: u64) {
        for entry in &mut self.entries {
            entry.fields.offset = entry.fields.offset.saturating_add(bytes);
        }
    }

    /// Returns `true` if this batch should be passed on: many entries, or many bytes of names and
    /// sparse maps.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= Self::FULL || self.names.len() + self.map_bytes >= 1 << 20
    }

    /// Returns `true` if the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
