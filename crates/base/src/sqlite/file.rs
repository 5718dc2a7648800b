use super::bounds::{Budget, Visited};
use super::record::{Row, slice, varint};
use super::schema::Table;

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER_BYTES: usize = 100;
const READ_VERSION_AT: usize = 19;
const TEXT_ENCODING_AT: usize = 56;
const TABLE_INTERIOR: u8 = 0x05;
const TABLE_LEAF: u8 = 0x0d;

/// Why a database cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SqliteError {
    /// It does not begin as one.
    #[error("is not an SQLite database")]
    NotSqlite,
    /// A page that leads out of the file, or that several pages lead to; or values that together are longer than it.
    #[error("is an SQLite database with a damaged page")]
    Damaged,
    /// Text in UTF-16.
    #[error("is an SQLite database with its text in UTF-16, which is not read")]
    Encoding,
}

/// A database file.
pub struct Database<'a> {
    content: &'a [u8],
    page_bytes: usize,
    /// Bytes of a page that are in use: an extension may reserve some at the end.
    usable_bytes: usize,
    visited: Visited,
    budget: Budget,
    /// The current record, if it spans several pages.
    gathered: Vec<u8>,
}

impl<'a> Database<'a> {
    /// The database whose file has these bytes.
    ///
    /// # Errors
    /// [`SqliteError::NotSqlite`], [`SqliteError::Encoding`].
    pub fn open(content: &'a [u8]) -> Result<Self, SqliteError> {
        let database = Self::with_header(content).ok_or(SqliteError::NotSqlite)?;
        match u32_be(content, TEXT_ENCODING_AT) {
            Some(2 | 3) => Err(SqliteError::Encoding),
            _ => Ok(database),
        }
    }

    /// Returns `true` if writers of the database keep a log next to it, which alone may contain the
    /// latest changes.
    #[must_use]
    pub fn uses_write_ahead_log(&self) -> bool {
        self.content.get(READ_VERSION_AT) == Some(&2)
    }

    fn with_header(content: &'a [u8]) -> Option<Self> {
        let header = content.get(..FILE_HEADER_BYTES).filter(|header| header.starts_with(MAGIC))?;
        let page_bytes = match u16_be(header, 16)? {
            1 => 65_536,
            bytes => usize::from(bytes),
        };
        let usable_bytes = page_bytes.checked_sub(usize::from(*header.get(20)?))?;
        let valid = page_bytes.is_power_of_two() && page_bytes >= 512 && usable_bytes >= 480;
        valid.then(|| Self {
            content,
            page_bytes,
            usable_bytes,
            visited: Visited::new(content.len() / page_bytes + 1),
            budget: Budget(content.len()),
            gathered: Vec::new(),
        })
    }

    /// A page by its number, which counts from 1. Each is given out once.
    fn page(&mut self, number: u32) -> Result<&'a [u8], SqliteError> {
        let index = (number as usize).checked_sub(1).ok_or(SqliteError::Damaged)?;
        let start = index.checked_mul(self.page_bytes).ok_or(SqliteError::Damaged)?;
        let page = slice(self.content, start, self.page_bytes).ok_or(SqliteError::Damaged)?;
        if !self.visited.first(index) {
            return Err(SqliteError::Damaged);
        }
        Ok(page)
    }

    /// Calls `visit` with each row of a table, in the order of their ids.
    ///
    /// # Errors
    /// [`SqliteError::Damaged`].
    pub fn for_each_row(&mut self, table: &Table, visit: &mut dyn FnMut(Row<'_>)) -> Result<(), SqliteError> {
        self.walk(table.root, visit)
    }

    /// Calls `visit` with each row of the table whose b-tree has this root.
    pub(super) fn walk(&mut self, root: u32, visit: &mut dyn FnMut(Row<'_>)) -> Result<(), SqliteError> {
        // Between two walks pages may be read again; within one, each leads to others only once.
        self.visited = Visited::new(self.content.len() / self.page_bytes + 1);
        self.budget = Budget(self.content.len());
        let mut pages = vec![root];
        while let Some(number) = pages.pop() {
            let page = self.page(number)?;
            let header_at = if number == 1 { FILE_HEADER_BYTES } else { 0 };
            let kind = page.get(header_at).copied();
            let cells = u16_be(page, header_at + 3).map_or(0, usize::from);
            let pointers_at = header_at + if kind == Some(TABLE_INTERIOR) { 12 } else { 8 };
            let pointers = slice(page, pointers_at, cells * 2).ok_or(SqliteError::Damaged)?;
            let cells = pointers.chunks_exact(2).filter_map(|pointer| u16_be(pointer, 0)).map(usize::from);
            match kind {
                Some(TABLE_INTERIOR) => {
                    // The stack gives pages out last first.
                    pages.push(u32_be(page, header_at + 8).ok_or(SqliteError::Damaged)?);
                    for cell in cells.rev() {
                        pages.push(u32_be(page, cell).ok_or(SqliteError::Damaged)?);
                    }
                }
                Some(TABLE_LEAF) => {
                    for cell in cells {
                        self.record(page, cell, visit)?;
                    }
                }
                _ => return Err(SqliteError::Damaged),
            }
        }
        Ok(())
    }

    /// Calls `visit` with the record of one cell of a leaf page.
    fn record(&mut self, page: &'a [u8], cell: usize, visit: &mut dyn FnMut(Row<'_>)) -> Result<(), SqliteError> {
        let (payload_bytes, at) = varint(page, cell).ok_or(SqliteError::Damaged)?;
        let (id, at) = varint(page, at).ok_or(SqliteError::Damaged)?;
        let payload_bytes = usize::try_from(payload_bytes).map_err(|_| SqliteError::Damaged)?;
        self.budget.spend(payload_bytes).ok_or(SqliteError::Damaged)?;
        let local_bytes = self.local_bytes(payload_bytes);
        let local = slice(page, at, local_bytes).ok_or(SqliteError::Damaged)?;
        if local_bytes == payload_bytes {
            visit(Row { id: id.cast_signed(), record: local });
            return Ok(());
        }
        let mut next = u32_be(page, at + local_bytes).ok_or(SqliteError::Damaged)?;
        self.gathered.clear();
        self.gathered.extend_from_slice(local);
        while self.gathered.len() < payload_bytes {
            let overflow = self.page(next)?;
            next = u32_be(overflow, 0).ok_or(SqliteError::Damaged)?;
            let bytes = (payload_bytes - self.gathered.len()).min(self.usable_bytes - 4);
            self.gathered.extend_from_slice(slice(overflow, 4, bytes).ok_or(SqliteError::Damaged)?);
        }
        visit(Row { id: id.cast_signed(), record: &self.gathered });
        Ok(())
    }

    /// How much of a payload is stored in the leaf itself ("Cell Payload Overflow Pages").
    fn local_bytes(&self, payload_bytes: usize) -> usize {
        let most = self.usable_bytes - 35;
        if payload_bytes <= most {
            return payload_bytes;
        }
        let least = (self.usable_bytes - 12) * 32 / 255 - 23;
        let filling = least + (payload_bytes - least) % (self.usable_bytes - 4);
        if filling <= most { filling } else { least }
    }
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}
